"""Whether synthetic rows are copies: their distances to the rows that a model was trained on."""

from __future__ import annotations

import numpy as np

from isthmus.metrics._encoding import TableEncoding
from isthmus.metrics._measure import Measure, average

_ROWS, _CHUNK = 2_000, 100


def closest_record(encoding: TableEncoding, rows: np.ndarray, training: np.ndarray) -> np.ndarray:
    r"""The distance of each row to the nearest of others, ``(n,)``, from 0 to about 1.

    .. math:: d(a, b) = \frac1c \sum_j d_j(a_j, b_j)

    the mean over c columns of Gower's distances: :math:`\lvert a_j - b_j \rvert` over the range of
    the number among the training rows; 0 or 1 for equal or different categories. A missing value
    is at 0 from a missing one and at 1 from any other.

    Args:
        encoding: of the columns.
        rows: ``(n, columns)``.
        training: ``(m, columns)``.

    Reference:
        J. C. Gower, A general coefficient of similarity and some of its properties, Biometrics
        1971.
    """
    known = np.where(np.isnan(training).all(axis=0), 0.0, training)
    spans = np.nanmax(known, axis=0) - np.nanmin(known, axis=0)
    nearest = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        total = np.zeros((len(chunk), len(training)))
        for column, levels in enumerate(encoding.levels):
            total += _apart(chunk[:, column], training[:, column], levels > 0, spans[column])
        nearest.append(total.min(axis=1) / len(encoding.levels))
    return np.concatenate(nearest)


def copying(
    encoding: TableEncoding,
    training: np.ndarray,
    synthetic: np.ndarray,
    test: np.ndarray | None,
    seed: int = 0,
) -> dict[str, Measure]:
    """Whether synthetic rows lie nearer to training rows than new rows do.

    Of each table up to 2,000 rows are judged. Without test rows only exact copies are counted.
    """
    random = np.random.default_rng(seed)
    judged = _some(synthetic, _ROWS, random)
    distances = closest_record(encoding, judged, training)
    found = {
        "copies": average(
            "Copies",
            distances == 0,
            "share of synthetic rows",
            "lower",
            "How many synthetic rows equal a training row in every column.",
        )
    }
    if test is None:
        return found
    usual = float(np.median(closest_record(encoding, _some(test, _ROWS, random), training)))
    if usual > 0:
        found["closest_record"] = Measure(
            "Distance to the closest training row",
            float(np.median(distances)) / usual,
            "times that of a test row",
            None,
            None,
            "The median distance of a synthetic row to the nearest training row, beside that of"
            " real rows which were not trained on: about 1 is as it should be, near 0 is copying.",
        )
    # as many rows on both sides, so that neither is nearer by its number
    count = min(len(training), len(test))
    sides = [
        closest_record(encoding, judged, _some(table, count, random)) for table in (training, test)
    ]
    nearer = (sides[0] < sides[1]) + 0.5 * (sides[0] == sides[1])
    found["nearer_to_training"] = average(
        "Nearer to training rows",
        nearer,
        "share of synthetic rows",
        "lower",
        "How many synthetic rows lie nearer to training rows than to equally many test rows: 0.5"
        " where nothing was memorised, 1 where all was.",
    )
    return found


def _apart(a: np.ndarray, b: np.ndarray, is_category: bool, span: float) -> np.ndarray:
    """The distances of all pairs in one column, ``(len(a), len(b))``."""
    a, b = a[:, None], b[None]
    if is_category:
        distances = (a != b).astype(np.float64)
    else:
        distances = np.abs(a - b) / span if span > 0 else (a != b).astype(np.float64)
    missing, absent = np.isnan(a), np.isnan(b)
    if missing.any() or absent.any():
        distances = np.where(missing | absent, (missing != absent).astype(np.float64), distances)
    return distances


def _some(rows: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= most else rows[random.choice(len(rows), most, replace=False)]
