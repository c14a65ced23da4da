"""The snapshots of a training: side by side, and in motion."""

from __future__ import annotations

import base64
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from isthmus import InputError
from isthmus.data import Data
from isthmus.errors import MissingExtraError
from isthmus.figures import _video, evolution, evolution_gif, plane
from isthmus.figures._animation import named_models
from isthmus.figures._style import PALETTE
from isthmus.training.callbacks.snapshots import Snapshot

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
    with pytest.raises(InputError, match=r"Known kept no moments .*: fit it with snapshots=8"):
        evolution(model, data)
    with pytest.raises(InputError, match="Known kept no moments"):
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
        InputError, match=r"film.png' cannot hold an animation: give .* ends in .gif or .mp4"
    ):
        evolution_gif(model, data, tmp_path / "film.png")
    with pytest.raises(InputError, match="frames=1 is not usable: give a whole number from 2 up"):
        evolution_gif(model, data, tmp_path / "film.gif", frames=1)
    with pytest.raises(InputError, match="hold=-3 is not usable: give seconds from 0 to 60"):
        evolution_gif(model, data, tmp_path / "film.gif", hold=-3)
    with pytest.raises(InputError, match="model holds no model: give a fitted member, or several"):
        evolution_gif({}, data, tmp_path / "film.gif")


def mapped(data: Data, moments: int, space: str, box: tuple[float, float, float, float]) -> Known:
    """A model with snapshots whose grids say where they lie."""
    model = filmed(data, data.test, moments)
    model.code_space = space
    model.snapshots_ = [Snapshot(s.epoch, s.codes, s.grid, box=box) for s in model.snapshots_]
    return model


def test_several_models_keep_to_one_clock_and_the_shorter_one_waits(
    data: Data, tmp_path: Path
) -> None:
    """Epochs 0 and 5 of one, 0 to 10 of the other: the first stands still in the second half."""
    short, long = (mapped(data, moments, "unit", (0, 1, 0, 1)) for moments in (2, 3))
    path = evolution_gif({"short": short, "long": long}, data, tmp_path / "both.gif", frames=5)
    pictures = frames(path)
    height, width = pictures[0].shape[:2]
    left = [picture[: height // 2, : width // 2 - 20] for picture in pictures]
    right = [picture[: height // 2, width // 2 + 20 :] for picture in pictures]
    moves = [[bool((a != b).any()) for a, b in pairwise(side)] for side in (left, right)]
    assert moves == [[True, True, False, False], [True, True, True, True]]


def test_the_plane_of_a_film_has_the_axes_of_its_tiles(data: Data, tmp_path: Path) -> None:
    """Points up to (1, 1) fill the plane of a grid over the unit square, and half of a larger
    one's.
    """
    reach = []
    for edge in (1.0, 2.0):
        model = mapped(data, 2, "normal", (0, edge, 0, edge))
        last = frames(
            evolution_gif(model, data, tmp_path / "film.gif", frames=2, labels=np.zeros(30, int))
        )[-1]
        columns = np.flatnonzero(near(last[:, :330], PALETTE[0]).any(axis=0))
        reach.append(np.ptp(columns))
    assert reach[1] / reach[0] == pytest.approx(0.5, abs=0.05)


def test_models_of_one_kind_are_numbered(data: Data) -> None:
    assert [name for name, _ in named_models([filmed(data, data.test)] * 2)] == [
        "Known 1",
        "Known 2",
    ]


def test_an_mp4_has_its_length_and_even_sides(data: Data, tmp_path: Path) -> None:
    path = evolution_gif(filmed(data, data.test), data, tmp_path / "film.mp4", frames=10, hold=0.6)
    command = [_video.ffmpeg(), "-i", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "Duration: 00:00:01.00" in said and "h264" in said and "yuv420p" in said
    assert path.stat().st_size < 300_000


def test_what_ffmpeg_cannot_do_is_one_sentence(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "ffmpeg"
    failing.write_text("#!/bin/sh\necho 'Unknown encoder libx264' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(_video, "ffmpeg", lambda: str(failing))
    with pytest.raises(InputError, match=r"could not write the video: Unknown encoder libx264;"):
        evolution_gif(filmed(data, data.test), data, tmp_path / "film.mp4", frames=2)
    assert not (tmp_path / "film.mp4").exists()


def test_without_ffmpeg_the_extra_is_named(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtraError, match=r"an MP4 needs .*: pip install 'isthmus\[video\]'"):
        evolution_gif(filmed(data, data.test), data, tmp_path / "film.mp4")


def test_a_notebook_shows_a_film(data: Data, tmp_path: Path) -> None:
    film = evolution_gif(filmed(data, data.test), data, tmp_path / "film.gif", frames=2)
    shown = film._repr_mimebundle_()  # type: ignore[attr-defined]
    assert base64.b64decode(shown["image/gif"]) == film.read_bytes()
    film.unlink()
    assert film._repr_mimebundle_() == {"text/plain": str(film)}  # type: ignore[attr-defined]
