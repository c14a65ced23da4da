"""Make the trained members that come with the package, with their cards.

    python -m benchmarks.pretrained [NAME ...]

MNIST is read from ISTHMUS_DATA, or from wherever ``ist.data.load("mnist")`` finds it. Weights are
rounded to half precision first, and what the cards say is measured with the rounded ones. Two cores
need about ten minutes for all.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import isthmus as ist
from isthmus.core import files, tensor_files
from isthmus.io import manifests, pretrained

HOME = Path(pretrained.__file__).parent
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


_PLANE = {"latent_dim": 2, "hidden": (256, 128), "epochs": 40, "schedule": "cosine"}
RECIPES = {
    "ae-mnist-2d": Recipe(
        "Autoencoder of MNIST with a code of two dimensions", "ae", "mnist", _PLANE
    ),
    "vae-mnist-2d": Recipe(
        "Variational autoencoder of MNIST with a code of two dimensions", "vae", "mnist", _PLANE
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
        {"epochs": 6, "channels": 32, "layers": 5},
        20_000,
    ),
}


def make(name: str) -> None:
    """Train one, round it, measure it, and write its folder and card."""
    recipe = RECIPES[name]
    data = ist.data.load(
        recipe.data, data_dir=os.environ.get("ISTHMUS_DATA") if recipe.data != "digits" else None
    )
    train = data.train.take(slice(recipe.examples))
    model = ist.MEMBERS[recipe.member](random_state=0, **recipe.fields).fit(train)
    _round(model.module_)
    if recipe.prior is not None:
        prior = ist.PRIORS["pixelcnn"](random_state=0, **recipe.prior)
        model.fit_prior(train, prior=prior)
    model.set_params(device="auto")
    with tempfile.TemporaryDirectory() as place:
        run = model.save(Path(place) / name)
        for file, entry in ((manifests.WEIGHTS, ()), ("prior.safetensors", ("prior",))):
            if (run / file).exists():
                _halve(run, file, entry)
        again = ist.load(run)
        (run / pretrained.CARD).write_text(card(name, recipe, again, data), encoding="utf-8")
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
            f" {len(data.test):,} test examples of {data.shape}."
        ),
    ]
    if recipe.prior is not None:
        fields = ", ".join(f"{key}={value!r}" for key, value in recipe.prior.items())
        lines.append(
            f"- **Prior**: `PixelCNN({fields}, random_state=0)`, with labels: `model.sample(8,"
            " label=3)`."
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


def _round(module: torch.nn.Module) -> None:
    module.load_state_dict({name: _rounded(tensor) for name, tensor in module.state_dict().items()})


def _rounded(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half().to(tensor.dtype) if tensor.is_floating_point() else tensor


def _halve(run: Path, file: str, entry: tuple[str, ...]) -> None:
    """Write a run's tensors in half precision, and the new checksum into its configuration."""
    tensors, meta = tensor_files.read_tensors(run / file)
    smaller = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    config = files.read_json(run / manifests.CONFIG)
    place = config
    for key in entry:
        place = place[key]
    place["sha256"] = tensor_files.write_tensors(run / file, smaller, meta)
    files.write_json(run / manifests.CONFIG, config)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or RECIPES:
        make(chosen)
