"""Names and values as a message may show them: no sign steers a terminal or ends a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_SHOWN = 3  # values that a message names
# Control characters, halves of characters (of names that are no UTF-8), ends of lines and
# paragraphs, and marks that turn the direction of what follows.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""A text whose signs that cannot be shown are written out, such as ``\x1b``.

    Example:
        >>> printable("caf\udce9\n")
        'caf\\xe9\\n'
    """
    return _UNSHOWABLE.sub(lambda found: _written_out(found[0]), text)


def _written_out(sign: str) -> str:
    """A sign as Python writes it; a byte of a file's name that is no UTF-8 as that byte."""
    code = ord(sign)
    return rf"\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else repr(sign)[1:-1]


def printable_lines(text: str) -> str:
    """The same of a text of several lines, which stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def listed(values: Sequence[Any]) -> str:
    """A few values for a message, and how many more there are."""
    shown = ", ".join(map(repr, values[:_SHOWN]))
    return shown if len(values) <= _SHOWN else f"{shown} and {len(values) - _SHOWN} more"
