"""Tables as people have them: frames whose columns are numbers, counts, categories and dates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.example import Column
from isthmus.core.records import Record, unusable
from isthmus.core.wording import listed
from isthmus.data._category_columns import CategoryColumn
from isthmus.data._cells import typed
from isthmus.data._column import ColumnCode, column_name
from isthmus.data._number_columns import NumberColumn
from isthmus.data.columns import code_from_json
from isthmus.data.frames import is_frame
from isthmus.errors import DataWarning, InputError, missing_extra, unknown

if TYPE_CHECKING:
    from pandas import DataFrame, Series

NUMERIC_KINDS = ("number", "count", "binary")


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
