"""Sounds in pages: players that carry their sound, and which sounds these are."""

from __future__ import annotations

import base64
import io
import re
import wave
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.core.players import player, wav_bytes
from isthmus.report import _listening
from isthmus.report._listening import heard_in
from isthmus.report._reference import PCAReference
from isthmus.report._table import Row

RATE, STEPS = 8000, 512


def sounds_of(n: int) -> ist.data.Sounds:
    """Windows of ``n / 2`` files; the first window of each is the tone that its name says."""
    at = np.arange(STEPS) / RATE
    x = np.stack([0.5 * np.sin(2 * np.pi * 100 * (1 + i) * at) for i in range(n)])[:, None]
    x[1, 0, 300:] = np.nan
    return ist.data.Sounds(
        x=x.astype(np.float32),
        kind="signal",
        stride=STEPS,
        starts=np.tile([0, STEPS], n // 2),
        places=np.arange(n) // 2,
        files=tuple(f"<{i}>.wav" for i in range(n // 2)),
        steps=np.full(n // 2, 2 * STEPS),
        sample_rate=RATE,
    )


def read(html: str) -> tuple[int, np.ndarray]:
    """The rate and the steps ``(time, channels)`` of a player."""
    content = base64.b64decode(re.search(r'base64,([^"]+)"', html)[1])  # type: ignore[index]
    with wave.open(io.BytesIO(content)) as file:
        steps = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), steps.reshape(-1, file.getnchannels())


def test_a_player_carries_its_sound() -> None:
    x = np.array([[0.0, 0.5, -1.0, np.nan], [0.25, 0.0, 1.0, np.nan]])
    html = player(x, 22050, 'a "tone" <b>')
    assert 'aria-label="a &quot;tone&quot; &lt;b&gt;"' in html and "controls" in html
    rate, steps = read(html)
    assert rate == 22050
    np.testing.assert_allclose(steps / 32767, x[:, :3].T, atol=1e-4)
    assert read(player(x, 22050, "a", longest=2))[1].shape == (2, 2)
    loud = np.frombuffer(wav_bytes(np.array([[3.0, -1.5]]), RATE)[44:], "<i2")
    np.testing.assert_allclose(loud / 32767, [1, -0.5], atol=1e-4)  # quieter as a whole


@pytest.fixture(scope="module")
def data() -> ist.data.Data:
    return ist.data.Data("tones", sounds_of(20), sounds_of(8))


def rows_of(data: ist.data.Data) -> list[Row]:
    fields: dict[str, Any] = {"latent_dim": 2, "network": "mlp", "hidden": (8,), "epochs": 1}
    vae = ist.VAE(**fields, random_state=0).fit(data.train)
    return [
        Row("VAE", "vae", vae, {}, {}),
        Row("PCA", "pca", PCAReference().fit(data.train), {}, {}),
    ]


def test_the_page_lets_sounds_be_heard(data: ist.data.Data) -> None:
    rows = rows_of(data)
    lines = heard_in(rows, data)
    # the first window of every file comes before the second ones
    names = [line.name for line in lines]
    assert names[-3:] == ["new sound 1", "new sound 2", "new sound 3"]
    assert {f"<{i}>.wav at 0.000 s" for i in range(4)} <= {*names}
    first = lines[names.index("<2>.wav at 0.000 s")]
    original, by_vae, by_pca = first.cells
    test = data.test.x[4, 0]
    np.testing.assert_allclose(read(original)[1][:, 0] / 32767, test, atol=1e-4)
    restored = rows[0].model.reconstruct(data.test.x[4:5])[0, 0]
    np.testing.assert_allclose(read(by_vae)[1][:, 0] / 32767, restored, atol=1e-4)
    assert 'aria-label="&lt;2&gt;.wav at 0.000 s, PCA"' in by_pca
    new = lines[-1].cells
    assert (new[0], new[2]) == ("", "") and read(new[1])[0] == RATE  # PCA has no prior


def test_a_page_stays_small(data: ist.data.Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listening, "_BYTES", 10_000)
    lines = heard_in(rows_of(data), data)
    size = sum(len(cell) for line in lines for cell in line.cells)
    assert size < 4 / 3 * 10_000 + 24 * 250  # base64, and the words of each player


def test_pages_of_other_things_have_no_players() -> None:
    digits = ist.data.load("digits")
    model = ist.AE(network="mlp", hidden=(4,), epochs=1).fit(digits.train.x[:64])
    assert heard_in([Row("AE", "ae", model, {}, {})], digits) == []


def test_a_notebook_lets_sounds_be_heard(data: ist.data.Data) -> None:
    html = data._repr_html_()
    assert html.count("<audio") == 6 and "&lt;0&gt;.wav" in html
