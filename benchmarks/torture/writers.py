"""Everything that changes a folder, each with an old and a new state that can be told apart."""

from __future__ import annotations

import copy
import functools
import random
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import isthmus as ist
from benchmarks.torture import specimens
from isthmus._cli import app as cli
from isthmus.core import files
from isthmus.io import manifests, runs

OUT = "out"
ABSENT = "absent"


class Writer(ABC):
    """Something that is written: what it is before, and after.

    Attributes:
        name: what it is called in a fault.
        weight: how often it is drawn.
        slow: whether writing it takes more than moments.
    """

    name: str
    weight: ClassVar[float] = 1.0
    slow: ClassVar[bool] = False

    def __init__(self, place: Path, draw: random.Random) -> None:
        self.place = place
        self.out = place / OUT

    @abstractmethod
    def write_old(self) -> None:
        """Make the old state; where there is none, nothing."""

    @abstractmethod
    def write_new(self) -> None:
        """Make the new state: this is what is killed."""

    @abstractmethod
    def state(self) -> str:
        """What a reader finds: equal texts for equal states, :data:`ABSENT` for none."""


class Save(Writer):
    """A member that is saved over another, or into a new folder."""

    name = "save"
    weight = 4.0

    def __init__(self, place: Path, draw: random.Random) -> None:
        super().__init__(place, draw)
        self.member = draw.choice(list(ist.MEMBERS))
        self.replaces = draw.random() < 0.7
        self.name = f"save of {self.member}"
        self.old, self.new = (specimens.with_everything(self.member, seed) for seed in (0, 1))

    def write_old(self) -> None:
        if self.replaces:
            self.old.save(self.out)

    def write_new(self) -> None:
        self.new.save(self.out)

    def state(self) -> str:
        return loaded(self.out)


class FitPrior(Writer):
    """Another prior for a run."""

    name = "fit_prior"
    weight = 2.0

    def __init__(self, place: Path, draw: random.Random) -> None:
        super().__init__(place, draw)
        self.member = draw.choice(("ae", "vae", "wae", "vqvae"))
        self.new = another_prior(self.member)

    def write_old(self) -> None:
        specimens.with_everything(self.member, 0).save(self.out)

    def write_new(self) -> None:
        runs.save_prior(self.new, self.out)

    def state(self) -> str:
        return loaded(self.out)


class SaveDetector(Writer):
    """A detector that is saved over another."""

    name = "save of a detector"
    weight = 2.0

    def __init__(self, place: Path, draw: random.Random) -> None:
        super().__init__(place, draw)
        self.old, self.new = detector(0), detector(1)

    def write_old(self) -> None:
        self.old.save(self.out)

    def write_new(self) -> None:
        self.new.save(self.out)

    def state(self) -> str:
        if not self.out.exists():
            return ABSENT
        found = ist.OutlierDetector.load(self.out)
        return files.sha256(found.score_samples(specimens.examples("ae")).tobytes())


class Command(Writer):
    """A command of the shell that writes a file; what is there is replaced."""

    name = "export"
    weight = 4.0
    words: ClassVar[dict[str, Sequence[str]]] = {
        "a.csv": ("encode", "{run}", "{data}", "{out}"),
        "a.npy": ("encode", "{run}", "{data}", "{out}"),
        "a.parquet": ("encode", "{run}", "{data}", "{out}"),
        "a.png": ("reconstruct", "{run}", "{data}", "{out}"),
        "s.png": ("sample", "{run}", "-n", "4", "--out", "{out}"),
        "s.npy": ("sample", "{run}", "-n", "4", "--out", "{out}"),
        "o.csv": ("outliers", "{run}", "{data}", "--out", "{out}"),
    }

    def __init__(self, place: Path, draw: random.Random) -> None:
        super().__init__(place, draw)
        self.file = draw.choice(list(self.words))
        self.name = f"export of {self.file}"
        self.path = self.out / self.file

    def write_old(self) -> None:
        self.out.mkdir()
        specimens.with_everything("vae", 0).save(self.place / "run")
        np.save(self.place / "data.npy", specimens.examples("vae"))
        self.path.write_bytes(b"old")

    def write_new(self) -> None:
        places = {
            "run": self.place / "run",
            "data": self.place / "data.npy",
            "out": self.path,
        }
        shell(*(word.format(**places) for word in self.words[self.file]), "--overwrite")

    def state(self) -> str:
        return files.sha256(self.path.read_bytes()) if self.path.is_file() else ABSENT


