"""Arguments that count something."""

from __future__ import annotations

import numpy as np

from isthmus.errors import InputError


def require_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number, or one below ``least``.

    Example:
        >>> require_count("side", 0)
        Traceback (most recent call last):
        isthmus.errors.InputError: side=0 is not usable: give a whole number from 1 up.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name}={value!r} is not usable: give a whole number from {least} up.")
