"""The report on a synthetic table, as a page or as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from isthmus.core import files
from isthmus.core.paths import as_path
from isthmus.errors import InputError
from isthmus.metrics._encoding import encode_tables
from isthmus.metrics._measure import Measure
from isthmus.metrics.tables import ColumnQuality, TableQuality, table_quality
from isthmus.report._page import rendered
from isthmus.report._pictures import POINTS, figure_data
from isthmus.report._quality_pictures import (
    COLUMN_WIDTH,
    categories_figure,
    numbers_figure,
    pairs_figure,
    targets_figure,
)
from isthmus.version import __version__

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".html", ".json")
_SHOWN, _WORST, _MAPPED = 60, 3, 60  # columns with a picture, pairs by name, columns of a map


@dataclass(frozen=True)
class Picture:
    """A figure inside the page: its data URI, and the points that it takes at the most."""

    uri: str
    width: int


def write_quality(
    path: str | Path,
    real_train: pd.DataFrame,
    synthetic: pd.DataFrame,
    real_test: pd.DataFrame | None = None,
    target: str | None = None,
    *,
    name: str = "a table",
    random_state: int = 0,
) -> TableQuality:
    """Measure a synthetic table and write what was found, as a page or as JSON.

    The page is one file that needs nothing but itself.

    Args:
        path: a name that ends in .html or .json.
        real_train, synthetic, real_test, target, random_state: see
            :func:`~isthmus.metrics.table_quality`.
        name: what the page calls the real table.

    Raises:
        InputError: for another ending, and as :func:`~isthmus.metrics.table_quality` does.
    """
    path = as_path(path, "path")
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path} cannot be written: give a name that ends in .html or .json.")
    quality = table_quality(real_train, synthetic, real_test, target, random_state=random_state)
    if path.suffix.lower() == ".json":
        files.write_json(path, _record(quality))
    else:
        page = _page(quality, real_train, synthetic, real_test, name)
        files.write_bytes(path, page.encode("utf-8", "backslashreplace"))
    return quality


def _record(quality: TableQuality) -> dict[str, Any]:
    """What was found as plain values; what is not defined is null."""
    return {
        "isthmus": __version__,
        "measures": {name: asdict(measure) for name, measure in quality.measures.items()},
        "columns": [
            asdict(column) | {"similarity": _defined(column.similarity)}
            for column in quality.columns
        ],
        "pairs": [[_defined(value) for value in row] for row in quality.pairs],
        "targets": [asdict(score) for score in quality.targets],
    }


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _page(
    quality: TableQuality,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    test: pd.DataFrame | None,
    name: str,
) -> str:
    ordered = sorted(quality.columns, key=lambda column: np.nan_to_num(column.similarity))
    tested = f"{len(test):,} test rows" if test is not None else "a fifth of the training rows"
    several = len(quality.columns) > 1 and np.isfinite(quality.pairs).any()
    return rendered(
        "quality.jinja",
        title=f"Synthetic rows of {name}",
        premise=_premise(real, synthetic, test),
        findings=_findings(quality),
        measures=[(key, m, _written(m)) for key, m in quality.measures.items()],
        columns=[
            (column, figure_data(figure))
            for column, figure in _column_figures(ordered[:_SHOWN], real, synthetic)
        ],
        left_out=max(len(ordered) - _SHOWN, 0),
        width=round(COLUMN_WIDTH * POINTS),
        pairs=_mapped(quality) if several else None,
        worst=_worst(quality),
        targets=_picture(targets_figure(quality.targets)) if quality.targets else None,
        tested_on=tested,
        version=__version__,
    )


def _premise(real: pd.DataFrame, synthetic: pd.DataFrame, test: pd.DataFrame | None) -> str:
    beside = f", and {len(test):,} real rows that it has not seen" if test is not None else ""
    return (
        f"{len(synthetic):,} rows that a model made, beside the {len(real):,} real rows that it"
        f" learnt from{beside}."
    )


def _findings(quality: TableQuality) -> str:
    measures = quality.measures
    alike = f"Columns are {measures['marginals'].value:.0%} alike"
    if "pairs" in measures:
        alike += f", pairs of columns {measures['pairs'].value:.0%}"
    said = [alike]
    if "efficacy" in measures:
        share = measures["efficacy"].value
        said.append(f"a learner gains {share:.0%} of what it gains from real rows")
    copies = measures["copies"].value
    said.append(f"{copies:.1%} are copies" if copies else "no row is a copy")
    return "; ".join(said) + "."


def _column_figures(
    columns: Sequence[ColumnQuality], real: pd.DataFrame, synthetic: pd.DataFrame
) -> list[tuple[ColumnQuality, Figure]]:
    encoding, matrices = encode_tables({"real_train": real, "synthetic": synthetic})
    own = dict(zip(encoding.names, real.columns, strict=True))
    found = []
    for column in columns:
        if column.kind == "number":
            place = encoding.names.index(column.name)
            figure = numbers_figure(*(matrix[:, place] for matrix in matrices))
        else:
            figure = categories_figure(real[own[column.name]], synthetic[own[column.name]])
        found.append((column, figure))
    return found


def _mapped(quality: TableQuality) -> Picture:
    """The map of pairs; of very many columns, those whose pairs are the least alike."""
    pairs = np.where(np.isnan(quality.pairs), np.inf, quality.pairs)
    chosen = np.sort(np.argsort(pairs.min(axis=1), kind="stable")[:_MAPPED])
    names = [quality.columns[place].name for place in chosen]
    return _picture(pairs_figure(quality.pairs[np.ix_(chosen, chosen)], names))


def _worst(quality: TableQuality) -> str:
    """The pairs that are the least alike, in words."""
    rows, columns = np.triu_indices(len(quality.columns), 1)
    values = quality.pairs[rows, columns]
    order = [place for place in np.argsort(values)[:_WORST] if not np.isnan(values[place])]
    return ", ".join(
        f"{quality.columns[rows[place]].name} and {quality.columns[columns[place]].name}"
        f" ({values[place]:.2f})"
        for place in order
    )


def _picture(figure: Figure) -> Picture:
    return Picture(figure_data(figure), round(figure.get_figwidth() * POINTS))


def _written(measure: Measure) -> str:
    text = f"{measure.value:.3f}"
    return f"{text} ±\N{NO-BREAK SPACE}{measure.error:.3f}" if measure.error else text
