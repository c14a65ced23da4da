"""Two processes in one folder; and folders and files that are somebody else's."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import isthmus as ist
from benchmarks.torture import specimens, writers
from benchmarks.torture.commands import run
from benchmarks.torture.deaths import forked
from benchmarks.torture.trials import Kind, Outcome, Verdict, judged
from isthmus.core import files
from isthmus.core.claims import LOCK
from isthmus.core.editions import is_leftover
from isthmus.io import runs


class SharedFolders(Kind):
    """Two or three processes save into, and read from, the same folder at the same time."""

    name = "folders"
    group = "folders"
    promise = (
        "Of several processes that write to one folder, each writes whole or says who holds it;"
        " whoever reads meanwhile finds one whole state."
    )
    target = 300
    share = 1.5
    breath = 30.0

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(("ae", "vae", "wae", "vqvae"))
        first, second = (specimens.with_everything(name, seed) for seed in (0, 1))
        place = writers.emptied(self.folder / "place")
        folder = place / "out"
        saved = [model.save(place / str(i)) for i, model in enumerate((first, second))]
        states = {specimens.identity(ist.load(path)) for path in saved}
        first.save(folder)
        deeds: dict[str, Callable[[], Any]] = {
            "save": lambda: first.save(folder),
            "another save": lambda: second.save(folder),
            "load": lambda: _found(folder, states),
            "many loads": lambda: list(map(_found, [folder] * 5, [states] * 5)),
        }
        chosen = [draw.choice(list(deeds)) for _ in range(draw.randint(2, 3))]
        what = f"{' and '.join(chosen)} of {name} at once"
        start = time.time() + 0.05
        with ThreadPoolExecutor(len(chosen)) as pool:
            ended = list(pool.map(lambda deed: forked(_at(start, deeds[deed]), folder), chosen))
        for each in ended:
            is_ours = each.error.startswith("BusyError: ") or not each.status
            yield Outcome(Verdict.SAME if is_ours else Verdict.LOST, what, each.error[:300])
        yield judged(what, lambda: specimens.identity(ist.load(folder)), lambda x: x in states)
        left = writers.left_over(folder, lambda path: is_leftover(path) or path.name == LOCK)
        yield Outcome(Verdict.LOST if left else Verdict.SAME, what, f"left over: {left}")


def _at(moment: float, deed: Callable[[], Any]) -> Callable[[], Any]:
    """The same, at a moment that several processes have agreed on."""

    def later() -> None:
        time.sleep(max(moment - time.time(), 0))
        deed()

    return later


def _found(folder: Path, states: set[str]) -> None:
    if specimens.identity(ist.load(folder)) not in states:
        raise RuntimeError("a state that nobody wrote")


_FOREIGN = {
    "index.html": b"<html>mine</html>",
    "results.json": b'{"mine": true}',
    "config.json": b'{"mine": [1, 2]}',
    "model.safetensors": b"mine",
    "checkpoint.safetensors": b"mine",
    "history.jsonl": b"{}\n",
    "letter.txt": b"dear",
    "codes.csv": b"mine",
    "samples.npy": b"mine",
    "picture.png": b"mine",
    ".hidden": b"mine",
}


class ForeignFolders(Kind):
    """Everything that writes is sent to where somebody else's files lie."""

    name = "foreign"
    group = "folders"
    promise = (
        "Nothing that isthmus did not write is ever replaced or removed, unless --overwrite asks."
    )
    target = 500
    share = 1.0

    def prepare(self) -> None:
        os.chdir(self.folder)
        specimens.with_everything("vae").save(Path("run"))
        np.save("data.npy", specimens.examples("vae"))

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        place = writers.emptied(Path("place"))
        for name in draw.sample(list(_FOREIGN), draw.randint(1, 4)):
            (place / name).write_bytes(_FOREIGN[name])
        before = _contents(place)
        name = draw.choice(list(before))
        deed = draw.choice(list(_WRITES))
        what = f"{deed} to where {', '.join(before)} lie"
        yield _WRITES[deed](what, place, place / name)
        after = _contents(place)
        verdict = Verdict.SAME if before.items() <= after.items() else Verdict.LOST
        yield Outcome(verdict, what, f"now {', '.join(after)}")


def _contents(place: Path) -> dict[str, str]:
    return {
        str(path.relative_to(place)): files.sha256(path.read_bytes())
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def _command(*words: str) -> Callable[[str, Path, Path], Outcome]:
    def tried(what: str, place: Path, file: Path) -> Outcome:
        return run([word.format(place=place, file=file) for word in words])

    return tried


_TRAIN = ("--data", "data.npy", "--epochs", "1", "--hidden", "8")
_WRITES: dict[str, Callable[[str, Path, Path], Outcome]] = {
    "save": lambda what, place, file: judged(
        what, lambda: specimens.with_everything("vae", 0).save(place)
    ),
    "save of a detector": lambda what, place, file: judged(
        what, lambda: writers.detector(0).save(place)
    ),
    "save over a file": lambda what, place, file: judged(
        what, lambda: specimens.with_everything("vae", 0).save(file)
    ),
    "save_prior": lambda what, place, file: judged(
        what, lambda: runs.save_prior(specimens.with_everything("vae", 0), place)
    ),
    "repair": lambda what, place, file: judged(what, lambda: runs.repair(place)),
    "train": _command("train", "vae", *_TRAIN, "--out", "{place}"),
    "train with --overwrite": _command("train", "vae", *_TRAIN, "--out", "{place}", "--overwrite"),
    "compare": _command("compare", "vae", *_TRAIN, "--out", "{place}"),
    "encode": _command("encode", "run", "data.npy", "{file}"),
    "reconstruct": _command("reconstruct", "run", "data.npy", "{file}"),
    "sample": _command("sample", "run", "-n", "2", "--out", "{file}"),
    "outliers": _command("outliers", "run", "data.npy", "--out", "{file}"),
}
