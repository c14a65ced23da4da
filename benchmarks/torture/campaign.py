"""The common loop: workers make trials until the time is up, and what came of them is counted."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.torture.kinds import KINDS
from benchmarks.torture.trials import FAILED, SURVIVED, Kind, Outcome, Verdict

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 10.0
_START = 180.0  # imports and specimens, on a machine that has other work to do
_MOST = 10**9


@dataclass
class Tally:
    """The trials of one kind."""

    kind: type[Kind]
    seed: int
    counts: Counter[Verdict] = field(default_factory=Counter)
    faults: dict[tuple[str, ...], tuple[int, Outcome]] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count an outcome; a fault is kept once for each line that it comes from."""
        self.counts[outcome.verdict] += 1
        if not outcome.survived:
            key = (outcome.verdict, outcome.said.partition(":")[0], outcome.where or outcome.what)
            self.faults.setdefault(key, (number, outcome))

    @property
    def trials(self) -> int:
        return self.counts.total()

    @property
    def survivors(self) -> int:
        return sum(self.counts[verdict] for verdict in SURVIVED)

    def __str__(self) -> str:
        failed = ", ".join(f"{self.counts[v]} {v}" for v in FAILED if self.counts[v])
        head = f"{self.kind.name:14} {self.trials:7} trials, {self.survivors:7} survived"
        lines = [f"{head}{', ' + failed if failed else ''} ({self.seconds:.0f} s)"]
        for number, outcome in self.faults.values():
            lines.append(
                f"    {outcome.verdict}: {outcome.what}: {outcome.said} [{outcome.where}]"
                f" (--kind {self.kind.name} --seed {self.seed} --trial {number})"
            )
        return "\n".join(lines)


def campaign(
    kinds: list[str], seconds: float, seed: int, *, trials: range | None = None
) -> list[Tally]:
    """Run trials of some kinds, each for its share of the time.

    Args:
        kinds: their names.
        seconds: of the whole.
        seed: the same gives the same trials.
        trials: these alone, to repeat them; else as many as the time allows.
    """
    whole = sum(KINDS[name].share for name in kinds)
    tallies = []
    for name in kinds:
        tally = Tally(KINDS[name], seed)
        _run(tally, seconds * KINDS[name].share / whole, trials or range(_MOST))
        print(tally, flush=True)
        tallies.append(tally)
    return tallies


def _run(tally: Tally, seconds: float, trials: range) -> None:
    """Start workers, one after another where one dies, until the time is up."""
    start, following = time.monotonic(), trials.start
    while following < trials.stop:
        left = seconds - (time.monotonic() - start)
        if left <= 0 and following > trials.start:
            break
        with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
            words = (tally.kind.name, tally.seed, following, trials.stop, max(left, 1), folder)
            reached = _watch(tally, [str(word) for word in words])
        if reached is None:
            break
        following = reached
    tally.seconds = time.monotonic() - start


def _watch(tally: Tally, words: list[str]) -> int | None:
    """Count what one worker reports; gives the trial to go on with where it hung or died."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.torture.worker", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )
    lines = _lines(worker)
    patience, current = _START, None
    try:
        while True:
            try:
                line = lines.get(timeout=patience)
            except queue.Empty:
                return _fault(tally, current, Verdict.HUNG, f"over {PATIENCE:.0f} s")
            if line is None:
                status = worker.wait()
                if status == 0:
                    return None
                return _fault(tally, current, Verdict.FOREIGN, f"the process ended with {status}")
            current = _told(tally, line, current)
            patience = PATIENCE + tally.kind.breath + 20 if current is not None else _START
    finally:
        worker.kill()
        worker.wait()


def _told(tally: Tally, line: dict[str, Any], current: int | None) -> int | None:
    """The trial that is under way behind a line of a worker."""
    if "begins" in line:
        return int(line["begins"])
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


def _lines(worker: subprocess.Popen[str]) -> queue.Queue[dict[str, Any] | None]:
    """The lines that a worker prints, read in a thread so that waiting for one may end; then None."""
    found: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        assert worker.stdout is not None
        for line in worker.stdout:
            found.put(json.loads(line))
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    return found
