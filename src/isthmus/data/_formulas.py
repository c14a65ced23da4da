"""Cells of text that a spreadsheet would run, marked as text when written, and as they were when
read again.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, which can
call programs. An apostrophe in front says that it is text. One more is put before a cell that has
some already, so that what is read is what was written. Numbers are no text, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_STARTS = "=+\\-@\t\r＝＋－＠"
_FORMULA, _MARKED = rf"^('*[{_STARTS}])", rf"^'('*[{_STARTS}])"


def marked(frame: DataFrame) -> DataFrame:
    """A table whose texts and names of columns begin no formula."""
    return _changed(frame, lambda texts: texts.str.replace(_FORMULA, r"'\1", regex=True))


def unmarked(frame: DataFrame) -> DataFrame:
    """The inverse of :func:`marked`."""
    return _changed(frame, lambda texts: texts.str.replace(_MARKED, r"\1", regex=True))


def _changed(frame: DataFrame, change: Callable[[Series], Series]) -> DataFrame:
    """The same table, with its texts and the names of its columns changed."""
    from pandas import Series

    names = Series([str(name) for name in frame.columns], dtype=object)
    renamed = change(names)
    if not renamed.equals(names):
        frame = frame.set_axis(list(renamed), axis=1)
    places = [place for place, dtype in enumerate(frame.dtypes) if dtype.kind == "O"]
    texts = {place: _texts(frame.iloc[:, place], change) for place in places}
    found = {place: column for place, column in texts.items() if column is not None}
    if not found:
        return frame
    frame = frame.copy(deep=False)
    for place, column in found.items():
        frame.isetitem(place, column.array)
    return frame


def _texts(column: Series, change: Callable[[Series], Series]) -> Series | None:
    """A column with its texts changed; None where none of them changes."""
    from pandas import CategoricalDtype

    if isinstance(column.dtype, CategoricalDtype):
        named = _texts(column.cat.categories.to_series(), change)
        return None if named is None else column.cat.rename_categories(list(named))
    if column.dtype != object:
        changed = change(column)
        return None if changed.equals(column) else changed.astype(column.dtype)
    is_text = column.map(partial(_is, str)).astype(bool)
    before = column[is_text]
    after = change(before) if len(before) else before
    if after.equals(before):
        return None
    return column.where(~is_text, after.reindex(column.index))


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind)
