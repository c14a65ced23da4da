"""The common loop: workers make trials until the time is up, and what came of them is counted."""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.torture import specimens
from benchmarks.torture.kinds import KINDS
from benchmarks.torture.trials import FAILED, SURVIVED, Kind, Outcome, Verdict
from benchmarks.torture.worker import Order, start

PATIENCE = 10.0
_START = 180.0  # specimens, on a machine that has other work to do
_GRACE = 20.0  # a trial that ends that much later is measured, not killed
_ALL = range(10**9)


@dataclass
class Tally:
    """The trials of one kind."""

    kind: type[Kind]
    seed: int
    counts: Counter[Verdict] = field(default_factory=Counter)
    faults: dict[tuple[str, ...], tuple[int, Outcome]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest: float = 0.0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count an outcome; a fault is kept once for each line that it comes from."""
        self.counts[outcome.verdict] += 1
        if not outcome.survived:
            kind_of_error, deed = outcome.said.partition(":")[0], " ".join(outcome.what.split()[:2])
            key = (outcome.verdict, kind_of_error[:40], outcome.where or deed)
            self.faults.setdefault(key, (number, outcome))

    @property
    def trials(self) -> int:
        return self.counts.total()

    @property
    def survivors(self) -> int:
        return sum(self.counts[verdict] for verdict in SURVIVED)

    def __str__(self) -> str:
        failed = ", ".join(f"{self.counts[v]} {v}" for v in FAILED if self.counts[v])
        head = f"{self.kind.name:12} {self.trials:7} trials, {self.survivors:7} survived"
        lines = [f"{head}{', ' + failed if failed else ''} ({self.seconds:.0f} s)"]
        for number, outcome in self.faults.values():
            lines.append(
                f"    {outcome.verdict}: {outcome.what}: {outcome.said} [{outcome.where}]"
                f" (--kind {self.kind.name} --seed {self.seed} --trial {number})"
            )
        lines += [f"    no trial at all: {said}" for said in self.broken]
        return "\n".join(lines)


def campaign(
    names: Sequence[str], seconds: float, seed: int, *, trials: range = _ALL
) -> Iterator[Tally]:
    """Run trials of some kinds, each for its share of the time; gives what came of each.

    Args:
        names: of the kinds.
        seconds: of the whole, beside the making of specimens.
        seed: the same gives the same trials.
        trials: these alone, to repeat them; else as many as the time allows.
    """
    whole = sum(KINDS[name].share for name in names)
    specimens.prepared()
    for name in names:
        tally = Tally(KINDS[name], seed)
        began = time.monotonic()
        _run(tally, seconds * KINDS[name].share / whole, trials)
        tally.seconds = time.monotonic() - began
        yield tally


def _run(tally: Tally, seconds: float, trials: range) -> None:
    """Start workers, one after another where one dies, until the time is up."""
    end = time.monotonic() + seconds
    following: int | None = trials.start
    while following is not None and following < trials.stop:
        left = end - time.monotonic()
        if left <= 0 and following > trials.start:
            return
        with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
            rest = range(following, trials.stop)
            order = Order(tally.kind, tally.seed, rest, max(left, 0), Path(folder))
            following = _watch(tally, order)


def _watch(tally: Tally, order: Order) -> int | None:
    """Count what one worker reports; gives the trial to go on with where it hung or died."""
    child, reading = start(order)
    current: int | None = None
    patience, buffer = _START, b""
    try:
        while select.select([reading], [], [], patience)[0]:
            chunk = os.read(reading, 1 << 16)
            if not chunk:
                _, status = os.waitpid(child, 0)
                child = 0
                if status == 0:
                    return None
                said = f"the process ended with {os.waitstatus_to_exitcode(status)}"
                return _fault(tally, current, Verdict.FOREIGN, said)
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                current = _told(tally, json.loads(line), current)
                patience = PATIENCE + tally.kind.breath + _GRACE
        return _fault(tally, current, Verdict.HUNG, f"over {PATIENCE:.0f} s")
    finally:
        os.close(reading)
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _told(tally: Tally, line: dict[str, Any], current: int | None) -> int | None:
    """The trial that is under way behind a line of a worker."""
    if "begins" in line:
        return int(line["begins"])
    if "broken" in line:
        tally.broken.append(line["broken"])
        return current
    tally.slowest = max(tally.slowest, line["seconds"])
    for said in line["outcomes"]:
        tally.add(line["ended"], Outcome(**said | {"verdict": Verdict(said["verdict"])}))
    if line["seconds"] > PATIENCE:
        _fault(tally, line["ended"], Verdict.HUNG, f"{line['seconds']:.0f} s")
    return current


def _fault(tally: Tally, number: int | None, verdict: Verdict, said: str) -> int | None:
    """Count a trial that took its worker with it; without a number, not one could be made."""
    if number is None:
        tally.add(0, Outcome(verdict, "before the first trial", said))
        return None
    tally.add(number, Outcome(verdict, f"trial {number}", said))
    return number + 1
