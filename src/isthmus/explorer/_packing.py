"""Numbers as text inside the page: moments as differences, byte by byte, deflated."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

_STEPS = 65535
_LEVEL = 6  # of zlib; what is above takes long and saves nothing


def deflated(values: np.ndarray) -> dict[str, Any]:
    """Whole numbers of 8 or 16 bits, ``(moments, count)``, for ``front/packing.js``.

    Each moment is kept as the difference from the one before it, low bytes first and high ones
    after them: what changes little takes little.
    """
    rows = values.reshape(len(values), -1)
    steps = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # around, as the type does
    planes = [steps.astype(np.uint8)]
    if values.dtype.itemsize == 2:
        planes.append((steps.view(np.uint16) >> 8).astype(np.uint8))
    content = zlib.compress(b"".join(plane.tobytes() for plane in planes), _LEVEL)
    return {
        "packed": base64.b64encode(content).decode(),
        "bits": 8 * values.dtype.itemsize,
        "moments": len(rows),
    }


def packed_pixels(pictures: np.ndarray) -> dict[str, Any]:
    """Pictures ``(n, c, h, w)`` in [0, 1], one after another."""
    return deflated((pictures.reshape(1, -1) * 255).clip(0, 255).round().astype(np.uint8))


def packed_reals(values: np.ndarray) -> dict[str, Any]:
    """Real numbers, ``(moments, n, axes)``, in 65,535 steps between the extremes of each axis."""
    low, high = values.min((0, 1)), values.max((0, 1))
    share = (values - low) / np.where(high > low, high - low, 1)
    steps = (share * _STEPS).round().astype(np.uint16)
    return {"low": low.tolist(), "high": high.tolist(), "values": deflated(steps)}


def packed_halves(values: Mapping[str, Tensor]) -> dict[str, Any]:
    """Weights by name in half precision, one after another; whole numbers stay as they are."""
    tensors: list[dict[str, Any]] = []
    halves = [np.empty(0, "<f2")]
    for name, value in values.items():
        tensors.append({"name": name, "shape": list(value.shape)})
        if value.is_floating_point():
            halves.append(value.float().numpy().ravel().astype("<f2"))
        else:
            tensors[-1]["numbers"] = value.flatten().long().tolist()
    return {"tensors": tensors, "values": deflated(np.concatenate(halves).view(np.uint16)[None])}


def packed_weights(values: Mapping[str, np.ndarray], bits: int) -> dict[str, Any]:
    """Weights by name at several moments, each ``(moments, *shape)``, in whole steps of so many
    bits between the extremes of a row, that of one output.
    """
    tensors, parts = [], []
    for name, value in values.items():
        rows = value.shape[1] if value.ndim > 2 else 1
        found = value.reshape(len(value), rows, -1).astype(np.float64)
        scales = np.abs(found).max((0, 2), initial=0) / (2 ** (bits - 1) - 1)
        scales = np.where(scales > 0, scales, 1)
        parts.append((found / scales[:, None]).round().astype(np.int16).reshape(len(value), -1))
        tensors.append(
            {
                "name": name,
                "shape": list(value.shape[1:]),
                "scales": [float(f"{scale:.5g}") for scale in scales],
            }
        )
    return {
        "tensors": tensors,
        "values": deflated(np.concatenate(parts, axis=1)) if parts else None,
    }
