"""Sounds in the explorer: pictures of their spectra, and players of the example that is marked."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.explorer import _sounds as sounds

RATE, STEPS = 8000, 1024


@pytest.fixture(scope="module")
def data() -> ist.data.Data:
    at = np.arange(STEPS) / RATE
    x = np.stack([0.5 * np.sin(2 * np.pi * (200 + 100 * i) * at) for i in range(20)])
    n = np.arange(20)
    known: dict[str, Any] = {"kind": "signal", "stride": STEPS, "sample_rate": RATE}
    part = ist.data.Sounds(
        x=x[:, None].astype(np.float32),
        starts=0 * n,
        places=n,
        files=tuple(f"{i}.wav" for i in n),
        steps=np.full(20, STEPS),
        **known,
    )
    return ist.data.Data("tones", part, part)


@pytest.fixture(scope="module")
def model(data: ist.data.Data) -> ist.AE:
    fields: dict[str, Any] = {"latent_dim": 2, "network": "mlp", "hidden": (8,), "epochs": 1}
    return ist.AE(**fields, random_state=0).fit(data.train)


def test_pictures_are_spectrograms_with_low_tones_below(model: ist.AE, data: ist.data.Data) -> None:
    x = data.test.x
    pictures = sounds.spectrogram_pictures(x, model)
    assert pictures.shape == (20, 1, 48, 9) and pictures.min() >= 0 and pictures.max() == 1
    rows = pictures[:, 0, :, 4].argmax(axis=1)
    assert (np.diff(rows) <= 0).all() and rows[0] > rows[-1] + 10  # higher tones lie higher


def test_what_is_heard_is_the_example_and_what_comes_back(
    model: ist.AE, data: ist.data.Data
) -> None:
    given = ist.explore(model, data).given
    (one,) = given["models"]
    assert len(given["sounds"]) == len(one["sounds"]) == 20
    assert one["why"] == "it was trained on sounds, which are played."
    for sound, expected in (
        (given["sounds"][5], data.test.x[5, 0]),
        (one["sounds"][5], model.reconstruct(data.test.x[5:6])[0, 0]),
    ):
        content = base64.b64decode(sound.removeprefix("data:audio/wav;base64,"))
        steps = np.frombuffer(content[44:], "<i2") / 32767
        np.testing.assert_allclose(steps, expected, atol=1e-4)


def test_a_page_holds_as_many_sounds_as_it_has_room_for(data: ist.data.Data) -> None:
    assert sounds.count_heard(data.test, 1) == 20
    long = ist.data.Part(np.broadcast_to(np.zeros(1, np.float32), (200, 1, 44_100)))
    assert sounds.count_heard(long, 1) == 2_000_000 // (2 * 44_100 * 2)


def test_the_marked_example_is_heard(
    browser: Any, model: ist.AE, data: ist.data.Data, tmp_path: Path
) -> None:
    explorer = ist.explore({"one": model, "two": model}, data)
    page = browser.new_page()
    page.goto(explorer.save(tmp_path / "page.html").as_uri())
    page.wait_for_function("window.explorer")
    page.evaluate("window.explorer.columns[0].onPointed(7)")
    found = page.evaluate("[...document.querySelectorAll('audio')].map((audio) => audio.src)")
    given = explorer.given
    expected = [given["sounds"][7], given["models"][0]["sounds"][7]]
    assert found == 2 * expected
    names = page.evaluate("[...document.querySelectorAll('audio')].map((a) => a.ariaLabel)")
    assert names == ["example, one", "rebuilt, one", "example, two", "rebuilt, two"]
    page.close()
