"""Members that learn to tell classes from a few labels, and from many examples without one."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self, cast

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from torch import Tensor

from isthmus.core.allocations import Allocations
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.fields import field
from isthmus.data._mixing import Mixing
from isthmus.data.batches import StoreBatches
from isthmus.data.datasets import Part
from isthmus.data.examples import Examples, as_batches, weights_of
from isthmus.data.few_labels import Classes, Labelled, accuracy, labels_of
from isthmus.data.incoming import incoming
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.estimators._earlier import Earlier
from isthmus.estimators._results import collected, require_finite
from isthmus.estimators._training import Task
from isthmus.estimators.base import Estimator
from isthmus.estimators.precision import dtype_of, like


class TellsClasses(Protocol):
    """A bottleneck that says how likely each class is."""

    def logits(self, features: Tensor) -> Tensor:
        """The logits of the classes, ``(n, classes)``, of features ``(n, *features)``."""


@dataclass(repr=False, eq=False, kw_only=True)
class FewLabels(ClassifierMixin, Estimator, ABC):
    """What members with a few labels share: how labels come in, and what they then tell.

    ``fit(X, y)`` takes a label for each example, of any kind; −1 marks an example without one. A
    part of a data set brings its labels. An epoch goes through all examples as if they had none,
    and in every batch stand labelled ones beside them, again and again. Without y nothing is
    learnt of classes, and ``predict`` says so.
    """

    _class_count: ClassVar[int] = 0

    n_labels: int | None = field(
        None, "how many labels are used, drawn, as many of each class; none: all of them", low=1
    )
    labelled_share: float = field(
        0.5,
        "share of labelled examples in a batch, where there are so many",
        above=0,
        below=1,
        afterwards=True,
    )
    label_weight: float = field(
        1.0, "weight of the cross-entropy of the labelled examples, in nats", low=0
    )

    def partial_fit(
        self, X: Any, y: Any = None, classes: Sequence[Any] | None = None, **others: Any
    ) -> Self:
        """Go through a portion of the examples once: see :meth:`Estimator.partial_fit`.

        ``classes`` are all there will ever be, for a first portion that lacks some of them.
        """
        self._announced = classes
        try:
            return super().partial_fit(X, y, **others)
        finally:
            del self._announced

    @property
    def classes_(self) -> np.ndarray:
        """The classes that it tells apart, ``(classes,)``, as y named them."""
        self._fitted()
        if self.preprocessor_.classes is None:
            raise InputError(
                f"this {type(self).__name__} was trained without labels, so it knows no classes:"
                " call fit(X, y), with −1 for an example without a label."
            )
        return self.preprocessor_.classes.array()

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each example, ``(n,)``."""
        return np.asarray(self.classes_[self._logits(X).argmax(1).numpy()])

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, ``(n, classes)``, in the order of ``classes_``."""
        X = incoming(X)
        return like(self._logits(X).softmax(1).numpy(), dtype_of(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of the examples with a label whose class is told rightly, under their weights
        if there are any; a part of a data set brings its labels. The mean of :meth:`score_samples`
        where there are none.
        """
        X = incoming(X)
        if y is None and isinstance(X, Part) and self.preprocessor_.classes is not None:
            y = labels_of(X)
        if y is None:
            each = self.score_samples(X)
            return float(np.average(each, weights=weights_of(sample_weight, len(each))))
        told = self.predict(X)
        weight = weights_of(sample_weight, len(told))
        return accuracy(told, y, self.classes_, type(self).__name__, weight)

    @property
    def _code_holds_classes(self) -> bool:
        """Whether the probabilities of the classes are a part of the code."""
        return math.prod(self._fitted().bottleneck.code_shape) > self._code_size

    def __sklearn_tags__(self) -> Tags:
        """Labels may lack, and few epochs make no good classifier."""
        tags: Tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.classifier_tags.poor_score = True
        return tags

    def _logits(self, X: Any) -> Tensor:
        X, _ = incoming(X), self.classes_
        batches = self._batches(X)
        with self._inference(batches.dtype) as module:
            bottleneck = cast("TellsClasses", module.bottleneck)
            computed = ((bottleneck.logits(module.features(b)),) for b in batches.chunks())
            found = collected(computed, len(batches))[0]
        return torch.from_numpy(require_finite(found, "code"))

    # ------------------------------------------------------------------ how labels come in

    def _opened_examples(
        self, given: tuple[Any, Any, Any], earlier: Earlier | None
    ) -> tuple[Preprocessor, Examples]:
        X = incoming(given[0])
        said = self._said(X, given[1])
        preprocessor, examples = super()._opened_examples((X, *given[1:]), earlier)
        if said is None:
            return preprocessor, self._with_labels(preprocessor, examples, None)
        if earlier is None:
            announced = getattr(self, "_announced", None)
            preprocessor = replace(
                preprocessor, classes=Classes.of(said.labels if announced is None else announced)
            )
        said = said.few(self.n_labels, self._label_seed)
        return preprocessor, self._with_labels(preprocessor, examples, said)

    @property
    def _label_seed(self) -> int:
        """What the draw of labels comes from: the same in all processes, and where training goes on
        so that no further labels are seen then.
        """
        seed = self.random_state
        return int(seed) if isinstance(seed, int | np.integer) else 0

    def _transformed(self, preprocessor: Preprocessor, examples: Any) -> Examples | None:
        found = super()._transformed(preprocessor, examples)
        if found is None:
            return None
        is_pair = isinstance(examples, tuple) and len(examples) == 2
        said = self._said(*(examples if is_pair else (examples, None)))
        return self._with_labels(preprocessor, found, said)

    def _said(self, X: Any, y: Any) -> Labelled | None:
        """The labels of examples; None where nothing is said of them."""
        y = labels_of(X) if y is None and isinstance(X, Part) else y
        return None if y is None else Labelled.of(y, type(self).__name__)

    def _with_labels(
        self, preprocessor: Preprocessor, examples: Examples, said: Labelled | None
    ) -> Examples:
        """Examples with the class of each beside them, where the member tells classes."""
        known = preprocessor.classes
        if said is None:
            nothing = None if known is None else torch.zeros(len(examples.x), len(known.values))
            return replace(examples, label=nothing)
        said.require(len(examples.x))
        if known is None:
            raise InputError(
                f"y names classes, but this {type(self).__name__} began without labels: train it"
                " anew with fit(X, y)."
            )
        return replace(examples, label=known.one_hot(said))

    def _handed_out(self, task: Task, examples: Examples) -> StoreBatches:
        is_mixed = examples is task.train and examples.label is not None
        return as_batches(
            task.preprocessor,
            task.runtime.device,
            examples,
            binarize=self.binarize == "dynamic",
            mixing=Mixing(self.batch_size, self.labelled_share) if is_mixed else None,
        )

    def _build_for(self, preprocessor: Preprocessor, within: Allocations) -> Autoencoder:
        known = preprocessor.classes
        counted = self._with(_class_count=0 if known is None else len(known.values))
        return super(FewLabels, counted)._build_for(preprocessor, within)
