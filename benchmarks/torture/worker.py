"""A process that makes trials, so that one that hangs or dies takes nothing else with it.

``python -m benchmarks.torture.worker KIND SEED FIRST LAST SECONDS FOLDER`` prints a line of JSON
before each trial and another behind it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.torture.kinds import KINDS
from benchmarks.torture.trials import Kind, Outcome, Verdict, place

_MEMORY = 4 << 30  # what a trial may take beside what was taken before


def main(kind: str, seed: str, first: str, last: str, seconds: str, folder: str) -> None:
    end = time.monotonic() + float(seconds)
    report = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    warnings.simplefilter("ignore")  # specimens learn little; trials look at warnings themselves
    chosen = KINDS[kind](Path(folder))
    chosen.prepare()
    with Path(os.devnull).open("w") as nowhere:  # what commands print is no report
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    bound_memory()
    for number in range(int(first), int(last)):
        if time.monotonic() > end:
            break
        print(json.dumps({"begins": number}), file=report)
        start = time.monotonic()
        found = [asdict(outcome) for outcome in _tried(chosen, seeded(kind, seed, number))]
        took = time.monotonic() - start - chosen.breath
        print(json.dumps({"ended": number, "seconds": took, "outcomes": found}), file=report)


def _tried(kind: Kind, draw: random.Random) -> Iterator[Outcome]:
    """The outcomes of a trial; one that fails by itself is no proof of anything, and is shown."""
    try:
        yield from kind.trial(draw)
    except Exception as error:
        yield Outcome(Verdict.FOREIGN, "the trial itself", repr(error)[:300], place(error))


def seeded(kind: str, seed: str | int, number: int) -> random.Random:
    """The chance of one trial, whatever came before it."""
    return random.Random(f"{kind} {seed} {number}")


def bound_memory() -> None:
    """Let the system refuse memory that no trial should ask for."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + _MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(*sys.argv[1:])
