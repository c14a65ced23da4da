"""Data sets: known by name, or read from a path of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.data._loading import known_names as names
from isthmus.data._loading import load_data as load
from isthmus.data._loading import read_rows as read
from isthmus.data._loading import read_series_of as read_series
from isthmus.data._sources.sound_files import write_sound
from isthmus.data.datasets import Data, Part
from isthmus.data.rows import Rows
from isthmus.data.series import Windows, windows
from isthmus.data.sounds import Sounds
from isthmus.data.streams import Stream

if TYPE_CHECKING:
    from isthmus.data._activations import activations

__all__ = [
    "Data",
    "Part",
    "Rows",
    "Sounds",
    "Stream",
    "Windows",
    "activations",
    "load",
    "names",
    "read",
    "read_series",
    "windows",
    "write_sound",
]


def __getattr__(name: str) -> Any:
    """What loads torch is imported when it is asked for."""
    if name != "activations":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isthmus.data._activations import activations

    return activations
