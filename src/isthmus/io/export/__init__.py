"""Trained members for programs that do not know isthmus: torch modules, and files of ONNX."""

from __future__ import annotations

from isthmus.io.export.modules import PARTS, Portable, portable
from isthmus.io.export.onnx_files import OPSETS, export, targets_of

__all__ = ["OPSETS", "PARTS", "Portable", "export", "portable", "targets_of"]
