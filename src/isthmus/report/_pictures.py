"""Figures as text: PNG data that stands inside the page."""

from __future__ import annotations

import base64
import io

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from isthmus.figures._style import INK, QUIET

# points of the screen that an inch of a figure takes at the most, so that its text is as large as
# the page's
POINTS = 74
_INK = "#6b7682"  # as far from white as from the dark page: 4.6 and 4.1 by the contrast of WCAG
_INKS = {INK, QUIET, "#000000"}
_DENSITY = 2 * POINTS  # pixels an inch: sharp on a screen with two pixels a point


def figure_data(figure: Figure) -> str:
    """A figure as a data URI, without paper and in an ink that is read on light and dark pages."""
    _adapt(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DENSITY)
    return data_uri(buffer.getvalue(), "png")


def _adapt(figure: Figure) -> None:
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=_INK, labelcolor=_INK)
    for text in figure.findobj(Text):
        if to_hex(text.get_color()) in _INKS:
            text.set_color(_INK)
    for line in figure.findobj(Line2D):
        if to_hex(line.get_color()) in _INKS:
            line.set_color(_INK)


def data_uri(content: bytes, kind: str) -> str:
    """What a page shows without a file beside it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
