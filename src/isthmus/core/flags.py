"""Arguments that are either true or false."""

from __future__ import annotations

import numpy as np

from isthmus.errors import InputError


def require_flags(**values: object) -> None:
    """Refuse arguments that are neither True nor False: a text such as "no" would count as true.

    Example:
        >>> require_flags(mono=False, stream="no")
        Traceback (most recent call last):
        isthmus.errors.InputError: stream='no' is not usable: give True or False.
    """
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise InputError(f"{name}={value!r} is not usable: give True or False.")
