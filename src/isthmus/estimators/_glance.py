"""A member at a glance, for notebooks: what it is, what it learnt from, and how that ended."""

from __future__ import annotations

from typing import Any

from isthmus.training.history import History

_SPACES = {
    "normal": "around N(0, I)",
    "unit": "between 0 and 1",
    "symmetric": "between −1 and 1",
    "positive": "from 0 up",
}


def said_of(member: Any) -> list[tuple[str, object]]:
    """What there is to say of a member, each with its name."""
    if not hasattr(member, "module_"):
        return [("training", "none yet: call fit")]
    module, history = member.module_, History(member.history_)
    code = module.bottleneck.code_shape
    space = _SPACES.get(member.code_space)
    weights = sum(value.numel() for value in module.parameters())
    rows: list[tuple[str, object]] = [
        ("data", member.preprocessor_.spec),
        ("code", " × ".join(map(str, code)) + (f", {space}" if space else "")),
        ("likelihood", member.likelihood_),
        ("weights", f"{weights:,}"),
    ]
    if history:
        rows.append(("training", history.summary()))
    if member.snapshots_:
        rows.append(("snapshots", f"{len(member.snapshots_)} moments"))
    if member.prior_ is not None:
        rows.append(("prior", repr(member.prior_)))
    return rows
