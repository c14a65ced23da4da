"""Tables as people have them: frames whose columns are numbers, counts, categories and dates."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.example import COLUMN_KINDS, Column, ColumnKind
from isthmus.core.records import Record, unusable
from isthmus.data._cells import native, typed
from isthmus.data._lookalikes import resemblance
from isthmus.data.columns import (
    BinaryColumn,
    CategoryColumn,
    ColumnCode,
    CountColumn,
    DateColumn,
    NumberColumn,
    code_from_json,
    column_name,
    is_date,
    listed,
    name_of,
)
from isthmus.data.frames import check_names, is_frame
from isthmus.errors import DataWarning, InputError, missing_extra, unknown

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SKIPPED = "skip"
NUMERIC_KINDS = ("number", "count", "binary")
_MANY = 1000  # values of one category beyond which it is left out
_FEW = 20  # rows below which nothing is taken for an identifier
_ID = re.compile(
    r"(^|[_\W])(id|index|key|no|nr|number)$|[a-z](Id|ID|Key|No)$|^(ID|Id)$|^Unnamed", re.A
)
_COUNT_LIMIT = 1000  # what is counted seldom goes beyond


@dataclass(frozen=True)
class Table:
    """How the rows of a frame become numbers ``(n, width)``, and come back.

    Inside, columns of one kind stand together, so that a likelihood can take them at once.

    Attributes:
        names: all columns of the frame, in its order.
        codes: those that a model sees, in the order that they have inside.
        types: of those that it does not see, by name.
        from_frame: whether rows came as a frame, and should go as one.
    """

    names: tuple[str | int, ...]
    codes: tuple[ColumnCode, ...]
    types: Mapping[str | int, str]
    from_frame: bool = True

    @property
    def columns(self) -> tuple[Column, ...]:
        """What a model knows of the columns."""
        return tuple(code.column for code in self.codes)

    @property
    def width(self) -> int:
        """How many numbers a row becomes."""
        return sum(code.size for code in self.codes)

    @property
    def is_plain(self) -> bool:
        """Whether every column is a number, so that a row inside is a row outside."""
        return not self.types and all(type(code) is NumberColumn for code in self.codes)

    def encode(self, frame: DataFrame) -> np.ndarray:
        """Rows as float64 ``(n, width)``, NaN in place of every number of a missing cell.

        A category that training did not see is said, and counts as missing.

        Raises:
            InputError: for other columns than those of training, and cells of another kind.
        """
        self.check(frame)
        parts = self._numbers(frame)
        for code in self.codes[len(self._plain) if parts else 0 :]:
            cells = frame[code.name]
            parts.append(code.encode(cells))
            if not isinstance(code, CategoryColumn) or not np.isnan(parts[-1][:, :1]).any():
                continue
            if new := code.unseen(cells):
                warnings.warn(
                    f"column {code.name!r} holds {listed(new)}, which training did not see: such"
                    " cells are read as missing.",
                    DataWarning,
                    stacklevel=2,
                )
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _numbers(self, frame: DataFrame) -> list[np.ndarray]:
        """The columns that are numbers, together, which is faster than one by one; nothing where
        some need a look of their own.
        """
        if not self._plain:
            return []
        some = frame if len(self._plain) == len(self.names) else frame.take(self._plain, axis=1)
        numbers = some.to_numpy()
        if numbers.dtype.kind not in "iuf":
            return []
        return [_checked(some, numbers.astype(np.float64, copy=False))]

    @cached_property
    def _plain(self) -> list[int]:
        """Where the columns that are numbers, which are the first inside, stand in the frame."""
        return [self.names.index(code.name) for code in self.codes if type(code) is NumberColumn]

    def knows(self, frame: DataFrame) -> bool:
        """Whether a frame has the columns of training, in their order."""
        return tuple(frame.columns.tolist()) == self.names

    def check(self, frame: DataFrame) -> None:
        """Refuse a frame whose columns are others, or in another order, than in training."""
        if self.knows(frame):
            return
        given = tuple(frame.columns)
        if lost := [name for name in self.names if name not in given]:
            raise InputError(f"X lacks the columns {listed(lost)} of training: add them.")
        if new := [name for name in given if name not in self.names]:
            raise InputError(
                f"X has the columns {listed(new)}, which training did not see: leave them out."
            )
        raise InputError(
            "X has the columns of training in another order: pass X[list(model.feature_names_in_)]."
        )

    def check_numeric(self) -> None:
        """Refuse rows that are no frame where training saw a column that an array cannot hold, or
        that it was not shown.
        """
        if not self.from_frame:
            return
        kinds = {code.name: code.kind for code in self.codes}
        odd = next((name for name in self.names if kinds.get(name) not in NUMERIC_KINDS), None)
        if odd is not None:
            kind = {"date": "dates", "category": "categories"}.get(str(kinds.get(odd)))
            raise InputError(
                f"X is an array of numbers, but column {odd!r} of training"
                f" {f'holds {kind}' if kind else 'was left out'}: give a pandas.DataFrame with the"
                " columns of training."
            )

    def decode(
        self, numbers: np.ndarray, like: DataFrame | None = None, *, is_bounded: bool = False
    ) -> DataFrame:
        """The rows that numbers ``(n, width)`` stand for, with the columns and types of training.

        Columns that the model does not see are those of ``like``, missing where there is none; the
        index is its too. ``is_bounded`` keeps numbers within the reach of training.
        """
        from pandas import DataFrame

        cells: dict[str | int, Series] = {}
        for code, span in self.spans():
            own = numbers[:, span]
            cells[code.name] = code.restored(code.bounded(own) if is_bounded else own)
        index = None if like is None else like.index
        frame = DataFrame(cells)
        if index is not None:
            frame.index = index
        for name, dtype in self.types.items():
            frame[name] = like[name] if like is not None else _missing(len(frame), dtype)
        return frame[list(self.names)]

    def parsed(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """Some cells of a row, which may be written as text, in the types of their columns.

        Raises:
            InputError: for columns and values that training did not see.
        """
        seen = {str(code.name): code for code in self.codes}
        for name in cells:
            if name not in seen:
                raise unknown("column", name, seen)
        return {name: seen[name].parsed(cell) for name, cell in cells.items()}

    def partial(self, cells: Mapping[str, Any]) -> np.ndarray:
        """One row of which some cells are known, as numbers ``(1, width)``, NaN for all others."""
        from pandas import Series

        parts = [
            code.encode(Series([cells[str(code.name)]], name=code.name))
            if str(code.name) in cells
            else np.full((1, code.size), np.nan)
            for code in self.codes
        ]
        return np.concatenate(parts, axis=1)

    def dtype_of(self, name: str) -> str:
        """The type of a column that a model sees, as pandas writes it."""
        return next(code.dtype for code in self.codes if str(code.name) == name)

    def spans(self) -> Iterator[tuple[ColumnCode, slice]]:
        """Every column that a model sees, and where its numbers stand inside."""
        start = 0
        for code in self.codes:
            yield code, slice(start, start + code.size)
            start += code.size

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        return {
            "names": list(self.names),
            "columns": [code.to_json() for code in self.codes],
            "left_out": [[name, dtype] for name, dtype in self.types.items()],
            "from_frame": self.from_frame,
        }

    @classmethod
    def from_json(cls, values: Any) -> Table:
        """The inverse of :meth:`to_json`."""
        given = Record(values, "table")
        names = tuple(column_name("table.names", name) for name in given.items("names"))
        codes = tuple(map(code_from_json, given.items("columns")))
        left_out = {}
        for pair in given.items("left_out"):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise unusable("table.left_out", pair, "names with types")
            left_out[column_name("table.left_out", pair[0])] = str(pair[1])
        owners = [*(code.name for code in codes), *left_out]
        if not codes or len(owners) != len(names) or set(owners) != set(names):
            raise unusable("table.names", list(names), "each column, once")
        _try(codes)
        return cls(names, codes, left_out, given.flag("from_frame"))


def _try(codes: Sequence[ColumnCode]) -> None:
    """Let every type of column make a cell, so that one that pandas cannot is found at once."""
    kinds = {
        (type(code), code.dtype, code.name if isinstance(code, CategoryColumn) else None): code
        for code in codes
    }
    for code in kinds.values():
        code.restored(np.zeros((1, code.size)))


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


def _checked(frame: DataFrame, numbers: np.ndarray) -> np.ndarray:
    if np.isinf(numbers).any():
        row, column = (int(place) for place in np.argwhere(np.isinf(numbers))[0])
        raise InputError(
            f"column {frame.columns[column]!r} holds inf in row {row} (from 0): correct it, or"
            " leave the cell empty."
        )
    return numbers


def _missing(n: int, dtype: str) -> Any:
    """A column of n cells without values, of the type where that can be."""
    from pandas import Series

    empty: Any = Series([None] * n, dtype=object)
    try:
        return typed(empty, dtype)
    except (TypeError, ValueError):  # whole numbers have no missing value
        return empty


def as_frame(x: Any, names: Sequence[str | int] | None = None) -> DataFrame:
    """Rows of a table as a frame; an array ``(n, columns)`` has ``names``, or numbers for names.

    Raises:
        InputError: for an array with other columns.
        MissingExtraError: where pandas is not installed.
    """
    if is_frame(x):
        frame: DataFrame = x
        return frame
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise missing_extra("pandas", "tables", "kind='table'") from error
    if x.ndim != 2 or (names is not None and x.shape[1] != len(names)):
        wanted = "columns" if names is None else len(names)
        raise InputError(f"X has the shape {x.shape}, but a table is (n, {wanted}): give that.")
    return DataFrame(x, columns=None if names is None else list(names))


def _warn(text: str) -> None:
    warnings.warn(text, DataWarning, stacklevel=4)


def filled_cells(frame: DataFrame, found: DataFrame) -> DataFrame:
    """A frame whose missing cells are those of another one with the same rows and columns.

    Columns keep their types, where these can hold what was found.
    """
    filled = frame.copy()
    for name in frame.columns:
        missing = frame[name].isna()
        if missing.any():
            filled[name] = frame[name].where(~missing, found[name].astype(frame[name].dtype))
    return filled
