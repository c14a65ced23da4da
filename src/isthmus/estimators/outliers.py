"""Outliers: examples that a member cannot rebuild, because they are unlike those it learnt from."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from isthmus.core import fields
from isthmus.core.fields import field
from isthmus.core.parts import Configurable
from isthmus.data.incoming import incoming
from isthmus.data.rows import Rows
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.io import runs
from isthmus.registry import MEMBERS

_FENCE = 1.5  # quartile distances, after Tukey


@dataclass(repr=False, eq=False)
class OutlierDetector(OutlierMixin, Configurable):
    r"""Tells examples that are unlike those it was fitted on: a member rebuilds them badly.

    .. math:: s(x) = -\lVert x - g(f(x)) \rVert^2, \qquad x \text{ is an outlier where } s(x) < t

    t, the ``offset_``, comes from the scores of the examples given to ``fit``: their quantile at
        ``contamination``, or, under
    ``"auto"``, the lower fence Q1 − 1.5 (Q3 − Q1). ``x: (n, *shape)`` in any layout that a member
    takes; scores ``(n,)`` in the model's units (or in nats, under ``criterion="score"``), higher
    being more typical. A member rebuilds what it was
    trained on better than anything else, so that t is strict for new examples: where it matters,
        train on one part of the
    data and fit the threshold on another, with :meth:`from_run`.

    Args:
        member: an estimator, which is copied and trained at ``fit``; a ``FrozenEstimator`` around a
            trained one, which is taken as it is; or a registered name, which stands for that member
            with its defaults.

    Attributes:
        member_: the trained member.
        offset_: the score below which an example is an outlier.
        scores_: the scores of the examples given to ``fit``, ``(n,)``.

    Raises:
        InputError: at ``fit``, for a member, a field or data that cannot be used.

    Reference:
        M. Sakurada and T. Yairi, Anomaly detection using autoencoders with nonlinear dimensionality
        reduction, MLSDA 2014.

    Example:
        >>> import isthmus as ist
        >>> digits = ist.data.load("digits")
        >>> base = ist.AE(latent_dim=8, epochs=2, random_state=0)
        >>> detector = ist.OutlierDetector(base, contamination=0.1).fit(digits.train)
        >>> detector.predict(1 - digits.test.x[:3]).tolist()  # black on white
        [-1, -1, -1]
    """

    member: Estimator | str = field(
        "ae", "the member that learns what is typical: an estimator, or a registered name"
    )
    _: KW_ONLY
    contamination: float | Literal["auto"] = field(
        "auto",
        "share of the examples that are outliers; 'auto' draws the line 1.5 quartile distances"
        " below the lower one",
        above=0,
        high=0.5,
    )
    criterion: Literal["error", "score"] = field(
        "error",
        "what an example is judged by: its squared error, or the member's own score, a bound in"
        " nats for a VAE",
    )

    @classmethod
    def from_run(cls, run: str | Path | Estimator, **values: Any) -> Self:
        """A detector around a trained member, or the folder of its run; ``fit`` then settles the
        threshold alone.
        """
        model = run if isinstance(run, Estimator) else runs.load_run(run)
        check_is_fitted(model, "module_")
        return cls(FrozenEstimator(model), **values)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the member on examples, unless it is trained already, and settle the threshold by
        their scores.

        Args:
            X: an array ``(n, *shape)``, or a part of a data set, such as ``data.train``.
            y: ignored; there for pipelines.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        X = incoming(X)
        self.member_ = self._trained(X)
        self.scores_ = self.score_samples(X)
        self.offset_ = self._threshold()
        return self

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may hand in: sparse rows and rows that lack values too."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        return tags

    def score_samples(self, X: Any) -> np.ndarray:
        """How typical each example is, ``(n,)``: minus its squared error, or the member's own
        score.
        """
        check_is_fitted(self)
        scores = (
            -self.member_.squared_error(X)
            if self.criterion == "error"
            else self.member_.score_samples(X)
        )
        return np.asarray(scores, dtype=np.float64)

    def decision_function(self, X: Any) -> np.ndarray:
        """How far the score of each example lies above the threshold, ``(n,)``; below 0 for an
        outlier.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for each typical example and −1 for each outlier, ``(n,)``."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    @property
    def n_features_in_(self) -> int:
        """How many values an example has."""
        return int(self.member_.n_features_in_)

    @property
    def feature_names_in_(self) -> np.ndarray:
        """The names of a table's columns; there only where it was fitted with names."""
        return np.asarray(self.member_.feature_names_in_)

    def _trained(self, X: Any) -> Estimator:
        if isinstance(self.member, FrozenEstimator):
            return self.member.estimator
        member = MEMBERS[self.member]() if isinstance(self.member, str) else self.member
        if not isinstance(member, Estimator):
            raise InputError(
                f"member={member!r} is not usable: give a member such as AE(latent_dim=8), or its"
                " name."
            )
        return member.untrained(type(self).__name__).fit(X)

    def _threshold(self) -> float:
        if not isinstance(self.contamination, str):
            return float(np.quantile(self.scores_, self.contamination))
        lower, upper = np.quantile(self.scores_, [0.25, 0.75])
        return float(lower - _FENCE * (upper - lower))


def table(detector: OutlierDetector, rows: Rows) -> dict[str, np.ndarray]:
    """What a detector that was fitted on some rows says of each, as named columns in their order.

    ``row`` counts from 0, ``file`` is there for a folder of images, ``rank`` is 1 for the least
    typical.
    """
    order = np.argsort(detector.scores_, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    names = {} if rows.files is None else {"file": np.asarray(rows.files)}
    outlier = detector.scores_ < detector.offset_
    return {
        "row": np.arange(len(order)),
        **names,
        "score": detector.scores_,
        "rank": rank,
        "outlier": outlier,
    }
