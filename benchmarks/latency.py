"""How long the code of a single row takes, by the type of the row, with the default network.

The types are asked in turns, so that a busy machine slows all of them; medians and least times, in
milliseconds::

    OMP_NUM_THREADS=1 python -m benchmarks.latency
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import isthmus as ist

RESULTS = Path(__file__).parent / "results" / "latency.jsonl"
COLUMNS, CALLS = 64, 300


def rows() -> dict[str, tuple[Any, Any]]:
    """A trained member and one row, by the type of the row."""
    random = np.random.default_rng(0)
    x = random.normal(size=(500, COLUMNS)).astype(np.float32)
    names = [f"c{place}" for place in range(COLUMNS)]
    frame = pd.DataFrame(x.astype(np.float64), columns=names)
    pixels = random.integers(0, 256, size=(500, 28, 28), dtype=np.uint8)
    people = frame[names[:6]].assign(
        visits=random.poisson(2, len(x)),
        city=random.choice(["Oslo", "Paris", "Rome"], len(x)),
        job=pd.Categorical(random.choice(["baker", "nurse"], len(x))),
        member=random.random(len(x)) < 0.5,
        born=pd.Timestamp("1990-01-01") + pd.to_timedelta(random.integers(0, 9999, len(x)), "D"),
    )
    plain, table, image, mixed = (_trained(examples) for examples in (x, frame, pixels, people))
    return {
        "float32": (plain, x[:1]),
        "float64": (plain, x[:1].astype(np.float64)),
        "DataFrame of float64": (table, frame[:1]),
        "DataFrame of int64": (table, frame[:1].round().astype(np.int64)),
        "DataFrame of mixed columns": (mixed, people[:1]),
        "uint8 image": (image, pixels[:1]),
        "float64 image": (image, pixels[:1] / 255),
    }


def _trained(x: Any) -> Any:
    return ist.AE(epochs=1, verbose=0, random_state=0).fit(x)


def main() -> None:
    """Measure, print, and add a line to the results."""
    warnings.simplefilter("ignore")
    asked = rows()
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(CALLS):
        for name, (model, row) in asked.items():
            start = time.perf_counter()
            model.transform(row)
            taken[name].append(1e3 * (time.perf_counter() - start))
    found = {
        name: {"median_ms": round(statistics.median(ms), 3), "least_ms": round(min(ms), 3)}
        for name, ms in taken.items()
    }
    line = {"columns": COLUMNS, "calls": CALLS, "load": round(os.getloadavg()[0], 1), **found}
    print(json.dumps(line, indent=1))
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
