"""Every value comes back, in as many bits as the evidence bound says."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import isthmus as ist
from isthmus.compression import read_coded
from isthmus.compression.bits_back import STEP, BitsBack, batches
from isthmus.compression.coder import Stack
from isthmus.compression.frequencies import TOTAL, logistic
from isthmus.compression.values import BlackOrWhite, OnGrid, value_coder
from isthmus.estimators._lossless import fewest_bins
from isthmus.likelihoods.bernoulli import BernoulliLikelihood
from isthmus.likelihoods.gaussian import GaussianLikelihood
from isthmus.likelihoods.logistic_mixture import LogisticMixtureLikelihood


def test_a_logistic_is_one_in_whole_numbers() -> None:
    found = logistic()
    at = (np.arange(len(found)) - len(found) // 2) / 4096
    assert np.abs(found / TOTAL - 1 / (1 + np.exp(-at))).max() <= 1 / TOTAL
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("bins", [2, 17, 256])
def test_masses_of_a_mixture_are_those_of_the_likelihood(bins: int) -> None:
    likelihood = LogisticMixtureLikelihood(3, bins, axis=-3).double()
    draw = torch.Generator().manual_seed(0)
    parameters = 0.7 * torch.randn(2, 9, 4, 5, generator=draw, dtype=torch.float64)
    coder = OnGrid(likelihood)
    whole, _ = coder.noted(parameters)
    given = coder.prepared(whole)
    below = [coder.below(given, np.full(40, j)) for j in range(1, bins)]
    edges = np.stack([np.zeros(40), *below, np.full(40, TOTAL)])
    found = np.diff(edges, axis=0).T / TOTAL  # (2 * 20, bins)
    for j in (0, 1, bins // 2, bins - 1):
        x = torch.full((2, 1, 4, 5), j / (bins - 1), dtype=torch.float64)
        wanted = likelihood.each(parameters, x).neg().exp().reshape(-1).numpy()
        np.testing.assert_allclose(found[:, j], wanted, rtol=0.06, atol=1e-3)
    assert (found >= 0).all()


def test_black_and_white_are_a_sigmoid() -> None:
    logits = torch.tensor([[0.0, 2.0, -3.0, 900.0]], dtype=torch.float64)
    coder = BlackOrWhite()
    given = coder.prepared(coder.noted(logits)[0])
    found = coder.below(given, np.ones(4, np.int64)) / TOTAL
    np.testing.assert_allclose(1 - found, torch.sigmoid(logits)[0].numpy(), atol=1e-6)


def test_a_density_has_no_masses() -> None:
    assert isinstance(value_coder(BernoulliLikelihood()), BlackOrWhite)
    with pytest.raises(ist.InputError, match=r"GaussianLikelihood gives no probability to single"):
        value_coder(GaussianLikelihood())


def test_what_is_pushed_last_is_read_first() -> None:
    stack, draw = Stack(b"\1\2\3\4" * 50), np.random.default_rng(0)
    scales, values = draw.integers(20, 60, 90), draw.integers(-9, 9, 90)
    values[3] = 123456789
    before = stack.content()
    stack.push_gaussian(values, scales)
    stack.push(np.array([1, 0, 2]), np.array([5, 6, 7]))
    assert stack.read(np.array([5, 6, 7]), 3).tolist() == [1, 0, 2]
    assert (stack.read_gaussian(scales) == values).all()
    assert stack.content() == before


class Linear:
    """A linear Gaussian code of binary values, whose bound is known in closed form."""

    def __init__(self, error: float = 0.0) -> None:
        draw = np.random.default_rng(4)
        self.weights, self.error = draw.normal(size=(3, 20)), error

    def posterior(self, x: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        mu = (2 * x - 1) @ self.weights.T / 20
        return mu * (1 + self.error), np.full(mu.shape, 2 * math.log(STEP * 2 ** (44 / 8)))

    def parameters(self, z: np.ndarray, rows: slice) -> Tensor:
        return torch.from_numpy(z @ self.weights * (1 + self.error))

    def coder(self) -> BitsBack:
        return BitsBack(self.posterior, self.parameters, BlackOrWhite(), 3)

    def bits(self, x: np.ndarray) -> float:
        """−ELBO, over many draws."""
        mu, log_var = self.posterior(x, slice(None))
        noise = np.random.default_rng(5).normal(size=(20, *mu.shape))
        logits = (mu + np.exp(log_var / 2) * noise) @ self.weights
        distortion = (np.logaddexp(0, logits) - x * logits).sum((1, 2)).mean()
        rate = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum()
        return float(distortion + rate) / math.log(2)


def test_bits_back_takes_what_the_bound_says() -> None:
    model = Linear()
    x = np.random.default_rng(0).integers(0, 2, (3000, 20))
    notes, content, initial = model.coder().encode(x)
    assert (model.coder().decode(notes, content, 3000, 20) == x).all()
    assert 8 * (len(notes) + len(content)) == pytest.approx(model.bits(x), rel=0.02)
    assert 32 <= initial <= 128  # of three codes, drawn from 187 steps each, and a word to spare


def test_bits_back_is_the_same_on_a_machine_with_other_last_digits() -> None:
    x = np.random.default_rng(0).integers(0, 2, (100, 20))
    notes, content, _ = Linear().coder().encode(x)
    assert (Linear(1e-12).coder().decode(notes, content, 100, 20) == x).all()


def test_batches_begin_with_a_single_example() -> None:
    assert [some.stop - some.start for some in batches(200)] == [1, 2, 4, 8, 16, 32, 64, 64, 9]
    assert STEP == 1 / 128


@pytest.fixture(scope="module")
def digits() -> ist.data.Data:
    return ist.data.load("digits")


def trained(member: type, x: Any, y: Any = None, bins: int = 17, **settings: Any) -> Any:
    likelihood = ist.likelihoods.LogisticMixture(components=2, bins=bins)
    common = {"likelihood": likelihood, "epochs": 2, "random_state": 0, "verbose": 0}
    return member(**common | {"hidden": (8,), "latent_dim": 4} | settings).fit(x, y)


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
@pytest.mark.parametrize("member", ["VAE", "IWAE", "BetaTCVAE", "VQVAE", "VQVAE2"])
def test_every_value_of_an_image_comes_back(digits: ist.data.Data, member: str) -> None:
    model = trained(getattr(ist, member), digits.train.x)
    x = digits.test.x[:200]
    content = model.compress(x, lossless=True)
    found = model.decompress(content)
    assert found.dtype == x.dtype
    assert (found == x).all()
    terms = model.terms(x)
    bits = (terms["distortion"] + terms["rate"]).sum() / math.log(2)
    if member != "IWAE":  # whose distortion is of several draws together
        assert 8 * sum(map(len, read_coded(content)[0].streams)) == pytest.approx(bits, rel=0.02)


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixels_come_back_in_their_type(dtype: type) -> None:
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (40, 6, 5, 3)).astype(dtype)
    x = (
        x * np.uint16(257)
        if dtype == np.uint16
        else x / np.float32(255)
        if dtype == np.float32
        else x
    )
    model = trained(ist.VAE, x, bins=256, channels="last")
    found = model.decompress(model.compress(x, lossless=True))
    assert (found.dtype, found.shape) == (x.dtype, x.shape)
    assert (found == x).all()


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
def test_conditional_members_and_black_and_white(digits: ist.data.Data) -> None:
    x, y = (digits.train.x > 0.5).astype(np.uint8), digits.train.y
    settings = {"epochs": 1, "random_state": 0, "verbose": 0, "condition": "label"}
    model = ist.VAE(latent_dim=3, likelihood="bernoulli", **settings).fit(x, y)
    content = model.compress(x[:50], y[:50], lossless=True)
    assert (model.decompress(content) == x[:50]).all()


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
def test_what_would_not_come_back_is_refused(digits: ist.data.Data) -> None:
    model = trained(ist.VAE, digits.train.x[:100])
    x = digits.test.x[:5]  # of 17 values, sixteenths
    for given, message in (
        (x * np.float32(0.99), r"in \[0, 0.99\], and .* the 17 evenly .*: give such"),
        (
            (x * 16).astype(np.uint8),
            r"X of uint8 holds 17 .* in \[0, 16\], .* of training, or",
        ),
    ):
        with pytest.raises(ist.InputError, match=message):
            model.compress(given, lossless=True)
    for told in ("no", 1, None):
        with pytest.raises(ist.InputError, match=f"lossless={told!r} is not usable: give True or"):
            model.compress(x, lossless=told)
    drawn = ist.VAE(likelihood="bernoulli", epochs=1, verbose=0).fit(digits.train.x[:100])
    with pytest.raises(
        ist.InputError,
        match=r"X of float32 holds 17 different values in \[0, 1\], and not all are among the 2"
        r" evenly .* of this VAE knows: train with likelihood=ist.likelihoods.LogisticMixture\(bins"
        r"=17\), or leave lossless=True out\.$",
    ):
        drawn.compress(x, lossless=True)
    plain = ist.AE(likelihood="bernoulli", epochs=1, verbose=0).fit(digits.train.x[:100])
    with pytest.raises(ist.InputError, match=r"AE has no prior .* train 'vae' or 'vqvae'"):
        plain.compress(digits.test.x[:5], lossless=True)


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
@pytest.mark.parametrize("member", ["VAE", "VQVAE"])
def test_bytes_that_were_changed_on_purpose_do_no_harm(digits: ist.data.Data, member: str) -> None:
    """Under a checksum that fits: a sentence, and never other pixels."""
    model = trained(getattr(ist, member), digits.train.x[:200])
    x = digits.test.x[:2]
    content = model.compress(x, lossless=True)
    for place in range(4, len(content) - 4):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        changed[-4:] = zlib.crc32(changed[:-4]).to_bytes(4, "little")
        try:
            found = model.decompress(bytes(changed))
        except ist.InputError:
            continue
        assert found.shape[1:] == x.shape[1:]


def test_the_fewest_values_of_a_grid_that_hold_all() -> None:
    for bins in (2, 5, 17, 255, 256):
        assert fewest_bins(np.arange(bins) / (bins - 1)) == bins
    assert fewest_bins(np.array([0, 3 / 16, 0.5], np.float32)) == 17
    assert fewest_bins(np.array([0.0])) == 2
    for outside in ([-0.5, 0, 1], [0, 2.0], [0, 1 / np.pi]):
        assert fewest_bins(np.array(outside)) is None
