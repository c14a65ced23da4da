"""From vectors to integer codes and back; :data:`isthmus.registry.QUANTIZERS` lists the ways."""

from __future__ import annotations

from isthmus.quantizers.base import Quantized, Quantizer, QuantizerPart
from isthmus.quantizers.finite import FSQ
from isthmus.quantizers.vector import VectorQuantizer

__all__ = ["FSQ", "Quantized", "Quantizer", "QuantizerPart", "VectorQuantizer"]
