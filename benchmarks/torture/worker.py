"""A process that makes trials, so that one that hangs or dies takes nothing else with it.

It is a copy, made by fork: everything is imported and every specimen trained before. It writes a
line of JSON before each trial and another behind it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from benchmarks.torture.trials import Kind, place

_MEMORY = 4 << 30  # what a trial may take beside what was taken before


@dataclass(frozen=True)
class Order:
    """What a worker is to do.

    Attributes:
        kind: of which kind its trials are.
        seed: where their chance comes from.
        trials: their numbers.
        seconds: how long it goes on; one trial is made at least.
        folder: where it may write.
    """

    kind: type[Kind]
    seed: int
    trials: range
    seconds: float
    folder: Path


def start(order: Order) -> tuple[int, int]:
    """Start a worker; gives its number and where its lines are read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(order, writing)
    os.close(writing)
    return child, reading


def _live(order: Order, report: int) -> NoReturn:
    """The whole life of a worker."""
    status = 1
    try:
        warnings.simplefilter("ignore")  # trials look at warnings themselves
        os.chdir(order.folder)  # a name that a trial takes for a path is one of ours
        chosen = order.kind(order.folder)
        chosen.prepare()
        _be_quiet()
        bound_memory()
        _work(chosen, order, report)
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def _work(kind: Kind, order: Order, report: int) -> None:
    end = time.monotonic() + order.seconds
    for number in order.trials:
        if number > order.trials.start and time.monotonic() > end:
            return
        _say(report, begins=number)
        start = time.monotonic()
        try:
            found = [asdict(outcome) for outcome in kind.trial(seeded(kind, order.seed, number))]
        except Exception as error:  # the trial is wrong, which says nothing of the package
            _say(report, broken=f"trial {number}: {error!r} [{place(error)}]"[:400])
            continue
        took = time.monotonic() - start - kind.breath
        _say(report, ended=number, seconds=took, outcomes=found)


def _say(report: int, **line: object) -> None:
    with os.fdopen(os.dup(report), "w", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def seeded(kind: Kind, seed: int, number: int) -> random.Random:
    """The chance of one trial, whatever came before it."""
    return random.Random(f"{kind.name} {seed} {number}")


def _be_quiet() -> None:
    """Let nothing be printed: what commands say is captured where it is looked at."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def bound_memory() -> None:
    """Let the system refuse memory that no trial should ask for."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + _MEMORY, resource.RLIM_INFINITY))
