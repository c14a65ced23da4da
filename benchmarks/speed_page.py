"""docs/performance.md and its pictures, from the lines of ``benchmarks/results/speed.jsonl``."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.pages import save

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "speed.jsonl"
PAGE = ROOT / "docs" / "performance.md"
CHART, SCALING = (ROOT / "docs" / "images" / name for name in ("performance.png", "scaling.png"))
TOLERANCE = 0.05
"""How far a contestant's error may be from that of isthmus."""

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """What is measured.

    Attributes:
        name: its name on the command line.
        title: what it is.
        contestants: who takes part, where tasks are taken in turns.
        base: whom the others are compared with.
        measure: how it is measured, see ``benchmarks/speed.py``.
    """

    name: str
    title: str
    contestants: tuple[str, ...] = ()
    base: str = "floor"
    measure: str = "turns"


_TORCH = ("tutorial", "keras", "pythae", "lightning")
TASKS = {
    task.name: task
    for task in (
        Task("ae", "AE 784-256-32, batch 128, an epoch of 60,000 images",
             ("floor", "products", "isthmus", "isthmus_compiled", *_TORCH, "skorch", "jax", "sklearn")),
        Task("deep-ae", "AE 784-256-128-64-32, batch 256, an epoch of 30,000 images",
             ("floor", "products", "isthmus", "isthmus_compiled", *_TORCH, "skorch", "jax")),
        Task("conv-vae", "Convolutional VAE, 4×4 strides of 2 to 32 and 64 channels, 16 codes, an epoch of 6,000 images",
             ("floor", "isthmus", "isthmus_compiled", *_TORCH)),
        Task("transform", "`transform` of 60,000 images, 784-256-128-64-32", ("floor", "isthmus", *_TORCH[:3], "skorch", "jax")),
        Task("scores", "`score_samples` of 60,000 images, the same network", ("floor", "isthmus", *_TORCH[:3])),
        Task("start", "Start: whole processes", base="import torch", measure="commands"),
        Task("memory", "Memory and streaming, AE 784-256-32, an epoch", base="60,000 images", measure="memory"),
        Task("compare", "`isthmus compare ae vae --data digits`, the whole process", base="import torch", measure="commands"),
        Task("vqvae", "VQ-VAE on colour images, 128 channels, 512 codes of 64, an epoch of 1,280 images",
             ("floor", "isthmus", "isthmus_compiled", "tutorial", "pythae", "lightning")),
        Task("likelihood", "Likelihood of 10,000 images by 200 samples each, 784-512-512-50", ("floor", "isthmus", "pythae")),
        Task("scaling", "Cost against the number of examples, and of codes", base="n=7500", measure="scaling"),
    )
}  # fmt: skip

NAMES = {
    "floor": "floor", "products": "products alone", "isthmus": "**isthmus**", "isthmus_compiled": "**isthmus, compiled**",
    "tutorial": "tutorial script (plain PyTorch)", "keras": "Keras", "pythae": "Pythae", "lightning": "Lightning",
    "skorch": "skorch", "jax": "JAX, jitted scan", "sklearn": "scikit-learn's MLPRegressor",
}  # fmt: skip


def append(line: Line) -> None:
    """Keep a line."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read() -> dict[str, Line]:
    """The latest line of every task."""
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()] if RESULTS.exists() else []
    return {line["task"]: line for line in lines}


def ratio(results: Mapping[str, Any], name: str, base: str) -> float:
    """How many times as long as ``base`` a contestant takes: the median of the rounds' ratios."""
    pairs = zip(results[name]["seconds"], results[base]["seconds"], strict=True)
    return statistics.median(a / b for a, b in pairs)


def is_off(results: Mapping[str, Any], name: str) -> bool:
    """Whether a contestant did not reach the error of isthmus, so that it is not ranked."""
    ours, theirs = results.get("isthmus", {}).get("error"), results[name].get("error")
    return ours is not None and theirs is not None and abs(theirs / ours - 1) > TOLERANCE


def table(line: Line) -> str:
    """The results of a task as a table of Markdown, the fastest first."""
    task, results = TASKS[line["task"]], line["results"]
    if task.measure == "memory":
        return _memory_table(results)
    rows = [["", "seconds, median", f"× {NAMES.get(task.base, task.base)}"]]
    with_errors = any("error" in found for found in results.values())
    rows[0] += ["squared error"] if with_errors else []
    for name in sorted(results, key=lambda name: statistics.median(results[name]["seconds"])):
        found = results[name]
        mark = " ¹" if is_off(results, name) else ""
        seconds = statistics.median(found["seconds"])
        row = [
            NAMES.get(name, f"`{name}`") + mark,
            f"{seconds:,.3g}" if seconds < 100 else f"{seconds:,.0f}",
            f"{ratio(results, name, task.base):.3g}",
        ]
        rows.append(row + ([f"{found['error']:.5f}" if "error" in found else ""] if with_errors else []))
    words = (
        "\n\n¹ another error than isthmus by more than 5%: not ranked."
        if any(is_off(results, name) for name in results)
        else ""
    )
    return markdown(rows) + words


def markdown(rows: list[list[str]]) -> str:
    """Rows as a table; the first is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- |" + " ---: |" * (len(rows[0]) - 1), *lines[1:]])


def _memory_table(results: Mapping[str, Any]) -> str:
    rows = [["", "greatest memory, MB", "seconds an epoch, median"]]
    for name, found in results.items():
        seconds = f"{statistics.median(found['seconds']):.3g}" if "seconds" in found and name != "imports alone" else ""
        rows.append([NAMES.get(name, name), f"{statistics.median(found['peak']) / 1e6:,.0f}", seconds])
    return markdown(rows)


def write() -> None:
    print("page later")
