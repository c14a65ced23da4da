"""The error of classifiers over the number of labels that they learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import clone

from isthmus.data.datasets import Data
from isthmus.data.few_labels import labels_of
from isthmus.errors import InputError
from isthmus.estimators.classifier import AutoencoderClassifier
from isthmus.estimators.few_labels import FewLabels
from isthmus.figures._label_curves import draw_label_curves
from isthmus.registry import MEMBERS
from isthmus.training.settings import require_seed

Classifier = AutoencoderClassifier | FewLabels


@dataclass(frozen=True)
class LabelCurves:
    """Test errors of classifiers that learnt from more and more labels.

    Attributes:
        names: what each is called.
        n_labels: how many labels each learnt from.
        errors: the share of test examples told wrongly, ``(names, n_labels, seeds)``.
        data: the name of the data set.
    """

    names: tuple[str, ...]
    n_labels: tuple[int, ...]
    errors: np.ndarray
    data: str

    def figure(self, title: str | None = None) -> Figure:
        """Each one's mean error over the number of labels, with its deviation over seeds."""
        text = f"Few labels on {self.data}" if title is None else title
        return draw_label_curves(self.names, self.n_labels, self.errors, text)

    def __str__(self) -> str:
        rows = []
        for name, errors in zip(self.names, self.errors, strict=True):
            for count, found in zip(self.n_labels, 100 * errors, strict=True):
                spread = f" ± {found.std(ddof=1):.2f}" if len(found) > 1 else ""
                rows.append(f"{name}, {count} labels: {found.mean():.2f}{spread} % wrong")
        return "\n".join(rows)


def label_curves(
    classifiers: Mapping[str, Classifier | str] | Sequence[str],
    data: Data,
    *,
    n_labels: Sequence[int] = (100, 1000),
    random_states: Sequence[int] = (0, 1, 2),
) -> LabelCurves:
    """Train classifiers on all examples and some of their labels, and measure the test error.

    Args:
        classifiers: estimators by their names, or names of members: each with its default settings,
            in an :class:`~isthmus.AutoencoderClassifier` where it tells no classes itself.
        data: a data set with labels in both parts.
        n_labels: how many labels to use, as many of each class as can be.
        random_states: the seeds of the draw of labels, which is the same for all classifiers, and
            of the training.

    Raises:
        InputError: for a data set without labels, for what is no such classifier, and for more
            labels than there are.
    """
    if data.train.y is None or data.test.y is None or not len(data.test):
        raise InputError(f"{data.name} has no labels in both parts: say label=… when it is loaded.")
    if isinstance(classifiers, str):
        classifiers = [classifiers]
    if not isinstance(classifiers, Mapping | Sequence):
        raise InputError(
            f"classifiers is a {type(classifiers).__name__}: give a dictionary of estimators, or"
            " names of members."
        )
    named = (
        classifiers if isinstance(classifiers, Mapping) else {name: name for name in classifiers}
    )
    if not named or not n_labels or not random_states:
        raise InputError("nothing is to be trained: give a classifier, n_labels and random_states.")
    for seed in random_states:
        require_seed(seed)
    made = {name: _classifier(given) for name, given in named.items()}
    errors = [
        [[_error(model, data, count, seed) for seed in random_states] for count in n_labels]
        for model in made.values()
    ]
    return LabelCurves(tuple(made), tuple(map(int, n_labels)), np.asarray(errors), data.name)


def classifier_named(name: str, **values: Any) -> Classifier:
    """A member by its name that tells classes, in a classifier if it tells none itself.

    ``values`` are fields of both, such as ``epochs``.
    """
    member: type[Any] = MEMBERS[name]
    if issubclass(member, FewLabels):
        return member(**values)
    return AutoencoderClassifier(member(**values), **values)


def _classifier(given: Classifier | str) -> Classifier:
    """What stands for a name, or is handed in."""
    if isinstance(given, AutoencoderClassifier | FewLabels):
        return given
    if isinstance(given, str):
        return classifier_named(given)
    raise InputError(
        f"{given!r} is no classifier with n_labels: give a member such as ist.LadderNetwork(), or"
        " wrap it in ist.AutoencoderClassifier(member)."
    )


def _error(model: Classifier, data: Data, count: int, seed: int) -> float:
    """The test error of a copy that learns from so many labels."""
    trained = clone(model).set_params(n_labels=count, random_state=seed).fit(data.train)
    return float(np.mean(trained.predict(data.test.x) != labels_of(data.test)))
