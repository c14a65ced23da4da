"""Recurrent autoencoders: padding is neither read nor charged, and lengths come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.data._sequences import as_list, padded, steps
from isthmus.networks.recurrent import Recurrent, as_steps, from_steps


@pytest.fixture(scope="module")
def waves() -> list[np.ndarray]:
    """Sines of two features, of 6 to 10 steps, on scales of their own."""
    rng = np.random.default_rng(0)
    made = []
    for length in rng.integers(6, 11, 100):
        phase, speed = rng.uniform(0, 6), rng.uniform(0.4, 0.8)
        t = np.arange(length)
        made.append(
            np.stack(
                [10 * np.sin(phase + speed * t) + 50, np.cos(phase + speed * t)], axis=1
            ).astype(np.float32)
        )
    return made


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_sequences_of_unequal_length_are_learnt(cell: str, waves: list[np.ndarray]) -> None:
    values = {
        "network": ist.networks.Recurrent(cell=cell),
        "latent_dim": 6,
        "hidden": (32,),
        "batch_size": 10,
        "learning_rate": 2e-2,
        "random_state": 0,
    }
    model = ist.RecurrentAE(epochs=25, **values).fit(waves)
    assert [len(wave) for wave in model.reconstruct(waves)] == [len(wave) for wave in waves]
    assert model.transform(waves).shape == (100, 6)
    errors = np.concatenate(
        [(a - b) / [7, 0.7] for a, b in zip(waves, model.reconstruct(waves), strict=True)]
    )
    assert (errors**2).mean() < 0.75  # standardised: the mean of all has 1
    lengths = np.array([len(wave) for wave in waves])
    expected = [
        ((a - b) ** 2 / model.preprocessor_.scaling.scale**2).sum()
        for a, b in zip(waves, model.reconstruct(waves), strict=True)
    ]
    np.testing.assert_allclose(model.squared_error(waves), expected, rtol=1e-4)
    assert lengths.max() == model.preprocessor_.layout.outer[0]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("widths", [(5,), (5, 3)])
def test_the_encoder_gives_the_last_state_that_torch_gives(
    cell: str, widths: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    encoder = Recurrent(widths, cell=cell).encoder(ExampleSpec.of((7, 2))).encoder
    x, lengths = torch.randn(4, 7, 2), torch.tensor([7, 4, 1, 6])

    def last_state(lengths: torch.Tensor) -> torch.Tensor:
        h = pack_padded_sequence(encoder.first(x), lengths, batch_first=True, enforce_sorted=False)
        for layer in encoder.cells:
            h, state = layer(h)  # the state, (1, n, width), is that after each one's own end
        return (state[0] if cell == "lstm" else state)[-1]

    observed = torch.arange(7) < lengths[:, None]  # (n, time)
    mask = observed[..., None].expand(-1, -1, 2)
    torch.testing.assert_close(encoder(x), last_state(torch.full((4,), 7)))
    torch.testing.assert_close(encoder(x * mask, mask), last_state(lengths))


def test_what_stands_behind_the_end_changes_nothing(waves: list[np.ndarray]) -> None:
    model = ist.RecurrentAE(latent_dim=3, epochs=1, random_state=0).fit(waves)
    alone = model.transform(waves[:1])
    np.testing.assert_allclose(alone, model.transform(padded(waves, 10))[:1], atol=1e-6)
    module = model.module_
    x = torch.from_numpy(np.stack([wave[:6] for wave in waves if len(wave) >= 6])[:5])
    longer = torch.cat([x, torch.rand(len(x), 4, 2)], dim=1)
    mask = torch.ones_like(longer, dtype=torch.bool)
    mask[:, 6:] = False
    torch.testing.assert_close(module.encoder(longer, mask), module.encoder(x))
    assert not torch.equal(module.encoder(longer), module.encoder(x))


def test_padding_costs_nothing(waves: list[np.ndarray]) -> None:
    module = ist.RecurrentAE(latent_dim=3, likelihood="mse").build((10, 2), unit_range=False)
    x = torch.from_numpy(padded(waves, 10))[:6]
    batch = Batch(x.nan_to_num(), mask=~x.isnan())
    loss = module.loss(batch)
    decoded = module(batch)
    expected = torch.stack(
        [(d[~a.isnan()] - a[~a.isnan()]).square().sum() for a, d in zip(x, decoded, strict=True)]
    )
    torch.testing.assert_close(loss.terms["distortion"], expected)
    loss.objective.mean().backward()
    assert all(bool(parameter.grad.isfinite().all()) for parameter in module.parameters())


def test_each_feature_is_scaled_over_all_steps(waves: list[np.ndarray]) -> None:
    model = ist.RecurrentAE(epochs=1, random_state=0).fit(waves)
    table = np.concatenate(waves)
    np.testing.assert_allclose(model.preprocessor_.scaling.offset, table.mean(0), rtol=1e-5)
    np.testing.assert_allclose(model.preprocessor_.scaling.scale, table.std(0), rtol=1e-5)


def test_a_saved_run_takes_lists(waves: list[np.ndarray], tmp_path: Path) -> None:
    model = ist.RecurrentAE(latent_dim=3, epochs=1, random_state=0).fit(waves)
    again = ist.load(model.save(tmp_path / "run"))
    assert all(
        np.array_equal(a, b)
        for a, b in zip(model.reconstruct(waves), again.reconstruct(waves), strict=True)
    )


def test_arrays_come_back_as_arrays() -> None:
    x = np.random.default_rng(0).normal(size=(20, 7, 3)).astype(np.float32)
    x[3, 5:] = np.nan
    restored = ist.RecurrentAE(epochs=1, random_state=0).fit(x).reconstruct(x)
    assert restored.shape == x.shape
    assert np.array_equal(np.isnan(restored), np.isnan(x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: [*x, x[0][:0]], r"sequence 3 \(counted from 0\) has no steps: leave it out"),
        (
            lambda x: [*x, np.zeros((4, 5))],
            r"sequences have steps of the shapes \[\(2,\), \(5,\)\]",
        ),
        (lambda x: [["a", "b"], ["c"]], r"sequence 0 \(counted from 0\) cannot be read as numbers"),
        (
            lambda x: [*x, None],
            r"sequence 3 \(counted from 0\) cannot be read as numbers \(it holds object\)",
        ),
        (
            lambda x: [*x, 4.0],
            r"sequence 3 \(counted from 0\) cannot be read as numbers \(it is a single number\)",
        ),
        (
            lambda x: [[[1, 2], [3]], [[1, 2], [3]]],
            r"sequence 0 \(counted from 0\) cannot be read as numbers",
        ),
        (lambda x: [1, 2, 3], r"X has the shape \(3,\), but examples have two axes or more"),
        (
            lambda x: [np.array(1.0), np.array(2.0)],
            r"X has the shape \(2,\), but examples have two",
        ),
        (lambda x: [*x, np.full((4, 2), np.nan)], r"sequence 3 holds NaN or inf at step 0"),
    ],
)
def test_sequences_that_cannot_be_used(
    change: object, message: str, waves: list[np.ndarray]
) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.RecurrentAE(epochs=1).fit(change(waves[:3]))


def test_refusals_of_lengths_and_holes(waves: list[np.ndarray]) -> None:
    model = ist.RecurrentAE(epochs=1).fit(waves)
    with pytest.raises(
        ist.InputError, match="has 25 steps, but the model was trained on at most 10: cut it"
    ):
        model.transform([np.zeros((25, 2)), waves[0]])
    x = np.zeros((4, 6, 2), np.float32)
    x[1, 2] = np.nan
    with pytest.raises(
        ist.InputError,
        match=r"X holds NaN in sequence 1, step 2 \(counted from 0\), which is no padding",
    ):
        ist.RecurrentAE(epochs=1).fit(x)


def test_padding_and_back() -> None:
    sequences = [np.arange(6.0).reshape(3, 2), np.ones((1, 2))]
    x = padded(sequences)
    assert x.shape == (2, 3, 2)
    assert all(np.array_equal(a, b) for a, b in zip(as_list(x), sequences, strict=True))
    assert np.array_equal(steps(x), np.concatenate(sequences))


@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 6, 2), (4, 2, 3, 2)])
def test_steps_there_and_back(shape: tuple[int, ...]) -> None:
    x = torch.rand(2, *shape)
    assert torch.equal(from_steps(as_steps(x), shape), x)


def test_a_recurrent_vae(waves: list[np.ndarray]) -> None:
    x = np.stack([wave[:6] for wave in waves])
    model = ist.VAE(network="recurrent", hidden=(16, 8), epochs=2, random_state=0).fit(x)
    assert model.sample(3, random_state=0).shape == (3, 6, 2)
    features = Recurrent((16, 8)).encoder(ExampleSpec.of((1, 6, 2)))
    assert features.shape == (8,)
