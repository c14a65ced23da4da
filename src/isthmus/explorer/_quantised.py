"""Quantised members in the page: grids of indices, the entries that they choose from, and colours
by which like entries look alike.
"""

from __future__ import annotations

import base64
import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data.datasets import Part
from isthmus.explorer._shown import Shown
from isthmus.models._quantised import QuantizedBottleneck
from isthmus.quantizers.base import Quantizer

_MOST = 4096  # entries of a level that the page carries; of more, those that examples use
_LIGHT, _SPREAD, _CHROMA = 0.66, 0.17, 0.13  # of OKLab: the middle, and how far colours go from it


def quantised_of(one: Shown, pictured: int, training: Part) -> dict[str, Any] | None:
    """The grids of a quantised member as JSON; None for other members.

    A vector is the sum of one table's row for each of its indices, and of a ``base``; so are those
    of all quantizers of the package. ``levels`` holds one grid an index: where its indices begin in
    the flat row of an example, where the vectors of its quantizer begin in the flat code, and its
    entries. ``rows`` are the indices of the examples that have a picture, ``training`` those of
    training examples.
    """
    bottleneck = one.model.module_.bottleneck
    if not isinstance(bottleneck, QuantizedBottleneck):
        return None
    rows = one.posterior(one.pictures[:pictured], _first(one.conditions, pictured))
    trained = one.posterior(*one.read(training))
    shown, other = (found[one.says.index("indices")].astype("<i4") for found in (rows, trained))
    indices = np.concatenate([shown, other])
    levels: list[dict[str, Any]] = []
    first, start = 0, 0
    names = [suffix.removeprefix("_").replace("_", " ") for suffix in bottleneck.suffixes]
    for each, grid, name in zip(
        bottleneck.level_quantizers, bottleneck.vector_grids, names, strict=True
    ):
        places, count = math.prod(grid), len(each.levels)
        for number, (used, table) in enumerate(_tables(each, indices, first, places)):
            levels.append(
                {
                    "name": _name(name, number, count),
                    "grid": list(_plane(grid)),
                    "first": first,
                    "start": start,
                    "shared": count > 1,
                    "entries": used.tolist(),
                    "table": _text(table.astype("<f4")),
                    "colours": colours(table),
                }
            )
            first += places
        start += bottleneck.dim * places
    return {
        "dim": bottleneck.dim,
        "levels": levels,
        "rows": _text(shown),
        "training": _text(other),
    }


def _first(conditions: Tensor | None, count: int) -> Tensor | None:
    return None if conditions is None else conditions[:count]


def _tables(
    quantizer: Quantizer, indices: np.ndarray, first: int, places: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each index of a vector the entries that are carried, and what each adds to the vector;
    the first table holds what does not depend on any index too.
    """
    count = len(quantizer.levels)
    found = []
    with torch.no_grad():
        base = _vectors(quantizer, np.zeros((1, count), dtype=np.int64))
        for number, size in enumerate(quantizer.levels):
            start = first + number * places
            own = np.unique(indices[:, start : start + places]).astype(np.int64)
            entries = np.arange(size) if size <= _MOST else own
            rows = np.zeros((len(entries), count), dtype=np.int64)
            rows[:, number] = entries
            found.append((entries, _vectors(quantizer, rows) - (base if number else 0)))
    return found


def _vectors(quantizer: Quantizer, rows: np.ndarray) -> np.ndarray:
    """The vectors ``(n, dim)`` of indices ``(n, k)``."""
    given = torch.from_numpy(rows if rows.shape[1] > 1 else rows[:, 0])
    place = given[:, None] if rows.shape[1] == 1 else given[:, None, :]  # a grid of one place
    return np.asarray(quantizer.embed(place).float().cpu()[:, :, 0].numpy())


def colours(table: np.ndarray) -> list[str]:
    """A colour for each row of a table, alike for rows that are alike: the first three principal
    components are lightness and the two opponent axes of OKLab.

    Reference:
        B. Ottosson, A perceptual color space for image processing, 2020.
    """
    centred = table - table.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    parts = np.zeros((len(table), 3))
    kept = (centred @ directions[:3].T)[:, : min(3, len(directions))]
    reach = np.quantile(np.abs(kept), 0.95, axis=0)
    parts[:, : kept.shape[1]] = (kept / np.where(reach > 0, reach, 1)).clip(-1, 1)
    return oklab_to_hex(parts * [_SPREAD, _CHROMA, _CHROMA] + [_LIGHT, 0, 0])


def oklab_to_hex(lab: np.ndarray) -> list[str]:
    """Colours ``(n, 3)`` of OKLab as sRGB, brought into its range channel by channel."""
    to_cones = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = ((lab @ to_cones.T) ** 3 @ to_linear.T).clip(0, 1)
    values = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [
        "#" + "".join(f"{channel:02x}" for channel in row)
        for row in (255 * values).round().astype(int)
    ]


def _name(level: str, number: int, count: int) -> str:
    kinds = {"top": "coarse", "bottom": "fine"}
    parts = [kinds.get(level, level), f"index {number + 1} of {count}" if count > 1 else ""]
    return ", ".join(part for part in parts if part) or "code"


def _plane(grid: tuple[int, ...]) -> tuple[int, int]:
    return (1, grid[0]) if len(grid) == 1 else (grid[0], math.prod(itertools.islice(grid, 1, None)))


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
