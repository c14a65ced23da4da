"""The history of a training: a row an epoch, and how a notebook shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.core.notebook import curve, html_table
from isthmus.errors import missing_extra

if TYPE_CHECKING:
    import pandas as pd

_NO_TERMS = ("epoch", "stage", "learning_rate", "seconds")
_WHOLE = ("epoch", "stage")
_NO_CURVE = (*_WHOLE, "seconds")


class History(list[dict[str, float]]):
    """A list of rows, one an epoch: its number, every term of the loss, rate and time.

    A list like any other, which a notebook shows as a table.

    Example:
        >>> history = History([{"epoch": 1.0, "objective": 9.5}, {"epoch": 2.0, "objective": 8.0}])
        >>> history[-1]["objective"]
        8.0
        >>> history.summary()
        '2 epochs: objective 9.5 → 8'
    """

    def to_frame(self) -> pd.DataFrame:
        """The rows as a data frame, a column for each term.

        Raises:
            MissingExtraError: where pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise missing_extra("pandas", "tables", "history_.to_frame()") from error
        return pd.DataFrame(list(self))

    def summary(self) -> str:
        """In one line: how many epochs, and each term at the first and at the last."""
        if not self:
            return "no epochs"
        terms = [
            f"{name} {first:.4g} → {last:.4g}"
            for name in self._columns()
            if name not in _NO_TERMS
            and (first := self[0].get(name)) is not None
            and (last := self[-1].get(name)) is not None
        ]
        return f"{len(self)} epoch{'s' * (len(self) != 1)}: {', '.join(terms)}"

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self for name in row))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<History of {self.summary()}>")

    def _repr_html_(self) -> str:
        names = [name for name in self._columns() if name != "learning_rate" or self._moves(name)]
        rows = [[_written(name, row.get(name)) for name in names] for row in self]
        curves: list[object] = [
            "" if name in _NO_CURVE or len(values := self._of(name)) < 3 else curve(values)
            for name in names
        ]
        head = [name.replace("_", " ") for name in names]
        return html_table("History", [curves, *rows] if any(curves) else rows, head)

    def _moves(self, name: str) -> bool:
        return len(set(self._of(name))) > 1

    def _of(self, name: str) -> list[float]:
        return [row[name] for row in self if name in row]


def _written(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if name in _WHOLE else f"{value:.4g}".replace("-", "−")
