"""Members that have learnt what there is to learn have nothing said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import isthmus as ist
from isthmus.data import Data

HEALTHY = (
    "ae",
    "stacked",
    "vae",
    "betatc",
    "iwae",
    "sparse",
    "denoising",
    "contractive",
    "aae",
    "wae",
    "clustering",
    "recurrent",
    "vaegan",
    "deepsvdd",
    "vqvae",
    "vqvae2",
    "factorvae",
    "dipvae",
    "infovae",
    "hvae",
    "slicedwae",
    "rae",
    "made",
    "vade",
    "semivae",
    "dictionary",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("hyperprior", "semiaae", "ladder", "laddervae", "nvae", "biva", "masked")
    ),
)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_member_has_no_finding(
    name: str, healthy: Callable[..., Any], spots: Data, rows: Data
) -> None:
    found = ist.diagnose(healthy(name), rows if name == "recurrent" else spots)
    assert list(map(str, found)) == []
    assert len(found.fine) >= 8


def test_every_member_is_among_the_healthy() -> None:
    named = {name if isinstance(name, str) else name.values[0] for name in HEALTHY}
    assert named == set(ist.MEMBERS)


@pytest.mark.parametrize("name", ["vae-digits-2d"])
def test_a_prepared_model_is_healthy(name: str, digits: Data) -> None:
    assert list(ist.diagnose(ist.load(f"pretrained:{name}"), digits)) == []


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
@pytest.mark.parametrize(
    "parts",
    [
        {"posterior": "full"},
        {"latent_prior": "mixture"},
        {"geometry": "sphere", "latent_dim": 3},
        {"geometry": "poincare"},
    ],
)
def test_codes_of_every_kind_are_looked_at(parts: dict[str, Any], spots: Data) -> None:
    model = ist.VAE(**parts, hidden=(16,), epochs=2, random_state=0).fit(spots.train)
    found = ist.diagnose(model, spots)
    assert not {"what codes tell", "codes by themselves", "rate"} & {*found.skipped}
