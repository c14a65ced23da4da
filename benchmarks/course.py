"""The numbers and the pictures of docs/course.md, from real MNIST.

    python -m benchmarks.course [FOLDER]

Trains what FOLDER (runs/course) does not hold yet, about twenty minutes on one thread; then draws
docs/images/course/, writes the numbers beside the pictures, and puts them into the page. MNIST is
looked for as ``isthmus.data.load`` does it.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.neighbors import KDTree, KNeighborsClassifier

import isthmus as ist
from benchmarks.pages import DOCS, fill, rounded, save, surroundings
from isthmus.data import Data
from isthmus.figures._classes import classes_of, colours_of, legend
from isthmus.figures._codes import draw_points, frame, shown
from isthmus.figures._style import TEXT, WIDTH, bare, head, label, new_figure, over

PAGE, PICTURES = DOCS / "course.md", DOCS / "images" / "course"
SETTINGS = {"latent_dim": 2, "epochs": 20, "validation": 0.1}
BETAS = (4.0, 16.0, 64.0)
_DRAWS, _FAR, _NLL = 10_000, 0.99, 1_000


@dataclass(frozen=True)
class Fitted:
    """A normal distribution of codes ``(n, 2)``, to draw from a model without a prior."""

    model: Any
    z: np.ndarray

    def codes(self, n: int, random_state: int) -> np.ndarray:
        """n draws, ``(n, 2)``."""
        random = np.random.default_rng(random_state)
        return random.multivariate_normal(self.z.mean(axis=0), np.cov(self.z.T), n).astype(
            np.float32
        )

    def sample(self, n: int, random_state: int) -> np.ndarray:
        """n draws, decoded."""
        return np.asarray(self.model.inverse_transform(self.codes(n, random_state)))


def train(folder: Path, data: Data) -> dict[str, Any]:
    """The models of the page, by name; those that the folder holds are read from it."""
    pair = folder / "compare"
    if not (pair / "index.html").exists():
        ist.compare(["ae", "vae"], data, pair, overrides=SETTINGS)
    models = {name: ist.load(pair / "runs" / name) for name in ("ae", "vae")}
    for beta in BETAS:
        models[f"beta-{beta:g}"] = _kept(
            folder / f"beta-{beta:g}", ist.VAE(**SETTINGS, beta=beta, random_state=0), data
        )
    return models


def _kept(folder: Path, model: Any, data: Data) -> Any:
    if not (folder / "config.json").exists():
        model.fit(data.train).save(folder)
    return ist.load(folder)


def measure(folder: Path, data: Data, models: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All numbers of the page."""
    members = json.loads((folder / "compare" / "results.json").read_text())["members"]
    found = {entry["member"]: _values(entry["measures"]) for entry in members}
    for name in ("ae", "vae"):
        found[name] |= _training(models[name])
    for name in [name for name in models if name not in found]:
        found[name] = _values({key: vars(m) for key, m in ist.evaluate(models[name], data).items()})
    z = {name: models[name].transform(data.train.x) for name in ("ae", "vae")}
    drawn = {
        "ae": Fitted(models["ae"], z["ae"]).codes(_DRAWS, 0),
        "vae": np.random.default_rng(0).normal(size=(_DRAWS, 2)),
    }
    for name, codes in drawn.items():
        found[name] |= _extent(z[name]) | {
            "far": _far(models[name], data, codes),
            "astray": _astray(models[name], data, codes),
        }
    found["vae"] |= _likelihood(models["vae"], data) | _distinct(found["vae"]["rate"])
    return found | {
        "digit": _digit(models["vae"], data),
        "data": {"entropy": _entropy(data)},
        "run": surroundings(),
    }


def _values(measures: dict[str, Any]) -> dict[str, float]:
    """Every measure, and its standard error under its name with ``_se``."""
    errors = {f"{name}_se": m["error"] for name, m in measures.items() if m["error"] is not None}
    return {name: m["value"] for name, m in measures.items()} | errors


def _training(model: Any) -> dict[str, float]:
    """What the training curves begin and end with, and the size of the network."""
    first, last = model.history_[0], model.history_[-1]
    ends = {
        f"{when}_{key}": row[key]
        for when, row in (("first", first), ("last", last))
        for key in row
        if key != "epoch"
    }
    return ends | {"parameters": sum(p.numel() for p in model.module_.parameters())}


