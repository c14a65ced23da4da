"""The Hamiltonian VAE: its leapfrog and its bound, against a linear model whose truth is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.models.hvae import HamiltonianLoss, Potential

LINEAR: dict[str, Any] = {
    "latent_dim": 2,
    "hidden": (),
    "likelihood": ist.likelihoods.Gaussian(scale=0.5, output="linear"),
}


@pytest.fixture
def module() -> Any:
    torch.manual_seed(0)
    made = ist.HamiltonianVAE(**LINEAR, steps=3, step_size=0.3, tempering=0.6).build((3,))
    return made.double().eval()


def decoder_of(module: Any) -> tuple[np.ndarray, np.ndarray]:
    layer = next(part for part in module.decoder.modules() if isinstance(part, torch.nn.Linear))
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def test_codes_move_as_the_equations_say(module: Any) -> None:
    """U(z) = ‖x − Wz − b‖² / 2s² + ‖z‖² / 2, whose gradient is linear."""
    weight, bias = decoder_of(module)
    x, z, heading = (torch.randn(4, size).double() for size in (3, 2, 2))
    found = HamiltonianLoss(3).moved(Potential(module, Batch(x)), module.bottleneck, z, heading)
    at, rho = z.numpy(), heading.numpy() / math.sqrt(0.6)

    def slope(z: np.ndarray) -> np.ndarray:
        return (z @ weight.T + bias - x.numpy()) @ weight / 0.25 + z

    roots = [(1 - 1 / math.sqrt(0.6)) * k**2 / 9 + 1 / math.sqrt(0.6) for k in range(4)]
    for k in range(1, 4):
        rho = rho - 0.15 * slope(at)
        at = at + 0.3 * rho
        rho = roots[k] / roots[k - 1] * (rho - 0.15 * slope(at))
    np.testing.assert_allclose(found[0].detach(), at, rtol=1e-6)
    np.testing.assert_allclose(found[1].detach(), rho, rtol=1e-6)
    assert roots[-1] == 1


def test_the_mean_weight_of_its_draws_is_the_likelihood(module: Any) -> None:
    """What a leapfrog does to a density is known, so that E exp(−L) = p(x), here a Gaussian."""
    weight, bias = decoder_of(module)
    x = torch.randn(1, 3).double()
    covariance = torch.from_numpy(weight @ weight.T + 0.25 * np.eye(3))
    normal = torch.distributions.MultivariateNormal(torch.from_numpy(bias), covariance)
    many = Batch(x.expand(40_000, 3))
    with torch.inference_mode():
        weights = -module.loss(many).objective
    found = weights.logsumexp(0) - math.log(len(weights))
    spread = (weights - found).exp().std() / math.sqrt(len(weights))
    assert abs(found.item() - normal.log_prob(x).item()) < 4 * spread
    assert spread < 0.05


def test_gradients_flow_through_the_steps(module: Any) -> None:
    """Against finite differences of the same draw."""
    x, noise = torch.randn(3, 3).double(), torch.randn(3, 2, 2).double()
    weight = next(part for part in module.decoder.parameters() if part.ndim == 2)
    for parameter in (module.bottleneck.log_step, module.bottleneck.tempering_logit, weight):
        module.zero_grad()
        module.loss(Batch(x), noise).objective.sum().backward()
        slope = parameter.grad.flatten()[0].item()
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.view(-1)[0] += step
                values.append(module.loss(Batch(x), noise).objective.sum().item())
                parameter.view(-1)[0] -= step
        assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4)
