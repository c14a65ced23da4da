"""Columns of text whose cells look like dates, or like numbers with a sign such as %."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import Series

_CLOCK = r"([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*([AaPp][Mm]|Z|[+-]\d{2}:?\d{2})?)?"
_DATE = re.compile(rf"(\d{{4}}([-./])\d\d?\2\d\d?|\d\d?([-./])\d\d?\3(\d{{4}}|\d{{2}})){_CLOCK}")
_AMOUNT = r"[-+−]?\d[\d.,'’ \u00a0]*"
_SIGN = r"[%‰€$£¥₹]"
_NUMBER = re.compile(rf"[-+−]?{_SIGN}\s*{_AMOUNT}|{_AMOUNT}\s*{_SIGN}")
_SHARE = 0.9  # of the different cells, which look so
_JUDGED = 1000  # different cells


def resemblance(cells: Series) -> str | None:
    """What text reads like, and what makes it that: the middle of a sentence, or None."""
    texts = [cell.strip() for cell in cells.unique()[:_JUDGED] if isinstance(cell, str)]
    for pattern, what in (
        (_DATE, "a date: convert it with pandas.to_datetime, or write it as 2024-01-31"),
        (_NUMBER, "a number with a sign: write the number alone"),
    ):
        alike = [text for text in texts if pattern.fullmatch(text)]
        if alike and len(alike) >= _SHARE * len(texts):
            return f"{alike[0]!r}, which looks like {what}"
    return None
