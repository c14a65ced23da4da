"""Damaged bytes in everything that a run, a prior or a detector is made of."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import isthmus as ist
from benchmarks.torture import specimens
from benchmarks.torture.damage import damaged
from benchmarks.torture.trials import Kind, Outcome, judged
from isthmus.training.callbacks import Callback
from isthmus.training.loop import Trainer

_AT_ONCE = 8
_DETECTOR = "detector"


class DamagedRuns(Kind):
    """Bytes are changed in one file of a folder, which is then loaded."""

    name = "runs"
    group = "damage"
    promise = (
        "A run, a prior or a detector of which any byte was changed loads as it was, or is refused"
        " in one sentence."
    )
    target = 60_000
    share = 6.0

    def prepare(self) -> None:
        self.saved: dict[str, str] = {}
        for name in ist.MEMBERS:
            self.saved[name] = specimens.saved(name, self.folder / name)
        detector = ist.OutlierDetector(specimens.brief("ae"), random_state=0)
        detector.fit(specimens.examples("ae")).save(self.folder / _DETECTOR)
        self.saved[_DETECTOR] = _judging(ist.OutlierDetector.load(self.folder / _DETECTOR))
        self.files = {name: _files(self.folder / name) for name in self.saved}

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(list(self.saved))
        path = draw.choice(self.files[name])
        content = path.read_bytes()
        for _ in range(_AT_ONCE):
            deed, other = damaged(content, draw)
            path.write_bytes(other)
            what = f"{deed} in {name}/{path.relative_to(self.folder / name)}"
            yield judged(what, lambda: self._loaded(name), lambda now: now == self.saved[name])
        path.write_bytes(content)

    def _loaded(self, name: str) -> str:
        model = ist.load(self.folder / name)
        return _judging(model) if name == _DETECTOR else specimens.identity(model)


def _judging(detector: Any) -> str:
    return str(detector.score_samples(specimens.examples("ae")).tobytes())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class DamagedCheckpoints(Kind):
    """Bytes are changed in a checkpoint, from which the training then goes on."""

    name = "checkpoints"
    group = "damage"
    promise = (
        "A training goes on from its checkpoint bit for bit, or refuses a damaged one in one"
        " sentence."
    )
    target = 10_000
    share = 1.5

    def prepare(self) -> None:
        self.names = ("ae", "vae", "vqvae", "stacked", "recurrent")
        self.wanted, self.kept = {}, {}
        for name in self.names:
            whole = specimens.brief(name, epochs=3).fit(specimens.examples(name))
            self.wanted[name] = _weights(whole)
            self.kept[name] = self._interrupted(name)
            # that a whole one is refused would count as survival below
            if not np.array_equal(_weights(self._resumed(name)), self.wanted[name]):
                raise RuntimeError(f"{name} does not go on from a whole checkpoint as it should")

    def _interrupted(self, name: str) -> bytes:
        """The checkpoint of a training of three epochs that was stopped behind the second."""
        folder = self.folder / name
        path = folder / "checkpoint.safetensors"

        model = specimens.brief(name, epochs=3, checkpoint_dir=str(folder), callbacks=[_Stop()])
        try:
            model.fit(specimens.examples(name))
        except KeyboardInterrupt:
            return path.read_bytes()
        raise RuntimeError(f"{name} left no checkpoint")

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(self.names)
        deed, other = damaged(self.kept[name], draw)
        path = self.folder / name / "checkpoint.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(other)
        yield judged(
            f"{deed} in the checkpoint of {name}",
            lambda: self._resumed(name),
            lambda model: np.array_equal(_weights(model), self.wanted[name]),
        )
        path.unlink(missing_ok=True)

    def _resumed(self, name: str) -> Any:
        folder = str(self.folder / name)
        model = specimens.brief(name, epochs=3, checkpoint_dir=folder)
        return model.fit(specimens.examples(name))


class _Stop(Callback):
    """Ends a training in its third epoch, as Ctrl-C does."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        if trainer.state.epoch == 2:
            signal.raise_signal(signal.SIGINT)


def _weights(model: Any) -> np.ndarray:
    return np.concatenate(
        [value.double().numpy().ravel() for value in model.module_.state_dict().values()]
    )
