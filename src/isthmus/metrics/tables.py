"""How good a synthetic table is, beside the real one that it was learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from isthmus.errors import unknown
from isthmus.metrics import efficacy, privacy, similarity
from isthmus.metrics._encoding import TableEncoding, encode_tables
from isthmus.metrics._measure import Measure, Measures
from isthmus.training.settings import require_seed

if TYPE_CHECKING:
    import pandas as pd

_HELD_OUT = 5  # every fifth real row, where no test rows are given


@dataclass(frozen=True)
class ColumnQuality:
    """One column of a synthetic table, compared with the real one.

    Attributes:
        name: the column.
        kind: ``"number"`` or ``"category"``.
        similarity: the Kolmogorov-Smirnov complement of a number, the total variation complement of
            a category; NaN where all of it is missing.
        missing: the shares of missing values, real and synthetic.
    """

    name: str
    kind: str
    similarity: float
    missing: tuple[float, float]


@dataclass(frozen=True, repr=False)
class TableQuality:
    """What :func:`table_quality` found.

    Attributes:
        measures: the measures of the whole table, under their names.
        columns: each column by itself.
        pairs: how alike the dependence of each two columns is, ``(columns, columns)``, symmetric;
            NaN on the diagonal, and where a real number is constant.
        targets: each target of a learner.
    """

    measures: dict[str, Measure]
    columns: tuple[ColumnQuality, ...]
    pairs: np.ndarray
    targets: tuple[efficacy.TargetScore, ...]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={one.value:.3g}" for name, one in self.measures.items())
        return f"TableQuality({len(self.columns)} columns, {values})"

    def _repr_html_(self) -> str:
        return Measures(self.measures)._repr_html_()


def table_quality(
    real_train: pd.DataFrame,
    synthetic: pd.DataFrame,
    real_test: pd.DataFrame | None = None,
    target: str | None = None,
    *,
    random_state: int = 0,
) -> TableQuality:
    """Measure a synthetic table: its columns, its pairs of columns, its use, and what it copied.

    Numbers and dates are compared by their distribution functions, everything else as categories.
    Without test rows, every fifth training row is set aside for the learners to be tested on,
    and of copying only exact copies are counted.

    Args:
        real_train: the rows that the generator learnt from.
        synthetic: rows that it made, with the same columns.
        real_test: real rows that it has not seen.
        target: the column that learners predict from the others; None takes each in turn.
        random_state: picks rows where not all are used, and seeds the learners.

    Raises:
        InputError: for tables of different columns, without rows, or an unknown target.

    References:
        S. Dat et al., SDMetrics, https://docs.sdv.dev/sdmetrics, whose definitions of the
        similarities these are.
    """
    require_seed(random_state)
    tables = {"real_train": real_train, "synthetic": synthetic}
    if real_test is not None:
        tables["real_test"] = real_test
    encoding, (real, made, *rest) = encode_tables(tables)
    test = rest[0] if rest else None
    if target is not None and target not in encoding.names:
        raise unknown("target", target, encoding.names)
    targets = range(len(encoding.names)) if target is None else [encoding.names.index(target)]
    scores = _targets(encoding, real, made, test, targets, random_state)
    columns, pairs = _columns(encoding, real, made), _pairs(encoding, real, made)
    learnt = {
        "efficacy": efficacy.efficacy(scores),
        "detection": efficacy.detection(encoding, real, made, random_state),
    }
    measures = {
        **_similarities(columns, pairs),
        **{name: measure for name, measure in learnt.items() if measure is not None},
        **privacy.copying(encoding, real, made, test, random_state),
    }
    return TableQuality(measures, columns, pairs, scores)


def _targets(
    encoding: TableEncoding,
    real: np.ndarray,
    made: np.ndarray,
    test: np.ndarray | None,
    targets: Sequence[int],
    seed: int,
) -> tuple[efficacy.TargetScore, ...]:
    if test is None:
        order = np.random.default_rng(seed).permutation(len(real))
        held_out = order[: -(-len(real) // _HELD_OUT)]
        real, test = np.delete(real, held_out, axis=0), real[held_out]
    return efficacy.target_scores(encoding, real, made, test, targets, seed) if len(real) else ()


def _columns(
    encoding: TableEncoding, real: np.ndarray, made: np.ndarray
) -> tuple[ColumnQuality, ...]:
    found = []
    for place, (name, levels) in enumerate(zip(encoding.names, encoding.levels, strict=True)):
        sides = real[:, place], made[:, place]
        measured = (similarity.tv_complement if levels else similarity.ks_complement)(*sides)
        missing = [float(np.isnan(side).mean()) for side in sides]
        kind = "category" if levels else "number"
        found.append(ColumnQuality(name, kind, measured, (missing[0], missing[1])))
    return tuple(found)


def _pairs(encoding: TableEncoding, real: np.ndarray, made: np.ndarray) -> np.ndarray:
    binned_real, binned_made = real.copy(), made.copy()
    for place in np.flatnonzero(~encoding.categorical):
        binned_real[:, place], binned_made[:, place] = similarity.binned(
            real[:, place], made[:, place]
        )
    pairs = np.full((len(encoding.names),) * 2, np.nan)
    for i, j in combinations(range(len(encoding.names)), 2):
        chosen = [i, j]
        if encoding.categorical[chosen].any():
            found = similarity.contingency_similarity(
                binned_real[:, chosen], binned_made[:, chosen]
            )
        else:
            found = similarity.correlation_similarity(real[:, chosen], made[:, chosen])
        pairs[i, j] = pairs[j, i] = found
    return pairs


def _similarities(columns: Sequence[ColumnQuality], pairs: np.ndarray) -> dict[str, Measure]:
    """The means over columns and over pairs; what is nowhere defined is left out."""
    missing = [1 - abs(a - b) for a, b in (c.missing for c in columns) if max(a, b) > 0]
    found = {
        "marginals": (
            "Columns",
            [column.similarity for column in columns],
            "How alike each column by itself is, on the average: one less the Kolmogorov-Smirnov"
            " distance of a number, one less the total variation distance of a category.",
        ),
        "pairs": (
            "Pairs of columns",
            list(pairs[np.triu_indices(len(pairs), 1)]),
            "How alike the dependence of two columns is, on the average: their correlation, or,"
            " where one is a category, the table of their joint shares.",
        ),
        "missing": (
            "Missing values",
            missing,
            "How alike the shares of missing values are, over the columns that miss some.",
        ),
    }
    return {
        name: Measure(title, float(np.nanmean(values)), "0 to 1", None, "higher", help)
        for name, (title, values, help) in found.items()
        if not np.isnan(values).all()
    }
