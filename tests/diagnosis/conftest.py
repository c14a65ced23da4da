"""Data that members learn in a second, and one member of each kind that has learnt them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.data import Data, Part

SETTINGS: dict[str, Any] = {
    "epochs": 50,
    "batch_size": 64,
    "learning_rate": 5e-3,
    "hidden": (64,),
    "latent_dim": 2,
    "random_state": 0,
}
FASTER: dict[str, Any] = {"batch_size": 128, "learning_rate": 1e-2}
OWN: dict[str, dict[str, Any]] = {
    "betatc": {"beta": 1.5},
    "biva": {"groups": (1, 1), "width": 8, "epochs": 36},
    "clustering": {"n_clusters": 4, "pretrain_epochs": 40, "epochs": 8},
    "contractive": {"epochs": 50, **FASTER},
    "deepsvdd": {"latent_dim": 4, "epochs": 14, "pretrain_epochs": 30},
    "denoising": {"latent_dim": 4},
    "dictionary": {
        "latent_dim": 12,
        "sparsity": ist.sparsities.TopK(k=4),
        "learning_rate": 2e-3,
    },
    "factorvae": {"epochs": 30},
    "hvae": {"epochs": 30},
    "hyperprior": {"latent_dim": None, "epochs": 8, "hidden": (8, 8)},
    "infovae": {"epochs": 50},
    "ladder": {"latent_dim": 4, "epochs": 40, "noise": 0.05, "denoising_weights": (1.0,)},
    "laddervae": {"layers": 2, "width": 16, "epochs": 40, **FASTER},
    "made": {"latent_dim": 64, "hidden": ()},
    "nvae": {"groups": (1, 1), "width": 8, "epochs": 22},
    "recurrent": {"hidden": (32,), "epochs": 36},
    "semiaae": {"epochs": 30, **FASTER},
    "semivae": {"epochs": 40},
    "sparse": {"latent_dim": 32, "sparsity": "topk", "k": 4, "epochs": 80},
    "stacked": {"pretrain_epochs": 6},
    "vade": {"n_clusters": 4},
    "vaegan": {"epochs": 24},
    "masked": {"hidden": (24, 24), "network": "vit", "latent_dim": None, "epochs": 40},
    "vqvae": {
        "network": "mlp",
        "latent_dim": 4,
        "tokens": 4,
        "quantizer": ist.quantizers.VectorQuantizer(codebook_size=16),
    },
    "vqvae2": {
        "latent_dim": 4,
        "hidden": (8, 16),
        "epochs": 20,
        "quantizer": ist.quantizers.VectorQuantizer(codebook_size=16),
    },
}


def blobs(count: int, seed: int) -> np.ndarray:
    """Images of a round spot, ``(count, 1, 8, 8)``: the two numbers of its place make all of it."""
    place = np.random.default_rng(seed).uniform(1.5, 5.5, (count, 2, 1, 1))
    y, x = np.mgrid[:8, :8]
    squares = (y - place[:, 0]) ** 2 + (x - place[:, 1]) ** 2
    return np.exp(-squares / 4).astype(np.float32)[:, None]


@pytest.fixture(scope="session")
def spots() -> Data:
    train, test = blobs(512, 0), blobs(256, 1)
    return Data("spots", Part(train, _half(train)), Part(test, _half(test)))


def _half(x: np.ndarray) -> np.ndarray:
    """Whether a spot lies above or below the middle."""
    return (x[:, 0, 4:].sum((1, 2)) > x[:, 0, :4].sum((1, 2))).astype(np.int64)


@pytest.fixture(scope="session")
def rows(spots: Data) -> Data:
    """The same, an image as a sequence of rows."""
    parts = {
        name: replace(getattr(spots, name), x=getattr(spots, name).x[:, 0])
        for name in ("train", "test")
    }
    return replace(spots, name="rows", **parts)


@pytest.fixture(scope="session")
def healthy(spots: Data, rows: Data) -> Callable[..., Any]:
    """A member that has learnt the spots, fitted once for all tests; each gets a copy to break."""

    @functools.cache
    def fitted(name: str, settings: tuple[tuple[str, Any], ...]) -> Any:
        values = {**SETTINGS, **OWN.get(name, {}), **dict(settings)}
        values = {key: value for key, value in values.items() if value is not None}
        return ist.MEMBERS[name](**values).fit((rows if name == "recurrent" else spots).train)

    return lambda name, **settings: copy.deepcopy(fitted(name, tuple(sorted(settings.items()))))
