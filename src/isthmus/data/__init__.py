"""Data sets: known by name, or read from a path of your own."""

from __future__ import annotations

from isthmus.data._loading import known_names as names
from isthmus.data._loading import load_data as load
from isthmus.data._loading import read_rows as read
from isthmus.data.datasets import Data, Part
from isthmus.data.rows import Rows

__all__ = ["Data", "Part", "Rows", "load", "names", "read"]
