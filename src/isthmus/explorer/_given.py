"""What the front end of the explorer is given: live models, codes of examples, their pictures."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.colors import to_hex

from isthmus.data.datasets import Data, Part
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.explorer._parts import parts_of, training_of
from isthmus.explorer._shown import Shown
from isthmus.figures._classes import classes_of
from isthmus.figures._style import PALETTE

EXAMPLES = 2000
_AXES = 8  # directions that have a slider, the plane's two included
_MARGIN = 0.06
_MOMENTS = 5 * 2**18  # bytes of a model's weights at all moments but the last


def given(
    shown: Sequence[Shown], part: Part, data: Data, served: Collection[str] = ()
) -> dict[str, Any]:
    """All that the explorer shows of some models and a part of a data set, as JSON; the networks of
    those that are ``served`` are not in it.
    """
    first = shown[0]
    for one in shown:
        if one.shape != first.shape:
            raise InputError(
                f"{one.label} was trained on images of shape {one.shape}, but {first.label} on"
                f" {first.shape}: explore those of one shape together."
            )
    pictures = first.pictures.numpy()
    classes = classes_of(data)
    has_classes = part.y is not None
    return {
        "shape": list(first.shape),
        "examples": _text((pictures * 255).clip(0, 255).round().astype(np.uint8)),
        "labels": None if part.y is None else [int(label) for label in part.y],
        "classes": list(classes.names) if has_classes else [],
        "colours": [to_hex(c) for c in classes.colours] if has_classes else [PALETTE[0]],
        "drawn": _drawn(pictures),
        "models": [
            _model(one, place if one.label in served else None, part, data)
            for place, one in enumerate(shown)
        ],
        "training": training_of(shown, data),
    }


def _drawn(pictures: np.ndarray) -> dict[str, Any]:
    """How examples lie in their frame, so that a drawing can be brought to lie so too: which share
    of it the longer side takes, and where the centre of mass is.
    """
    ink = pictures.mean(1)
    sides, centres = [], []
    for picture in ink[ink.max((1, 2)) > 0]:
        rows, columns = np.nonzero(picture > 0.25 * picture.max())
        sides.append(max(np.ptp(rows) + 1, np.ptp(columns) + 1))
        weights = picture[rows, columns]
        centres.append(
            [np.average(columns + 0.5, weights=weights), np.average(rows + 0.5, weights=weights)]
        )
    if not sides:
        return {"fill": 0.75, "centre": [0.5, 0.5]}
    height, width = ink.shape[1:]
    middle = np.mean(centres, axis=0) / [width, height]
    return {"fill": float(np.median(sides)) / max(height, width), "centre": middle.tolist()}


def _model(one: Shown, served: int | None, part: Part, data: Data) -> dict[str, Any]:
    """What is shown of one model; under ``served``, its place, its networks stay where they are."""
    codes = one.codes()
    centre, directions, deviations, names = _axes(codes)
    known = {
        "label": one.label,
        "centre": centre.tolist(),
        "directions": directions.tolist(),
        "deviations": deviations.tolist(),
        "names": names,
        "axes": names[:2],
        "view": _view((codes - centre) @ directions.T),
        "usual": np.sort(one.errors()).tolist(),
    }
    known |= parts_of(one, known, data, part)
    if served is not None:
        return known | {"served": served, "moments": [_moment(_end(one.model), {}, codes)]}
    decoder, encoder = one.graphs
    return known | {
        "decoder": decoder.to_json(),
        "encoder": encoder.to_json(),
        "moments": list(_moments(one)),
    }


def _end(model: Estimator) -> int:
    return int(model.history_[-1]["epoch"]) if model.history_ else 0


def _axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """The plane's axes and those beyond: the code's own up to two, else principal directions."""
    size = codes.shape[1]
    if size <= 2:
        return np.zeros(size), np.eye(size), codes.std(0), ["z₁", "z₂"][:size]
    centre = codes.mean(0)
    _, sizes, directions = np.linalg.svd(codes - centre, full_matrices=False)
    kept = min(_AXES, len(directions))
    names = [f"PC {place + 1}" for place in range(kept)]
    return centre, directions[:kept], sizes[:kept] / np.sqrt(len(codes)), names


def _view(shown: np.ndarray) -> list[float]:
    """Left, right, bottom, top: a square around the codes, far ones left out."""
    plane = shown[:, :2] if shown.shape[1] > 1 else np.column_stack([shown, 0 * shown])
    low, high = np.quantile(plane, [0.002, 0.998], axis=0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2 * (1 + 2 * _MARGIN)
    half = half if half > 0 else 1.0
    return [middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half]


def _moments(one: Shown) -> Iterator[dict[str, Any]]:
    """Codes of the examples and weights of the decoder at every moment that was kept and the page
    has room for; the last is the end, where the encoder's are there too.
    """
    decoder, encoder = one.graphs
    size = 2 * sum(value.numel() for value in decoder.weights.values())
    end = _end(one.model)
    before = [shot for shot in one.model.snapshots_ if shot.weights and shot.epoch < end]
    for place in _spread(len(before), _MOMENTS // size):
        shot = before[place]
        then = {f"module.{name}": torch.from_numpy(v).float() for name, v in shot.weights.items()}
        weights = {name: then.get(name, value) for name, value in decoder.weights.items()}
        yield _moment(shot.epoch, weights, one.codes(then))
    yield _moment(end, {**decoder.weights, **encoder.weights}, one.codes())


def _moment(epoch: int, weights: Mapping[str, torch.Tensor], codes: np.ndarray) -> dict[str, Any]:
    tensors, packed = _packed(weights)
    return {
        "epoch": epoch,
        "tensors": tensors,
        "weights": packed,
        "codes": _text(codes.astype("<f4")),
    }


def _spread(count: int, most: int) -> list[int]:
    """At most so many places from 0 to count − 1, evenly spread."""
    if count <= most:
        return list(range(count))
    return [round(place) for place in np.linspace(0, count - 1, most)] if most else []


def _packed(weights: Mapping[str, torch.Tensor]) -> tuple[list[dict[str, Any]], str]:
    """Weights one after another in half precision, and where each lies."""
    tensors: list[dict[str, Any]] = []
    parts: list[bytes] = []
    start = 0
    for name, value in weights.items():
        kind = "float16" if value.is_floating_point() else "float32"
        numbers = value.float().numpy().astype("<f2" if kind == "float16" else "<f4").tobytes()
        tensors.append({"name": name, "shape": list(value.shape), "type": kind, "start": start})
        parts.append(numbers)
        start += len(numbers)
    return tensors, base64.b64encode(b"".join(parts)).decode()


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