def _extent(z: np.ndarray) -> dict[str, float]:
    low, high, sd = z.min(axis=0), z.max(axis=0), z.std(axis=0)
    return {
        f"{name}_{i + 1}": float(v[i])
        for name, v in (("low", low), ("high", high), ("sd", sd))
        for i in (0, 1)
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


def _likelihood(vae: Any, data: Data) -> dict[str, float]:
    """The estimate of -log p(x) for some test examples, and the bound of the same."""
    x = data.test.x[:_NLL]
    return {"nll": float(vae.nll(x).mean()), "nll_bound": -float(vae.score_samples(x).mean())}


def _distinct(rate: float) -> dict[str, float]:
    """A rate in bits, and how many places that many nats tell apart."""
    return {"rate_bits": rate / math.log(2), "places": math.exp(rate)}


def _digit(vae: Any, data: Data) -> dict[str, float]:
    """What the VAE says of the first test example."""
    x = data.test.x[:1]
    mu, log_var = vae.encode(x)
    sigma, terms = np.exp(log_var / 2), vae.terms(x)
    values = {"mu_1": mu[0, 0], "mu_2": mu[0, 1], "sigma_1": sigma[0, 0], "sigma_2": sigma[0, 1]}
    values |= {
        "distortion": terms["distortion"][0],
        "rate": terms["rate"][0],
        "bits": terms["rate"][0] / math.log(2),
    }
    return {name: float(value) for name, value in values.items()}


def _entropy(data: Data) -> float:
    """The least distortion of grey values under a Bernoulli likelihood, in nats per example."""
    p = data.test.x.astype(np.float64) / 255
    inner = p[(p > 0) & (p < 1)]
    return float(-(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)).sum() / len(p))


def draw(data: Data, models: dict[str, Any]) -> dict[str, Figure]:
    """All pictures of the page, by their file names."""
    ae, vae = models["ae"], models["vae"]
    fitted = Fitted(ae, ae.transform(data.train.x))
    pictures = {"digits": _digits(data), "betas": _betas(models, data)}
    pictures["ae-draws"] = ist.figures.samples(
        fitted, data, rows=4, columns=15, title="AE on mnist: draws from a fitted normal"
    )
    pictures["vae-samples"] = ist.figures.samples(vae, data, rows=4, columns=15)
    for name, model in (("ae", ae), ("vae", vae)):
        for kind in ("curves", "plane", "grid", "reconstructions", "evolution"):
            pictures[f"{name}-{kind}"] = getattr(ist.figures, kind)(model, data)
    return pictures


def _digits(data: Data) -> Figure:
    figure = new_figure(WIDTH, WIDTH * 4 / 15)
    axes = figure.subplots()
    bare(axes)
    axes.imshow(
        ist.figures.mosaic(ist.figures.as_images(data.train.x[:60]), 4, 15),
        cmap="gray",
        vmin=0,
        vmax=1,
    )
    return figure


def _betas(models: dict[str, Any], data: Data) -> Figure:
    """The code planes under different weights of the rate, all on the scale of the prior."""
    named = dict(sorted({1.0: "vae", **{beta: f"beta-{beta:g}" for beta in BETAS}}.items()))
    part, classes = shown(data, 2000), classes_of(data)
    figure = new_figure(1.8 * len(named) + 0.8, 2.6)
    panels = figure.subplots(1, len(named), sharey=True)
    for axes, (beta, name) in zip(panels, named.items(), strict=True):
        z = models[name].transform(part.x)
        draw_points(axes, z, colours_of(classes, part.y, len(part)), 2)
        frame(axes, np.array([[-3.5, -3.5], [3.5, 3.5]]), "normal", 2)
        head(axes, f"β = {beta:g}", TEXT)
        label(axes, "$z_1$", "$z_2$" if axes is panels[0] else "")
    legend(panels[-1], classes)
    over(figure, "VAE on mnist: the code plane and the weight of the rate")
    return figure


def main(folder: Path) -> None:
    """Train, measure, draw, and fill the page."""
    data = ist.data.load("mnist")
    models = train(folder, data)
    found = measure(folder, data, models)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "numbers.json").write_text(json.dumps(rounded(found), indent=1) + "\n")
    for name, figure in draw(data, models).items():
        save(figure, PICTURES / f"{name}.png", dpi=115 if name.endswith("grid") else 150)
    fill(PAGE, numbers())


def numbers() -> dict[str, float]:
    """The numbers of the last run, by their marks in the page, such as ``ae.squared_error``."""
    found = json.loads((PICTURES / "numbers.json").read_text())
    return {
        f"{name}.{key}": v
        for name, values in found.items()
        for key, v in values.items()
        if not isinstance(v, str)
    }


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/course"))
