"""Deep SVDD: one centre, an encoder that closes in on it, and what keeps it from collapse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.models.deepsvdd import CentredBottleneck, decoding, distance

QUICK: dict[str, Any] = {"pretrain_epochs": 2, "epochs": 2, "random_state": 0, "verbose": 0}


def bottleneck_of(model: ist.Estimator) -> CentredBottleneck:
    bottleneck = model.module_.bottleneck
    assert isinstance(bottleneck, CentredBottleneck)
    return bottleneck


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_encoders_have_no_biases_and_decoders_do(network: str) -> None:
    module = ist.DeepSVDD(network=network).build((1, 16, 16))
    inward = [
        name for part in (module.encoder, module.bottleneck) for name, _ in part.named_parameters()
    ]
    assert inward and all(name.endswith("weight") for name in inward)
    assert any(name.endswith("bias") for name, _ in module.decoder.named_parameters())


def test_the_centre_is_the_mean_of_the_codes_after_pretraining(few: np.ndarray) -> None:
    """A step that is next to none leaves the codes where pretraining brought them."""
    values = {**QUICK, "pretrain_epochs": 3, "epochs": 1, "closing_rate": 1e-12}
    model = ist.DeepSVDD(latent_dim=6, **values).fit(few)
    mean = model.codes(few).astype(np.float64).mean(0)
    centre = bottleneck_of(model).centre.numpy()
    is_far = np.abs(mean) >= 0.1
    assert is_far.any() and not is_far.all()
    np.testing.assert_allclose(centre[is_far], mean[is_far], rtol=1e-4)
    np.testing.assert_allclose(centre[~is_far], np.where(mean[~is_far] < 0, -0.1, 0.1))


def test_either_objective_moves_its_own_side_only() -> None:
    model = ist.DeepSVDD(latent_dim=3, hidden=(8,))
    module = model.build((5,), unit_range=False)
    first, second = model._stages(module)[1].objectives
    batch = Batch(torch.randn(7, 5))
    distance(module, batch).objective.sum().backward()
    inward = [p for part in (module.encoder, module.bottleneck) for p in part.parameters()]
    assert all(p.grad is not None for p in inward)
    assert all(p.grad is None for p in module.decoder.parameters())
    assert {id(p) for p in first.parameters} == {id(p) for p in inward}
    module.zero_grad()
    decoding(module, batch).objective.sum().backward()
    assert all(p.grad is None for p in inward)
    assert all(p.grad is not None for p in module.decoder.parameters())
    assert {id(p) for p in second.parameters} >= {id(p) for p in module.decoder.parameters()}


def test_the_distance_is_squared_and_from_the_centre() -> None:
    module = ist.DeepSVDD(latent_dim=3, hidden=(8,)).build((5,), unit_range=False)
    bottleneck = module.bottleneck
    assert isinstance(bottleneck, CentredBottleneck)
    bottleneck.centre.copy_(torch.tensor([1.0, -2.0, 0.5]))
    batch = Batch(torch.randn(7, 5))
    z = module.encode(batch)[0]
    expected = torch.linalg.vector_norm(z - bottleneck.centre, dim=1) ** 2
    torch.testing.assert_close(distance(module, batch).objective, expected)


def test_typical_codes_close_in_without_collapse(digits: ist.data.Data) -> None:
    x, y = digits.train.x, digits.train.y
    model = ist.DeepSVDD(pretrain_epochs=5, epochs=100, random_state=0).fit(x[y == 3])
    distances = [row["distance"] for row in model.history_ if row["stage"] == 2]
    assert distances[-1] < 0.8 * distances[0]
    found = model.terms(digits.test.x)["distance"]
    assert roc_auc_score(digits.test.y != 3, found) > 0.9
    assert model.codes(digits.test.x).std(0).max() > 1e-3
    assert (
        nn.functional.mse_loss(
            torch.from_numpy(model.reconstruct(x[y == 3])), torch.from_numpy(x[y == 3])
        )
        < torch.from_numpy(x[y == 3]).var(0, correction=0).mean()
    )
