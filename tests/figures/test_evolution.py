"""The snapshots of a training: side by side, and in motion."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from isthmus import InputError
from isthmus.data import Data
from isthmus.figures import evolution, evolution_gif, plane
from isthmus.figures._style import PALETTE

from .conftest import Known, cloud, colours, corner, filmed, titles


def test_each_snapshot_has_a_panel(data: Data) -> None:
    model = filmed(data, data.test)
    figure = evolution(model, data)
    assert titles(figure) == ["before training", "epoch 5", "epoch 10"]
    for panel, snapshot in enumerate(model.snapshots_):
        np.testing.assert_allclose(cloud(figure, panel).get_offsets(), snapshot.codes)


def test_too_many_snapshots_are_thinned_with_both_ends_kept(data: Data) -> None:
    figure = evolution(filmed(data, data.test, moments=20), data, panels=4)
    assert titles(figure) == ["before training", "epoch 30", "epoch 65", "epoch 95"]


def test_a_label_has_the_colour_that_it_has_in_the_plane(data: Data) -> None:
    model = filmed(data, data.test)
    assert colours(evolution(model, data), 2) == colours(plane(model, data))


def test_probes_of_the_training_part_get_its_labels(data: Data) -> None:
    y = np.asarray(data.train.y)
    swapped = Data(data.name, type(data.train)(data.train.x, 2 - y), data.test, data.classes)
    found = colours(evolution(filmed(swapped, swapped.train.take(slice(20))), swapped))
    assert found == [PALETTE[2 - i % 3] for i in range(20)]


def test_probes_of_neither_part_have_one_colour_unless_their_labels_are_given(data: Data) -> None:
    others = data.train.take(slice(40, 60))
    model = filmed(data, others)
    assert set(colours(evolution(model, data))) == {PALETTE[0]}
    labelled = evolution(model, data, labels=np.asarray(others.y))
    assert colours(labelled) == [PALETTE[i] for i in np.asarray(others.y)]


def test_labels_that_are_not_one_per_probe_are_refused(data: Data) -> None:
    with pytest.raises(
        InputError, match=r"labels has the shape \(7,\), but the snapshots have 30 probes"
    ):
        evolution(filmed(data, data.test), data, labels=np.zeros(7, dtype=int))


def test_a_model_without_snapshots_is_refused(model: Known, data: Data, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Known has no snapshots_: fit it with snapshots=8"):
        evolution(model, data)
    with pytest.raises(InputError, match="Known has no snapshots_"):
        evolution_gif(model, data, tmp_path / "film.gif")


def test_a_prior_keeps_one_scale_and_free_codes_have_their_own(data: Data) -> None:
    model = filmed(data, data.test)
    assert len({axes.get_xlim() for axes in evolution(model, data).axes}) == 3
    model.code_space = "normal"
    assert len({axes.get_xlim() for axes in evolution(model, data).axes}) == 1


def test_one_dimension_becomes_strips_on_the_scale_of_the_code(data: Data) -> None:
    model = filmed(data, data.test)
    model.encode, model.code_space = lambda x: corner(x)[:, :1], "normal"
    model.snapshots_ = [type(s)(s.epoch, s.codes[:, :1], s.grid[:15]) for s in model.snapshots_]
    figure = evolution(model, data)
    points = np.asarray(cloud(figure, 2).get_offsets())
    np.testing.assert_allclose(points[:, 0], model.snapshots_[2].codes[:, 0])
    np.testing.assert_array_equal(np.abs(points[:, 1]).round(), np.asarray(data.test.y))
    assert figure.axes[2].get_xlim() == (-3, 3)


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as film:
        count = getattr(film, "n_frames", 1)
        pictures = []
        for i in range(count):
            film.seek(i)
            pictures.append(np.asarray(film.convert("RGB")).astype(int))
    return pictures


def near(picture: np.ndarray, colour: str) -> np.ndarray:
    """Which pixels have a colour, but for its rounding."""
    return np.abs(picture - np.array(to_rgb(colour)) * 255).max(axis=-1) < 6


def test_the_animation_moves_and_rests_on_its_last_frame(data: Data, tmp_path: Path) -> None:
    path = evolution_gif(
        filmed(data, data.test), data, tmp_path / "new" / "film.gif", frames=5, hold=2
    )
    pictures = frames(path)
    assert len(pictures) == 5
    assert all((a != b).any() for a, b in pairwise(pictures))
    with Image.open(path) as film:
        film.seek(4)
        assert film.info["duration"] == 2000
        assert film.info["loop"] == 0
    assert path.stat().st_size < 280_000


def test_the_animation_keeps_the_colours_of_the_classes(data: Data, tmp_path: Path) -> None:
    last = frames(evolution_gif(filmed(data, data.test), data, tmp_path / "film.gif", frames=3))[-1]
    left = last[:, : last.shape[1] // 2]
    assert all(near(left, colour).sum() > 50 for colour in PALETTE[:3])
    assert (left == 255).all(axis=-1).mean() > 0.8, "the paper is white"


def test_the_frames_between_two_snapshots_lie_between_them(data: Data, tmp_path: Path) -> None:
    model = filmed(data, data.test, moments=2)
    model.code_space = "unit"
    pictures = frames(
        evolution_gif(model, data, tmp_path / "film.gif", frames=3, labels=np.zeros(30, dtype=int))
    )
    reach = [
        np.flatnonzero(near(picture[:, :330], PALETTE[0]).any(axis=0)).max() for picture in pictures
    ]
    assert reach[0] < reach[1] < reach[2]
    assert reach[1] - reach[0] == pytest.approx(reach[2] - reach[1], abs=3)


def test_what_makes_no_animation_is_refused(data: Data, tmp_path: Path) -> None:
    model = filmed(data, data.test)
    with pytest.raises(
        InputError, match=r"film.png' cannot hold an animation: give a name that ends in .gif"
    ):
        evolution_gif(model, data, tmp_path / "film.png")
    with pytest.raises(InputError, match="frames=1 makes no animation"):
        evolution_gif(model, data, tmp_path / "film.gif", frames=1)
