"""Signals, and examples of unequal length: what is behind their end is neither read nor charged."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.data._sequences import as_list, padded

LENGTHS = (30, 17, 24, 30, 22, 28)
SMALL = {"epochs": 1, "hidden": (4, 8), "batch_size": 3, "random_state": 0, "verbose": 0}
OTHER = {
    "clustering": {"n_clusters": 2},
    "vade": {"n_clusters": 2},
    "vqvae": {"quantizer": ist.quantizers.VectorQuantizer(codebook_size=4)},
    "vqvae2": {"quantizer": ist.quantizers.VectorQuantizer(codebook_size=4)},
    "nvae": {"width": 8},
    "biva": {"width": 8},
    "stacked": {"pretrain_epochs": 1},
}


def made(name: str, **values: object) -> ist.Estimator:
    return ist.MEMBERS[name](**SMALL | OTHER.get(name, {}) | values)


@pytest.fixture(scope="module")
def signals() -> list[np.ndarray]:
    """Two channels, on scales of their own."""
    draw = np.random.default_rng(0)
    scales = np.array([[1.0], [50.0]])
    return [draw.standard_normal((2, length)).cumsum(1) * scales for length in LENGTHS]


@pytest.mark.parametrize("name", sorted(set(ist.MEMBERS) - {"recurrent"}))
def test_signals_of_unequal_length_come_back_as_they_were(
    name: str, signals: list[np.ndarray]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.LearningWarning)
        model = made(name, kind="signal").fit(signals)
    assert [one.shape for one in model.reconstruct(signals)] == [(2, n) for n in LENGTHS]
    codes = model.transform(signals)
    np.testing.assert_allclose(model.transform(signals[1:2]), codes[1:2], rtol=1e-5, atol=1e-4)
    array = padded(signals, kind="signal")
    assert array.shape == (6, 2, 30)
    np.testing.assert_allclose(model.transform(array), codes, rtol=1e-5, atol=1e-4)
    for one, other in zip(as_list(model.reconstruct(array), "signal"), signals, strict=True):
        assert one.shape == other.shape


@pytest.mark.parametrize("name", sorted(set(ist.MEMBERS) - {"recurrent"}))
def test_what_stands_behind_the_end_costs_nothing_and_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    spec = ExampleSpec("signal", (2, 24), support="real")
    module = made(name).build(spec).eval()
    mask = torch.arange(24) < torch.tensor([24, 9, 16, 21, 24])[:, None, None]  # (n, 1, time)
    mask = mask.expand(-1, *spec.shape)
    x = torch.randn(5, *spec.shape)

    def losses(behind: float) -> torch.Tensor:
        torch.manual_seed(1)
        batch = Batch(torch.where(mask, x, torch.tensor(behind)), mask=mask)
        loss = module.loss(batch)
        played = [side.loss(loss.made).objective for side in module.objectives()[1:]]
        return torch.stack([loss.objective, *played])

    torch.testing.assert_close(losses(0.0), losses(1000.0))


def test_each_channel_is_scaled_over_the_steps_that_are_there(signals: list[np.ndarray]) -> None:
    model = made("ae", kind="signal").fit(signals)
    steps = np.concatenate(signals, axis=1)
    scaling = model.preprocessor_.scaling
    np.testing.assert_allclose(scaling.offset, steps.mean(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(scaling.scale, steps.std(1, keepdims=True), rtol=1e-5)
    expected = [
        np.square((one - back) / scaling.scale).sum()
        for one, back in zip(signals, model.reconstruct(signals), strict=True)
    ]
    np.testing.assert_allclose(model.squared_error(signals), expected, rtol=1e-4)


def test_a_saved_run_takes_shorter_signals(signals: list[np.ndarray], tmp_path: Path) -> None:
    model = made("ae", kind="signal").fit(signals)
    again = ist.load(model.save(tmp_path / "run"))
    few = [signals[1], signals[4]]
    assert [one.shape for one in again.reconstruct(few)] == [(2, 17), (2, 22)]
    with pytest.raises(ist.InputError, match=r"has 31 steps, but the model was trained on at most"):
        again.transform([np.zeros((2, 31))])


def test_one_channel_may_go_without_an_axis(signals: list[np.ndarray]) -> None:
    flat = [one[0] for one in signals]
    model = made("ae", kind="signal").fit(flat)
    assert model.preprocessor_.spec.shape == (1, 30)
    assert [one.shape for one in model.reconstruct(flat)] == [(n,) for n in LENGTHS]


def test_a_hole_in_a_signal_is_no_end(signals: list[np.ndarray]) -> None:
    array = padded(signals, kind="signal")
    array[2, :, 5] = np.nan
    with pytest.raises(ist.InputError, match=r"X holds NaN in signal 2, step 5 \(counted from 0\)"):
        made("ae", kind="signal").fit(array)
    array = padded(signals, kind="signal")
    array[3, 1, 7] = np.nan
    with pytest.raises(ist.InputError, match=r"X holds NaN in signal 3, step 7"):
        made("ae", kind="signal").fit(array)


def test_the_codes_of_signals_are_rows_of_entries() -> None:
    x = np.random.default_rng(0).standard_normal((20, 3, 37)).astype(np.float32)
    vqvae = made("vqvae", kind="signal").fit(x)
    indices = vqvae.encode(x)
    assert indices.shape == (20, 10)  # 37 steps, halved twice
    np.testing.assert_array_equal(vqvae.decode(indices), vqvae.reconstruct(x))
    grids = made("vqvae2", kind="signal").fit(x).encode(x)
    assert (grids.top.shape, grids.bottom.shape) == ((20, 5), (20, 10))
    vqvae.fit_prior(x, prior=ist.PRIORS["pixelcnn"](epochs=1, channels=8, layers=1))
    assert vqvae.sample(4, random_state=0).shape == (4, 3, 37)
    nvae = made("nvae", kind="signal", latent_dim=2, groups=(1, 2)).fit(x)
    assert nvae.transform(x).shape == (20, 2 * (5 + 2 * 10))
    assert nvae.sample(4, random_state=0).shape == (4, 3, 37)


def test_tied_weights_of_signals_are_transposed() -> None:
    module = made("stacked", tied=True, likelihood="mse").build(
        ExampleSpec("signal", (2, 16), support="real")
    )
    h = torch.randn(3, 8, 4)
    first, second = (layer for layer in module.encoder if isinstance(layer, torch.nn.Conv1d))
    *_, lower, upper = (layer for layer in module.decoder if hasattr(layer, "bias"))
    expected = torch.conv_transpose1d(h, second.weight, lower.bias, stride=2, padding=1)
    torch.testing.assert_close(lower(h), expected)
    assert upper(expected).shape == (3, 2, 16) and first.weight.shape == (4, 2, 4)
