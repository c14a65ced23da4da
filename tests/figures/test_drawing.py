"""Figures and films from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus as ist

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, digits: ist.data.Data) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    brief = {"latent_dim": 2, "epochs": 1, "snapshots": 2, "random_state": 0, "verbose": 0}
    models = {"ae": ist.AE(**brief, code_activation="sigmoid"), "vae": ist.VAE(**brief)}
    return {
        name: model.fit(digits.train, probes=digits.test.x[:50]).save(folder / name)
        for name, model in models.items()
    }


def test_a_grid_is_drawn_as_python_draws_it(
    isthmus: Command, runs: dict[str, Path], digits: ist.data.Data, tmp_path: Path
) -> None:
    out, same = tmp_path / "grid.png", tmp_path / "same.png"
    given = ["--data", "digits", "--low", "0.05,0.1", "--high", "0.95", "--side", "4"]
    status, printed, _ = isthmus("draw", "grid", runs["ae"], *given, "--out", out)
    assert (status, printed) == (0, f"{out}: grid of ae\n")
    model = ist.load(runs["ae"])
    ist.figures.grid(model, digits, low=(0.05, 0.1), high=0.95, side=4).savefig(same)
    with Image.open(out) as ours, Image.open(same) as theirs:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_a_film_of_two_runs_has_two_planes(
    isthmus: Command, runs: dict[str, Path], tmp_path: Path
) -> None:
    for names, width in ((["vae"], 691), (["ae", "vae"], 672)):
        out, chosen = tmp_path / f"{len(names)}.gif", [runs[name] for name in names]
        status, _, said = isthmus(
            "draw", "evolution", *chosen, "--data", "digits", "--out", out, "--frames", "2"
        )
        assert status == 0, said
        with Image.open(out) as film:
            assert film.width == width and film.n_frames == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plane", "ae", "--low", "0"], "--low is no option of plane, which has --points, --tiles"),
        (["grid", "ae", "--low", "left"], "--low 'left' is no edge of a grid: give a number, or"),
        (["grid", "ae", "vae"], "grid shows one run, and 2 are named: name one, or make a film"),
        (["gird", "ae"], "unknown figure 'gird': did you mean 'grid'?"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    isthmus: Command, runs: dict[str, Path], tmp_path: Path, words: list[str], message: str
) -> None:
    given = [runs.get(word, word) for word in words]
    status, _, said = isthmus("draw", *given, "--data", "digits", "--out", tmp_path / "new.png")
    assert status == 2 and message in said
    assert not (tmp_path / "new.png").exists()
