"""The table of a comparison: one line a measure, one cell a model, and which cell is best."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus.core.notebook import HTMLCell, as_html, html_table
from isthmus.diagnosis import Diagnosis
from isthmus.metrics import Measure

_ROUNDING = 1e-9  # a standard error that is a smaller share of the value is none
_SMALL = 1e-4  # what is smaller has too many zeros to be read


@dataclass(frozen=True, repr=False)
class Row:
    """One model of a comparison, trained and measured.

    Attributes:
        label: what the page calls it.
        member: its registered name; ``"pca"`` for the reference.
        model: the fitted estimator.
        measures: what was measured, by name.
        fields: its hyper-parameters.
        run: the folder of its run, beside the page; None for the reference.
        diagnostics: what training warned of, by the names of the findings.
        diagnosis: what is wrong with it; None for the reference.
    """

    label: str
    member: str
    model: Any
    measures: dict[str, Measure]
    fields: dict[str, Any]
    run: str | None = None
    diagnostics: Mapping[str, str] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None

    @property
    def remarks(self) -> tuple[tuple[str, str, str], ...]:
        """What is wrong with it: how bad it is, a sentence each, and what was measured, if it was
        measured now.
        """
        found = [*(self.diagnosis or ())]
        known = {finding.name for finding in found}
        before = [text for name, text in self.diagnostics.items() if name not in known]
        return (
            *((each.severity, str(each), each.bounds) for each in found),
            *(("warning", text, "") for text in before),
        )

    @property
    def column(self) -> str:
        """Its label, which may be broken between words such as SemiSupervised and VAE."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "\u200b", self.label)

    def __repr__(self) -> str:
        return f"Row({self.label}, {len(self.measures)} measures)"


@dataclass(frozen=True)
class Line:
    """One measure of all models.

    Attributes:
        name: its name in ``results.json``.
        measure: one of the measures, for its title, unit, direction and help.
        cells: the measure of each model, None where it does not apply.
        best: the places of the best cell and of those that the standard errors cannot tell from it.
    """

    name: str
    measure: Measure
    cells: tuple[Measure | None, ...]
    best: tuple[int, ...]

    @property
    def texts(self) -> list[str]:
        """The cells as people read them; those with standard errors have equally many decimals."""
        cells = [cell for cell in self.cells if cell is not None]
        largest = max(cell.error or 0.0 for cell in cells)
        least = _ROUNDING * max(abs(cell.value) for cell in cells)
        shared = _decimals(largest, 2) if largest > least else None
        return ["" if cell is None else _written(cell, shared) for cell in self.cells]


def lines_of(rows: Sequence[Row]) -> list[Line]:
    """The lines of the table, in the order in which the models were measured."""
    keys = _merged([[(name, m.title, m.unit) for name, m in row.measures.items()] for row in rows])
    return [_line(rows, name, unit) for name, _, unit in keys]


def text_of(rows: Sequence[Row]) -> str:
    """The table for a terminal; a star marks the best."""
    table = [["", *(row.label for row in rows), ""]]
    for line in lines_of(rows):
        marked = [
            text + (" *" if place in line.best else "  ") for place, text in enumerate(line.texts)
        ]
        table.append([line.measure.title, *marked, line.measure.unit])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    )


def page_of_table(rows: Sequence[Row], page: Path) -> str:
    """The table for a notebook, the best of a line in bold, and a link to the page."""
    cells: list[list[object]] = []
    for line in lines_of(rows):
        texts = [
            HTMLCell(f"<strong>{as_html(text)}</strong>") if place in line.best else text
            for place, text in enumerate(line.texts)
        ]
        cells.append([line.measure.title, *texts, line.measure.unit])
    link = f'<a href="{as_html(page)}" target="_blank">{as_html(page)}</a>'
    head = ["", *(row.label for row in rows), ""]
    return html_table("Comparison", cells, head, f"the page: {link}", longest=len(cells))


def _line(rows: Sequence[Row], name: str, unit: str) -> Line:
    found = (row.measures.get(name) for row in rows)
    cells = tuple(m if m is not None and m.unit == unit else None for m in found)
    measured = [(row, cell) for row, cell in zip(rows, cells, strict=True) if cell is not None]
    comparable = len(measured) > 1 and len({_scale(row.model, unit) for row, _ in measured}) == 1
    return Line(name, measured[0][1], cells, _best(cells) if comparable else ())


def _best(cells: Sequence[Measure | None]) -> tuple[int, ...]:
    measured = [cell for cell in cells if cell is not None]
    if measured[0].better is None:
        return ()
    winner = (min if measured[0].better == "lower" else max)(measured, key=lambda cell: cell.value)
    alike = tuple(
        i for i, cell in enumerate(cells) if cell is not None and _is_as_good(cell, winner)
    )
    return alike if len(alike) < len(measured) else ()


def _is_as_good(cell: Measure, winner: Measure) -> bool:
    """Whether the difference is within two of its standard errors."""
    return abs(cell.value - winner.value) <= 2 * math.hypot(cell.error or 0.0, winner.error or 0.0)


def _scale(model: Any, unit: str) -> tuple[str, ...]:
    """What must be equal for two values of a unit to be compared.

    The scaling, and for nats and bits the likelihood.
    """
    if not unit.endswith(("per example", "per dimension")):
        return ()
    likelihood = "" if unit.startswith("squared") else model.likelihood_
    return json.dumps(model.preprocessor_.scaling.to_json()), likelihood


def _merged(orders: Sequence[Sequence[tuple[str, str, str]]]) -> list[tuple[str, str, str]]:
    """All keys, in the order of each list; what only one has follows its neighbour there."""
    merged: list[tuple[str, str, str]] = []
    for order in orders:
        place = 0
        for key in order:
            if key not in merged:
                merged.insert(place, key)
            place = merged.index(key) + 1
    return merged


def _decimals(value: float, digits: int) -> int:
    """How many decimals show so many digits of a value."""
    if value.is_integer():
        return 0
    return min(max(0, digits - 1 - math.floor(math.log10(abs(value)))), 6)


def _written(measure: Measure, shared: int | None) -> str:
    if 0 < abs(measure.value) < _SMALL:
        value = f"{measure.value:.2e}".replace("-", "−", int(measure.value < 0))
        return value if measure.error is None else f"{value} ± {measure.error:.1e}"
    decimals = _decimals(measure.value, 3) if shared is None else shared
    value = f"{measure.value:,.{decimals}f}".replace("-", "−")
    return value if measure.error is None else f"{value} ± {measure.error:.{decimals}f}"
