"""The page ``docs/results.md``, made from kept lines and from the declarations of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.papers.record import ROOT, Record
from benchmarks.papers.row import ROWS, Row

PAGE = ROOT / "docs" / "results.md"

_HEAD = """\
# Published results, reproduced

Each row is a published number for a member of the family, reproduced here on MNIST.
Squared errors are sums over the pixels of one image, in [0, 1], averaged over the test images;
likelihoods are in nats per image. *Dynamic* MNIST draws each pixel black or white anew in every
epoch (`binarize="dynamic"`), the test images once; it must not be compared with numbers for the
fixed binarisation or for grey values.

On a CPU most trainings are shorter than the published ones, as the settings say. On an accelerator
the same command runs the published length. `python -m benchmarks.papers` lists the rows,
`python -m benchmarks.papers NAME` measures one and adds a line to
`benchmarks/results/papers.jsonl`, and `python -m benchmarks.papers --page` makes this page from the
lines. MNIST is taken from `ISTHMUS_DATA`, or downloaded. Times are wall-clock, and the machine may
have been busy.
"""


def page(lines: Iterable[Record]) -> str:
    """The page: a table of all rows, then each row with its latest line of every device.

    What was done is told as it was when it was measured; what is wanted, as it is today.
    """
    # a later line replaces an earlier one
    latest = {(line["row"], line["device"]): line for line in lines}
    pairs = [
        (row, line) for row in ROWS.values() for line in latest.values() if line["row"] == row.name
    ]
    table = [
        "| row | what | measured | published | wanted | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    table += [_cells(row, line) for row, line in pairs]
    measured = {row.name for row, _ in pairs}
    table += [
        f"| {row.name} | {row.what} | not yet | {_published(row)} | {row.wanted.words} | |"
        for row in ROWS.values()
        if row.name not in measured
    ]
    sections = [
        _section(row, [line for other, line in pairs if other is row])
        for row in ROWS.values()
        if row.name in measured
    ]
    return "\n".join([_HEAD, *table, "", *sections])


def _cells(row: Row, line: Record) -> str:
    verdict = "holds" if row.wanted.holds(line["value"]) else "**falls short**"
    link = f"[{row.name}](#{row.name})"
    return (
        f"| {link} | {row.what} ({line['device']}) | {_values(line)} | {_published(row)} |"
        f" {row.wanted.words} | {verdict} |"
    )


def _section(row: Row, lines: Iterable[Record]) -> str:
    parts = [
        f"## {row.name}",
        f"{row.what}. The metric: {row.metric}, {row.unit}.",
        *map(_measured, lines),
    ]
    published = (
        f"Published: {_published(row)} ({row.source})."
        if row.published
        else f"Published: {row.source}."
    )
    notes = [row.note] if row.note else []
    return "\n\n".join(
        [*parts, published, *notes, f"    python -m benchmarks.papers {row.name}", ""]
    )


def _measured(line: Record) -> str:
    row = ROWS[line["row"]]
    spread = f" (± {row.error})" if line["error"] else ""
    verdict = "holds" if row.wanted.holds(line["value"]) else "falls short"
    return (
        f"**{line['device']}:** {_values(line)}{spread}. Wanted: {row.wanted.words}; it {verdict}."
        f" {line['setting']} Training took {_duration(line['seconds'])} on {_place(line)}, torch"
        f" {line['torch']}; commit {line['commit']}, {line['date']}."
    )


def _place(line: Record) -> str:
    threads = f"{line['threads']} thread{'s' if line['threads'] > 1 else ''}"
    return f"{line['machine']}, {threads}" if line["device"] == "CPU" else line["device"]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _values(line: Mapping[str, Any]) -> str:
    return ", ".join(
        _value(name, value, line["error"].get(name)) for name, value in line["value"].items()
    )


def _value(name: str, value: float, error: float | None) -> str:
    """Three decimals below 100, four below 1: enough to tell a bound from a value beside it."""
    digits = 4 if abs(value) < 1 else 3 if abs(value) < 20 else 2
    return f"{name} {value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _published(row: Row) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in row.published.items()) or "–"
