"""From vectors to integer codes and back; :data:`isthmus.registry.QUANTIZERS` lists the ways."""

from __future__ import annotations

from isthmus.quantizers.base import Quantized, Quantizer, QuantizerPart
from isthmus.quantizers.finite import FSQ
from isthmus.quantizers.lookup_free import LFQ
from isthmus.quantizers.product import ProductVQ
from isthmus.quantizers.residual import ResidualVQ
from isthmus.quantizers.vector import VectorQuantizer

__all__ = [
    "FSQ",
    "LFQ",
    "ProductVQ",
    "Quantized",
    "Quantizer",
    "QuantizerPart",
    "ResidualVQ",
    "VectorQuantizer",
]
