"""What is wrong with a model: a measured value beyond its limit, in words, with the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fault", "warning", "note"]
"""How bad a finding is: the model is of no use as it is; it is worse than it could be; it may be
what was wanted.
"""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a model; its text is one sentence with the remedy.

    Attributes:
        name: what it is called, such as ``"posterior-collapse"``.
        statement: what is wrong, in words, without a full stop.
        remedy: what to change, in words, without a full stop.
        measure: what was measured, with its unit.
        value: the number that was measured.
        limit: the number from which on it is a finding.
        severity: how bad it is.

    Example:
        >>> found = Finding("slow", "it takes 9 s", "wait", "time, s", 9.0, 5.0, "note")
        >>> str(found), found.bounds
        ('it takes 9 s: wait.', 'time, s: 9, limit 5')
    """

    name: str
    statement: str
    remedy: str
    measure: str
    value: float
    limit: float
    severity: Severity = "warning"

    def __str__(self) -> str:
        return f"{self.statement}: {self.remedy}."

    @property
    def bounds(self) -> str:
        """The measure, its value and its limit, in a few words."""
        value, limit = (f"{number:.4g}".replace("-", "−") for number in (self.value, self.limit))
        return f"{self.measure}: {value}, limit {limit}"
