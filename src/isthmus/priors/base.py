"""What every prior over codes offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus.core import fields
from isthmus.core.example import Shape
from isthmus.core.fields import Field, field
from isthmus.core.forward import Level
from isthmus.core.parts import SlotPart
from isthmus.core.records import Record, shape, whole
from isthmus.data.labels import LabelSet
from isthmus.errors import InputError
from isthmus.registry import PRIORS
from isthmus.training.settings import TrainingSettings, is_learnt_under, seed_of


@dataclass(repr=False, eq=False, kw_only=True)
class Prior(SlotPart, ABC):
    r"""A distribution over codes: fitted once, then drawn from by ``sample``.

    With labels it is a distribution for each class y, and over all classes

    .. math:: p(z) = \sum_y p(y) \, p(z \mid y)

    where p(y) is the share of the class among the examples of :meth:`fit`.

    On a fitted prior, fields declared with ``afterwards=True`` may be set, which say how codes are
    drawn, and those of another training, such as ``epochs``; the others are refused.
    """

    takes_indices: ClassVar[bool] = False
    """Whether codes are indices on grids; else they are vectors."""
    continues: ClassVar[bool] = False
    """Whether it draws indices one after another, so that :meth:`complete` goes on from some."""
    has_log_prob: ClassVar[bool] = True
    """Whether :meth:`log_prob` can be computed; else it is refused in words."""
    is_bounded: ClassVar[bool] = False
    """Whether :meth:`log_prob` is an estimate of a lower bound, with many passes for each code."""

    random_state: int | np.random.RandomState | None = field(
        None, "seed; none: the member's", low=0, high=4294967295
    )

    def fit(
        self, codes: Tensor, labels: Any = None, levels: Sequence[Level] = (), *, seed: int = 0
    ) -> Self:
        """Learn from codes ``(n, *code_shape)``, and labels ``(n,)`` where there are any.

        Args:
            codes: vectors of any shape, or indices ``(n, total)``: the grids of all levels, flat,
                one after another.
            labels: whole numbers or text.
            levels: the grids of indices, from the coarsest; empty for vectors.
            seed: what learning starts from where ``random_state`` is None.

        Raises:
            InputError: for codes, labels or levels that cannot be used.
        """
        self.validate()
        self._admit(codes, levels)
        self._is_fitted = False
        self.code_shape_: Shape = tuple(codes.shape[1:])
        self.levels_ = tuple(levels)
        self.classes_: LabelSet | None = None
        classes = None
        if labels is not None:
            self.classes_, classes = LabelSet.of(labels, len(codes))
        self._learn(
            codes, classes, seed if self.random_state is None else seed_of(self.random_state)
        )
        self._is_fitted = True
        return self

    def sample(self, n: int, *, label: Any = None, temperature: float = 1.0) -> Tensor:
        """n codes, ``(n, *code_shape)``, by torch's random state; of a class, or one each ``(n,)``.

        Without a label, classes come by their shares. Below a ``temperature`` of 1 codes are closer
        to what is likely.
        """
        check_is_fitted(self, "code_shape_")
        drawn = self._draw(n, self._classes_of(n, label), temperature)
        return drawn.reshape(n, *self.code_shape_)

    def complete(self, known: Tensor, *, label: Any = None, temperature: float = 1.0) -> Tensor:
        """Codes ``(n, total)`` with the indices that are ``known``; those below 0 are drawn, each
        given what stands before it, by torch's random state; for priors that :attr:`continues` is
        true of.
        """
        raise InputError(
            f"{type(self).__name__} draws a code as a whole: fit prior={continuing()} to go on from"
            " indices that are known."
        )

    def _classes_of(self, n: int, label: Any) -> Tensor | None:
        """The class of each of n draws, ``(n,)``; None where there are no classes."""
        if self.classes_ is not None:
            return self.classes_.draw(n) if label is None else self.classes_.indices(label, n)
        if label is not None:
            raise InputError(
                f"label={label!r} needs a prior that knows labels: call fit_prior(X, y) once, then"
                " sample again."
            )
        return None

    def log_prob(self, codes: Tensor, labels: Any = None) -> Tensor:
        """log p of codes ``(n, *code_shape)`` in nats, ``(n,)``; with labels, log p(z | y)."""
        check_is_fitted(self, "code_shape_")
        if not self.has_log_prob:
            known = " or ".join(map(repr, fitting(self.levels_, has_log_prob=True)))
            raise InputError(
                f"{type(self).__name__} knows no log p of a code: fit a prior that does, as"
                f" prior={known}."
            )
        self._admit(codes, self.levels_)
        if tuple(codes.shape[1:]) != self.code_shape_:
            raise InputError(
                f"codes have the shape {tuple(codes.shape)}: this prior knows (n,"
                f" *{self.code_shape_})."
            )
        if self.classes_ is None:
            if labels is not None:
                raise InputError(
                    "this prior was fitted without labels: leave them out, or fit it with labels."
                )
            return self._log_prob(codes, None)
        if labels is not None:
            return self._log_prob(codes, self.classes_.indices(labels, len(codes)))
        shares = torch.tensor(self.classes_.shares, dtype=torch.float64).log()
        each = [
            self._log_prob(codes, torch.full((len(codes),), y)) + share
            for y, share in enumerate(shares)
        ]
        return torch.stack(each).logsumexp(0)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was learnt, to be saved: tensors, and values that JSON holds."""
        check_is_fitted(self, "code_shape_")
        tensors, values = self._state()
        classes = None if self.classes_ is None else vars(self.classes_)
        return tensors, {
            "code_shape": self.code_shape_,
            "levels": self.levels_,
            "classes": classes,
            **values,
        }

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> Self:
        """Become fitted with what :meth:`state` gave."""
        given = Record(values, "prior")
        self.code_shape_ = given.shape("code_shape")
        self.levels_ = tuple(
            Level(shape("a grid of prior.levels", grid), whole("a size of prior.levels", size, 1))
            for grid, size in given.items("levels")
        )
        self.classes_ = given.optional("classes", lambda key: LabelSet.from_json(given.record(key)))
        self._restore(tensors, values)
        self._is_fitted = True
        return self

    def _check_anew(self, declaration: Field, value: Any) -> None:
        """Only what draws, or another training, go by may be set; the rest is in the weights."""
        super()._check_anew(declaration, value)
        name, kind = declaration.name, type(self).__name__
        learnt = getattr(self, name)
        if is_learnt_under(declaration) and value != learnt:
            raise InputError(
                f"{name}={value!r} cannot be set on a fitted {kind}, which has learnt under"
                f" {name}={learnt!r}: fit again, with {kind}({name}={value!r})."
            )

    @abstractmethod
    def _learn(self, codes: Tensor, classes: Tensor | None, seed: int) -> None:
        """Learn from checked codes ``(n, *code_shape)`` and indices of their classes, ``(n,)``."""

    @abstractmethod
    def _draw(self, n: int, classes: Tensor | None, temperature: float) -> Tensor:
        """n codes, of the classes ``classes`` ``(n,)`` where there are classes."""

    @abstractmethod
    def _log_prob(self, codes: Tensor, classes: Tensor | None) -> Tensor:
        """log p of codes, ``(n,)``; given their ``classes`` ``(n,)`` where there are any."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors and values of :meth:`state` that are this prior's own."""

    @abstractmethod
    def _restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """The inverse of :meth:`_state`."""

    def _admit(self, codes: Tensor, levels: Sequence[Level]) -> None:
        """Refuse codes of the wrong kind."""
        if self.takes_indices != bool(levels):
            held = "indices" if levels else "maps" if codes.ndim > 2 else "vectors"
            raise InputError(
                f"{type(self).__name__} does not fit codes that are {held}: pass"
                f" prior={' or '.join(map(repr, fitting(levels)))}."
            )
        if codes.ndim < 2 or len(codes) == 0:
            raise InputError(
                f"codes have the shape {tuple(codes.shape)}: give at least one, as (n,"
                " *code_shape)."
            )
        if not codes.isfinite().all():
            raise InputError(
                "codes hold NaN or infinity: look at the data, or train the member again."
            )


