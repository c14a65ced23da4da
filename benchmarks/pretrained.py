"""Make the trained members that come with the package, with their cards.

    python -m benchmarks.pretrained [NAME ...]

Data are read from ISTHMUS_DATA, or from wherever ``ist.data.load`` finds them. Weights are
rounded to half precision first, and what the cards say is measured with the rounded ones; those of
a run's snapshots are rounded to 8 bits, and its codes are those of the test part.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import isthmus as ist
from benchmarks.recognised import RESULTS as RECOGNISED
from isthmus.core import files, tensor_files
from isthmus.core.editions import edition
from isthmus.io import manifests, pretrained
from isthmus.priors._storage import FILE as PRIOR
from isthmus.training.callbacks.snapshots import packed

HOME = Path(pretrained.__file__).parent
SOURCES = {
    "mnist": "MNIST, by Y. LeCun, C. Cortes and C. Burges, made of NIST's databases 1 and 3; CC"
    " BY-SA 3.0",
    "fashion-mnist": "Fashion-MNIST, by H. Xiao, K. Rasul and R. Vollgraf, Zalando SE 2017; MIT"
    " licence",
    "digits": "Optical recognition of handwritten digits, by E. Alpaydin and C. Kaynak, UCI 1998;"
    " CC BY 4.0",
}
SHOWN = (
    "squared_error",
    "mse",
    "neg_elbo",
    "bits_per_dim",
    "knn5",
    "linear_probe",
    "trustworthiness",
)


@dataclass(frozen=True)
class Recipe:
    """How one is made.

    Attributes:
        title: the first line of its card.
        member, data, fields: what is trained on what.
        prior: fields of the prior that is fitted afterwards, or None.
        examples: how many of the training examples are used; None for all.
    """

    title: str
    member: str
    data: str
    fields: dict[str, Any]
    prior: dict[str, Any] | None = None
    examples: int | None = None


# narrow where a layer meets the pixels, which is where the weights are
_COURSE = {
    "latent_dim": 2,
    "hidden": (64, 64, 64),
    "epochs": 80,
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "validation": 0.1,
    "snapshots": 20,
}
RECIPES = {
    "course-ae": Recipe(
        "Autoencoder of MNIST with a code in the unit square, and 20 moments of its training",
        "ae",
        "mnist",
        {**_COURSE, "code_activation": "sigmoid"},
    ),
    "course-vae": Recipe(
        "Variational autoencoder of MNIST with a code of two dimensions, and 20 moments of its"
        " training",
        "vae",
        "mnist",
        _COURSE,
    ),
    "vae-fashion": Recipe(
        "Variational autoencoder of Fashion-MNIST with a code of ten dimensions",
        "vae",
        "fashion-mnist",
        {
            "latent_dim": 10,
            "hidden": (192, 128),
            "epochs": 30,
            "learning_rate": 2e-3,
            "schedule": "cosine",
        },
    ),
    "vae-digits-2d": Recipe(
        "Variational autoencoder of scikit-learn's 8×8 digits with a code of two dimensions",
        "vae",
        "digits",
        {
            "latent_dim": 2,
            "epochs": 150,
            "batch_size": 64,
            "learning_rate": 2e-3,
            "schedule": "cosine",
        },
    ),
    "vqvae-mnist": Recipe(
        "VQ-VAE of MNIST, 7×7 codes out of 128, with a PixelCNN prior that knows the digits",
        "vqvae",
        "mnist",
        {
            "latent_dim": 16,
            "hidden": (16, 32),
            "network": "residual",
            "epochs": 8,
            "schedule": "cosine",
        },
        {
            "epochs": 7,
            "channels": 32,
            "layers": 5,
            "dropout": 0.05,
            "learning_rate": 3e-3,
            "guidance": 1.2,
        },
        20_000,
    ),
}


def write_card(name: str) -> None:
    """Measure one that is there, and write its card anew."""
    recipe = RECIPES[name]
    model, data = ist.load(f"pretrained:{name}"), ist.data.load(recipe.data)
    (HOME / name / pretrained.CARD).write_text(card(name, recipe, model, data), encoding="utf-8")


def make(name: str) -> None:
    """Train one, and publish it."""
    recipe = RECIPES[name]
    data = ist.data.load(recipe.data)
    train = data.train.take(slice(recipe.examples))
    model = ist.MEMBERS[recipe.member](random_state=0, **recipe.fields).fit(train, probes=data.test)
    _round(model.module_)
    if recipe.prior is not None:
        model.fit_prior(data.train, prior=ist.PRIORS["pixelcnn"](random_state=0, **recipe.prior))
    publish(name, model, data)


def publish(name: str, model: Any, data: ist.data.Data) -> None:
    """Write the folder of one, rounded, and what it measures then."""
    model.set_params(device="auto")
    with tempfile.TemporaryDirectory() as place:
        run = model.save(Path(place) / name)
        _shrink(run, model)
        again = ist.load(run)
        told = card(name, RECIPES[name], again, data)
        (run / pretrained.CARD).write_text(told, encoding="utf-8")
        shutil.rmtree(HOME / name, ignore_errors=True)
        shutil.copytree(run, HOME / name)
    size = sum(file.stat().st_size for file in (HOME / name).iterdir())
    print(f"{name}: {size / 1e6:.2f} MB")


def card(name: str, recipe: Recipe, model: Any, data: ist.data.Data) -> str:
    """The model card: what it is, how it was made, and what the shipped weights measure."""
    measures = ist.evaluate(model, data)
    settings = ", ".join(f"{key}={value!r}" for key, value in recipe.fields.items())
    rows = [
        f"| {m.title} | {m.value:.4g}{'' if m.error is None else f' ± {m.error:.2g}'} | {m.unit} |"
        for key, m in measures.items()
        if key in SHOWN
    ]
    last = model.history_[-1]
    lines = [
        f"# {recipe.title}",
        "",
        f'    model = ist.load("pretrained:{name}")',
        "",
        (
            f"- **Member**: `{type(model).__name__}({settings}, random_state=0)`; likelihood"
            f" {model.likelihood_}."
        ),
        (
            f"- **Data**: {data.name}, {recipe.examples or len(data.train):,} training and"
            f" {len(data.test):,} test examples of {data.shape}. {SOURCES[recipe.data]}."
        ),
    ]
    if recipe.prior is not None:
        fields = ", ".join(f"{key}={value!r}" for key, value in recipe.prior.items())
        lines.append(
            f"- **Prior**: `PixelCNN({fields}, random_state=0)`, fitted to the codes of all"
            f" {len(data.train):,} training examples with their labels: `model.sample(8, label=3)`."
            f"{_recognised(name)}"
        )
    if model.snapshots_:
        count, probes = len(model.snapshots_), len(model.snapshots_[0].codes)
        lines.append(
            f"- **Training**: `snapshots_` holds {count} moments of it, with the codes of the first"
            f" {probes:,} test examples: `ist.explore`, `ist.compare` and"
            " `ist.figures.evolution_gif` play it. Weights of those moments are rounded to 8 bits."
        )
    lines += [
        (
            f"- **Weights**: half precision. Made with isthmus {ist.__version__}, torch"
            f" {torch.__version__}, by `python -m benchmarks.pretrained {name}`; the last of"
            f" {len(model.history_)} epochs had the objective {last['objective']:.5g}."
        ),
        (
            "- **For**: teaching, examples, tests of one's own code. It knows nothing but the data"
            " named above."
        ),
        "",
        "| measured on the test part | value | unit |",
        "| --- | --- | --- |",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _recognised(name: str) -> str:
    """What is known of draws of its classes, by benchmarks/recognised.py."""
    rows = [json.loads(line) for line in RECOGNISED.read_text().splitlines()]
    mine = [row for row in rows if row["model"] == name]
    if not mine:
        return ""
    last = mine[-1]
    return (
        f" Of {last['draws']} draws of each digit, {last['recognised']:.1%} are recognised by a"
        f" classifier that is right about {last['classifier']:.1%} of the test images; those of a"
        f" digit differ from each other {last['spread']:.0%} as much as real ones do"
        " (`python -m benchmarks.recognised`)."
    )


def _round(module: torch.nn.Module) -> None:
    module.load_state_dict({name: _half(tensor) for name, tensor in module.state_dict().items()})


def _shrink(run: Path, model: Any) -> None:
    """Publish a run anew, with its tensors in half precision and its snapshots packed."""
    config = files.read_json(run / manifests.CONFIG)
    with edition(run, manifests.FILES) as new:
        new.keep(config, {manifests.HISTORY})
        for name in config["files"].keys() & {manifests.WEIGHTS, PRIOR}:
            tensors, meta = tensor_files.read_tensors(run / name)
            new.write_tensors(name, {key: _half(value) for key, value in tensors.items()}, meta)
        if model.snapshots_:
            new.write_tensors(manifests.SNAPSHOTS, packed(model.snapshots_))
        new.publish(config)


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


if __name__ == "__main__":
    for chosen in sys.argv[1:] or RECIPES:
        make(chosen)
