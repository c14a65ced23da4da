"""What the pages of docs/ take from a run: numbers at their marks, and pictures.

A mark is a comment behind a number, which readers do not see: ``40.1<!--ae.squared_error-->``. The
digits are replaced by what was measured, the number of decimals stays. A name that ends in % asks
for a share in per cent.
"""

from __future__ import annotations

import io
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from PIL import Image

COLOURS = 256
DOCS = Path(__file__).resolve().parents[1] / "docs"
MARKED = re.compile(r"−?\d[\d,]*(?:\.(\d+))?<!--([\w.-]+%?)-->")


def filled(text: str, numbers: Mapping[str, float]) -> str:
    """A page with the numbers of a run at its marks; an unknown mark is a KeyError."""
    return MARKED.sub(lambda found: _number(found[2], len(found[1] or ""), numbers), text)


def fill(page: Path, numbers: Mapping[str, float]) -> None:
    """Put the numbers of a run into a page."""
    page.write_text(filled(page.read_text(encoding="utf-8"), numbers), encoding="utf-8")


def save(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a figure as a PNG of few colours, which is a third as large."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def surroundings() -> dict[str, object]:
    """Where a run took place."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, CPU"
    return {"machine": machine, "torch": torch.__version__, "threads": torch.get_num_threads()}


def rounded(found: Any) -> Any:
    """What was measured, with six digits of every number."""
    if isinstance(found, Mapping):
        return {name: rounded(value) for name, value in found.items()}
    return float(f"{found:.6g}") if isinstance(found, float) else found


def _number(name: str, decimals: int, numbers: Mapping[str, float]) -> str:
    value = 100 * numbers[name[:-1]] if name.endswith("%") else numbers[name]
    return f"{value:,.{decimals}f}".replace("-", "−") + f"<!--{name}-->"
