"""A data set at a glance, for notebooks: its parts, its classes, and a few examples."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from isthmus.core.notebook import as_html, html_table
from isthmus.core.players import player
from isthmus.data._layout import layout_of
from isthmus.data._scaling import PIXELS
from isthmus.data.frames import is_frame
from isthmus.data.sounds import Sounds
from isthmus.data.streams import Stream
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data.datasets import Data, Part

_PICTURES, _FEW = 12, 6  # how many at the most; classes that alone would be few
_HEIGHT, _TALLEST = 44, 96  # pixels of a page, and of a picture
_LONGEST = 4  # seconds of a sound
_COLUMNS, _ROWS, _NAMES, _LOOKED_AT = 8, 3, 10, 3000


def part_words(part: Part) -> str:
    """A part in a few words: ``1,437 of (1, 8, 8), uint8, 10 classes``."""
    kind = "" if is_frame(part.x) else f", {part.x.dtype}"
    labels = ""
    if part.y is not None:
        labels = f", {len(part.classes)} classes" if part.classes else ", with y"
    return f"{len(part):,} of {tuple(part.x.shape[1:])}{kind}{labels}"


def data_page(data: Data) -> str:
    """A data set as HTML: a line for each part, its classes, and a few examples."""
    rows = [(name, *_measures(part)) for name, part in (("train", data.train), ("test", data.test))]
    foot = [_classes(data.classes)] if data.classes else []
    first = data.train
    if is_frame(first.x):
        foot.append(_cells(first.x))
    elif isinstance(first, Sounds):
        foot.append(_players(first))
    elif not isinstance(first.x, Stream):
        foot.append(_strip(first))
    head = ("", "examples", "shape", "values")
    return html_table(f"Data {data.name!r}", rows, head, "".join(foot))


def _measures(part: Part) -> tuple[str, str, str]:
    shape = " × ".join(f"{side:,}" for side in part.x.shape[1:])
    if is_frame(part.x):
        return f"{len(part):,}", f"{shape} columns", "by column"
    kind = str(part.x.dtype)
    return f"{len(part):,}", shape, f"{kind}, read in batches" * isinstance(part.x, Stream) or kind


def _classes(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES]) + (", …" if len(names) > _NAMES else "")
    return f"<div>{len(names)} classes: {as_html(shown)}</div>"


def _cells(frame: Any) -> str:
    """The first rows and columns of a frame."""
    names = [str(name) for name in frame.columns[:_COLUMNS]]
    more = len(frame.columns) - len(names)
    rows = [
        [*(str(value)[:20] for value in frame.iloc[row, :_COLUMNS]), *["…"] * (more > 0)]
        for row in range(min(_ROWS, len(frame)))
    ]
    return html_table("", rows, [*names, *[f"{more} more"] * (more > 0)])


def _players(sounds: Sounds) -> str:
    """A few sounds to listen to, one of each file first."""
    firsts = np.unique(sounds.places, return_index=True)[1][:_FEW]
    some = sounds.take(firsts)
    lines = [
        f"<div>{player(x, sounds.sample_rate, name, _LONGEST * sounds.sample_rate)}"
        f" {as_html(name)}</div>"
        for x, name in zip(np.asarray(some.x), some.names, strict=True)
    ]
    return "".join(lines)


def _strip(part: Part) -> str:
    """Some examples as one picture, one of each class first; nothing where they are no images."""
    some = part.take(slice(_LOOKED_AT))
    chosen = np.arange(min(_PICTURES, len(some)))
    if some.y is not None and some.y.ndim == 1 and len(some):
        firsts = np.unique(some.y, return_index=True)[1]
        others = np.setdiff1d(chosen, firsts) if len(firsts) < _FEW else chosen[:0]
        chosen = np.concatenate([firsts, others])[:_PICTURES]
    x = np.asarray(some.x)[chosen]
    try:
        kind, layout = layout_of(x.shape[1:])
    except InputError:
        return ""
    if kind != "image" or not len(x) or layout.shape[0] not in (1, 3):
        return ""
    return _picture(_pixels(layout.transform(x)))


def _pixels(images: np.ndarray) -> np.ndarray:
    """Images ``(n, channels, height, width)`` side by side, ``(height, n * width, channels)``."""
    white = PIXELS.get(images.dtype)
    low, high = (0.0, float(white)) if white else (float(images.min()), float(images.max()))
    if white is None and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    shown = np.nan_to_num((images - low) / ((high - low) or 1.0)).clip(0, 1)
    framed = np.pad(shown, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=0.5)
    return (255 * np.concatenate(list(framed), axis=2).transpose(1, 2, 0)).astype(np.uint8)


def _picture(pixels: np.ndarray) -> str:
    """Pixels as an image of the page."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if image.height > _TALLEST:
        image = image.resize((round(image.width * _TALLEST / image.height), _TALLEST))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    source = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img alt="examples" src="data:image/png;base64,{source}"'
        f' style="height:{_HEIGHT}px;image-rendering:pixelated">'
    )
