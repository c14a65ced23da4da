"""What a notebook is shown: short tables in HTML, and one output that changes in its place.

Colours are those of the page around, so that all of it is readable on light and on dark paper.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from html import escape
from typing import Any

from isthmus.core.wording import printable

_SPARK = 30  # points of a small curve
_LEFT = ' style="text-align:left"'


def in_notebook() -> bool:
    """Whether this process answers a notebook, and not a terminal or a script."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class LiveOutput:
    """One output of a cell, which is replaced and never added to.

    Args:
        page: what is shown first, in HTML.
        text: the same for what shows no HTML.
    """

    def __init__(self, page: str, text: str) -> None:
        from IPython.display import display  # it is there where a notebook asks

        self._handle: Any = display(_bundle(page, text), raw=True, display_id=True)

    def update(self, page: str, text: str) -> None:
        """Replace what is shown."""
        self._handle.update(_bundle(page, text), raw=True)


class HTMLCell(str):
    """A cell of a table that is HTML already."""


def html_table(
    caption: str,
    rows: Sequence[Sequence[object]],
    head: Sequence[object] = (),
    foot: str = "",
    longest: int = 12,
    is_text: bool = False,
) -> str:
    """A table in HTML; of many rows the first and the last, and how many are between.

    Args:
        caption: what stands above it, in bold.
        rows: the cells, the first of each row flush left.
        head: names of the columns.
        foot: what stands below it, in HTML.
        longest: how many rows are shown.
        is_text: whether cells are words, which are flush left, and not numbers.
    """
    first = longest // 2
    shown = [_row(row, "td", is_text) for row in rows[:first]]
    if len(rows) > longest:
        between = f"… {len(rows) - longest:,} more …"
        shown.append(f'<tr><td colspan="{len(rows[0])}"{_LEFT}>{between}</td></tr>')
    rest = rows[max(first, len(rows) - longest + first) :]
    shown += [_row(row, "td", is_text) for row in rest]
    top = f"<thead>{_row(head, 'th', is_text)}</thead>" if head else ""
    below = f"<div>{foot}</div>" if foot else ""
    return (
        f"<div><strong>{as_html(caption)}</strong>"
        f'<table style="font-variant-numeric:tabular-nums">{top}<tbody>{"".join(shown)}</tbody>'
        f"</table>{below}</div>"
    )


def as_html(value: object) -> str:
    """A value as HTML shows it."""
    return str(value) if isinstance(value, HTMLCell) else escape(printable(str(value)))


def curve(values: Sequence[float]) -> HTMLCell:
    """A small curve of some values, as a cell."""
    values = [value for value in values if math.isfinite(value)] or [0.0]
    step = max(1, -(-len(values) // _SPARK))
    chosen = [*values[::step], *([values[-1]] if (len(values) - 1) % step else [])]
    low, high = min(chosen), max(chosen)
    across = 70 / max(len(chosen) - 1, 1)
    points = " ".join(
        f"{1 + i * across:.0f},{1 + 16 * (high - value) / ((high - low) or 1):.0f}"
        for i, value in enumerate(chosen)
    )
    return HTMLCell(
        f'<svg width="72" height="18"><polyline points="{points}" fill="none"'
        ' stroke="currentColor" stroke-width="1.3"/></svg>'
    )


def _row(cells: Sequence[object], tag: str, is_text: bool) -> str:
    """A row, its first cell flush left, and the numbers behind it flush right."""
    filled = [
        f"<{tag}{_LEFT * (is_text or not place)}>{as_html(cell)}</{tag}>"
        for place, cell in enumerate(cells)
    ]
    return f'<tr style="text-align:right">{"".join(filled)}</tr>'


def _bundle(page: str, text: str) -> dict[str, str]:
    return {"text/html": page, "text/plain": text}
