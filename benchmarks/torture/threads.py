"""Threads of one process that train, sample, save and load at the same time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

import isthmus as ist
from benchmarks.torture import specimens
from benchmarks.torture.trials import Kind, Outcome, Verdict, judged
from isthmus.core import files, tensor_files


class Threads(Kind):
    """Several threads do something each, and every result must be that of a lone thread."""

    name = "threads"
    group = "threads"
    promise = (
        "Training, sampling, loading and saving in several threads of a process give the same bits"
        " as one after another."
    )
    target = 1_000
    share = 1.5
    breath = 10.0

    def prepare(self) -> None:
        self.names = ("ae", "vae", "vqvae", "denoising", "aae", "iwae")
        for name in self.names:
            specimens.with_everything(name).save(self.folder / name)
        self.models = {name: ist.load(self.folder / name) for name in self.names}
        self.alone: dict[tuple[str, str, int], str] = {}

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        tasks = [
            (draw.choice(list(_DEEDS)), draw.choice(self.names), draw.randrange(3))
            for _ in range(draw.randint(2, 8))
        ]
        for task in tasks:
            if task not in self.alone:
                self.alone[task] = self._done(task, -1)
        gate = threading.Barrier(len(tasks))
        state = torch.get_rng_state()

        def at_once(task: tuple[str, str, int], place: int) -> Outcome:
            gate.wait()
            deed, name, seed = task
            what = f"{deed} of {name} with seed {seed} in one of {len(tasks)} threads"
            # warnings belong to the whole process, so threads do not look at them
            return judged(what, lambda: self._done(task, place), lambda x: x == self.alone[task])

        with ThreadPoolExecutor(len(tasks)) as pool:
            yield from pool.map(at_once, tasks, range(len(tasks)))
        same = torch.equal(state, torch.get_rng_state())
        verdict = Verdict.SAME if same else Verdict.DIFFERENT
        yield Outcome(verdict, f"torch's own random state behind {len(tasks)} threads")

    def _done(self, task: tuple[str, str, int], place: int) -> str:
        deed, name, seed = task
        return _DEEDS[deed](self, name, seed, place)


def _fit(trials: Threads, name: str, seed: int, place: int) -> str:
    model = specimens.brief(name, random_state=seed).fit(specimens.examples(name))
    return files.sha256(tensor_files.tensor_bytes(model.module_.state_dict()))


def _sample(trials: Threads, name: str, seed: int, place: int) -> str:
    return _sum(trials.models[name].sample(3, random_state=seed))


def _score(trials: Threads, name: str, seed: int, place: int) -> str:
    return _sum(trials.models[name].score_samples(specimens.examples(name)))


def _load(trials: Threads, name: str, seed: int, place: int) -> str:
    return specimens.identity(ist.load(trials.folder / name))


def _save(trials: Threads, name: str, seed: int, place: int) -> str:
    folder: Path = trials.folder / f"saved by {place}"
    return specimens.identity(ist.load(trials.models[name].save(folder)))


def _fit_prior(trials: Threads, name: str, seed: int, place: int) -> str:
    model = ist.load(trials.folder / name)
    if name == "vqvae":
        prior: Any = ist.priors.PixelCNN(epochs=1, random_state=seed)
    else:
        prior = ist.priors.Mixture(components=2, random_state=seed)
    model.fit_prior(specimens.examples(name), prior=prior)
    return _sum(model.sample(3, random_state=seed))


def _sum(values: Any) -> str:
    return files.sha256(values.tobytes())


_DEEDS: dict[str, Callable[[Threads, str, int, int], str]] = {
    "fit": _fit,
    "sample": _sample,
    "score_samples": _score,
    "load": _load,
    "save": _save,
    "fit_prior": _fit_prior,
}
