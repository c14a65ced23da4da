"""The numbers and the pictures of docs/course: its own code, run on real MNIST.

    python -m benchmarks.course [unit] [family] [diffusion] [unbounded]

runs the Python of the English pages from top to bottom, keeps the pictures that it writes in
docs/images/course, and puts the measured numbers into the pages of all languages. The unit takes
about three minutes, the family about ten, diffusion about five, on one thread; ``unbounded``, an
autoencoder that the unit mentions, two. MNIST is looked for as ``isthmus.data.load`` does it.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageSequence
from sklearn.neighbors import KDTree, KNeighborsClassifier

import isthmus as ist
from benchmarks.pages import COLOURS, DOCS, fill, rounded, surroundings
from isthmus.data import Data
from isthmus.metrics import Measure

HOME, PICTURES = DOCS / "course", DOCS / "images" / "course"
LANGUAGES = ("en", "zh-Hant")
PAGES, UNBOUNDED = ("unit", "family", "diffusion"), "unbounded"
# the dictionaries of a page that hold what its code measures itself
MEASURED = {
    "family": (
        "deep",
        "sparsity",
        "denoising",
        "contractive",
        "clustering",
        "betas",
        "quantised",
        "diffusion",
    ),
    "diffusion": ("again", "falling", "latent", "steps", "guided"),
}
_DRAWS, _FAR, _DPI, _FILM_COLOURS = 10_000, 0.99, 130, 48

Numbers = dict[str, dict[str, Any]]


def code_of(page: str, language: str = "en") -> list[str]:
    """The blocks of Python of a page."""
    text = (HOME / language / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def run(page: str, folder: Path) -> dict[str, Any]:
    """Run the Python of a page in a folder; gives back the names that it defines."""
    names: dict[str, Any] = {}
    with contextlib.chdir(folder), mpl.rc_context({"savefig.dpi": _DPI}):
        for block in code_of(page):
            exec(compile(block, f"{page}.md", "exec"), names)
    return names


def measure_unit(names: Mapping[str, Any]) -> Numbers:
    """What the unit reports of its two models, beside what compare measures."""
    data, models = names["data"], {"ae": names["ae"], "vae": names["vae"]}
    found = {row.label.lower(): _values(row.measures) for row in names["found"].rows}
    random = np.random.default_rng(0)
    drawn = {"ae": random.uniform(size=(_DRAWS, 2)), "vae": random.normal(size=(_DRAWS, 2))}
    for name, model in models.items():
        found[name] |= _training(model) | {
            "far": _far(model, data, drawn[name]),
            "astray": _astray(model, data, drawn[name]),
        }
    return found | {"digit": _digit(models["vae"], data), "data": {"entropy": _entropy(data)}}


def measured_itself(page: str, names: Mapping[str, Any]) -> Numbers:
    """What the code of a page measures itself."""
    return {
        name: {key: float(value) for key, value in names[name].items()}
        for name in MEASURED[page]
        if name in names
    }


def measure_unbounded() -> Numbers:
    """The unit's autoencoder without the sigmoid on its code, trained in the same way."""
    data = ist.data.load("mnist")
    settings = ist.load("pretrained:course-ae").get_params(deep=False)
    model = ist.AE(**settings | {"code_activation": "linear", "snapshots": 0}).fit(data.train)
    found = ist.evaluate(model, data)
    return {"unbounded": {name: found[name].value for name in ("squared_error", "distortion")}}


def _values(measures: Mapping[str, Measure]) -> dict[str, float]:
    """Every measure, and its standard error under its name with ``_se``."""
    errors = {f"{name}_se": m.error for name, m in measures.items() if m.error is not None}
    return {name: m.value for name, m in measures.items()} | errors


def _training(model: Any) -> dict[str, float]:
    """What the training curves begin and end with, and the size of the network."""
    first, last = model.history_[0], model.history_[-1]
    ends = {
        f"{when}_{key}": row[key]
        for when, row in (("first", first), ("last", last))
        for key in row
        if key != "epoch"
    }
    return ends | {
        "epochs": len(model.history_),
        "parameters": sum(p.numel() for p in model.module_.parameters()),
    }


