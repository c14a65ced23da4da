"""Figures as text: PNG data that stands inside the page."""

from __future__ import annotations

import base64
import io

from matplotlib.figure import Figure

# points of the screen that an inch of a figure takes at the most, so that its text is as large as
# the page's
POINTS = 74
_DENSITY = 2 * POINTS  # pixels an inch: sharp on a screen with two pixels a point


def figure_data(figure: Figure) -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DENSITY)
    return _uri(buffer.getvalue(), "png")


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
