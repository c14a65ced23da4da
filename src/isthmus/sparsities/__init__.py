"""Which units an example uses: :data:`isthmus.registry.SPARSITIES` lists the ways."""

from __future__ import annotations

from isthmus.sparsities.base import SparseUnits, Sparsity, SparsityPart, keep_largest
from isthmus.sparsities.largest import BatchTopK, TopK
from isthmus.sparsities.penalised import L1, Gated, JumpReLU

__all__ = [
    "L1",
    "BatchTopK",
    "Gated",
    "JumpReLU",
    "SparseUnits",
    "Sparsity",
    "SparsityPart",
    "TopK",
    "keep_largest",
]