def _far(model: Any, data: Data, drawn: np.ndarray) -> float:
    """The share of drawn codes farther from every training code than 99 in 100 test codes."""
    tree = KDTree(model.transform(data.train.x))
    usual = np.quantile(tree.query(model.transform(data.test.x))[0], _FAR)
    return float((tree.query(drawn)[0] > usual).mean())


def _astray(model: Any, data: Data, drawn: np.ndarray) -> float:
    """The share of drawn codes that must change class for the frequencies of the training data.

    A drawn code is of the class that its five nearest training codes name.
    """
    y = np.asarray(data.train.y)
    named = KNeighborsClassifier(5).fit(model.transform(data.train.x), y).predict(drawn)
    shares = [[np.mean(labels == label) for label in np.unique(y)] for labels in (named, y)]
    return float(np.abs(np.subtract(*shares)).sum() / 2)


def _digit(vae: Any, data: Data) -> dict[str, float]:
    """What the VAE says of the first test example."""
    x = data.test.x[:1]
    mu, log_var = vae.encode(x)
    sigma = np.exp(log_var / 2)
    values = {"mu_1": mu[0, 0], "mu_2": mu[0, 1], "sigma_1": sigma[0, 0], "sigma_2": sigma[0, 1]}
    return {name: float(v) for name, v in (values | {"rate": vae.terms(x)["rate"][0]}).items()}


def _entropy(data: Data) -> float:
    """The least distortion of grey values under a Bernoulli likelihood, in nats per example."""
    p = data.test.x.astype(np.float64) / 255
    inner = p[(p > 0) & (p < 1)]
    return float(-(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)).sum() / len(p))


def keep(folder: Path) -> None:
    """Take the pictures of a run into the documentation, in few colours."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        image = Image.open(path).convert("RGB")
        image.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURES / path.name, optimize=True)
    for path in folder.glob("*.gif"):
        film = Image.open(path)
        frames = [
            frame.convert("RGB").quantize(_FILM_COLOURS, dither=Image.Dither.NONE)
            for frame in ImageSequence.Iterator(film)
        ]
        times = [frame.info.get("duration", 100) for frame in ImageSequence.Iterator(film)]
        frames[0].save(
            PICTURES / path.name,
            save_all=True,
            append_images=frames[1:],
            duration=times,
            loop=0,
            optimize=True,
        )


MEASURES = {"unit": measure_unit} | {page: partial(measured_itself, page) for page in MEASURED}


def main(pages: list[str]) -> None:
    """Run pages, measure, keep the pictures, and fill the pages of all languages."""
    for page in pages or (*PAGES, UNBOUNDED):
        if page == UNBOUNDED:
            _write(measure_unbounded())
            continue
        with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
            warnings.simplefilter("ignore", ist.LearningWarning)  # one section is about collapse
            found = MEASURES[page](run(page, Path(place)))
            keep(Path(place))
        _write(found | {f"run-{page}": surroundings()})
    for page in PAGES:
        for language in LANGUAGES:
            if (path := HOME / language / f"{page}.md").exists():
                fill(path, numbers())


def _write(found: Numbers) -> None:
    """Put numbers among those that are kept."""
    kept = json.loads(_file().read_text()) if _file().exists() else {}
    _file().write_text(json.dumps(kept | rounded(found), indent=1) + "\n")


def _file() -> Path:
    return PICTURES / "numbers.json"


def numbers() -> dict[str, float]:
    """The numbers of the last run, by their marks in the pages, such as ``ae.squared_error``."""
    return {
        f"{name}.{key}": value
        for name, values in json.loads(_file().read_text()).items()
        for key, value in values.items()
        if not isinstance(value, str)
    }


if __name__ == "__main__":
    main(sys.argv[1:])
