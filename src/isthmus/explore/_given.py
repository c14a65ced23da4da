"""What the front end of the explorer is given: live models, codes of examples, their pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from isthmus.data._scaling import PIXELS
from isthmus.data.datasets import Data
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.explore.graph import Decoding, Encoding, Graph, traced, units
from isthmus.figures._classes import classes_of
from isthmus.figures._style import PALETTE

_EXAMPLES = 2000
_AXES = 8  # directions that have a slider, the plane's two included
_MARGIN = 0.06


def given(models: Sequence[Estimator], labels: Sequence[str], data: Data) -> dict[str, Any]:
    """All that the explorer shows of some models and a data set, as JSON."""
    part = data.test.take(slice(_EXAMPLES))
    shape = models[0].preprocessor_.spec.shape
    if len(shape) != 3:
        raise InputError(
            f"the explorer shows images, but {labels[0]} was trained on examples of shape {shape}."
        )
    unit = float(PIXELS.get(part.x.dtype, 1))
    pictures = np.asarray(part.x, dtype=np.float32).reshape(len(part), *shape) / unit
    classes = classes_of(data)
    return {
        "shape": list(shape),
        "examples": _text((pictures * 255).clip(0, 255).astype(np.uint8)),
        "labels": None if part.y is None else [int(label) for label in part.y],
        "classes": [] if part.y is None else list(classes.names),
        "colours": [PALETTE[0]] if part.y is None else [_hex(colour) for colour in classes.colours],
        "moments": 1,
        "models": [
            _model(model, label, pictures, unit)
            for model, label in zip(models, labels, strict=True)
        ],
    }


def _model(model: Estimator, label: str, pictures: np.ndarray, unit: float) -> dict[str, Any]:
    shown_in = units(model.preprocessor_.scaling, unit)
    encoding = Encoding(model.module_, *shown_in)
    decoding = Decoding(model.module_, *shown_in)
    with torch.no_grad():
        found = encoding(torch.from_numpy(pictures))[0]
        errors = (decoding(found) - torch.from_numpy(pictures)).square().flatten(1).sum(1)
    codes = found.numpy().astype(np.float64)
    centre, directions, deviations, names = _axes(codes)
    shown = (codes - centre) @ directions.T
    decoder = traced(decoding, codes.shape[1:])
    encoder = traced(encoding, pictures.shape[1:])
    tensors, weights = _packed(decoder, encoder)
    return {
        "label": label,
        "codes": _text(codes.astype("<f4")),
        "centre": centre.tolist(),
        "directions": directions.tolist(),
        "deviations": deviations.tolist(),
        "names": names,
        "axes": names[:2],
        "view": _view(shown),
        "decoder": decoder.to_json(),
        "encoder": encoder.to_json(),
        "tensors": tensors,
        "moments": [{"epoch": len(model.history_), "weights": weights}],
        "usual": np.sort(errors.numpy()).tolist(),
    }


def _axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """The plane's axes and those beyond: the code's own up to two, else principal directions."""
    size = codes.shape[1]
    if size <= 2:
        names = ["z₁", "z₂"][:size]
        return np.zeros(size), np.eye(size), codes.std(0), names
    centre = codes.mean(0)
    _, sizes, directions = np.linalg.svd(codes - centre, full_matrices=False)
    kept = min(_AXES, size)
    names = [f"PC {place + 1}" for place in range(kept)]
    return centre, directions[:kept], sizes[:kept] / np.sqrt(len(codes)), names


def _view(shown: np.ndarray) -> list[float]:
    """Left, right, bottom, top: a square around the codes, so that a few far ones do not decide."""
    plane = shown[:, :2] if shown.shape[1] > 1 else np.column_stack([shown, 0 * shown])
    low, high = np.quantile(plane, [0.002, 0.998], axis=0)
    middle, half = (low + high) / 2, (high - low).max() / 2 * (1 + 2 * _MARGIN)
    half = half if half > 0 else 1.0
    return [middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half]


def _packed(*graphs: Graph) -> tuple[list[dict[str, Any]], str]:
    """The weights of some graphs, one after another in half precision, and where each lies."""
    weights = {name: value for graph in graphs for name, value in graph.weights.items()}
    tensors, parts, start = [], [], 0
    for name, value in weights.items():
        kind = "float16" if value.is_floating_point() else "float32"
        numbers = value.float().numpy().astype("<f2" if kind == "float16" else "<f4").tobytes()
        tensors.append({"name": name, "shape": list(value.shape), "type": kind, "start": start})
        parts.append(numbers)
        start += len(numbers)
    return tensors, base64.b64encode(b"".join(parts)).decode()


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)
