"""New signals that are longer than those of training: windows of codes that go on from each other.

A prior over indices knows windows of one length. The first is drawn as ever; each further one
begins with the second half of the one before, and what follows is drawn given that. The decoder
gets the whole row of codes at once, so that nothing is heard where windows meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from isthmus.core.forward import Level
from isthmus.errors import InputError
from isthmus.priors.base import Prior, continuing


def continued_codes(
    prior: Prior, wanted: Sequence[Level], n: int, label: Any, temperature: float
) -> Tensor:
    """n rows of indices ``(n, total)`` for ``wanted`` levels, which are as long as they like.

    Args:
        prior: over the indices of the same levels of a window.
        wanted: levels of one axis.
        n, label, temperature: as for :meth:`Prior.sample`; one label for all windows of an example.

    Raises:
        InputError: for a prior that cannot go on from what is there.
    """
    sizes = [level.grid[0] for level in prior.levels_]
    ends = [level.grid[0] for level in wanted]
    is_longer = any(end > size for end, size in zip(ends, sizes, strict=bool(sizes)))
    if not sizes or (is_longer and not prior.continues):
        raise InputError(
            f"seconds need a prior over indices that goes on from those before, which"
            f" {type(prior).__name__} does not: fit prior={continuing()} over the codes of a"
            " quantised member, or leave seconds out."
        )
    if label is None and prior.classes_ is not None:
        label = [prior.classes_.names[place] for place in prior.classes_.draw(n).tolist()]
    rows = [torch.full((n, end + size), -1) for end, size in zip(ends, sizes, strict=True)]
    window, step = 0, max(1, sizes[0] // 2)
    while True:
        begins = [round(window * step * size / sizes[0]) for size in sizes]
        spans = [slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True)]
        known = torch.cat([row[:, span] for row, span in zip(rows, spans, strict=True)], dim=1)
        found = (
            prior.complete(known, label=label, temperature=temperature)
            if window
            else prior.sample(n, label=label, temperature=temperature)
        )
        for row, span, part in zip(rows, spans, found.split(sizes, dim=1), strict=True):
            row[:, span] = part
        if all(span.stop >= end for span, end in zip(spans, ends, strict=True)):
            return torch.cat([row[:, :end] for row, end in zip(rows, ends, strict=True)], dim=1)
        window += 1