def fitted(
    prior: str | Prior,
    codes: Tensor,
    labels: Any,
    levels: Sequence[Level],
    *,
    seed: int,
    settings: TrainingSettings | None = None,
) -> Prior:
    """A prior that fits the codes, fitted to them.

    Args:
        prior: a name in :data:`isthmus.registry.PRIORS`, ``"auto"``, or a prior, which is copied.
        codes, labels, levels, seed: as for :meth:`Prior.fit`.
        settings: where a prior that is only named takes from how it computes and what it shows.
    """
    if isinstance(prior, str):
        return _named(resolved(prior, levels), settings).fit(codes, labels, levels, seed=seed)
    if not isinstance(prior, Prior):
        raise InputError(
            f"prior={prior!r} is not usable: give 'auto', a name ({', '.join(PRIORS)}) or a prior."
        )
    copied: Prior = clone(prior)
    return copied.fit(codes, labels, levels, seed=seed)


def fitting(levels: Sequence[Level], *, has_log_prob: bool = False) -> list[str]:
    """The names of the priors for codes with these levels, none of them for vectors; where asked
    for only those that know the density of a code.
    """
    return [
        name
        for name in PRIORS
        if PRIORS.is_own(name)
        and PRIORS[name].takes_indices == bool(levels)
        and (PRIORS[name].has_log_prob or not has_log_prob)
    ]


def continuing() -> str:
    """The names of the priors that go on from indices that are known, for a message."""
    own = (name for name in PRIORS if PRIORS.is_own(name))
    return " or ".join(repr(name) for name in own if PRIORS[name].continues)


def resolved(prior: str, levels: Sequence[Level]) -> str:
    """The name behind a name: ``"auto"`` is a mixture for vectors, a PixelCNN for indices."""
    if prior == "auto":
        return "pixelcnn" if levels else "mixture"
    PRIORS.target(prior)  # a miss lists the known names
    return prior


def _named(name: str, settings: TrainingSettings | None) -> Prior:
    declared = fields.declared(PRIORS[name])
    shared = [] if settings is None else [key for key in ("device", "verbose") if key in declared]
    built: Prior = PRIORS[name](**{key: getattr(settings, key) for key in shared})
    return built
