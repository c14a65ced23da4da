"""Arrays as pictures: any layout to images in [0, 1], and many images as one."""

from __future__ import annotations

import numpy as np

from isthmus.data._layout import layout_of
from isthmus.data._scaling import PIXELS
from isthmus.data.frames import Values
from isthmus.errors import InputError


def as_images(
    x: Values,
    *,
    channels: str = "auto",
    image_shape: tuple[int, ...] | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Examples as images in [0, 1] to look at: ``(n, h, w)``, or ``(n, h, w, 3)`` in colour.

    Args:
        x: ``(n, h, w)``, ``(n, c, h, w)`` or ``(n, h, w, c)`` with 1, 3 or 4 channels (the fourth,
            opacity, is left out), or rows ``(n, c * h * w)`` with ``image_shape``.
        channels: ``"first"`` or ``"last"`` settles which axis is the colour, where the shape alone
            does not.
        image_shape: (channels, height, width) of the image that a flat row holds.
        span: the values that become black and white; what lies beyond is clipped. uint8 and
            uint16 always span 0 to the greatest that they hold.

    Raises:
        InputError: for examples that are no images.
    """
    x = np.asarray(x)
    if image_shape is None and x.ndim not in (3, 4):
        raise InputError(
            f"x of shape {x.shape} holds no images: give (n, h, w), (n, c, h, w) or (n, h, w, c), "
            "or rows together with image_shape=(channels, height, width)."
        )
    inside = layout_of(x.shape[1:], channels, image_shape)[1].transform(x)  # (n, c, h, w)
    if inside.shape[1] not in (1, 3, 4):
        raise InputError(
            f"x of shape {x.shape} holds no images: {inside.shape[1]} channels, but images have 1,"
            " 3 or 4."
        )
    low, high = (0.0, PIXELS[x.dtype]) if x.dtype in PIXELS else span
    scaled = np.nan_to_num((inside.astype(np.float32) - low) / ((high - low) or 1.0)).clip(0, 1)
    return scaled[:, 0] if inside.shape[1] == 1 else np.moveaxis(scaled[:, :3], 1, -1)


def mosaic(
    images: np.ndarray, rows: int, columns: int, *, pad: int = 1, background: float = 1.0
) -> np.ndarray:
    """Many images as one, row by row from the top left.

    Args:
        images: ``(n, h, w)`` or ``(n, h, w, 3)``, at most ``rows * columns`` of them; what is
            missing stays background.
        rows, columns: how they are laid out.
        pad: pixels between neighbours; there are none around the edge.
        background: the grey between and behind the images; 1 is white.

    Returns:
        ``(rows * (h + pad) - pad, columns * (w + pad) - pad)``, and the colours of the images.
    """
    if images.ndim not in (3, 4) or len(images) > rows * columns:
        raise InputError(
            f"images of shape {images.shape} do not fit into rows={rows} and columns={columns}: "
            "give (n, h, w) or (n, h, w, 3) with n of at most rows * columns."
        )
    n, h, w, *colour = images.shape
    tiles = np.full((rows * columns, h + pad, w + pad, *colour), background, dtype=np.float32)
    tiles[:n, :h, :w] = images
    # (rows * columns, h, w) -> (rows, columns, h, w) -> (rows, h, columns, w) -> (rows * h, columns
    # * w)
    whole = (
        tiles.reshape(rows, columns, *tiles.shape[1:])
        .swapaxes(1, 2)
        .reshape(rows * (h + pad), columns * (w + pad), *colour)
    )
    return whole[: whole.shape[0] - pad, : whole.shape[1] - pad]
