"""Members as small as they go, for tests of what is around them."""

from __future__ import annotations

from typing import Any

import isthmus as ist
from isthmus.core import fields

_SMALL = {"hidden": (8,), "pretrain_epochs": 1, "groups": (1, 1), "width": 8}


def small(name: str) -> dict[str, Any]:
    """The settings that make a member small, of those that it has."""
    declared = fields.declared(ist.MEMBERS[name])
    return {field: value for field, value in _SMALL.items() if field in declared}
