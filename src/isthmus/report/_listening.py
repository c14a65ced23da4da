"""What is heard in the page of a comparison: sounds, what comes back of each, and new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from isthmus.core.players import player
from isthmus.data.datasets import Data, Part, known_of, named_for
from isthmus.data.sounds import Sounds
from isthmus.errors import InputError
from isthmus.figures._classes import by_class
from isthmus.figures._codes import shown
from isthmus.figures._sounds import heard, rate_of
from isthmus.report._table import Row

_SOUNDS, _SAMPLES = 6, 3
_BYTES = 3_000_000  # of all sounds of a page, of two bytes a step


@dataclass(frozen=True)
class Heard:
    """A line of the table of sounds.

    Attributes:
        name: what it is.
        cells: the players: the original and what each model makes of it; empty where there is none.
    """

    name: str
    cells: tuple[Markup, ...]


def heard_in(rows: Sequence[Row], data: Data) -> list[Heard]:
    """The table of sounds: one original a line, and new sounds; none of models of other things."""
    rates = {rate_of(row.model) for row in rows}
    if len(rates) != 1 or (rate := rates.pop()) is None:
        return []
    part = by_class(heard(shown(data)), _SOUNDS)
    count = _SOUNDS * (len(rows) + 1) + _SAMPLES * len(rows)
    shape = rows[0].model.preprocessor_.spec.shape
    longest = _BYTES // (2 * count * shape[0])
    originals = np.asarray(part.x).reshape(len(part), *shape)
    restored = [_restored(row, part, data) for row in rows]
    names = _names(part)

    def cell(x: Any, what: str) -> Markup:
        return Markup("" if x is None else player(x, rate, what, longest))

    lines = [
        Heard(
            name,
            (
                cell(originals[place], f"{name}, original"),
                *(
                    cell(sounds[place], f"{name}, {row.label}")
                    for row, sounds in zip(rows, restored, strict=True)
                ),
            ),
        )
        for place, name in enumerate(names)
    ]
    drawn = [_drawn(row) for row in rows]
    if all(sounds is None for sounds in drawn):
        return lines
    for place in range(_SAMPLES):
        name = f"new sound {place + 1}"
        made = [None if sounds is None else sounds[place] for sounds in drawn]
        cells = (cell(x, f"{name}, {row.label}") for row, x in zip(rows, made, strict=True))
        lines.append(Heard(name, (Markup(""), *cells)))
    return lines


def _names(part: Part) -> list[str]:
    """What each sound is called: by its file, or by its class."""
    if isinstance(part, Sounds):
        return list(part.names)
    if part.labels is not None:
        return [str(label) for label in part.labels]
    return [f"sound {place + 1}" for place in range(len(part))]


def _restored(row: Row, part: Part, data: Data) -> np.ndarray:
    """What a model makes of sounds, ``(n, channels, time)``."""
    made = row.model.reconstruct(named_for(row.model, part.x, data), **known_of(row.model, part))
    return np.asarray(made).reshape(len(part), *row.model.preprocessor_.spec.shape)


def _drawn(row: Row) -> np.ndarray | None:
    """New sounds of a model; None where it has no prior."""
    try:
        made = row.model.sample(_SAMPLES, random_state=0)
    except InputError:
        return None
    return np.asarray(made).reshape(_SAMPLES, *row.model.preprocessor_.spec.shape)
