"""Published numbers, measured again: rows are whole, and the page says what kept lines say.

Nothing is trained.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from benchmarks.papers import __main__ as command
from benchmarks.papers.page import PAGE, page
from benchmarks.papers.record import ROOT, append, read, record
from benchmarks.papers.row import ROWS, Bench, Row, above, at_most, rising, row, within
from isthmus.metrics._measure import Measure

KEYS = {
    "row",
    "what",
    "setting",
    "metric",
    "unit",
    "value",
    "error",
    "published",
    "source",
    "wanted",
    "holds",
    "epochs",
    "settings",
    "data",
    "seconds",
    "device",
    "machine",
    "threads",
    "torch",
    "commit",
    "date",
}
every_row = pytest.mark.parametrize("declared", ROWS.values(), ids=list(ROWS))


def measured(value: float, error: float | None = None) -> Measure:
    return Measure("Error", value, "unit", error, "lower", "help")


def bench(tmp_path: Path, **values: Any) -> Bench:
    data = ist.data.load("digits")
    return Bench(
        **{"data": data, "epochs": 1, "has_accelerator": False, "folder": tmp_path, **values}
    )


def made_up(name: str = "made-up", **values: Any) -> Row:
    declared: dict[str, Any] = {
        "what": "What",
        "setting": "For {epochs} epochs, {images} images.",
        "metric": "error",
        "unit": "units",
        "source": "a paper",
        "published": {"a": 1.0},
        "wanted": at_most(2),
        "epochs": (3, 30),
        "measure": lambda bench: {"a": measured(1.5, 0.1)},
    }
    return Row(name=name, **{**declared, **values})


@every_row
def test_a_declaration_is_whole(declared: Row) -> None:
    texts = (
        declared.what,
        declared.setting,
        declared.metric,
        declared.unit,
        declared.error,
        declared.source,
    )
    assert all(texts)
    assert declared.setting.endswith(".")
    assert re.fullmatch(r"[a-z0-9-]+", declared.name)
    assert 0 <= declared.epochs[0] <= declared.epochs[1]
    assert "{epochs}" in declared.setting or declared.epochs == (0, 0)
    assert declared.measure.__doc__


def test_the_committed_page_is_what_the_lines_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read()), (
        "run python -m benchmarks.papers --page"
    )


def test_every_kept_line_is_whole_and_names_no_place() -> None:
    lines = read()
    assert lines
    for line in lines:
        assert set(line) == KEYS
        assert line["row"] in ROWS
        assert line["settings"]
        assert set(line["error"]) <= set(line["value"])
        text = json.dumps(line)
        assert "/tmp" not in text
        assert str(ROOT) not in text


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        (at_most(2), {"a": 2.0, "b": 1.0}, {"a": 1.0, "b": 2.1}),
        (within(10, 0.5), {"a": 10.5}, {"a": 9.4}),
        (rising("a", "b", "c"), {"c": 3.0, "a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0, "c": 3.0}),
        (above("base", 8, "dB"), {"base": 10.0, "x": 18.0}, {"base": 10.0, "x": 18.0, "y": 17.9}),
    ],
    ids=lambda value: getattr(value, "words", None),
)
def test_bounds(wanted: Any, good: dict[str, float], bad: dict[str, float]) -> None:
    assert wanted.holds(good)
    assert not wanted.holds(bad)


def test_a_line_holds_what_was_measured_and_what_was_trained(tmp_path: Path) -> None:
    used = bench(tmp_path)
    model = used.train(
        "a", ist.AE(hidden=(8,), random_state=0, verbose=0), used.data.train.take(slice(64))
    )
    assert len(model.history_) == 1
    assert used.length("images", 64, 1000) == 64
    line = record(made_up(), made_up().measure(used), used, "abc")
    assert set(line) == KEYS
    assert (line["value"], line["error"], line["holds"], line["commit"]) == (
        {"a": 1.5},
        {"a": 0.1},
        True,
        "abc",
    )
    assert line["settings"]["a"]["member"] == "AE"
    assert line["settings"]["a"]["hidden"] == [8]
    assert line["settings"]["images"] == 64
    assert "checkpoint_dir" not in line["settings"]["a"]
    assert line["seconds"] >= 0
    append(line, tmp_path / "lines.jsonl")
    assert read(tmp_path / "lines.jsonl") == [line]


def test_an_accelerator_gets_the_published_length(tmp_path: Path) -> None:
    assert bench(tmp_path, has_accelerator=True).length("images", 64, 1000) == 1000


def test_the_page_shows_the_latest_line_of_each_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = made_up(note="Why.")
    monkeypatch.setitem(ROWS, "made-up", declared)
    used = bench(tmp_path, settings={"images": 1000})
    line = {**record(declared, declared.measure(used), used, "abc"), "device": "CPU"}
    short = {**line, "value": {"a": 2.5}, "error": {}, "holds": False}
    text = page([line, {**line, "device": "GPU"}, short])
    assert (
        "| [made-up](#made-up) | What (CPU) | a 2.500 | a 1 | at most 2 | **falls short** |" in text
    )
    assert (
        "| [made-up](#made-up) | What (GPU) | a 1.500 ± 0.100 | a 1 | at most 2 | holds |" in text
    )
    assert "For 1 epochs, 1,000 images." in text
    assert "\nWhy.\n\n    python -m benchmarks.papers made-up\n" in text
    assert text.count("| not yet |") == len(ROWS) - 1
    changed = replace(declared, setting="Otherwise, for {epochs} epochs.", wanted=at_most(1))
    monkeypatch.setitem(ROWS, "made-up", changed)
    text = page([line])
    assert "For 1 epochs, 1,000 images." in text  # what was done stays as it was
    assert "| a 1.500 ± 0.100 | a 1 | at most 1 | **falls short** |" in text
    assert "Wanted: at most 1; it falls short." in text


def test_a_name_that_is_not_known_or_known_already_is_refused() -> None:
    with pytest.raises(ist.InputError, match=r"unknown row 'pca3': .*pca30"):
        command.main(["pca3"])
    with pytest.raises(ValueError, match="'pca30' is declared twice"):
        row("pca30", what="again")(lambda bench: {})


def test_a_row_is_measured_once_its_line_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, Any]] = []
    folder = tmp_path / "runs" / "papers" / "made-up"

    def measure(used: Bench) -> dict[str, Measure]:
        used.folder.mkdir(parents=True)
        used.settings["images"] = 5
        return {"a": measured(float(np.float32(1.5)))}

    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "append", kept.append)
    monkeypatch.setattr(command, "mnist", lambda: ist.data.load("digits"))
    monkeypatch.setattr(command, "has_accelerator", lambda: False)
    command.measure(replace(made_up(), measure=measure), "abc")
    assert [line["value"] for line in kept] == [{"a": 1.5}]
    assert kept[0]["epochs"] == 3
    assert not folder.exists()
