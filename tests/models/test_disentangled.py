"""FactorVAE, DIP-VAE and InfoVAE charge what their equations say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.forward import Code, Pass
from isthmus.divergences import gaussian_kl, squared_mmd
from isthmus.models.dipvae import gap_to_identity
from isthmus.models.factorvae import FactorBottleneck, permuted


def parts_of(module: Any, x: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """−ELBO of one draw, the draw, and the posterior's mean and variance, in plain torch."""
    mu, log_var = module.encode(Batch(x))
    z = mu + (0.5 * log_var).exp() * noise
    restored = module.likelihood.mean(module.parameters_of(z))
    distortion = -torch.distributions.Bernoulli(restored).log_prob(x).flatten(1).sum(1)
    return distortion + gaussian_kl(mu, log_var).sum(1), z, mu, log_var.exp()


def test_factorvae_is_charged_the_logit_of_its_critic() -> None:
    torch.manual_seed(0)
    module = ist.FactorVAE(latent_dim=3, hidden=(16,), gamma=7.0).build((1, 8, 8))
    x, noise = torch.rand(6, 1, 8, 8).round(), torch.randn(6, 3)
    bound, z, *_ = parts_of(module, x, noise)
    told = module.bottleneck.critic(z).sigmoid()  # D(z)
    loss = module.loss(Batch(x), noise)
    torch.testing.assert_close(loss.objective, bound + 7 * (told / (1 - told)).log())
    for parameter in module.bottleneck.critic.parameters():
        torch.nn.init.zeros_(parameter)
    knows_nothing = module.objectives()[1].loss(loss.made).objective
    torch.testing.assert_close(knows_nothing, torch.full((6,), math.log(2)))


def test_permuted_codes_keep_their_margins_and_lose_their_dependence() -> None:
    torch.manual_seed(0)
    z = torch.randn(2000, 1) + 0.1 * torch.randn(2000, 3)
    apart = permuted(z)
    torch.testing.assert_close(apart.sort(0).values, z.sort(0).values)
    assert (torch.corrcoef(apart.T) - torch.eye(3)).abs().max() < 0.1


def test_the_critic_finds_the_total_correlation_of_gaussian_codes() -> None:
    """Of two normals with correlation ρ it is −½ log(1 − ρ²)."""
    torch.manual_seed(0)
    rho = 0.8
    bottleneck = FactorBottleneck((2,), 2, 1.0, (64,), None)
    optimizer = torch.optim.Adam(bottleneck.critic.parameters(), 1e-2)

    def codes(n: int) -> torch.Tensor:
        first, second = torch.randn(2, n)
        return torch.stack([first, rho * first + math.sqrt(1 - rho**2) * second], 1)

    for _ in range(300):
        z = codes(512)
        made = Pass(Batch(z), z, Code(z), z)
        optimizer.zero_grad()
        bottleneck.critic_loss(made).objective.mean().backward()
        optimizer.step()
    found = bottleneck.critic(codes(20_000)).mean().item()
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)


@pytest.mark.parametrize("variant", ["i", "ii"])
def test_dipvae_is_charged_for_the_covariance_of_a_batch(variant: str) -> None:
    torch.manual_seed(0)
    weights: dict[str, Any] = {"covariance_weight": 3.0, "variance_weight": 5.0}
    module = ist.DIPVAE(latent_dim=3, hidden=(16,), variant=variant, **weights).build((1, 8, 8))
    x, noise = torch.rand(6, 1, 8, 8).round(), torch.randn(6, 3)
    bound, _, mu, var = parts_of(module, x, noise)
    covariance = np.cov(mu.detach().numpy(), rowvar=False, bias=True)
    if variant == "ii":
        covariance += np.diag(var.detach().numpy().mean(0))
    off = (covariance**2).sum() - (np.diag(covariance) ** 2).sum()
    charge = 3 * off + 5 * ((np.diag(covariance) - 1) ** 2).sum()
    torch.testing.assert_close(module.loss(Batch(x), noise).objective, bound + float(charge))


def test_variant_ii_looks_at_the_covariance_of_drawn_codes() -> None:
    torch.manual_seed(0)
    mu, var = torch.randn(5, 2) @ torch.tensor([[1.0, 0.7], [0.0, 0.5]]), torch.rand(5, 2)
    draws = mu + var.sqrt() * torch.randn(100_000, 5, 2)
    wanted = np.cov(draws.flatten(0, 1).numpy(), rowvar=False) - np.eye(2)
    found = gap_to_identity(mu, var)
    assert found.off.item() == pytest.approx((wanted[0, 1] ** 2) * 2, abs=0.02)
    assert found.diagonal.item() == pytest.approx((np.diag(wanted) ** 2).sum(), abs=0.02)


def test_infovae_takes_from_the_rate_what_it_gives_to_the_discrepancy() -> None:
    torch.manual_seed(0)
    module = ist.InfoVAE(latent_dim=3, hidden=(16,), alpha=0.7, mmd_weight=20).build((1, 8, 8))
    x, noise = torch.rand(6, 1, 8, 8).round(), torch.randn(6, 3)
    bound, z, mu, var = parts_of(module, x, noise)
    torch.manual_seed(1)
    loss = module.loss(Batch(x), noise)
    torch.manual_seed(1)
    mmd = squared_mmd(z, torch.randn_like(z))
    rate = gaussian_kl(mu, var.log()).sum(1)
    torch.testing.assert_close(loss.objective, bound - 0.7 * rate + 19.7 * mmd)


def test_infovae_at_the_end_of_its_range_is_the_vae() -> None:
    vae = ist.VAE(latent_dim=3, hidden=(16,)).build((1, 8, 8))
    module = ist.InfoVAE(latent_dim=3, hidden=(16,), alpha=0, mmd_weight=1).build((1, 8, 8))
    module.load_state_dict(vae.state_dict())
    x, noise = torch.rand(6, 1, 8, 8), torch.randn(6, 3)
    ours, theirs = (each.loss(Batch(x), noise).objective for each in (module, vae))
    torch.testing.assert_close(ours, theirs)
    with pytest.raises(ist.InputError, match=r"alpha=0\.2 and mmd_weight=0\.5 would reward"):
        ist.InfoVAE(alpha=0.2, mmd_weight=0.5).build((1, 8, 8))


@pytest.mark.parametrize("member", [ist.FactorVAE, ist.DIPVAE, ist.InfoVAE, ist.SlicedWAE])
def test_a_batch_of_one_says_nothing(member: Any, few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match="of which batch_size=1 says nothing: give at least 2"):
        member(batch_size=1, epochs=1).fit(few)
