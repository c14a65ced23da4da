"""The base of all members: one dataclass that is the declaration and the scikit-learn estimator."""

from __future__ import annotations

import warnings
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from sklearn.base import clone

from isthmus.core import fields
from isthmus.errors import InputError, unknown
from isthmus.estimators._earlier import Earlier
from isthmus.estimators._glance import said_of
from isthmus.estimators._training import TrainingMixin
from isthmus.training.runtimes import Runtime


@dataclass(repr=False, eq=False, kw_only=True)
class Estimator(TrainingMixin, ABC):
    """What all members share: the fields, ``fit``, and what one does with a trained model.

    Arrays may be ``(n, columns)``, ``(n, h, w)``, ``(n, h, w, c)`` or ``(n, c, h, w)``; what comes
    back has the layout that went in. uint8 is read as pixels in [0, 1]; anything else outside [0,
    1] is standardised, and comes back in its own units.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Published settings, by the name of the data set that they were published for."""
    judged_by: ClassVar[Literal["error", "density", "score", "distance"] | None] = None
    """What an outlier detector judges by where nobody says it; None goes by the kind of data."""

    @classmethod
    def preset(cls, name: str, **values: Any) -> Self:
        """A member in the setting that was published for a data set, such as ``"mnist"``; fields
        that are given beside it count more.

        Raises:
            InputError: for a name without a published setting, with those that have one.
        """
        if not cls.presets:
            raise InputError(
                f"preset={name!r}: no setting of {cls.__name__} was published that is kept here:"
                " give the fields themselves."
            )
        if name not in cls.presets:
            raise unknown("preset", name, cls.presets, cls.__name__)
        return cls(**{**cls.presets[name], **values})

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation_data: Any = None,
        probes: Any = None,
        runtime: Runtime | None = None,
    ) -> Self:
        """Train on examples; under ``warm_start`` for ``epochs`` more, from where the last training
        ended.

        What goes on goes on as if the longer training had been asked for from the start: the
        history and the numbers of the epochs continue, warm-ups are not done again, pretraining and
        k-means are left out, and a cosine schedule stands where it would stand in the whole.

        Args:
            X: an array ``(n, *shape)``, or a part of a data set, such as ``data.train``.
            y: under ``condition="label"`` the label of each example, under ``"covariates"`` numbers
                ``(n, c)``; a part of a data set brings its labels. Otherwise ignored; there for
                pipelines.
            sample_weight: how much each example counts, ``(n,)``, from 0 up; a weight of 2 is the
                example twice.
            validation_data: examples to measure after every epoch, in place of a share of X; with
                their y, as a pair, for a conditional member.
            probes: the examples whose codes ``snapshots`` keeps; the first 1,000 training examples
                if none are given.
            runtime: where it is trained; :func:`isthmus.training.runtimes.choose_runtime` decides
                if nothing is given.

        Raises:
            InputError: for data or fields that cannot be used.
            DivergenceError: where a loss is not finite; the estimator keeps its last good weights.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        if getattr(self, "_is_loaded", False) and not self.warm_start:
            warnings.warn(
                f"{type(self).__name__}: fit trains from the start, and makes no use of the weights"
                " of the run that was loaded: set warm_start=True to go on from them.",
                stacklevel=2,
            )
        earlier = self._earlier() if self.warm_start and hasattr(self, "module_") else None
        if earlier is not None:
            self._say_prior_is_dropped()
        return self._train((X, y, sample_weight), earlier, runtime, validation_data, probes)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        runtime: Runtime | None = None,
    ) -> Self:
        """Go through a portion of the examples once, from the weights that are there.

        The first portion settles layout and scaling, and where codebooks and centres start. There
        is no pretraining, no validation and no checkpoint, and the learning rate is constant.
        Warm-ups and the renewal of dead units go by ``epochs``, where a portion counts as one.

        Args:
            X: a portion, as for :meth:`fit`.
            y: as for :meth:`fit`.
            sample_weight: as for :meth:`fit`.
            runtime: as for :meth:`fit`.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        earlier = self._earlier() if hasattr(self, "module_") else None
        self._say_prior_is_dropped()
        return self._train((X, y, sample_weight), earlier, runtime, is_portion=True)

    def untrained(self, owner: str, seed: int) -> Self:
        """A copy with the same settings, not trained, for an ``owner`` that trains it, and with the
        owner's ``seed`` where it has none of its own; where this one is trained, a warning says
        that its weights are not used.
        """
        if hasattr(self, "module_"):
            warnings.warn(
                f"{owner}: this {type(self).__name__} is trained already, but a copy of it is"
                " trained from the start: pass sklearn.frozen.FrozenEstimator(member) to take it as"
                " it is, where that is meant.",
                stacklevel=3,
            )
        copied: Self = clone(self)
        if copied.random_state is None:
            copied.set_params(random_state=seed)
        return copied

    # ------------------------------------------------------------------ what the above is made of

    def _say_prior_is_dropped(self) -> None:
        """Warn where further training moves the codes away from a prior that was fitted to them."""
        if getattr(self, "prior_", None) is not None:
            warnings.warn(
                f"{type(self).__name__}: training goes on and moves the codes, so the prior that"
                " fit_prior fitted to them is dropped: call fit_prior again afterwards.",
                stacklevel=3,
            )

    def _glance(self) -> list[tuple[str, object]]:
        return said_of(self)

    def _earlier(self) -> Earlier:
        """The training that this one goes on from."""
        return Earlier(
            self.preprocessor_,
            self.module_.state_dict(),
            self.history_,
            self.snapshots_,
            getattr(self, "_moments", []),
            getattr(self, "_seed", None),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without what the optimisers remember: it is there for going on in this process."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_moments"}
