"""What kind each column of a training table is, and its code."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.example import COLUMN_KINDS, ColumnKind
from isthmus.data._category_columns import CategoryColumn
from isthmus.data._cells import native
from isthmus.data._column import ColumnCode, name_of
from isthmus.data._date_columns import DateColumn, is_date
from isthmus.data._lookalikes import resemblance
from isthmus.data._number_columns import BinaryColumn, CountColumn, NumberColumn
from isthmus.data.frames import check_names
from isthmus.data.tables import Table
from isthmus.errors import DataWarning, InputError, unknown

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SKIPPED = "skip"

_MANY = 1000  # values of one category beyond which it is left out

_FEW = 20  # rows below which nothing is taken for an identifier

_ID = re.compile(
    r"(^|[_\W])(id|index|key|no|nr|number)$|[a-z](Id|ID|Key|No)$|^(ID|Id)$|^Unnamed", re.A
)

_COUNT_LIMIT = 1000  # what is counted seldom goes beyond


def fit_table(frame: DataFrame, kinds: Mapping[str, str] | None = None) -> Table:
    """Settle what kind each column of a training table is.

    Booleans and numbers that are 0 or 1 are ``"binary"``; whole numbers from 0 up that pile up
    near 0 are ``"count"``, all other numbers ``"number"``; text and pandas categoricals are
    ``"category"``, points in time ``"date"``. What looks like an identifier (another text in
    most rows, or whole numbers that count the rows), and what is empty, is left out, which is
    said, as are columns that hold one value throughout.

    Args:
        frame: the rows to train on.
        kinds: the kinds of some columns by name, where they are others than these; ``"skip"``
            leaves a column out.

    Raises:
        InputError: for names that are there twice, for kinds and columns that are not known, and
            for columns that cannot be read as what they are said to be.
    """
    kinds = dict(kinds or {})
    _check_names(frame, kinds)
    codes: list[ColumnCode] = []
    types: dict[str | int, str] = {}
    for name in frame.columns:
        cells = frame[name]
        kind = kinds.get(str(name)) or _kind_of(cells)
        if kind == SKIPPED:
            types[name] = str(cells.dtype)
            continue
        codes.append(_code(cells, _known(kind, name)))
        if cells.nunique(dropna=True) == 1:
            _warn(
                f"column {name!r} holds {native(cells.dropna().iloc[0])!r} throughout, which says"
                " nothing about a row: leave it out."
            )
    if not codes:
        raise InputError(
            "no column of X can be learnt from: all are empty, or look like identifiers; name their"
            " kinds with columns={...}."
        )
    order = sorted(codes, key=lambda code: COLUMN_KINDS.index(code.kind))  # stable
    return Table(tuple(frame.columns), tuple(order), types)


def _check_names(frame: DataFrame, kinds: Mapping[str, str]) -> None:
    check_names(frame)
    names = [str(name) for name in frame.columns]
    for name in kinds:
        if name not in names:
            raise unknown("column", name, names)


def _known(kind: str, name: str | int) -> ColumnKind:
    for known in COLUMN_KINDS:
        if kind == known:
            return known
    raise unknown(f"kind of column {name!r}", kind, [*COLUMN_KINDS, SKIPPED])


def _kind_of(cells: Series) -> str:
    """What a column is by its type and its values; ``"skip"`` where it should be left out."""
    from pandas import CategoricalDtype
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    name, known = cells.name, cells.dropna()
    if known.empty:
        _warn(f"column {name!r} holds no value: it is left out.")
        return SKIPPED
    if is_date(cells):
        return "date"
    inferred = known.infer_objects()  # a gap makes objects of booleans
    is_set = isinstance(cells.dtype, CategoricalDtype)  # whose values may be truth values too
    if is_bool_dtype(inferred.dtype) and not is_set:
        return "binary"
    if is_numeric_dtype(inferred.dtype) and inferred.dtype.kind in "iuf":
        return _kind_of_numbers(name, inferred, len(cells))
    if not _is_categorical(cells, known):
        raise InputError(
            f"column {name!r} holds {native(known.iloc[0])!r} (type {cells.dtype}), which cannot be"
            " read: convert it to numbers, text or dates, or pass"
            f" columns={{{str(name)!r}: 'skip'}}."
        )
    count, alike = known.nunique(), resemblance(known)
    said = f"; pass columns={{{str(name)!r}: 'category'}} if it is a category."
    if len(known) >= _FEW and (count > 0.5 * len(known) or count > _MANY):
        _warn(
            f"column {name!r} holds {alike}; as text it is left out{said}"
            if alike
            else f"column {name!r} holds {count:,} values in {len(known):,} rows, as an identifier"
            f" or free text would: it is left out{said}"
        )
        return SKIPPED
    if alike:
        _warn(f"column {name!r} holds {alike}; as text it is read as a category{said}")
    return "category"


def _kind_of_numbers(name: Any, known: Series, rows: int) -> str:
    values = known.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        return "number"
    distinct = np.unique(values)
    if len(distinct) == 2 and (distinct == (0, 1)).all():
        return "binary"
    # a gap makes floats of whole numbers
    is_whole = known.dtype.kind in "iu" or len(known) < rows
    is_other_everywhere = is_whole and len(values) >= _FEW and len(distinct) == len(values)
    if is_other_everywhere and (_count_on(distinct) or _ID.search(str(name))):
        _warn(
            f"column {name!r} holds another whole number in each row, from {distinct[0]:g} to"
            f" {distinct[-1]:g}, as an identifier does: it is left out; pass"
            f" columns={{{str(name)!r}: 'number'}} if it is none."
        )
        return SKIPPED
    if is_whole and 0 <= distinct[0] <= 1 and len(distinct) >= 3 and distinct[-1] < _COUNT_LIMIT:
        return "count" if _skewness(values) > 1 else "number"
    return "number"


def _count_on(distinct: np.ndarray) -> bool:
    """Whether whole numbers follow each other."""
    return bool(distinct[-1] - distinct[0] == len(distinct) - 1)


def _skewness(values: np.ndarray) -> float:
    """The third standardised moment: above 0 where the long tail is to the right."""
    centred = values - values.mean()
    return float((centred**3).mean() / (centred**2).mean() ** 1.5)


def _is_categorical(cells: Series, known: Series) -> bool:
    """Whether cells are text, categories or other plain values, none of them nested."""
    from pandas import CategoricalDtype
    from pandas.api.types import is_string_dtype

    if isinstance(cells.dtype, CategoricalDtype):
        return True
    if cells.dtype != object:
        return bool(is_string_dtype(cells.dtype))
    return all(isinstance(cell, str | int | float) for cell in known)


def _code(cells: Series, kind: ColumnKind) -> ColumnCode:
    """The code of a column as one of a kind; refuses cells that are not of it."""
    name, dtype = name_of(cells), str(cells.dtype)
    match kind:
        case "number":
            return NumberColumn.fitted(cells)
        case "count":
            code: ColumnCode = CountColumn.fitted(cells)
        case "binary":
            code = BinaryColumn(name, dtype)
        case "date":
            if not is_date(cells):
                raise InputError(
                    f"column {name!r} is to be a date, but has the type {dtype}: convert it with"
                    " pandas.to_datetime."
                )
            return DateColumn.fitted(cells)
        case "category":
            return _category(cells, name, dtype)
    code.encode(cells)
    return code


def _category(cells: Series, name: Any, dtype: str) -> CategoryColumn:
    from pandas import CategoricalDtype

    known = cells.dropna()
    if isinstance(cells.dtype, CategoricalDtype):
        categories = tuple(native(value) for value in cells.dtype.categories)
        present = set(known)
        values = tuple(value for value in categories if value in present)
        of = str(cells.dtype.categories.dtype)
        return CategoryColumn(name, dtype, values, categories, bool(cells.dtype.ordered), of)
    values = tuple(sorted({native(value) for value in known}, key=lambda v: (str(type(v)), v)))
    return CategoryColumn(name, dtype, values)


def _warn(text: str) -> None:
    warnings.warn(text, DataWarning, stacklevel=4)
