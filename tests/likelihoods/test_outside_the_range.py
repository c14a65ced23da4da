"""What lies outside [0, 1] is never rewarded: a Bernoulli charges for the distance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

import isthmus as ist
from isthmus.likelihoods import BernoulliLikelihood

LOGITS = torch.tensor([-30.0, -3.0, 0.0, 0.7, 30.0], dtype=torch.float64)
TRAINED_ON_MINMAX = {"scaling": "minmax", "likelihood": "bernoulli", "random_state": 0}


def costs(logits: Tensor, x: Tensor) -> Tensor:
    """What every x costs under every logit, ``(logits, x)``."""
    grid = logits[:, None].expand(-1, len(x))
    return BernoulliLikelihood().each(grid, x.expand_as(grid))


def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 5)) * [1, 10, 0.1, 3, 2]


def test_a_value_outside_costs_its_end_and_the_distance_at_both_ends_prices() -> None:
    p = LOGITS[1:4].sigmoid()
    found = costs(LOGITS[1:4], torch.tensor([-2.5, 3.0], dtype=torch.float64))
    slope = -(p * (1 - p)).log()
    expected = torch.stack([-(1 - p).log() + 2.5 * slope, -p.log() + 2 * slope], 1)
    torch.testing.assert_close(found, expected)


def test_the_cost_is_continuous_and_convex_and_one_beyond_the_range_is_dearer_than_any_within() -> (
    None
):
    x = torch.linspace(-3, 4, 701, dtype=torch.float64)
    found = costs(LOGITS, x)
    assert found.diff().abs().max() <= 0.0101 * 60.1  # a step of 0.01 at the steepest slope
    assert found.diff().diff().min() > -1e-9
    within = found[:, (x >= 0) & (x <= 1)].max(1).values
    assert (found[:, x > 2] > within[:, None]).all() and (found[:, x < -1] > within[:, None]).all()


def test_a_step_that_is_recorded_charges_the_same() -> None:
    x = torch.tensor([[-3.0, 0.0, 0.4, 1.0, 1.5]])
    logits = torch.tensor([[2.0, -30.0, 0.3, 200.0, -1.0]], requires_grad=True)

    def charged(logits: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        cost = BernoulliLikelihood().each(logits, x)
        return cost, torch.autograd.grad(cost.sum(), logits)[0]

    recorded = make_fx(charged)(logits, torch.rand(1, 5))
    torch.testing.assert_close(recorded(logits, x), charged(logits, x))
    inside = x.clamp(0, 1)
    torch.testing.assert_close(recorded(logits, inside), charged(logits, inside))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, inside)
    torch.testing.assert_close(charged(logits, inside)[0].mean(), expected)


@pytest.mark.parametrize("member", ["ae", "vae"])
def test_rows_far_out_score_worse_the_farther_they_are(member: str) -> None:
    x = rows()
    model = ist.MEMBERS[member](epochs=3, **TRAINED_ON_MINMAX).fit(x)
    scores = [model.score_samples(factor * x) for factor in (1, 10, 100, 1000)]
    assert (np.diff(scores, axis=0) < 0).all()
    terms = model.terms(100 * x)["distortion"]
    assert terms.min() > model.terms(x)["distortion"].max()


def test_the_nll_of_a_vae_is_that_of_no_probability_above_one() -> None:
    x = rows()
    vae = ist.VAE(epochs=3, **TRAINED_ON_MINMAX).fit(x)
    far = vae.nll(100 * x, samples=8)
    assert far.min() > vae.nll(x, samples=8).max() > 0


def test_validation_objectives_of_what_lies_outside_are_higher() -> None:
    x = rows()
    model: Any = ist.AE(epochs=3, **TRAINED_ON_MINMAX).fit(x, validation_data=100 * x)
    assert all(row["val_objective"] > 10 * row["objective"] > 0 for row in model.history_)


def test_going_on_with_examples_outside_does_not_pay() -> None:
    x = rows()
    model = ist.AE(epochs=20, **TRAINED_ON_MINMAX).partial_fit(x)
    for _ in range(5):
        model.partial_fit(3 * x)
    objectives = [row["objective"] for row in model.history_]
    assert min(objectives[1:]) > objectives[0] > 0
    assert model.reconstruct(x).min() >= x.min() - 1e-4