class Train(Writer):
    """The whole command that trains; given again, it goes on, and ends in the same run."""

    name = "train"
    weight = 3.0

    def __init__(self, place: Path, draw: random.Random) -> None:
        super().__init__(place, draw)
        self.member = draw.choice(("ae", "vae", "vqvae", "aae", "stacked"))
        self.name = f"train of {self.member}"

    def write_old(self) -> None:
        np.save(self.place / "data.npy", specimens.examples(self.member, 64))

    def write_new(self) -> None:
        often_checkpointed()
        words = ["train", self.member, "--data", str(self.place / "data.npy"), "--epochs", "3"]
        if self.member != "vqvae":
            words += ["--hidden", "8"]
        shell(*words, "--batch-size", "16", "--out", str(self.out), "--overwrite")

    def state(self) -> str:
        if not (self.out / manifests.CONFIG).exists():
            return ABSENT
        model = ist.load(self.out)
        for row in model.history_:
            row["seconds"] = 0.0
        return specimens.identity(model)


class Compare(Writer):
    """A comparison, with its page."""

    name = "compare"
    weight = 0.5
    slow = True

    def write_old(self) -> None:
        self._compare({"random_state": 0})

    def write_new(self) -> None:
        self._compare({"random_state": 1})

    def _compare(self, overrides: dict[str, Any]) -> None:
        x = specimens.examples("ae", 40)
        part = ist.data.Part
        data = ist.data.Data("random", part(x[:32], None), part(x[32:], None), None, None)
        ist.compare(["ae"], data, self.out, overrides={"epochs": 1, "hidden": (8,), **overrides})

    def state(self) -> str:
        """The seed that both the numbers and the page speak of."""
        results = files.read_json(self.out / "results.json")
        if not results["members"]:
            return ABSENT
        page = (self.out / "index.html").read_text(encoding="utf-8")
        said = {seed for seed in (0, 1) if f"random-state {seed}" in page}
        return f"results of {[row.get('fields') for row in results['members']]}, page of {said}"


WRITERS: tuple[type[Writer], ...] = (Save, FitPrior, SaveDetector, Command, Train, Compare)


@functools.cache
def another_prior(name: str) -> Any:
    """The member of seed 0 with a prior that it was not saved with."""
    discrete = name == "vqvae"
    pixelcnn, mixture = ist.priors.PixelCNN, ist.priors.Mixture
    prior = pixelcnn(epochs=1, random_state=5) if discrete else mixture(components=3)
    model = copy.copy(specimens.with_everything(name, 0))
    return model.fit_prior(specimens.examples(name), prior=prior)


@functools.cache
def detector(seed: int) -> Any:
    found = ist.OutlierDetector(specimens.brief("ae"), random_state=seed)
    return found.fit(specimens.examples("ae"))


def loaded(folder: Path) -> str:
    return specimens.identity(ist.load(folder)) if (folder / manifests.CONFIG).exists() else ABSENT


def shell(*words: str) -> None:
    """A command in this process; SystemExit where it does not end well."""
    try:
        cli.application(words)(args=list(words))
    except SystemExit as ending:
        if ending.code:
            raise


def often_checkpointed() -> None:
    """Let checkpoints be written at every step, so that kills fall into them."""
    from isthmus.training import checkpoint

    checkpoint._LEAST_INTERVAL, checkpoint._SHARE = 0.0, 0


def emptied(place: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def drawn(draw: random.Random, place: Path, of: Sequence[type[Writer]] = WRITERS) -> Writer:
    """One of the writers, by weight."""
    (chosen,) = draw.choices(of, [writer.weight for writer in of])
    return chosen(emptied(place), draw)


def left_over(folder: Path, is_leftover: Callable[[Path], bool]) -> list[str]:
    """The names below a folder that a finished writer should have removed."""
    return [path.name for path in folder.rglob("*") if is_leftover(path)]
