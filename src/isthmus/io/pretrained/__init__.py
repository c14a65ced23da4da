"""Trained members that come with the package: ``ist.load("pretrained:course-vae")``.

Each is a run in a folder of its own, with its weights in half precision, and ``card.md``, which
says what it was trained on, how, and what was measured. ``benchmarks/pretrained.py`` makes them.
"""

from __future__ import annotations

from pathlib import Path

from isthmus.errors import unknown

__all__ = ["available", "card", "folder", "loadable", "summary"]

PREFIX = "pretrained:"
CARD = "card.md"
_FORMER = {"ae-mnist-2d": "course-ae", "vae-mnist-2d": "course-vae"}
_HOME = Path(__file__).parent


def available() -> list[str]:
    """The names of all that are there."""
    return sorted(folder.name for folder in _HOME.iterdir() if (folder / CARD).exists())


def loadable() -> list[str]:
    """Their names, and those that they had before."""
    return sorted([*available(), *_FORMER])


def folder(name: str) -> Path:
    """The folder of one; an unknown name is refused with the nearest known one."""
    name = _FORMER.get(name, name)
    if name not in available():
        raise unknown("pretrained model", name, available())
    return _HOME / name


def card(name: str) -> str:
    """The model card of one, as Markdown."""
    return (folder(name) / CARD).read_text(encoding="utf-8")


def summary(name: str) -> str:
    """The first line of a card, without its mark."""
    return card(name).partition("\n")[0].lstrip("# ")
