"""Measures of sound at values that are derived, and beside torchmetrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.forward import Level
from isthmus.metrics import sound
from isthmus.report._reference import PCAReference
from isthmus.report._table import Row, text_of

RATE = 8000
STEPS = np.arange(RATE) / RATE


def tone(hertz: float, phase: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * STEPS + phase)[None, None]


def test_spectral_convergence_is_a_share_of_the_magnitudes() -> None:
    x = np.random.default_rng(0).standard_normal((3, 2, RATE))
    np.testing.assert_allclose(sound.spectral_convergence(x, x, RATE), 0, atol=1e-12)
    np.testing.assert_allclose(sound.spectral_convergence(0 * x, x, RATE), 1)
    # magnitudes are linear in how loud a sound is
    np.testing.assert_allclose(sound.spectral_convergence(1.25 * x, x, RATE), 0.25)
    # a tone with another phase has the same magnitudes, but for the ends
    assert sound.spectral_convergence(tone(500, 1.0), tone(500), RATE)[0] < 0.02
    # another tone has none of them, so that both errors count: √2
    np.testing.assert_allclose(
        sound.spectral_convergence(tone(2000), tone(500), RATE), 2**0.5, rtol=0.01
    )


def test_log_mel_distance_is_in_decibels() -> None:
    noise = np.random.default_rng(0).standard_normal((2, 1, RATE))
    np.testing.assert_allclose(sound.log_mel_distance(noise, noise, RATE), 0, atol=1e-12)
    # ten times the power is 10 dB in every band
    np.testing.assert_allclose(sound.log_mel_distance(10**0.5 * noise, noise, RATE), 10, rtol=1e-6)
    # silence counts as 80 dB below the loudest place of the target
    found = sound.log_mel_distance(0 * noise, noise, RATE)
    assert ((found > 50) & (found < 80)).all()


def test_si_sdr_is_what_its_definition_says() -> None:
    x = np.random.default_rng(0).standard_normal(4000)
    noise = np.random.default_rng(1).standard_normal(4000)
    noise -= noise @ x / (x @ x) * x  # nothing of it is signal
    noise *= np.linalg.norm(x) / np.linalg.norm(noise)
    for share, expected in ((0.1, 20.0), (1.0, 0.0), (10.0, -20.0)):
        found = sound.si_sdr((x + share * noise)[None, None], x[None, None])
        np.testing.assert_allclose(found, expected, atol=1e-6)
        louder = sound.si_sdr(7 * (x + share * noise)[None, None], x[None, None])
        np.testing.assert_allclose(louder, expected, atol=1e-6)


def test_si_sdr_is_that_of_torchmetrics() -> None:
    audio = pytest.importorskip("torchmetrics.functional.audio")
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 5, 1, 3000))
    other = audio.scale_invariant_signal_distortion_ratio(
        torch.from_numpy((x + y)[:, 0]), torch.from_numpy(x[:, 0])
    )
    np.testing.assert_allclose(sound.si_sdr(x + y, x), other.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "measure",
    [
        lambda x, y: sound.spectral_convergence(x, y, RATE),
        lambda x, y: sound.log_mel_distance(x, y, RATE),
        sound.si_sdr,
    ],
)
def test_what_cannot_be_compared_is_refused(
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    x = np.random.default_rng(0).standard_normal((2, 1, 500))
    gap = x.copy()
    gap[1, 0, 7] = np.nan
    for found, wanted, message in (
        (x, x[:, :, :100], r"sounds of shape \(2, 1, 500\) .* targets of shape \(2, 1, 100\)"),
        (x, x[:1], r"targets of shape \(1, 1, 500\): give both as \(n, channels, time\)"),
        (x[0, 0], x[0, 0], r"sounds of shape \(500,\) cannot be compared"),
        (x[:0], x[:0], r"sounds of shape \(0, 1, 500\) cannot be compared"),
        (gap, x, r"sounds hold NaN, inf or no numbers \(float64\): give finite values"),
        (x, gap, r"targets hold NaN"),
    ):
        with pytest.raises(ist.InputError, match=message):
            measure(found, wanted)


def test_rates_that_are_none_are_refused() -> None:
    x = np.zeros((1, 1, 500))
    for measure in (sound.spectral_convergence, sound.log_mel_distance):
        for rate in (0, 8000.5):
            with pytest.raises(ist.InputError, match=rf"sample_rate={rate} is not usable: give a"):
                measure(x, x, rate)  # type: ignore[arg-type]
        with pytest.raises(ist.InputError, match=r"spectrograms at sample_rate=10+ .*give fewer"):
            measure(x, x, 10**14)


def test_bits_a_second_count_every_index() -> None:
    levels = [Level((32,), 512), Level((128, 2), 4)]
    assert sound.bits_a_second(levels, 4096, 8000) == (32 * 9 + 256 * 2) * 8000 / 4096


def test_silent_sounds_and_steps_that_are_not_there_do_not_count() -> None:
    targets = np.concatenate([tone(500), 0 * tone(500)])
    targets[0, :, 4000:] = np.nan
    found = np.concatenate([tone(500), tone(900)])
    measures = sound.of_reconstructions(found, targets, RATE)
    assert measures["spectral_convergence"].value == pytest.approx(0, abs=1e-9)
    assert measures["si_sdr"].value > 80 and measures["si_sdr"].error is None
    assert sound.of_reconstructions(found, 0 * found, RATE) == {}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ist.data.Data:
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    folder: Path = tmp_path_factory.mktemp("tones")
    for place in range(10):
        wave = 0.5 * tone(300 + 20 * place)[0, 0, :1500]
        soundfile.write(folder / f"{place}.wav", wave, RATE)
    return ist.data.load(folder, window=256)


def test_evaluate_measures_sounds_and_a_comparison_shows_them(data: ist.data.Data) -> None:
    quantizer = ist.quantizers.VectorQuantizer(codebook_size=16)
    member = ist.VQVAE(hidden=(4, 4), epochs=1, random_state=0, quantizer=quantizer)
    models = [member.fit(data.train), PCAReference(latent_dim=2).fit(data.train)]
    rows = [Row(str(i), "a", m, ist.evaluate(m, data), {}) for i, m in enumerate(models)]
    of_member, of_pca = (row.measures for row in rows)
    (level,) = member.module_.bottleneck.levels
    expected = np.prod(level.grid) * 4 * RATE / 256
    assert of_member["bits_a_second"].value == expected and "bits_a_second" not in of_pca
    restored = models[1].reconstruct(data.test.x)
    for name, function in (
        ("spectral_convergence", sound.spectral_convergence),
        ("log_mel_distance", sound.log_mel_distance),
    ):
        values = function(restored, data.test.x, RATE)
        assert of_pca[name].value == pytest.approx(values.mean())
    assert of_pca["si_sdr"].value == pytest.approx(sound.si_sdr(restored, data.test.x).mean())
    table = text_of(rows)
    assert "Log-mel distance" in table and "bit/s" in table
    scales = {repr(model.preprocessor_.scaling) for model in models}
    assert len(scales) == 1  # PCA sees the same units
