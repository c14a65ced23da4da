"""Figures of sounds: what is drawn, on which axes, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.image import AxesImage

import isthmus as ist
from isthmus.data.spectra import mel_edges, mels_of
from isthmus.figures._waves import outline, waves_of

RATE, STEPS = 8000, 1024


def tones(hertz: list[float]) -> ist.data.Sounds:
    """A sound of each frequency, in two classes; the first is silent."""
    at = np.arange(STEPS) / RATE
    x = np.stack([0.5 * np.sin(2 * np.pi * f * at) for f in hertz])[:, None].astype(np.float32)
    n = np.arange(len(hertz))
    return ist.data.Sounds(
        x=x,
        y=n % 2,
        classes=("even", "odd"),
        kind="signal",
        stride=STEPS,
        starts=0 * n,
        places=n,
        files=tuple(f"{i}.wav" for i in n),
        steps=np.full(len(n), STEPS),
        sample_rate=RATE,
    )


@pytest.fixture(scope="module")
def data() -> ist.data.Data:
    test = tones([0, 1000, 500, 1000, 500, 1000])
    return ist.data.Data("tones", tones([300.0] * 20), test, ("even", "odd"))


@pytest.fixture(scope="module")
def model(data: ist.data.Data) -> ist.VAE:
    fields: dict[str, Any] = {"latent_dim": 2, "network": "mlp", "hidden": (8,), "epochs": 1}
    return ist.VAE(**fields, random_state=0).fit(data.train)


def images_of(figure: Any) -> list[AxesImage]:
    return [image for axes in figure.axes for image in axes.images if image.get_extent()[3] > 10]


def test_spectrograms_are_read_in_seconds_and_hertz(model: ist.VAE, data: ist.data.Data) -> None:
    figure = ist.figures.spectrograms(model, data, columns=2)
    first, second, *_ = images_of(figure)
    left, right, low, high = first.get_extent()
    assert (left, right, low) == (0, STEPS / RATE, 0) and high == pytest.approx(mels_of(RATE / 2))
    # silence is left out: the first even sound that is heard has 500 Hz, the first odd one 1,000
    edges = mel_edges(RATE)
    for image, hertz in ((first, 500.0), (second, 1000.0)):
        band = int(np.asarray(image.get_array())[:, 4].argmax())
        assert edges[band] < hertz < edges[band + 2]
    axis = figure.axes[0].yaxis
    places = axis.get_majorticklocs()
    names = [axis.get_major_formatter()(place, i) for i, place in enumerate(places)]
    at = dict(zip(names, places, strict=True))
    assert at["1,000"] == pytest.approx(mels_of(1000.0)) and "10,000" not in at
    assert np.asarray(first.get_array()).max() <= 0 and first.get_clim() == (-70, 0)
    assert [axes.get_title(loc="left") for axes in figure.axes[:4]] == [
        "even",
        "odd",
        "reconstruction",
        "reconstruction",
    ]
    assert figure.get_supxlabel() == "seconds" and figure.get_supylabel() == "Hz"


def test_waveforms_show_the_whole_reach_of_a_sound(model: ist.VAE, data: ist.data.Data) -> None:
    figure = ist.figures.waveforms(model, data, columns=5)
    assert len(figure.axes) == 2 * 2 * 4  # five pairs: two rows of four, of which three are hidden
    assert sum(axes.get_visible() for axes in figure.axes) == 2 * 5
    (wave,) = figure.axes[0].collections
    corners = wave.get_paths()[0].vertices
    assert corners[:, 1].max() == pytest.approx(0.5, abs=0.01)
    assert corners[:, 0].max() == pytest.approx(STEPS / RATE)


def test_reconstructions_and_samples_choose_spectrograms(
    model: ist.VAE, data: ist.data.Data
) -> None:
    assert len(images_of(ist.figures.reconstructions(model, data))) == 2 * 4
    assert len(images_of(ist.figures.samples(model, data))) == 2 * 4
    assert len(images_of(ist.figures.samples(model, data, rows=1, columns=3))) == 3


def test_other_models_are_refused(data: ist.data.Data) -> None:
    other = ist.AE(network="mlp", hidden=(4,), epochs=1).fit(np.random.rand(8, 20))
    for figure in (ist.figures.waveforms, ist.figures.spectrograms):
        with pytest.raises(ist.InputError, match="are of sounds, but AE was trained on vectors"):
            figure(other, data)


def test_tiles_hold_the_outline_of_a_wave(model: ist.VAE, data: ist.data.Data) -> None:
    low, high = outline(np.array([0.0, 1.0, -2.0, 3.0, np.nan, 0.5]), 3)
    assert low.tolist() == [0, -2, 0] and high.tolist() == [1, 3, 0.5]
    tiles = waves_of(data.train.x, 1, RATE)
    assert tiles.caption == "waves of 0.128 s, from −0.5 to 0.5"
    drawn = ist.figures.walk(model, data, steps=3).axes[0].collections
    tops = [path.vertices[:, 1].min() for path in drawn[0].get_paths()]
    assert tops[0] == pytest.approx(0.04)  # the sheet, then the wave of the loudest reach
