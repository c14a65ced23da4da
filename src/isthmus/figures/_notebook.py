"""What a notebook shows of figures and films, without anything switched on."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

_SCREEN = 96  # pixels of a notebook's page that are an inch
_LARGEST = 20 * 2**20  # bytes of a film that a notebook is made to hold


class ShownFigure(Figure):
    """A figure of matplotlib that a notebook shows as the last value of a cell.

    Matplotlib registers that for figures of pyplot alone, and once pyplot is imported. Where it is,
    the format that was chosen there (``%config InlineBackend.figure_formats``) is the one shown;
    in no case is a figure shown twice.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture, and how large it is on a page; sharp also where a point is two pixels."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=2 * _SCREEN)
        width, height = self.get_size_inches()
        return buffer.getvalue(), {
            "width": round(width * _SCREEN),
            "height": round(height * _SCREEN),
        }

    def __repr__(self) -> str:
        width, height = self.get_size_inches()
        return f"<Figure of {width:.1f} × {height:.1f} inches: savefig('figure.png') writes it>"


class FilmPath(type(Path())):  # type: ignore[misc]  # the path of this system
    """The path of a film, which a notebook shows."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        words = {"text/plain": str(self)}
        if not self.is_file() or self.stat().st_size > _LARGEST:
            return words
        content = base64.b64encode(self.read_bytes()).decode()
        if self.suffix.lower() == ".gif":
            return words | {"image/gif": content}
        source = f"data:video/mp4;base64,{content}"
        return words | {
            "text/html": f'<video controls loop muted autoplay style="max-width:100%"'
            f' src="{source}"></video>'
        }
