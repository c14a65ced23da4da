"""Examples as few bytes: the format of compressed data, and the entropy coding in it.

Members offer :meth:`~isthmus.Estimator.compress` and :meth:`~isthmus.Estimator.decompress`; this
is what they are made of.
"""

from __future__ import annotations

from isthmus.compression.container import Coded, ExampleForm, Identity, coded_bytes, read_coded
from isthmus.compression.matching import decompress, identity_of

__all__ = [
    "Coded",
    "ExampleForm",
    "Identity",
    "coded_bytes",
    "decompress",
    "identity_of",
    "read_coded",
]
