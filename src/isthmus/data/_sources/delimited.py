"""Tables as text: which sign stands between columns, which before decimals, and stray words.

Nothing is guessed: what can be read in two ways is refused, and what was recognised is noted.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.data._formulas import unmarked
from isthmus.data._sources.door import entering, told
from isthmus.data._sources.guards import opened, require_columns
from isthmus.errors import DataWarning, InputError, MemoryLimitError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_JUDGED = 100  # lines by which signs are judged, and whether a column may hold numbers
_STRAY = 5  # as many different words among numbers are strays; more are text

_UNEVEN = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")  # what pandas says

_EXPONENT = r"(?:[eE][+-]?\d+)?"
_COMMA = rf"[+-]?(?:\d+|\d{{1,3}}(?:\.\d{{3}})+),\d+{_EXPONENT}"  # 1,5 and 1.234,5
_POINT = rf"[+-]?\d*\.\d+{_EXPONENT}"  # 1.5
_WHOLE = rf"[+-]?(?:\d+{_EXPONENT}|\d{{1,3}}(?:\.\d{{3}})+)"  # 1234 and 1.234 for the same
_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"  # 1,234 and 1,234.5


def read_text(path: Path, *, may_lack_name: bool = False) -> tuple[DataFrame, tuple[str, ...]]:
    """Read a text, perhaps compressed, whose first line names the columns.

    Gives the table, and what was recognised where it is not commas and decimal points. The first
    column ``may_lack_name``, as an index does that was written along.

    Raises:
        InputError: for what is no table, and for what can be read in two ways.
    """
    import pandas

    with entering(path, unreadable):
        lines = _first_lines(path)
        sign = _sign(path, lines)
        require_columns(path, lines[0].count(sign) + 1 if lines else 0)
        head = pandas.read_csv(io.StringIO("".join(lines)), sep=sign, header=None, nrows=1)
        _check_head(path, head, sign, may_lack_name)
        frame = _parsed(path, sign)
        if sign == ",":
            return frame, ()
        with opened(path) as file:
            texts = pandas.read_csv(file, sep=sign, index_col=False, dtype=str)
        texts.columns = frame.columns
    notes = [] if _is_tabs(path) else [f"{path}: read with {_SIGNS[sign]} between columns."]
    if example := _put_decimals(path, frame, texts):
        notes.append(f"{path}: read with decimal commas ({example!r} is {_with_point(example)}).")
    return frame, tuple(notes)


def say_strays(path: Path, column: Series) -> None:
    """Warn of a column of numbers that is read as text because of a few words, or of commas."""
    import pandas

    def with_comma(cells: Series) -> Series:
        return cells.str.fullmatch(f"{_COMMA}|{_THOUSANDS}").astype(bool)

    def words_of(cells: Series) -> Series:
        return cells[pandas.to_numeric(cells, errors="coerce").isna() & ~with_comma(cells)]

    present = column.dropna()
    if len(words_of(first := present.iloc[:_JUDGED])) == len(first):  # a column of words
        return
    has_comma, words = with_comma(present), words_of(present)
    start = f"{path}: column {column.name!r} is read as text, because"
    if 0 < 2 * len(words) < len(present) and words.nunique() <= _STRAY:
        shown = ", ".join(repr(word) for word in words.unique())
        warnings.warn(
            f"{start} {len(words)} of its {len(present)} cells hold no number but {shown}"
            f" ({_rows(words)}): leave these cells empty, and the column is numbers with missing"
            " values.",
            DataWarning,
            stacklevel=2,
        )
    elif words.empty and has_comma.any():
        first = present[has_comma].iloc[:1]
        warnings.warn(
            f"{start} its numbers hold commas, such as {first.iloc[0]!r} ({_rows(first)}): write"
            " them with a decimal point and without marks for thousands, if they are numbers.",
            DataWarning,
            stacklevel=2,
        )


def unreadable(path: Path, error: Exception) -> InputError:
    """The error for a table that its reader does not understand."""
    if isinstance(error, UnicodeDecodeError):
        return InputError(
            f"{path} is no text in UTF-8: save it in that encoding (spreadsheets call it 'CSV"
            " UTF-8')."
        )
    if type(error).__name__ == "ParserWarning":  # of pandas
        return InputError(
            f"{path}: rows hold more values than the first line has names: name every column."
        )
    if found := _UNEVEN.search(str(error)):
        wanted, line, seen = found.groups()
        return InputError(
            f"{path}: line {line} has {seen} cells, but those before it have {wanted}: begin with"
            " the line of names, and put texts that hold the sign between columns into quotation"
            " marks."
        )
    if "out of memory" in told(error):
        return MemoryLimitError(f"{path}, read as a whole, does not fit into the memory: split it.")
    return InputError(f"{path} cannot be read as a table ({told(error)}): write it again.")


def _rows(words: Series) -> str:
    rows = [int(row) + 1 for row in words.index[:5]]
    more = ", …" if len(words) > len(rows) else ""
    return f"row{'s' * (len(words) > 1)} {', '.join(map(str, rows))}{more}"


def _first_lines(path: Path) -> list[str]:
    with (
        opened(path) as content,
        io.TextIOWrapper(content, encoding="utf-8-sig", newline="") as file,
    ):
        return list(islice(file, _JUDGED))


def _is_tabs(path: Path) -> bool:
    return ".tsv" in (suffix.lower() for suffix in path.suffixes[-2:])


def _sign(path: Path, lines: Sequence[str]) -> str:
    """The sign between the columns: tabs in a ``.tsv``, else what the lines agree on."""
    if _is_tabs(path):
        if len(next(_cells(lines, "\t"), [])) == 1 and any(mark in lines[0] for mark in ",;"):
            raise InputError(
                f"{path}: the columns are not separated by tabs: write it with tabs, or name it"
                " .csv."
            )
        return "\t"
    heads = {
        sign: next(_cells(lines, sign), []) if any(sign in line for line in lines) else []
        for sign in _SIGNS
    }
    possible = [sign for sign, cells in heads.items() if len(cells) > 1]
    if len(possible) > 1:  # a text in one of the columns holds the other sign
        agreed = [sign for sign in possible if _agree(lines, sign)]
        numbers = [sign for sign in agreed if all(_is_number(cell, sign) for cell in heads[sign])]
        possible = numbers or agreed or possible
    if len(possible) > 1:
        names = " or with ".join(_SIGNS[sign] for sign in possible)
        raise InputError(
            f"{path} can be read with {names} between columns: put names and texts that hold such"
            " a sign into quotation marks."
        )
    return possible[0] if possible else ","


def _cells(lines: Sequence[str], sign: str) -> Iterator[list[str]]:
    return (cells for cells in csv.reader(lines, delimiter=sign) if cells)


def _agree(lines: Sequence[str], sign: str) -> bool:
    """Whether all rows have as many cells; the last may be cut within a quotation."""
    rows = list(_cells(lines, sign))
    whole = rows[:-1] if len(lines) == _JUDGED else rows
    return len({len(cells) for cells in whole}) == 1


def _check_head(path: Path, head: DataFrame, sign: str, may_lack_name: bool) -> None:
    """Refuse a first line that holds data or a name twice, or that begins a nameless index."""
    names = list(head.iloc[0])
    is_nameless = names[0] != names[0]  # an empty cell, which pandas reads as NaN
    if is_nameless and may_lack_name:
        names = names[1:]
    elif is_nameless:
        raise InputError(
            f"{path}: the first column has no name: name it, or write the table without its index."
        )
    if names != list(range(len(names))) and all(_is_number(name, sign) for name in names):
        raise InputError(
            f"{path}: the first line holds numbers, not the names of the columns: add a line of"
            " names."
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{path} has two columns named {twice[0]!r}: give each its own name.")
    if len(names) == 1 and "|" in str(names[0]):
        raise InputError(
            f"{path}: the columns are not separated by commas, semicolons or tabs: write it with"
            " commas."
        )


def _is_number(name: object, sign: str) -> bool:
    if isinstance(name, Real):
        return True
    return sign != "," and isinstance(name, str) and re.fullmatch(_COMMA, name) is not None


def _parsed(path: Path, sign: str) -> DataFrame:
    import pandas

    # rows longer than the first line would lose their end with a warning only
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        with opened(path) as file:
            frame = pandas.read_csv(file, sep=sign, index_col=False, low_memory=False)
            return unmarked(frame)


def _put_decimals(path: Path, frame: DataFrame, texts: DataFrame) -> str | None:
    """Put numbers with decimal commas into the columns that hold them; gives one of them.

    ``texts`` are the cells as they were written. A comma is a decimal sign where one of the file's
    cannot stand for thousands, and where no other number has a decimal point.
    """
    found: dict[str, Series] = {}
    example, point, doubtful = None, None, None
    for name, column in texts.items():
        cells = column.dropna().str.strip()
        has_comma = cells.str.fullmatch(_COMMA).astype(bool)
        has_point = cells.str.fullmatch(_POINT).astype(bool)
        if not has_comma.any():
            if has_point.any() and frame[name].dtype.kind == "f":
                point = point or (name, cells[has_point].iloc[0])
            continue
        is_whole = cells.str.fullmatch(_WHOLE).astype(bool)
        if (odd := has_point & ~is_whole).any() and (has_comma | has_point | is_whole).all():
            point = point or (name, cells[odd].iloc[0])
        if not (has_comma | has_point | is_whole).all():
            continue
        found[str(name)] = cells
        decimal = cells[has_comma & ~cells.str.fullmatch(_THOUSANDS).astype(bool)]
        example = example or next(iter(decimal), None)
        doubtful = doubtful or (name, cells[has_comma].iloc[0])
    if doubtful is None:
        return None
    if point is not None:
        raise InputError(
            f"{path} holds {doubtful[1]!r} in column {doubtful[0]!r} and {point[1]!r} in column"
            f" {point[0]!r}: write all decimals with a point, or all with a comma."
        )
    if example is None:
        raise InputError(
            f"{path}: {doubtful[1]!r} in column {doubtful[0]!r} may be {_with_point(doubtful[1])}"
            f" or {doubtful[1].replace(',', '')}: write it with a decimal point, or without marks"
            " for thousands."
        )
    for name, cells in found.items():
        frame[name] = cells.map(_with_point).astype(float).reindex(frame.index)
    return example


def _with_point(text: str) -> str:
    return text.replace(".", "").replace(",", ".")
