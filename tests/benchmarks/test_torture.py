"""The campaign of attacks: its judge is right, its chance repeats, kills fall where they should.

What it finds is not tested here: that is what it is run for.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import isthmus as ist
from benchmarks.torture import campaign as loop
from benchmarks.torture import specimens
from benchmarks.torture.campaign import Tally, campaign
from benchmarks.torture.damage import DAMAGES, damaged, places, restructured
from benchmarks.torture.deaths import Death, forked
from benchmarks.torture.kinds import KINDS, chosen
from benchmarks.torture.page import PAGE, kept_rows, page
from benchmarks.torture.trials import FAILED, Kind, Outcome, Verdict, judged
from isthmus.errors import DataWarning, InputError


def raising(error: BaseException) -> Any:
    def act() -> None:
        raise error

    return act


def warning(category: type[Warning]) -> Any:
    return lambda: warnings.warn("something is odd", category, stacklevel=1)


@pytest.mark.parametrize(
    ("act", "verdict"),
    [
        (lambda: 3, Verdict.SAME),
        (lambda: 4, Verdict.DIFFERENT),
        (raising(InputError("n=0 is not usable: give at least 1.")), Verdict.REFUSED),
        (raising(InputError("no")), Verdict.FOREIGN),  # no sentence
        (raising(ValueError("n=0 is not usable: give at least 1.")), Verdict.FOREIGN),
        (raising(MemoryError()), Verdict.FOREIGN),
        (lambda: warning(RuntimeWarning)() or 3, Verdict.FOREIGN),
        (lambda: warning(DataWarning)() or 3, Verdict.SAME),
    ],
)
def test_what_comes_of_a_trial_is_judged(act: Any, verdict: Verdict) -> None:
    assert judged("a deed", act, lambda value: value == 3).verdict == verdict


@pytest.mark.parametrize("name", list(DAMAGES))
def test_every_damage_changes_bytes_and_repeats(name: str) -> None:
    content = bytes(range(48, 58)) * 30
    first = DAMAGES[name](bytearray(content), random.Random(5))
    assert first == DAMAGES[name](bytearray(content), random.Random(5))
    assert any(
        DAMAGES[name](bytearray(content), random.Random(seed)) != content for seed in range(3)
    )


def test_damaged_bytes_are_never_the_same_and_empty_files_grow() -> None:
    assert all(damaged(b"7", random.Random(seed))[1] != b"7" for seed in range(200))
    assert damaged(b"", random.Random(0))[0] == "insert"


def test_every_node_of_a_tree_can_be_changed() -> None:
    tree = {"a": [1, {"b": 2}], "c": 3}
    assert sorted(str(key) for _, key in places(tree)) == ["0", "1", "a", "b", "c"]
    before = json.dumps(tree)
    assert restructured(tree, random.Random(1))
    assert json.dumps(tree) != before


def writing(folder: Path) -> Any:
    def work() -> None:
        for name in "abcd":
            (folder / name).write_bytes(bytes(100))

    return work


def test_a_process_dies_before_the_act_that_is_named(tmp_path: Path) -> None:
    assert forked(writing(tmp_path), tmp_path).acts == 4
    for path in tmp_path.iterdir():
        path.unlink()
    ended = forked(writing(tmp_path), tmp_path, Death(act=2))
    assert ended.killed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_process_dies_inside_of_a_write(tmp_path: Path) -> None:
    assert forked(writing(tmp_path), tmp_path, Death(byte=60)).killed
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [60]


def test_how_a_process_ended_is_told(tmp_path: Path) -> None:
    refused = forked(raising(InputError("too large.")), tmp_path)
    assert (refused.killed, refused.status, refused.error) == (False, 1, "InputError: too large.")
    assert forked(raising(SystemExit(2)), tmp_path).status == 2
    assert forked(lambda: time.sleep(60), tmp_path, Death(after=0.01)).killed


class Made(Kind):
    """Trials whose ends are known: the third hangs, the fourth takes its process with it."""

    name, group, promise, target, share = "made", "made", "nothing", 6, 1.0

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        number = self.count = getattr(self, "count", -1) + 1
        yield Outcome(Verdict.SAME, f"chance {draw.random()}")
        if number == 2:
            time.sleep(60)
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "made", Made)
    monkeypatch.setattr(loop, "PATIENCE", 0.2)
    monkeypatch.setattr(loop, "_GRACE", 0.1)
    monkeypatch.setattr(specimens, "prepared", lambda: None)


def test_a_hang_is_counted_and_the_campaign_goes_on(made: None) -> None:
    (tally,) = campaign(["made"], 60, 0, trials=range(5))
    # the worker behind the hang counts its trials anew
    assert (tally.trials, tally.counts[Verdict.HUNG], tally.survivors) == (5, 1, 4)
    assert "1 hang" in str(tally)
    assert "--kind made --seed 0 --trial 2" in str(tally)


def test_a_process_that_dies_is_a_foreign_error(
    made: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Made, "count", 1, raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    (tally,) = campaign(["made"], 60, 0, trials=range(2))
    assert tally.counts[Verdict.FOREIGN] == 1
    assert "the process ended with -9" in str(tally)


def test_kinds_are_chosen_by_name_and_by_group() -> None:
    assert chosen(None) == list(KINDS)
    assert chosen("threads,damage") == ["runs", "structures", "checkpoints", "sources", "threads"]
    with pytest.raises(InputError, match=r"unknown kind 'kill': did you mean 'kills'\?"):
        chosen("kill")


def test_the_targets_are_those_of_a_full_campaign() -> None:
    wanted = dict.fromkeys(("kills", "damage", "inputs"), 0)
    for kind in KINDS.values():
        if kind.group in wanted:
            wanted[kind.group] += kind.target
    assert wanted["kills"] >= 200
    assert wanted["damage"] >= 100_000
    assert wanted["inputs"] >= 5_000


def test_the_identity_of_a_run_sees_a_weight_and_a_number_of_the_history(tmp_path: Path) -> None:
    first = specimens.saved("ae", tmp_path / "run")
    again = ist.load(tmp_path / "run")
    assert specimens.identity(again) == first
    again.history_[0]["seconds"] += 1
    assert specimens.identity(again) != first
    again = ist.load(tmp_path / "run")
    next(again.module_.parameters()).data[0] += 1e-3
    assert specimens.identity(again) != first


def test_a_tally_keeps_one_fault_a_place() -> None:
    tally = Tally(Made, 0)
    for number in range(3):
        tally.add(number, Outcome(Verdict.FOREIGN, "a deed", "KeyError: 'x'", "a.py:3"))
    assert (tally.trials, tally.survivors, len(tally.faults)) == (3, 0, 1)


def test_the_page_says_what_the_kept_lines_say() -> None:
    rows = kept_rows()
    text = page(rows)
    assert text == PAGE.read_text(encoding="utf-8")
    for row in rows:
        assert row["survived"] + sum(row[verdict] for verdict in FAILED) == row["trials"]
        assert KINDS[row["kind"]].promise in text
    assert {row["kind"] for row in rows} == set(KINDS)


def test_figures_of_a_kind_are_added_over_seeds_and_what_fell_is_named() -> None:
    row = {"kind": "disk", "trials": 1500, "survived": 1498, "seconds": 60, "commit": "abc"}
    row |= {verdict.value: 0 for verdict in FAILED} | {"lost": 2, "torch": "2", "machine": "m"}
    assert "| 3,000 | 2,996 | 4 lost |" in page([{**row, "seed": 0}, {**row, "seed": 1}])
