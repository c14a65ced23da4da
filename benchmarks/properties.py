"""Four properties of autoencoders, measured: the numbers and the figures of docs/properties/.

    python -m benchmarks.properties [NAME …]

NAME is data-specific, lossy, learnt-from-examples or under-and-overcomplete; without one, all four
are measured, in about twenty minutes on one thread. Rows go to benchmarks/results/properties.jsonl,
figures to docs/images/properties/, and the marked numbers of the pages are put right. MNIST is
looked for as ``isthmus.data.load`` does it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks import data_specific, learnt, lossy, overcomplete
from benchmarks.pages import DOCS, fill, rounded, save, surroundings

RESULTS = Path(__file__).parent / "results" / "properties.jsonl"
PROPERTIES: dict[str, Callable[[], tuple[list[dict[str, Any]], Figure]]] = {
    "data-specific": data_specific.measure,
    "lossy": lossy.measure,
    "learnt-from-examples": learnt.measure,
    "under-and-overcomplete": overcomplete.measure,
}


def read() -> list[dict[str, Any]]:
    """All rows that were measured."""
    return (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )


def numbers(rows: Iterable[dict[str, Any]], name: str) -> dict[str, float]:
    """The numbers of one property, by the names that mark them in its page.

    Such as ``ae-8.squared_error``.
    """
    mine = [row for row in rows if row["property"] == name]
    return {
        f"{row['name']}.{key}": value
        for row in mine
        for key, value in row.items()
        if isinstance(value, int | float)
    }


def run(name: str) -> None:
    """Measure a property; its earlier rows are replaced, and its figure and page follow."""
    start = time.monotonic()
    rows, figure = PROPERTIES[name]()
    seconds = round(time.monotonic() - start)
    day = datetime.now(UTC).date().isoformat()
    rows = [*rows, {"name": "run", "seconds": seconds, "date": day, **surroundings()}]
    kept = [row for row in read() if row["property"] != name]
    every = [*kept, *({"property": name, **rounded(row)} for row in rows)]
    RESULTS.write_text("".join(json.dumps(row) + "\n" for row in every))
    save(figure, DOCS / "images" / "properties" / f"{name}.png")
    fill(DOCS / "properties" / f"{name}.md", numbers(every, name))


def main(names: list[str]) -> None:
    """Measure the named properties, or all."""
    if unknown := sorted(set(names) - set(PROPERTIES)):
        sys.exit(f"no property {unknown[0]!r}: choose among {', '.join(PROPERTIES)}.")
    for name in names or PROPERTIES:
        run(name)
        print(f"{name}: measured")


if __name__ == "__main__":
    main(sys.argv[1:])
