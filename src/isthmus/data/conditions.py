"""What is known beside an example, as the numbers that a conditional model sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from isthmus.core.memory import require
from isthmus.core.records import Record, unusable
from isthmus.data.incoming import incoming
from isthmus.data.labels import LabelSet
from isthmus.errors import InputError


class Condition(ABC):
    """From what a user says of examples to numbers ``(n, size)``, settled at ``fit``."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many numbers a condition is."""

    @abstractmethod
    def transform(self, values: Any, n: int) -> Tensor:
        """The conditions of n examples, ``(n, size)``, from one value for each, or one for all."""

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """The conditions of n new examples, by torch's random state."""

    @property
    @abstractmethod
    def typical(self) -> Any:
        """What a user would say of a picture that shows a single condition."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""


_ONE_HOT = 12  # bytes of a number while it is made: as a whole one, then as a float


@dataclass(frozen=True)
class LabelCondition(Condition):
    """Classes, as one-hot numbers."""

    labels: LabelSet

    @property
    def size(self) -> int:
        """How many classes there are."""
        return len(self.labels.names)

    def transform(self, values: Any, n: int) -> Tensor:
        self._require_room(n)
        return one_hot(self.labels.indices(values, n), self.size).float()

    def _require_room(self, n: int) -> None:
        """Refuse so many classes that their one-hot numbers do not fit into the memory."""
        what = f"the labels of {n:,} examples in {self.size:,} classes"
        remedy = "pass condition='covariates' if they are numbers"
        require(n * self.size * _ONE_HOT, what, remedy)

    def draw(self, n: int) -> Tensor:
        return one_hot(self.labels.draw(n), self.size).float()

    @property
    def typical(self) -> str:
        return self.labels.names[int(np.argmax(self.labels.shares))]

    def to_json(self) -> dict[str, Any]:
        return {"label": {"names": self.labels.names, "shares": self.labels.shares}}


@dataclass(frozen=True)
class CovariateCondition(Condition):
    """Numbers, standardised one by one.

    Attributes:
        mean, scale: of each over the training examples.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @property
    def size(self) -> int:
        """How many covariates there are."""
        return len(self.mean)

    def transform(self, values: Any, n: int) -> Tensor:
        given = _numbers(values)
        given = given.reshape(1, -1) if given.ndim < 2 and given.size == self.size else given
        given = given[:, None] if given.ndim == 1 and self.size == 1 else given
        if given.shape not in ((n, self.size), (1, self.size)):
            raise InputError(
                f"condition has the shape {np.shape(values)}: give {self.size} covariates for each"
                f" of the {n} examples, ({n}, {self.size}), or ({self.size},) for all of them."
            )
        scaled = (given - np.asarray(self.mean)) / np.asarray(self.scale)
        return torch.from_numpy(scaled.astype(np.float32)).expand(n, -1)

    def draw(self, n: int) -> Tensor:
        raise InputError(
            "this model knows its examples by covariates: say with condition=... which the new ones"
            f" have, ({self.size},) or ({n}, {self.size})."
        )

    @property
    def typical(self) -> list[float]:
        return list(self.mean)

    def to_json(self) -> dict[str, Any]:
        return {"covariates": {"mean": self.mean, "scale": self.scale}}


def fit_condition(kind: str, values: Any, n: int) -> Condition:
    """Settle a condition by what is known of the n training examples.

    Args:
        kind: ``"label"`` or ``"covariates"``.
        values: labels ``(n,)``, or covariates ``(n, c)`` or ``(n,)``.
        n: how many examples there are.

    Raises:
        InputError: for none, or others than n; and for covariates that are not finite numbers.
    """
    if values is None:
        raise InputError(
            f"condition={kind!r} needs to know each example's: call fit(X, y), or pass a part of a"
            " data set that has labels."
        )
    if kind == "label":
        return LabelCondition(LabelSet.of(values, n)[0])
    given = _numbers(values)
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim != 2 or len(given) != n:
        raise InputError(
            f"condition='covariates': y has the shape {np.shape(values)}, but there are {n}"
            " examples: give (n, covariates)."
        )
    mean, scale = given.mean(0), given.std(0)
    # a covariate that does not vary has the deviation that its mean was rounded by
    varies = scale > 10 * np.finfo(np.float64).eps * np.abs(mean)
    return CovariateCondition(tuple(mean.tolist()), tuple(np.where(varies, scale, 1.0).tolist()))


def condition_from_json(values: Record) -> Condition:
    """The inverse of :meth:`Condition.to_json`."""
    if "label" in values:
        return LabelCondition(LabelSet.from_json(values.record("label")))
    known = values.record("covariates")
    mean, scale = known.array("mean"), known.array("scale")
    if mean.ndim != 1 or mean.shape != scale.shape or (scale <= 0).any():
        raise unusable("covariates", known, "as many means as scales, which are above 0")
    return CovariateCondition(tuple(mean.tolist()), tuple(scale.tolist()))


def _numbers(values: Any) -> np.ndarray:
    known = values if isinstance(values, Number) else incoming(values, "covariates")
    try:
        given = np.asarray(known, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"covariates cannot be read as numbers ({error}): give floats.") from error
    if not np.isfinite(given).all():
        raise InputError("covariates hold NaN or inf: fill them in.")
    return given
