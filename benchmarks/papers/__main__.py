"""List the rows, measure some, or make the page.

    python -m benchmarks.papers              # the rows
    python -m benchmarks.papers pca30 vae    # measure these, one after another; a line each
    python -m benchmarks.papers vae --epochs 700    # as long as this in place of the row's length
    python -m benchmarks.papers --page       # docs/results.md from the lines

MNIST is read from ISTHMUS_DATA, or from the folder shared/data beside the checkout, or downloaded.
An interrupted training goes on when the command is given again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import isthmus as ist
from benchmarks.papers import rows  # noqa: F401 - declares the rows
from benchmarks.papers.page import PAGE, page
from benchmarks.papers.record import ROOT, append, commit, has_accelerator, read, record
from benchmarks.papers.row import ROWS, Bench, Row
from isthmus.errors import InputError, unknown


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.papers", description="Published numbers, measured again."
    )
    parser.add_argument("rows", nargs="*", metavar="NAME", help="rows to measure; none: list them")
    parser.add_argument("--epochs", type=int, help="how long to train in place of a row's length")
    parser.add_argument(
        "--page", action="store_true", help="write docs/results.md from the lines that are kept"
    )
    chosen = parser.parse_args(words)
    for name in chosen.rows:
        if name not in ROWS:
            raise unknown("row", name, ROWS)
    loaded = commit()  # sources may change while a row is measured
    for name in chosen.rows:
        measure(ROWS[name], loaded, chosen.epochs)
    if chosen.page:
        PAGE.write_text(page(read()), encoding="utf-8")
    if not chosen.rows and not chosen.page:
        print("\n".join(f"{row.name:14} {row.what}" for row in ROWS.values()))


def measure(row: Row, loaded: str, epochs: int | None = None) -> None:
    """Measure a row and add its line; its checkpoints are removed once the line is written."""
    accelerated = has_accelerator()
    folder = ROOT / "runs" / "papers" / row.name
    bench = Bench(mnist(), epochs or row.epochs[accelerated], accelerated, folder)
    line = record(row, row.measure(bench), bench, loaded)
    append(line)
    shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{row.name}: {line['value']}, wanted {line['wanted']}:"
        f" {'holds' if line['holds'] else 'falls short'}",
        flush=True,
    )


def mnist() -> ist.data.Data:
    """MNIST from where it lies, else downloaded."""
    beside = ROOT.parent / "shared" / "data"
    named = os.environ.get("ISTHMUS_DATA")
    return ist.data.load(
        "mnist", data_dir=Path(named) if named else beside if beside.is_dir() else None
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
