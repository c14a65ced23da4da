"""Names of any letters: in figures, on pages, in files and on a terminal; cells like formulas."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import isthmus as ist
from isthmus._cli.exports import write_codes, write_table
from isthmus.core.wording import printable
from isthmus.data._sources.delimited import read_text
from isthmus.registry import FIGURES

HOSTILE = ("$_^$", "caf\udce9", r"\$\frac{", "a\nb\x1b[2J", "<script>", "x" * 300, "=cmd()", "{}%s")
QUICK = {"epochs": 1, "snapshots": 2, "random_state": 0, "verbose": 0}


@pytest.fixture(scope="module")
def hostile() -> ist.data.Data:
    """Images of eight classes, whose names no figure and no page should trip over."""
    random = np.random.default_rng(0)
    parts = [
        ist.data.Part(random.random((n, 1, 8, 8)).astype(np.float32), np.arange(n) % len(HOSTILE))
        for n in (64, 32)
    ]
    return ist.data.Data("$_^$ caf\udce9", *parts, classes=HOSTILE)


def heard(data: ist.data.Data) -> ist.data.Data:
    """Noise of the same classes, in files that are called as they are."""

    def sounds(part: ist.data.Part) -> ist.data.Sounds:
        n = np.arange(len(part))
        x = np.random.default_rng(0).uniform(-1, 1, (len(n), 1, 256)).astype(np.float32)
        files, steps = tuple(HOSTILE[i % len(HOSTILE)] for i in n), np.full(len(n), 256)
        cut = {"starts": 0 * n, "places": n, "stride": 256, "kind": "signal"}
        return ist.data.Sounds(x=x, y=part.y, files=files, steps=steps, sample_rate=8000, **cut)

    return ist.data.Data(data.name, sounds(data.train), sounds(data.test), classes=data.classes)


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"series_outliers"}))
def test_no_name_of_a_class_stops_a_figure(name: str, hostile: ist.data.Data) -> None:
    told = {"condition": "label"} if name == "styles" else {}
    data = heard(hostile) if name in ("waveforms", "spectrograms") else hostile
    model = ist.VAE(**QUICK, **told).fit(data.train)
    if name == "denoising_path":
        model.fit_prior(data.train, prior=ist.priors.Diffusion(epochs=1, width=8, verbose=0))
    for ending in ("png", "svg", "pdf") if name == "plane" else ("png",):
        drawn = io.BytesIO()
        FIGURES[name](model, data).savefig(drawn, format=ending)
        assert drawn.tell() > 1000


@pytest.mark.parametrize("name", ["explanation", "outliers", "walk", "samples", "reconstructions"])
def test_no_name_of_a_column_stops_a_figure(name: str) -> None:
    x = np.random.default_rng(0).random((40, len(HOSTILE))).astype(np.float32)
    part = ist.data.Part(x)
    data = ist.data.Data("t", part, part, columns=HOSTILE)
    model = ist.VAE(**QUICK).fit(x)
    drawn = io.BytesIO()
    FIGURES[name](model, data).savefig(drawn, format="png")
    assert drawn.tell() > 1000


def test_no_name_ends_a_comparison(hostile: ist.data.Data, tmp_path: Path) -> None:
    ist.compare(["ae"], hostile, tmp_path / "page", snapshots=2, overrides={"epochs": 1})
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page or "\\u003cscript\\u003e" in page


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of others take UTF-8 alone")
def test_a_folder_whose_names_are_no_utf8_gives_classes_that_can_be_written(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"$_^$", b"a\nb"):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        for i in range(4):
            Image.new("L", (8, 8), 40 * i).save(folder / f"{i}.png")
    data = ist.data.load(tmp_path)
    assert data.classes == ("$_^$", "a\\nb", "caf\\xe9")
    files = ["caf\udce9/1.png", "b.png"]
    for ending in (".csv", ".parquet", ".npy"):
        write_codes(tmp_path / f"z{ending}", np.zeros((2, 1)), ["z1"], files)
    assert pd.read_csv(tmp_path / "z.csv")["file"].tolist() == ["caf\\xe9/1.png", "b.png"]
    assert (tmp_path / "z.files.txt").read_text() == "caf\\xe9/1.png\nb.png\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain — 日本", "plain — 日本"),
        ("\x1b[31m\r\n", "\\x1b[31m\\r\\n"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff\ud800", "\\xff\\ud800"),
    ],
)
def test_what_cannot_be_shown_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_an_error_is_one_line_whatever_the_file_is_called(
    tmp_path: Path, isthmus: Callable[..., tuple[int, str, str]]
) -> None:
    path = tmp_path / "a\nb\x1b[2J.csv"
    path.write_text("x,x\n1,2\n")
    status, _, said = isthmus("encode", tmp_path, path, tmp_path / "codes.csv")
    assert status == 2
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_a_terminal_of_few_letters_shows_their_numbers() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "isthmus", "models"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0
    assert "\\u03b2-TC-VAE" in ended.stdout


def test_cells_like_formulas_are_marked_as_text_and_read_as_they_were(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "=cmd()": ["=1+1", "'=x", "''@a", "it's", "\t=c", "ä"],
            "number": [-1.5, 2.0, 3.0, -4.0, 5.0, 0.0],
            "digits": ["-5", "+3", "2", "-1", "a", "'"],
            "category": pd.Categorical(["-x", "y", "-x", "y", "z", "y"]),
        }
    )
    write_table(tmp_path / "t.csv", frame)
    written = pd.read_csv(tmp_path / "t.csv")
    for column in (written.columns, *(written[name] for name in written if name != "number")):
        assert not any(str(cell).startswith(tuple("=+-@\t\r")) for cell in column)
    assert written["number"].tolist() == frame["number"].tolist()
    read = read_text(tmp_path / "t.csv")[0]
    assert read.columns.tolist() == frame.columns.tolist()
    for name in frame:
        assert read[name].tolist() == frame[name].tolist()


def test_a_table_of_numbers_is_written_as_it_is(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [-1.0, 2.5], "b": [3, -4]})
    write_table(tmp_path / "t.csv", frame)
    assert (tmp_path / "t.csv").read_text() == "a,b\n-1.0,3\n2.5,-4\n"
