"""Tied weights in every member that takes them: the objective of the papers, by plain torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import isthmus as ist
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch

MEMBERS: dict[str, Any] = {
    "ae": ist.AE,
    "denoising": ist.DenoisingAE,
    "contractive": ist.ContractiveAE,
    "stacked": ist.StackedAE,
}
every = pytest.mark.parametrize("name", MEMBERS)


@every
def test_a_tied_decoder_uses_the_transposed_weights(name: str, few: np.ndarray) -> None:
    values = {"hidden": (20,), "latent_dim": 4, "epochs": 1, "random_state": 0}
    model = MEMBERS[name](tied=True, **values).fit(few)
    module, free = model.module_, MEMBERS[name](**values).build((1, 8, 8))
    first, code = module.encoder[1].weight, module.bottleneck.project[1].weight
    h = torch.randn(3, 4)
    expected = torch.relu(h @ code + module.decoder[1].bias) @ first + module.decoder[3].bias
    torch.testing.assert_close(module.decoder(h).flatten(1), expected)
    counts = [sum(p.numel() for p in each.parameters()) for each in (free, module)]
    assert counts[0] - counts[1] == 64 * 20 + 20 * 4


@every
def test_tied_runs_come_back(name: str, few: np.ndarray, tmp_path: Path) -> None:
    model = MEMBERS[name](tied=True, latent_dim=3, hidden=(8,), epochs=1, random_state=0).fit(few)
    again = ist.load(model.save(tmp_path / "run"))
    assert again.tied
    assert np.array_equal(again.reconstruct(few), model.reconstruct(few))


def layer_of(module: Autoencoder) -> tuple[nn.Linear, Tensor]:
    """The one layer of a tied autoencoder, and the bias of its mirror."""
    return module.bottleneck.project[1], module.decoder[1].bias


def test_the_tied_contractive_objective_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    model = ist.ContractiveAE(latent_dim=6, hidden=(), contraction=0.3, tied=True)
    module, x = model.build((10,)).double(), torch.rand(5, 10, dtype=torch.float64)
    layer, bias = layer_of(module)
    found = module.loss(Batch(x)).objective.sum()
    gradient = torch.autograd.grad(found, layer.weight)[0]

    W = layer.weight.detach().clone().requires_grad_()
    h = torch.sigmoid(x @ W.T + layer.bias.detach())
    y = torch.sigmoid(h @ W + bias.detach())
    entropy = -(x * y.log() + (1 - x) * (1 - y).log()).sum()
    jacobian = (h * (1 - h))[:, :, None] * W  # (n, units, values)
    expected = entropy + 0.3 * jacobian.square().sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, W)[0])


def test_one_tied_linear_layer_learns_the_principal_space() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)) @ np.diag([5, 4, 0.5, 0.5, 0.4, 0.3]) @ _turn(rng)
    model = ist.AE(
        latent_dim=2,
        hidden=(),
        tied=True,
        likelihood=ist.likelihoods.SquaredError(output="linear"),
        scaling="none",
        epochs=60,
        learning_rate=0.01,
        batch_size=50,
        random_state=0,
    ).fit(x)
    W = layer_of(model.module_)[0].weight.detach().double().numpy()
    principal = np.linalg.svd(x - x.mean(0))[2][:2]
    cosines = np.linalg.svd(np.linalg.qr(W.T)[0].T @ principal.T)[1]
    assert cosines.min() > 0.999
    # a tied linear map that rebuilds is orthonormal, W Wᵀ = 1, which an untied one need not be
    np.testing.assert_allclose(W @ W.T, np.eye(2), atol=0.05)


def _turn(rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(6, 6)))[0]


def test_a_tied_map_is_the_adjoint_at_each_place() -> None:
    torch.manual_seed(0)
    model = ist.AE(code="map", network="conv", hidden=(5,), latent_dim=2, tied=True)
    module = model.build((1, 8, 8)).double()
    inward, outward = module.bottleneck.project[0], module.decoder[0]
    h, z = torch.randn(1, 5, 4, 4).double(), torch.randn(1, 2, 4, 4).double()
    torch.testing.assert_close((inward(h) * z).sum(), (h * outward(z)).sum())  # biases are 0


@every
def test_networks_of_ones_own_cannot_be_tied(name: str, few: np.ndarray) -> None:
    own = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8))
    with pytest.raises(
        ist.InputError, match=r"tied=True needs the networks of isthmus.*pass tied=False"
    ):
        MEMBERS[name](encoder=own, tied=True, latent_dim=3).fit(few)
