"""What a trial is, and how what came of it is judged."""

from __future__ import annotations

import random
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from sklearn.exceptions import NotFittedError

from isthmus.errors import (
    DataWarning,
    DivergenceError,
    InputError,
    LearningWarning,
    RunWarning,
)

OURS = (InputError, DivergenceError, NotFittedError)
OUR_WARNINGS = (DataWarning, LearningWarning, RunWarning)
_LONGEST = 300


class Verdict(StrEnum):
    """What came of a trial; the first two are as promised."""

    SAME = "same"
    REFUSED = "refused"
    DIFFERENT = "silent difference"
    FOREIGN = "foreign error"
    HUNG = "hang"
    LOST = "lost"


SURVIVED = (Verdict.SAME, Verdict.REFUSED)
FAILED = tuple(verdict for verdict in Verdict if verdict not in SURVIVED)


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    Attributes:
        verdict: how it is judged.
        what: what was done, in words.
        said: the message that came of it.
        where: the innermost line of the package that an error passed.
    """

    verdict: Verdict
    what: str
    said: str = ""
    where: str = ""

    @property
    def survived(self) -> bool:
        return self.verdict in SURVIVED


class Kind(ABC):
    """One kind of trial, such as a changed byte in the files of a run.

    Attributes:
        name: what it is called on the command line and in the results.
        group: the kinds that are asked for together.
        promise: what the package promises, in one sentence.
        target: how many trials a full campaign wants.
        share: its part of the campaign's time.
        patience: how many seconds one trial may take before it counts as a hang.
        breath: how many seconds of it are the trial's own work, beside those of the package.
    """

    name: ClassVar[str]
    group: ClassVar[str]
    promise: ClassVar[str]
    target: ClassVar[int]
    share: ClassVar[float]
    breath: ClassVar[float] = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:  # noqa: B027 - most kinds need it, some do not
        """Make what the trials are tried on, once."""

    @abstractmethod
    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        """One trial, or a few that belong together; all chance comes from ``draw``."""


def judged(
    what: str, act: Callable[[], Any], is_right: Callable[[Any], bool] = lambda value: True
) -> Outcome:
    """Do something and judge what comes of it.

    A result must be right; an error, or a warning, must be one of ours and say one sentence.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            right = is_right(act())
    except OURS as error:
        return sentence(what, error)
    except Exception as error:
        return Outcome(Verdict.FOREIGN, what, _named(error), place(error))
    for warning in caught:
        if not issubclass(warning.category, OUR_WARNINGS):
            said = f"{warning.category.__name__}: {warning.message}"[:_LONGEST]
            where = f"{Path(warning.filename).name}:{warning.lineno}"
            return Outcome(Verdict.FOREIGN, what, said, where)
    return Outcome(Verdict.SAME if right else Verdict.DIFFERENT, what)


def sentence(what: str, error: BaseException) -> Outcome:
    """A refusal, which must be one line of words."""
    said = str(error)
    is_words = said.isprintable() and len(said.split()) > 2
    verdict = Verdict.REFUSED if is_words else Verdict.FOREIGN
    text = _named(error) if is_words else ascii(said)[-_LONGEST:]
    return Outcome(verdict, what, text, place(error))


def place(error: BaseException) -> str:
    """The innermost line of the package that an error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/isthmus/" in frame.filename]
    if not frames:
        return ""
    last = (ours or frames)[-1]
    return f"{last.filename.rpartition('/isthmus/')[2]}:{last.lineno}"


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_LONGEST]
