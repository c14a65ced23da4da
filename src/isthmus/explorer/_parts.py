"""What the parts below a plane are given: see ``front/parts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from isthmus.data.datasets import Data, Part
from isthmus.explorer._conditions import shown_condition
from isthmus.explorer._directions import words_of
from isthmus.explorer._groups import hierarchy_of
from isthmus.explorer._packing import packed_pixels, packed_reals
from isthmus.explorer._quantised import quantised_of
from isthmus.explorer._shown import Shown
from isthmus.explorer._still import Still

TRAINING = 2000
"""Training examples among which the nearest to a drawing are sought, at the most."""
_PIXELS = 2**21  # of all of them
_EVEN = 0.25  # up to this deviation of their lengths, as a share of the mean, codes lie on a sphere


def parts_of(one: Shown, known: Mapping[str, Any], data: Data, pictured: int) -> dict[str, Any]:
    """What is given of one model; ``known`` is what its plane is given, and ``pictured`` how many
    examples have a picture.
    """
    directions, deviations = np.array(known["directions"]), np.array(known["deviations"])
    labels = None if data.test.y is None else data.test.y[: len(one.pictures)]
    training = training_part(data)
    quantised = quantised_of(one, pictured, training)
    found = words_of(one, directions, deviations, labels)
    return {
        "condition": shown_condition(one, pictured),
        "says": list(one.says),
        "words": [
            [[_named(word, data) for word in end] for end in (each.low, each.high)]
            for each in found
        ],
        "changes": [each.change for each in found],
        "sphere": _is_sphere(one, one.codes()),
        "quantised": quantised,
        "groups": hierarchy_of(one.model.module_),
        "redrawing": one.all_graphs["redraw"].to_json() if "redraw" in one.networks else None,
        "training": None
        if quantised
        else packed_reals(one.posterior(*one.read(training))[0][None]),
    }


def _trained(one: Shown, training: Part) -> dict[str, Any]:
    """The codes of training examples."""
    return packed_reals(one.posterior(*one.read(training))[0][None])


def training_part(data: Data) -> Part:
    """Training examples, evenly from all of them: as many as a page has room for."""
    most = min(TRAINING, max(1, _PIXELS // int(np.prod(data.shape))))
    if len(data.train) <= most:
        return data.train
    return data.train.take(np.linspace(0, len(data.train) - 1, most).astype(int))


def training_of(shown: Sequence[Shown | Still], data: Data) -> dict[str, Any] | None:
    """Pictures of the training examples and their labels; None where no model answers."""
    live = next((one for one in shown if isinstance(one, Shown)), None)
    if live is None:
        return None
    part = training_part(data)
    return {
        "examples": packed_pixels(live.read(part)[0].numpy()),
        "labels": None if part.y is None else [int(label) for label in part.y],
    }


def _is_sphere(one: Shown, codes: np.ndarray) -> bool:
    """Whether codes lie about as far from the middle of a normal prior, so that what lies on a
    straight line between two of them is unlike both.
    """
    lengths = np.linalg.norm(codes, axis=1)
    is_even = lengths.std() < _EVEN * lengths.mean()
    return bool(one.model.code_space == "normal" and codes.shape[1] > 2 and is_even)


def _named(word: str, data: Data) -> str:
    """Words that name a class by its number name it as the data do."""
    kind = word.removeprefix("class ")
    if kind == word:
        return word
    return str(data.classes[int(kind)]) if data.classes else kind
