"""Pictures as text: figures and pixels as PNG data that stand inside the page."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from isthmus.data.datasets import Data
from isthmus.data.frames import Values
from isthmus.figures._images import as_images
from isthmus.figures._tiles import Pictures, tiles_for

# points of the screen that an inch of a figure takes at the most, so that its text is as large as
# the page's
POINTS = 74
_DENSITY = 2 * POINTS  # pixels an inch: sharp on a screen with two pixels a point
_LONGEST = 720  # pixels along an edge of what is no figure
_LARGE = 1 << 16  # values from which PNG would make the page heavy


def figure_data(figure: Figure) -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DENSITY)
    return _uri(buffer.getvalue(), "png")


def pixel_data(picture: np.ndarray) -> str:
    """An image ``(h, w)`` or ``(h, w, 3)`` in [0, 1] as a data URI; a large one is a WebP."""
    image, buffer = Image.fromarray((picture * 255).round().astype(np.uint8)), io.BytesIO()
    image.thumbnail((_LONGEST, _LONGEST))
    if math.prod(image.size) * len(image.getbands()) > _LARGE:
        image.save(buffer, format="WEBP", quality=80)
        return _uri(buffer.getvalue(), "webp")
    image.save(buffer, format="PNG", optimize=True)
    return _uri(buffer.getvalue(), "png")


def images_of(x: Values, model: Any, data: Data) -> np.ndarray | None:
    """Examples as images ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 1]; None for rows of a table."""
    tiles = tiles_for(model, data)
    if not isinstance(tiles, Pictures):
        return None
    # pixels come back in [0, 1], unless another scaling was asked for.
    span = (
        (0.0, tiles.white)
        if tiles.white is not None and model.preprocessor_.scaling.kind != "pixels"
        else tiles.span
    )
    return as_images(x, channels=tiles.channels, image_shape=tiles.image_shape, span=span)


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
