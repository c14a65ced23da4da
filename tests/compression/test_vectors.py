"""Codes that are vectors: a grid, a mixture over it, and reconstructions that hardly suffer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

import isthmus as ist
from isthmus.compression import read_coded
from isthmus.compression.indices import IndexCoder
from isthmus.compression.vectors import MixtureGrid


def mixture(fineness: int, *, full: bool = True) -> MixtureGrid:
    draw = torch.Generator().manual_seed(0)
    root = 0.4 * torch.randn(2, 3, 3, generator=draw, dtype=torch.float64).tril() + torch.eye(3)
    root.diagonal(dim1=1, dim2=2).abs_()
    means = torch.tensor([[2.0, 0, -1], [-1, 1, 0]], dtype=torch.float64)
    factors = root if full else root.diagonal(dim1=1, dim2=2)
    return MixtureGrid(torch.tensor([0.3, 0.7], dtype=torch.float64), means, factors, fineness)


def drawn(grid: MixtureGrid, n: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    which = torch.multinomial(grid.weights, n, replacement=True, generator=draw)
    noise = torch.randn(n, 3, generator=draw, dtype=torch.float64)
    return grid.means[which] + (grid.factors[which] @ noise[:, :, None])[:, :, 0]


def test_the_first_number_has_the_masses_of_the_mixture() -> None:
    grid = mixture(3, full=False)
    found = grid.stepper(1, None).logits()[0].exp().numpy()
    step, at = float(grid.step[0]), grid.codes(np.arange(2 * grid.half + 1)[:, None]).numpy()[:, 0]
    wanted = sum(
        weight * (norm.cdf((at + step / 2 - mu) / s) - norm.cdf((at - step / 2 - mu) / s))
        for weight, mu, s in zip((0.3, 0.7), (2, -1), grid.factors[:, 0].tolist(), strict=True)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-15)


def test_codes_take_what_the_density_says() -> None:
    grid = mixture(3)
    z = drawn(grid, 400)
    indices, coder = grid.indices(z), IndexCoder(grid.levels, grid)
    streams = coder.encode(indices)
    assert (coder.decode(streams, 400) == indices).all()
    each = [
        torch.distributions.MultivariateNormal(mu, scale_tril=root).log_prob(z) + weight.log()
        for weight, mu, root in zip(grid.weights, grid.means, grid.factors, strict=True)
    ]
    nats = -torch.stack(each).logsumexp(0).sum() - 400 * grid.step.log().sum()
    bits = float(nats) / math.log(2)  # and a checksum, and a word or two for each of two groups
    assert 8 * sum(map(len, streams)) == pytest.approx(bits, rel=0.005, abs=192)
    assert (grid.codes(indices) - z).abs().max() <= grid.step.max() / 2 + 1e-9


def test_what_lies_beyond_the_grid_is_brought_to_its_end() -> None:
    grid = mixture(0)
    indices = grid.indices(torch.full((1, 3), 1e9))
    assert indices.tolist() == [[2 * grid.half] * 3]
    coder = IndexCoder(grid.levels, grid)
    assert (coder.decode(coder.encode(indices), 1) == indices).all()


@pytest.fixture(scope="module")
def digits() -> ist.data.Data:
    return ist.data.load("digits")


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
@pytest.mark.parametrize("settings", [{}, {"code": "map", "channels": 2, "hidden": (4, 8)}])
@pytest.mark.parametrize("member", [ist.AE, ist.VAE])
def test_rounding_costs_a_hundredth_at_most(
    digits: ist.data.Data, member: type, settings: dict[str, Any]
) -> None:
    size = {} if settings else {"latent_dim": 3, "hidden": (8,)}
    model = member(epochs=2, random_state=0, verbose=0, **settings | size).fit(digits.train.x)
    x = digits.test.x[:50]
    if member is ist.AE:
        with pytest.raises(ist.InputError, match=r"no prior, under .* call fit_prior with 'mixt"):
            model.compress(x)
        few = digits.train.y < 2
        prior = ist.priors.Mixture(components=1)
        model.fit_prior(digits.train.x[few], digits.train.y[few], prior=prior)
    content = model.compress(x)
    found, alone = model.decompress(content), model.reconstruct(x)
    assert ((found - x) ** 2).sum() <= 1.01 * ((alone - x) ** 2).sum()
    floats = alone.size if settings else 4 * 3 * 50
    assert len(content) < floats / 2
    assert read_coded(content)[0].by_prior is (member is ist.AE)


def test_a_prior_that_is_no_mixture_is_named(digits: ist.data.Data) -> None:
    pytest.importorskip("zuko")
    model = ist.VAE(latent_dim=2, epochs=1, verbose=0).fit(digits.train.x[:200])
    model.fit_prior(digits.train.x[:200], prior=ist.priors.Flow(epochs=1, verbose=0))
    with pytest.raises(ist.InputError, match=r"the prior Flow, under which they cannot be coded"):
        model.compress(digits.test.x[:3])
