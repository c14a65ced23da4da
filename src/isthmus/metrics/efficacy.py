"""What a learner gains from synthetic rows: trained on them, tested on real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from isthmus.metrics._encoding import TableEncoding
from isthmus.metrics._measure import Measure

_ROWS, _TREES, _LEAVES = 10_000, 60, 15
_FEWEST = 10
_MOST_LEVELS = 100  # the learner takes 255 categories at the most


@dataclass(frozen=True)
class TargetScore:
    """How well one column of real test rows is predicted from the others.

    Attributes:
        name: the column.
        unit: ``"AUROC"`` of a category, averaged over the categories by their shares in the test
            rows, each against the rest; ``"R²"`` of a number.
        real: after training on real rows.
        synthetic: after training on synthetic rows.
    """

    name: str
    unit: str
    real: float
    synthetic: float

    @property
    def skills(self) -> tuple[float, float]:
        """What is better than guessing, real and synthetic: 2 AUROC − 1, or R²; at least 0."""
        scores = (self.real, self.synthetic)
        if self.unit == "AUROC":
            scores = (2 * self.real - 1, 2 * self.synthetic - 1)
        return max(scores[0], 0.0), max(scores[1], 0.0)


def target_scores(
    encoding: TableEncoding,
    real: np.ndarray,
    synthetic: np.ndarray,
    test: np.ndarray,
    targets: Sequence[int],
    seed: int = 0,
) -> tuple[TargetScore, ...]:
    """Gradient boosting on real and on synthetic rows, for each of some columns as the target.

    A target is left out where it cannot be learnt or judged: its training rows are all alike, the
    test rows are, or it has more than a hundred categories, or more than half as many as rows.
    """
    training = [_some(rows, seed) for rows in (real, synthetic)]
    found = []
    for target in targets:
        scores = [_score(encoding, rows, test, target, seed) for rows in training]
        if not np.isnan(scores[0]):
            unit = "AUROC" if encoding.levels[target] else "R²"
            # what synthetic rows that are all alike teach is to guess
            guess = 0.5 if unit == "AUROC" else 0.0
            kept = guess if np.isnan(scores[1]) else scores[1]
            found.append(TargetScore(encoding.names[target], unit, scores[0], kept))
    return tuple(found)


def efficacy(scores: Sequence[TargetScore]) -> Measure | None:
    r"""The share of what real rows teach that synthetic rows teach as well, over all targets.

    .. math:: \sum_t s_t^{synthetic} / \sum_t s_t^{real}

    with the skill s of a target: 2 AUROC − 1 of a category and R² of a number, at least 0. None
    where real rows teach nothing either.

    Reference:
        L. Xu, M. Skoularidou, A. Cuesta-Infante and K. Veeramachaneni, Modeling tabular data using
        conditional GAN, NeurIPS 2019, who call it machine learning efficacy.
    """
    real, synthetic = (sum(score.skills[i] for score in scores) for i in (0, 1))
    if real == 0:
        return None
    return Measure(
        "Usefulness",
        synthetic / real,
        "share of what real rows teach",
        None,
        "higher",
        "How much of what gradient boosting learns from real rows about unseen real rows it learns"
        " from synthetic rows, each column in turn being predicted from the others.",
    )


def detection(
    encoding: TableEncoding, real: np.ndarray, synthetic: np.ndarray, seed: int = 0
) -> Measure | None:
    """How well gradient boosting distinguishes synthetic rows from real ones, as an AUROC.

    Equally many of both; each row is judged by a learner that has not seen it. None for fewer than
    ten rows.

    Reference:
        D. Lopez-Paz and M. Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """
    count = min(len(real), len(synthetic), _ROWS // 2)
    if count < _FEWEST:
        return None
    random = np.random.default_rng(seed)
    rows = np.concatenate([_drawn(table, count, random) for table in (real, synthetic)])
    origin = np.repeat([0, 1], count)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    learner = HistGradientBoostingClassifier(**_settings(encoding, range(rows.shape[1]), seed))
    filled = _without_gaps(encoding, rows)
    judged = cross_val_predict(learner, filled, origin, cv=folds, method="predict_proba")
    return Measure(
        "Told apart",
        float(roc_auc_score(origin, judged[:, 1])),
        "AUROC, 0.5 to 1",
        None,
        "lower",
        "How well gradient boosting tells synthetic rows from training rows: 0.5 is not at all, 1"
        " is always.",
    )


def _score(
    encoding: TableEncoding, rows: np.ndarray, test: np.ndarray, target: int, seed: int
) -> float:
    rows, test = (table[~np.isnan(table[:, target])] for table in (rows, test))
    y, truth = rows[:, target], test[:, target]
    kinds = min(len(np.unique(y)), len(np.unique(truth)))
    too_many = encoding.levels[target] > min(_MOST_LEVELS, len(y) / 2)  # an id, say
    if kinds < 2 or too_many:
        return np.nan
    others = [i for i in range(rows.shape[1]) if i != target]
    filled = _without_gaps(encoding, np.concatenate([rows, test]))[:, others]
    x, x_test = filled[: len(rows)], filled[len(rows) :]
    settings = _settings(encoding, others, seed)
    if not encoding.levels[target]:
        regressor = HistGradientBoostingRegressor(**settings).fit(x, y)
        return float(r2_score(truth, regressor.predict(x_test)))
    classifier = HistGradientBoostingClassifier(**settings).fit(x, y)
    chances = classifier.predict_proba(x_test)
    present, counts = np.unique(truth, return_counts=True)
    known = {kind: place for place, kind in enumerate(classifier.classes_)}
    areas = [
        roc_auc_score(truth == kind, chances[:, known[kind]]) if kind in known else 0.5
        for kind in present
    ]
    return float(np.average(areas, weights=counts))


def _without_gaps(encoding: TableEncoding, rows: np.ndarray) -> np.ndarray:
    """Missing values as a category of their own, or as a number below all others.

    The learner takes NaN too, but not a column (or a fold of one) that holds nothing else.
    """
    known = np.where(np.isnan(rows), np.inf, rows).min(axis=0)
    below = np.where(np.isfinite(known), known - 1, 0.0)
    return np.where(np.isnan(rows), np.where(encoding.categorical, encoding.levels, below), rows)


def _settings(encoding: TableEncoding, columns: Sequence[int], seed: int) -> dict[str, object]:
    levels = [encoding.levels[i] for i in columns]
    return {
        # with more categories than it takes, their codes are read as numbers
        "categorical_features": [0 < count <= _MOST_LEVELS for count in levels],
        "max_iter": _TREES,
        "max_leaf_nodes": _LEAVES,
        "early_stopping": False,
        "random_state": seed,
    }


def _some(rows: np.ndarray, seed: int) -> np.ndarray:
    return _drawn(rows, min(len(rows), _ROWS), np.random.default_rng(seed))


def _drawn(rows: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    return rows if count == len(rows) else rows[random.choice(len(rows), count, replace=False)]
