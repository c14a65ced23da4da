"""What a comparison found, in a sentence that is computed from its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from isthmus.data.datasets import Data
from isthmus.report._table import Row, lines_of

_NAMED = 6  # in a title; more than these are counted

_CLAIMS = {
    "squared_error": ("reconstructs best", "reconstruct best"),
    "neg_elbo": ("has the lowest −ELBO", "have the lowest −ELBO"),
    "knn5": ("tells the classes apart best", "tell the classes apart best"),
    "trustworthiness": ("keeps neighbours together best", "keep neighbours together best"),
}
_ALIKE = " (equally well)"


def heading(rows: Sequence[Row], data: Data) -> str:
    """What is compared: ``"AE, VAE and PCA on digits"``; many are counted."""
    labels = [row.label for row in rows]
    trained = [row for row in rows if row.run is not None]
    if len(trained) > _NAMED:
        labels = [f"{len(trained)} autoencoders", *(row.label for row in rows if row.run is None)]
    return f"{_listed(labels)} on {data.name}"


def premise(rows: Sequence[Row], data: Data) -> str:
    """What was done, in one sentence."""
    trained = [row for row in rows if row.run is not None]
    sizes = sorted({_size(row.model) for row in trained})
    numbers = (
        "1 number" if sizes == [1] else f"{_listed([str(size) for size in sizes], 'or')} numbers"
    )
    many = len(trained) > 1
    is_watched = any(getattr(row.model, "validation", 0) > 0 for row in trained)
    aside = " (some of them set aside for validation)" if is_watched else ""
    return (
        (
            f"{_listed([row.label for row in trained])} each learnt"
            if many
            else f"{trained[0].label} learnt"
        )
        + f" from {len(data.train):,} examples{aside} to squeeze an example into a code of"
        f" {numbers} and to rebuild it from that; PCA, the best linear map, stands beside"
        f" {'them' if many else 'it'}." + _taught(trained)
    )


def _taught(rows: Sequence[Row]) -> str:
    """Who has seen labels too, as a sentence; else empty."""
    told = [row for row in rows if row.model.preprocessor_.classes is not None]
    if not told:
        return ""
    counts = {row.model.n_labels for row in told}
    some = "all of them" if counts == {None} else "some of them"
    are = "were" if len(told) > 1 else "was"
    holding = [row.label for row in told if row.model._code_holds_classes]
    held = f"; the code of {_listed(holding)} holds the probability of each too" if holding else ""
    return (
        f" {_listed([row.label for row in told])} {are} told the classes of {some}"
        f" (n_labels){held}."
    )


def findings(rows: Sequence[Row], data: Data) -> str:
    """Who is best at what on the test part, in short sentences; empty if nothing stands apart."""
    claims: dict[tuple[int, ...], list[str]] = {}
    for line in lines_of(rows):
        if line.name in _CLAIMS and line.best:
            claims.setdefault(line.best, []).append(_CLAIMS[line.name][len(line.best) > 1])
    if not claims:
        return ""
    sentences = [
        f"{_listed([rows[place].label for place in best])} {_listed(said)}"
        + (_ALIKE if len(best) > 1 else "")
        for best, said in claims.items()
    ]
    return f"On {len(data.test):,} examples that none of them has seen, {'. '.join(sentences)}."


def starts(rows: Sequence[Row]) -> str:
    """What decoders show before training, where members start differently; else empty."""
    moving = [row for row in rows if row.run is not None and len(row.model.snapshots_) > 1]
    drawn = [row.label for row in moving if row.model.module_.bottleneck.is_random]
    exact = [row.label for row in moving if row.label not in drawn]
    if not drawn or not exact:
        return ""
    return (
        "Before training nothing is learnt, but the pictures differ: the output of"
        f" {_listed(exact)} starts at the mean of the training examples, that of {_listed(drawn)}"
        " at grey."
    )


def _size(model: Any) -> int:
    """How many numbers a code has: positions, where it is whole numbers on grids."""
    bottleneck = model.module_.bottleneck
    if bottleneck.levels:
        return sum(math.prod(level.grid) for level in bottleneck.levels)
    return math.prod(bottleneck.code_shape)


def _listed(words: Sequence[str], last: str = "and") -> str:
    """``"a, b and c"``."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]
