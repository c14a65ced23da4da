"""The distance of spectrograms, beside what is known of short-time Fourier transforms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.likelihoods import Likelihood, Spectral
from isthmus.likelihoods.spectral import magnitudes

SECOND = ExampleSpec("signal", (1, 8000))
T = torch.arange(8000) / 8000


def built(**values: object) -> Likelihood:
    return Spectral(**{"scale": math.sqrt(0.5), "log_weight": 0.0, **values}).build(SECOND)


def tone(frequency: float, phase: float = 0.0) -> torch.Tensor:
    return (2 * math.pi * frequency * T + phase).sin()[None, None]


def test_magnitudes_are_those_of_scipy() -> None:
    x = np.random.default_rng(0).standard_normal(1000)
    window = signal.windows.hann(64, sym=False)
    _, _, theirs = signal.stft(x, nperseg=64, noverlap=48, window=window, padded=False)
    ours = magnitudes(torch.from_numpy(x)[None], torch.from_numpy(window))[0].numpy()
    # theirs divides by the sum of the window and starts half a window, or two frames, before x
    theirs = np.abs(theirs) * window.sum() / math.sqrt(64)
    np.testing.assert_allclose(ours[:, 1:62], theirs[:, :61], atol=1e-12)


def test_the_squares_of_the_magnitudes_add_up_to_those_of_the_wave() -> None:
    x = torch.randn(3, 1, 1001)
    silence = torch.zeros_like(x)
    likelihood = built(windows=(16, 256))
    # the squared error and the mean over both windows, each the squares of x
    expected = 2 * x.square().sum((1, 2))
    torch.testing.assert_close(likelihood.nll(silence, x), expected)


def test_a_tone_of_another_phase_differs_as_a_wave_alone() -> None:
    likelihood, x = built(windows=(512,)), tone(500)
    shifted = tone(500, math.pi / 2)
    squared = float((x - shifted).square().sum())  # 8000: nothing in common
    assert squared == pytest.approx(8000, rel=1e-3)
    assert float(likelihood.nll(shifted, x)) == pytest.approx(squared, rel=0.02)
    other = tone(1500)
    assert float(likelihood.nll(other, x)) == pytest.approx(2 * 8000, rel=0.02)


def test_the_logarithms_count_each_step_once() -> None:
    # noise twice as loud: every log magnitude differs by log 2
    x = torch.randn(1, 1, 8000, dtype=torch.float64)
    quiet, loud = built(), built(log_weight=0.5, floor=1e-9)
    found = float(loud.nll(2 * x, x)) - float(quiet.nll(2 * x, x))
    assert found == pytest.approx(0.5 * math.log(2) * 8000, rel=0.1)


def test_the_scale_is_that_of_a_gaussian() -> None:
    x, y = torch.randn(2, 2, 1, 500)
    once, halved = built(scale=0.1).nll(y, x), built(scale=0.05).nll(y, x)
    torch.testing.assert_close(halved, 4 * once)


def test_each_step_has_its_own_and_a_click_costs_around_itself() -> None:
    likelihood, x = built(log_weight=0.1), torch.zeros(1, 1, 8000)
    y = x.clone()
    y[..., 4000] = 1.0
    each = likelihood.each(y, x)
    assert each.shape == x.shape
    torch.testing.assert_close(each.sum((1, 2)), likelihood.nll(y, x))
    assert not each[..., : 4000 - 1024].any() and not each[..., 4000 + 1024 :].any()


def test_what_is_behind_the_end_costs_nothing() -> None:
    x, mask = torch.randn(2, 1, 600), torch.arange(600).expand(2, 1, 600) < 400
    x = x.masked_fill(~mask, 0.0)
    parameters = torch.randn(2, 1, 600)
    other = torch.where(mask, parameters, 50.0)
    likelihood = built(log_weight=0.1)
    torch.testing.assert_close(likelihood.nll(parameters, x, mask), likelihood.nll(other, x, mask))


def test_gradients_against_finite_differences() -> None:
    likelihood = built(windows=(8, 16), log_weight=0.1).double()
    x = torch.randn(2, 1, 20, dtype=torch.float64)
    y = torch.randn(2, 1, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: likelihood.nll(y, x), (y,))


def test_a_member_learns_a_tone_and_reports_no_bound() -> None:
    x = torch.cat([tone(440, phase)[..., :256] for phase in range(16)]).numpy()
    model = ist.VAE(
        kind="signal",
        scaling="none",
        likelihood=Spectral(scale=0.1),
        hidden=(8, 8),
        epochs=30,
        batch_size=4,
        random_state=0,
    ).fit(x)
    assert model.history_[-1]["distortion"] < 0.7 * model.history_[0]["distortion"]
    tones = ist.data.Part(x)
    measured = ist.evaluate(model, ist.data.Data("tones", tones, tones))
    assert "distortion" in measured and not {"neg_elbo", "nll", "bits_per_dim"} & set(measured)
    assert not model.module_.likelihood.normalised
    terms = model.module_.loss(Batch(torch.from_numpy(x))).terms
    assert terms["distortion"].shape == (16,)


def test_it_is_for_waves_and_windows_are_multiples_of_four() -> None:
    with pytest.raises(ist.InputError, match=r"compares spectrograms of waves.*kind='signal'"):
        ist.AE(likelihood="spectral").fit(np.random.default_rng(0).random((8, 6)))
    with pytest.raises(ist.InputError, match=r"windows=\(64, 30\) holds 30, which is no multiple"):
        Spectral(windows=(64, 30)).build(SECOND)
