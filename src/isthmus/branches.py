"""The branches of the family: which members belong together, for tables and for comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BRANCHES: dict[str, tuple[str, ...]] = {
    "deterministic": ("ae", "stacked", "denoising", "contractive", "rae", "recurrent"),
    "sparse": ("sparse", "dictionary", "made", "masked"),
    "variational": (
        "vae",
        "iwae",
        "betatc",
        "factorvae",
        "dipvae",
        "infovae",
        "hvae",
        "laddervae",
        "nvae",
        "biva",
    ),
    "matching": ("aae", "wae", "slicedwae", "vaegan"),
    "quantised": ("vqvae", "vqvae2", "hyperprior"),
    "grouping": ("clustering", "vade", "deepsvdd", "ladder", "semivae", "semiaae"),
}
"""The names of each branch's members, the plainest first."""


def members_of(members: Sequence[Any]) -> list[Any]:
    """Members, in which the name of a branch stands for all of it.

    Example:
        >>> members_of(["ae", "matching"])
        ['ae', 'aae', 'wae', 'slicedwae', 'vaegan']
    """
    return [
        one
        for member in members
        for one in (BRANCHES.get(member, (member,)) if isinstance(member, str) else (member,))
    ]
