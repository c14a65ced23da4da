"""Outliers: examples that a member cannot rebuild, because they are unlike those it learnt from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from scipy.special import expit
from sklearn.base import OutlierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.validation import check_is_fitted

from isthmus.core import fields
from isthmus.core.editions import MANIFEST
from isthmus.core.fields import field
from isthmus.core.files import reading
from isthmus.core.parts import Configurable, from_plain
from isthmus.core.paths import as_path
from isthmus.core.records import Record
from isthmus.data._sequences import as_list, is_ragged
from isthmus.data._statistics import is_sparse
from isthmus.data.datasets import Part
from isthmus.data.incoming import incoming
from isthmus.data.rows import Rows
from isthmus.errors import InputError
from isthmus.estimators._outlier_shares import by_column, missing
from isthmus.estimators._suited import suited_members
from isthmus.estimators.base import Estimator
from isthmus.estimators.criteria import CRITERIA, Criterion
from isthmus.io import runs
from isthmus.io.detectors import read_detector, write_detector
from isthmus.registry import MEMBERS
from isthmus.training.settings import seed_of

_FENCE = 1.5  # quartile distances, after Tukey


@dataclass(repr=False, eq=False)
class OutlierDetector(OutlierMixin, Configurable):
    r"""Tells examples that are unlike those it was fitted on: a member rebuilds them badly.

    .. math:: s(x) = -\frac{1}{M} \sum_{i=1}^{M} m_i(x), \qquad
              x \text{ is an outlier where } s(x) < t

    m is what an example costs by the ``criterion``, for each of the M members: its squared error,
    how far it lies from where examples are dense, the member's own score, or the distance of its
    code from a centre. Sequences are charged by the step. t, the ``offset_``, comes from the scores
    of the examples given to ``fit``: their quantile at ``contamination``, or, under ``"auto"``, the
    lower fence Q1 − 1.5 (Q3 − Q1). ``x: (n, *shape)`` in any layout that a member takes; scores
    ``(n,)``, higher being more typical. A member rebuilds what it was trained on better than
    anything else, so that t is strict for new examples: where it matters, train on one part of the
    data and fit the threshold on another, with :meth:`from_run`.

    Args:
        member: ``"auto"`` for members that suit the data: three denoising autoencoders of rows of
            numbers, one autoencoder of pictures, each with a code as wide as the data ask; or an
            estimator, which is copied and trained at ``fit``; a ``FrozenEstimator`` around a
            trained one, which is taken as it is; or a registered name, which stands for that member
            with its defaults, and standardised columns.

    Attributes:
        members_: the trained members; ``member_`` is the first.
        criterion_: what they judge by.
        offset_: the score below which an example is an outlier.
        scores_: the scores of the examples given to ``fit``, ``(n,)``.
        classes_: what :meth:`predict` gives, 1 and −1, in the order of :meth:`predict_proba`.

    Raises:
        InputError: at ``fit``, for a member, a field or data that cannot be used.

    References:
        M. Sakurada and T. Yairi, Anomaly detection using autoencoders with nonlinear dimensionality
        reduction, MLSDA 2014. For the criteria, see :mod:`isthmus.estimators.criteria`.

    Example:
        >>> import isthmus as ist
        >>> digits = ist.data.load("digits")
        >>> base = ist.AE(latent_dim=8, epochs=2, random_state=0)
        >>> detector = ist.OutlierDetector(base, contamination=0.1).fit(digits.train)
        >>> detector.predict(1 - digits.test.x[:3]).tolist()  # black on white
        [-1, -1, -1]
        >>> detector.explain(digits.test.x[:3]).shape  # which pixels
        (3, 1, 8, 8)
    """

    member: Estimator | str = field(
        "auto",
        "the member that learns what is typical: 'auto' for what suits the data, an estimator, or a"
        " registered name",
    )
    _: KW_ONLY
    contamination: float | Literal["auto"] = field(
        "auto",
        "share of the examples that are outliers; 'auto' draws the line 1.5 quartile distances"
        " below the lower one",
        above=0,
        high=0.5,
    )
    criterion: Literal["auto", "error", "density", "score", "distance"] = field(
        "auto",
        "what an example is judged by: its squared error; how far residual, code and the values"
        " themselves lie from where they are dense; the member's own score, a bound in nats for a"
        " VAE; the distance of its code from the centre; 'auto' is density for rows of numbers,"
        " error for others, and distance for DeepSVDD",
    )
    random_state: int | None = field(
        None,
        "seed of the members that have none of their own",
        low=0,
        high=4294967295,
    )

    classes_: ClassVar[np.ndarray] = np.array([1, -1])

    @classmethod
    def from_run(cls, run: str | Path | Estimator, **values: Any) -> Self:
        """A detector around a trained member, or the folder of its run; ``fit`` then only sets the
        threshold and the statistics of the criterion.
        """
        model = run if isinstance(run, Estimator) else runs.load_run(run)
        check_is_fitted(model, "module_")
        return cls(FrozenEstimator(model), **values)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the members on examples, unless they are already trained, and set the threshold.

        Args:
            X: an array ``(n, *shape)``, or a part of a data set, such as ``data.train``.
            y: ignored; there for pipelines.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        X = incoming(X)
        self.members_ = self._trained(X)
        self.criterion_ = self._chosen()
        self._judges = [CRITERIA[self.criterion_]() for _ in self.members_]
        for judge, member in zip(self._judges, self.members_, strict=True):
            judge.settle(member, X)
        self.scores_ = self.score_samples(X)
        self.offset_ = self._threshold()
        return self

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may hand in: sparse rows and rows that lack values too."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        tags.classifier_tags = ClassifierTags(multi_class=False)  # asked of all with predict_proba
        return tags

    def score_samples(self, X: Any) -> np.ndarray:
        """How typical each example is, ``(n,)``: minus what it costs, the mean of all members."""
        check_is_fitted(self)
        return -self._mean(lambda judge, member: judge.costs(member, X))

    def decision_function(self, X: Any) -> np.ndarray:
        """The score of each example minus the threshold, ``(n,)``; below 0 for an outlier."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for each typical example and −1 for each outlier, ``(n,)``."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def predict_proba(self, X: Any) -> np.ndarray:
        r"""How likely each example is typical, and an outlier, ``(n, 2)``.

        .. math:: P(\text{outlier}) = \left( 1 + e^{(s(x) - t) / w} \right)^{-1}, \qquad
                  w = (\text{median} - Q_1) / \log 3

        It is 1/2 at the threshold t, so that it agrees with :meth:`predict`. The width w is that of
        the logistic distribution with the lower quartile distance of the scores given to ``fit``.
        It is a scale from 0 to 1 that can be compared between detectors, and no frequency: nobody
        told which examples are outliers.
        """
        return self.probability_of(self.score_samples(X))

    def probability_of(self, scores: np.ndarray) -> np.ndarray:
        """What :meth:`predict_proba` gives for scores ``(n,)`` that are known, ``(n, 2)``."""
        check_is_fitted(self)
        distance = (scores - self.offset_) / self._width()
        return np.column_stack([expit(distance), expit(-distance)])

    def explain(self, X: Any) -> Any:
        """What each value of the examples adds to the cost, in the layout of X.

        Columns of a table, pixels, or steps: the larger, the stranger. Under ``"error"`` and
        ``"density"`` they sum to minus the score of the example; under ``"score"`` where the member
        draws no code. NaN where X has no value; a list for a list of sequences.

        Raises:
            InputError: for ``criterion="distance"``, which judges the code alone.
        """
        check_is_fitted(self)
        inside = self._mean(lambda judge, member: judge.shares(member, X))
        known = self.member_.preprocessor_
        if known.table is not None:
            shares = by_column(inside, known.table)
        else:
            shares = known.layout.inverse_transform(inside)
        x = self.member_._array(X)
        if not is_sparse(x):
            shares = np.where(missing(x), np.nan, shares)
        return as_list(shares, known.spec.kind) if is_ragged(X) else shares

    def save(self, path: str | Path) -> Path:
        """Write the detector to a folder: its members, each a run, its threshold and what it
        compares with. See :meth:`load`; :func:`isthmus.load` reads it too.
        """
        check_is_fitted(self)
        tensors = {
            f"{place}.{name}": value
            for place, judge in enumerate(self._judges)
            for name, value in judge.state().items()
        }
        kept = {"contamination": self.contamination, "random_state": self.random_state}
        values = {
            "fields": kept | {"criterion": self.criterion},
            "member": self.member if isinstance(self.member, str) else None,
            "criterion": self.criterion_,
            "offset": self.offset_,
        }
        tensors["scores"] = torch.from_numpy(self.scores_)
        return write_detector(as_path(path, "path"), "outliers", self.members_, values, tensors)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read a detector that :meth:`save` wrote.

        Raises:
            RunError: for a folder that is missing, foreign or damaged.
        """
        folder = as_path(path, "path")
        members, values, tensors = read_detector(folder, device)
        with reading(folder / MANIFEST, "restore it, or fit again"):
            given = Record(values, "judging")
            name = given.optional("member", given.text)
            settings = from_plain(given.record("fields").entries(), fields.declared(cls))
            detector = cls(FrozenEstimator(members[0]) if name is None else name, **settings)
            detector.members_, detector.criterion_ = members, given.word("criterion", CRITERIA)
            detector.offset_ = given.number("offset")
            detector.scores_ = tensors["scores"].numpy()
            detector._judges = [CRITERIA[detector.criterion_]() for _ in members]
            for place, judge in enumerate(detector._judges):
                start = f"{place}."
                own = {key: value for key, value in tensors.items() if key.startswith(start)}
                judge.restore({key.removeprefix(start): value for key, value in own.items()})
        return detector

    @property
    def member_(self) -> Estimator:
        """The first of the trained members."""
        if not hasattr(self, "members_"):
            raise AttributeError("member_ is there once the detector is fitted")
        return self.members_[0]

    @property
    def n_features_in_(self) -> int:
        """How many values an example has."""
        return int(self.member_.n_features_in_)

    @property
    def feature_names_in_(self) -> np.ndarray:
        """The names of a table's columns; there only where it was fitted with names."""
        return np.asarray(self.member_.feature_names_in_)

    def _glance(self) -> list[tuple[str, object]]:
        if not hasattr(self, "offset_"):
            return []
        return [
            ("members", ", ".join(type(member).__name__ for member in self.members_)),
            ("judged by", self.criterion_),
            ("an outlier below", f"{self.offset_:.4g}"),
        ]

    def _trained(self, X: Any) -> list[Estimator]:
        if isinstance(self.member, FrozenEstimator):
            return [self.member.estimator]
        seed = seed_of(self.random_state)
        if self.member == "auto":
            return [member.fit(X) for member in suited_members(X, seed)]
        if isinstance(self.member, str):
            member = MEMBERS[self.member](random_state=seed)
            if np.ndim(X.x if isinstance(X, Part) else X) == 2:
                member.set_params(scaling="standard")
            return [member.fit(X)]
        if not isinstance(self.member, Estimator):
            raise InputError(
                f"member={self.member!r} is not usable: give a member such as AE(latent_dim=8), or"
                " its name."
            )
        return [self.member.untrained(type(self).__name__, seed).fit(X)]

    def _chosen(self) -> str:
        """The criterion that ``"auto"`` stands for."""
        if self.criterion != "auto":
            return self.criterion
        if self.member_.judged_by is not None:
            return self.member_.judged_by
        is_rows = self.member_.preprocessor_.spec.kind in ("vector", "table")
        return "density" if is_rows else "error"

    def _mean(self, found: Callable[[Criterion, Estimator], np.ndarray]) -> np.ndarray:
        """What all members find, on the average."""
        each = [
            found(judge, member) for judge, member in zip(self._judges, self.members_, strict=True)
        ]
        return np.asarray(np.mean(each, axis=0))

    def _threshold(self) -> float:
        if not isinstance(self.contamination, str):
            return float(np.quantile(self.scores_, self.contamination))
        lower, upper = np.quantile(self.scores_, [0.25, 0.75])
        return float(lower - _FENCE * (upper - lower))

    def _width(self) -> float:
        """How far from the threshold the odds change by a factor of e."""
        lower, median = np.quantile(self.scores_, [0.25, 0.5])
        least = np.finfo(np.float64).eps * max(1.0, abs(float(median)))
        return max(float(median - lower) / math.log(3), least)


def table(detector: OutlierDetector, rows: Rows, scores: np.ndarray) -> dict[str, np.ndarray]:
    """The results of a detector for rows with scores ``(n,)``, as named columns in their order.

    ``row`` counts from 0, ``file`` is there for a folder of images, ``rank`` is 1 for the least
    typical.
    """
    order = np.argsort(scores, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    names = {} if rows.files is None else {"file": np.asarray(rows.files)}
    outlier = scores < detector.offset_
    return {
        "row": np.arange(len(order)),
        **names,
        "score": scores,
        "probability": detector.probability_of(scores)[:, 1],
        "rank": rank,
        "outlier": outlier,
    }
