"""What the front end of the explorer is given: models, codes of examples, their pictures."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.colors import to_hex

from isthmus.data.datasets import Data, Part
from isthmus.errors import InputError
from isthmus.explorer import _sounds as sounds
from isthmus.explorer._packing import packed_halves, packed_pixels, packed_weights
from isthmus.explorer._parts import parts_of, training_of
from isthmus.explorer._plane import Moment, evenly, plane_of
from isthmus.explorer._shown import Shown
from isthmus.explorer._still import Still
from isthmus.figures._classes import classes_of
from isthmus.figures._sounds import rate_of
from isthmus.figures._style import PALETTE, unescaped

PICTURES = 2000
"""Examples that have a picture in the page, at the most."""
DOTS = 10_000
"""Examples that are dots, at the most."""
_PIXELS = 3 * 2**21  # bytes of all pictures before they are packed
_VALUES = 2**25  # of all examples, while their codes are computed
_SMALL = 2**20  # weights of a network that encodes so many at every moment in no time
_WEIGHTS = 2**21  # of a decoder, at all moments but the last
_BITS = 10  # of a weight at those moments: less than a step of 256 greys


def shown_examples(data: Data, models: Sequence[Any]) -> Part:
    """The test examples that a page about some models shows, as many as it has room for."""
    sizes = [_size(model.module_) for model in models if hasattr(model, "module_")]
    most = DOTS if max(sizes, default=0) <= _SMALL else PICTURES
    return data.test.take(slice(min(most, max(1, _VALUES // math.prod(data.shape)))))


def given(
    shown: Sequence[Shown | Still], part: Part, data: Data, served: Collection[str] = ()
) -> dict[str, Any]:
    """All that the explorer shows of some models and a part of a data set, as JSON; the networks of
    those that are ``served`` are not in it.
    """
    shape, pictures = _pictures(shown)
    pictured = len(part) if shape is None else max(1, _PIXELS // math.prod(shape))
    pictured = min(pictured, PICTURES, len(part))
    classes = classes_of(data)
    has_classes = part.y is not None
    return {
        "shape": shape,
        "pictured": pictured,
        "examples": None if pictures is None else packed_pixels(pictures[:pictured]),
        "labels": None if part.y is None else [int(label) for label in part.y],
        "classes": [unescaped(name) for name in classes.names] if has_classes else [],
        "colours": [to_hex(c) for c in classes.colours] if has_classes else [PALETTE[0]],
        "drawn": None if pictures is None else _drawn(pictures[:pictured]),
        "models": [
            _still(one, pictured, len(shown))
            if isinstance(one, Still)
            else _live(one, place if one.label in served else None, part, data, pictured)
            for place, one in enumerate(shown)
        ],
        "training": training_of(shown, data),
        **_heard(shown, part),
    }


def _heard(shown: Sequence[Shown | Still], part: Part) -> dict[str, Any]:
    """The examples that can be heard; nothing where they are no sounds."""
    if rate_of(shown[0].model) is None:
        return {}
    some = part.take(slice(sounds.count_heard(part, len(shown))))
    return {"sounds": sounds.playable(some.x, shown[0].model)}


def _pictures(shown: Sequence[Shown | Still]) -> tuple[list[int] | None, np.ndarray | None]:
    """The examples as all models show them, and their shape; None where they are no images."""
    live = [one for one in shown if isinstance(one, Shown)]
    for one in live:
        if one.shape != live[0].shape:
            raise InputError(
                f"{one.label} was trained on images of shape {one.shape}, but {live[0].label} on"
                f" {live[0].shape}: explore those of one shape together."
            )
    first = live[0] if live else shown[0]
    pictures = first.pictures() if isinstance(first, Still) else first.pictures.numpy()
    return (None, None) if pictures is None else (list(pictures.shape[1:]), pictures)


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


def _still(one: Still, pictured: int, models: int) -> dict[str, Any]:
    """What is shown of a model that does not answer in the page."""
    known: dict[str, Any] = {"label": one.label, "why": one.why}
    known |= plane_of(one.moments, one.space, pictured, one.part.y)
    if (tiles := one.tiles()) is not None:
        known["map"] = packed_pixels(tiles)
    if (rebuilt := one.rebuilt(pictured)) is not None:
        known["rebuilt"] = packed_pixels(rebuilt)
    if rate_of(one.model) is not None:
        known["sounds"] = one.heard(sounds.count_heard(one.part, models))
    return known


def _live(one: Shown, served: int | None, part: Part, data: Data, pictured: int) -> dict[str, Any]:
    """What is shown of one model; under ``served``, its place, its networks stay where they are."""
    end = int(one.model.history_[-1]["epoch"]) if one.model.history_ else 0
    before = [shot for shot in one.model.snapshots_ if shot.weights and shot.epoch < end]
    then = [
        {f"module.{name}": torch.from_numpy(v).float() for name, v in shot.weights.items()}
        for shot in before
    ]
    moments = [
        Moment(shot.epoch, one.codes(weights)) for shot, weights in zip(before, then, strict=True)
    ]
    moments.append(Moment(end, one.codes()))
    known: dict[str, Any] = {
        "label": one.label,
        "usual": np.quantile(one.errors(), np.linspace(0, 1, 501)).round(4).tolist(),
    }
    known |= plane_of(moments, one.model.code_space, pictured, part.y)
    known |= parts_of(one, known, data, pictured)
    if served is not None:
        return known | {"served": served}
    decoder, encoder = one.graphs
    size = sum(value.numel() for value in decoder.weights.values())
    kept = evenly(len(before), _WEIGHTS // size)
    moving = [name for name in decoder.weights if then and name in then[0]]
    return known | {
        "decoder": decoder.to_json(),
        "encoder": encoder.to_json(),
        "weights": packed_halves({**decoder.weights, **encoder.weights}),
        "before": {
            "epochs": [before[place].epoch for place in kept],
            **packed_weights(
                {
                    name: np.stack([then[place][name].numpy() for place in kept])
                    for name in (moving if kept else ())
                },
                _BITS,
            ),
        },
    }


def _size(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.state_dict().values())
