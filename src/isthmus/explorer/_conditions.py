"""What the page is told of a condition: what can be chosen, and what is known of each example."""

from __future__ import annotations

from typing import Any

from isthmus.data.conditions import CovariateCondition, LabelCondition
from isthmus.explorer._packing import packed_reals
from isthmus.explorer._shown import Shown


def shown_condition(one: Shown, pictured: int) -> dict[str, Any] | None:
    """The condition of a member as JSON; None where it takes none.

    Labels come with their names, covariates with the mean and the deviation by which they are
    standardised; ``rows`` are the numbers of every example, float32.
    """
    if one.conditions is None:
        return None
    rows = packed_reals(one.conditions[None, :pictured].numpy())
    condition = one.model.preprocessor_.condition
    if isinstance(condition, LabelCondition):
        return {"kind": "label", "names": list(condition.labels.names), "rows": rows}
    assert isinstance(condition, CovariateCondition)
    return {
        "kind": "covariates",
        "names": [f"c{place + 1}" for place in range(condition.size)],
        "mean": list(condition.mean),
        "scale": list(condition.scale),
        "rows": rows,
    }
