"""Distributions over codes, fitted after training; :data:`isthmus.registry.PRIORS` lists them.

>>> from isthmus import priors
>>> priors.Mixture(components=3).components
3

They are found by their class names and imported at their first use: the command line reads their declarations alone.
"""

from __future__ import annotations

from typing import Any

from isthmus.registry import PRIORS

_BASE = ("Prior", "fitted", "resolved")


def __getattr__(name: str) -> Any:
    if name in _BASE:
        from isthmus.priors import base

        return getattr(base, name)
    for prior in PRIORS:
        if PRIORS.target(prior).partition(":")[2] == name:
            return PRIORS[prior]
    raise AttributeError(f"module 'isthmus.priors' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_BASE, *(PRIORS.target(prior).partition(":")[2] for prior in PRIORS)])
