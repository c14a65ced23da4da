"""docs/performance.md and its pictures, from the lines of ``benchmarks/results/speed.jsonl``."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.pages import save
from isthmus.figures._style import INK, PALETTE, QUIET, SMALL, TEXT, WIDTH, new_figure, quiet

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "speed.jsonl"
PAGE = ROOT / "docs" / "performance.md"
BLOCK = re.compile(r"(<!-- ([\w-]+) -->)\n.*?(<!-- end -->)", re.DOTALL)
CHART, SCALING = (ROOT / "docs" / "images" / name for name in ("performance.png", "scaling.png"))
TOLERANCE = 0.05
"""How far a contestant's error may be from that of isthmus, where a task does not say otherwise."""
VQ_TOLERANCE = 0.3
"""After ten steps the order of the examples alone moves the error of a VQ-VAE by as much."""

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
        tolerance: how far a contestant's error may be from that of isthmus.
    """

    name: str
    title: str
    contestants: tuple[str, ...] = ()
    base: str = "floor"
    measure: str = "turns"
    tolerance: float = TOLERANCE


_TORCH = ("tutorial", "keras", "pythae", "lightning")
TASKS = {
    task.name: task
    for task in (
        Task(
            "ae",
            "AE 784-256-32, batch 128, an epoch of 20,000 images",
            (
                "floor",
                "products",
                "isthmus",
                "isthmus_compiled",
                *_TORCH,
                "skorch",
                "jax",
                "sklearn",
            ),
        ),
        Task(
            "deep-ae",
            "AE 784-256-128-64-32, batch 256, an epoch of 15,000 images",
            ("floor", "products", "isthmus", "isthmus_compiled", *_TORCH, "skorch", "jax"),
        ),
        Task(
            "conv-vae",
            "Convolutional VAE, 4×4 strides of 2 to 32 and 64 channels, 16 codes, an epoch of 6,000"
            " images",
            ("floor", "isthmus", "isthmus_compiled", *_TORCH),
        ),
        Task(
            "transform",
            "`transform` of 60,000 images, 784-256-128-64-32",
            ("floor", "isthmus", *_TORCH[:3], "skorch", "jax"),
        ),
        Task(
            "scores",
            "`score_samples` of 60,000 images, the same network",
            ("floor", "isthmus", *_TORCH[:3]),
        ),
        Task("start", "Start: whole processes", base="import torch", measure="commands"),
        Task(
            "memory",
            "Memory and streaming, AE 784-256-32, an epoch",
            base="60,000 images",
            measure="memory",
        ),
        Task(
            "compare",
            "`isthmus compare ae vae --data digits`, the whole process",
            base="import torch",
            measure="commands",
        ),
        Task(
            "vqvae",
            "VQ-VAE on colour images, 128 channels, 512 codes of 64, an epoch of 640 images",
            ("floor", "isthmus", "tutorial", "pythae", "lightning"),
            tolerance=VQ_TOLERANCE,
        ),
        Task(
            "likelihood",
            "Likelihood of 10,000 images by 200 samples each, 784-512-512-50",
            ("floor", "isthmus", "pythae"),
        ),
        Task("step", "A step of AE 784-256-32, written in other ways", measure="step"),
        Task(
            "scaling",
            "Cost against the number of examples, and of codes",
            base="n=7500",
            measure="scaling",
        ),
    )
}

NAMES = {
    "floor": "floor",
    "products": "products alone",
    "isthmus": "**isthmus**",
    "isthmus_compiled": "**isthmus, compiled**",
    "tutorial": "tutorial script (plain PyTorch)",
    "keras": "Keras",
    "pythae": "Pythae",
    "lightning": "Lightning",
    "skorch": "skorch",
    "jax": "JAX, jitted scan",
    "sklearn": "scikit-learn's MLPRegressor",
}


def append(line: Line) -> None:
    """Keep a line."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read() -> dict[str, Line]:
    """The latest line of every task on the CPU."""
    return {line["task"]: line for line in _lines() if line["device"] == "CPU"}


def read_elsewhere() -> dict[str, Line]:
    """The latest line of every task on every accelerator."""
    return {
        f"{line['task']} on {line['device']}": line for line in _lines() if line["device"] != "CPU"
    }


def _lines() -> list[Line]:
    return (
        [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
        if RESULTS.exists()
        else []
    )


def ratio(results: Mapping[str, Any], name: str, base: str) -> float:
    """How many times as long as ``base`` a contestant takes: the median of the rounds' ratios."""
    pairs = zip(results[name]["seconds"], results[base]["seconds"], strict=True)
    return statistics.median(a / b for a, b in pairs)


def is_off(results: Mapping[str, Any], name: str, tolerance: float = TOLERANCE) -> bool:
    """Whether a contestant did not reach the error of isthmus, so that it is not ranked."""
    ours, theirs = results.get("isthmus", {}).get("error"), results[name].get("error")
    return ours is not None and theirs is not None and abs(theirs / ours - 1) > tolerance


def table(line: Line) -> str:
    """The results of a task as a Markdown table, the fastest first where contestants take turns."""
    task, results = TASKS[line["task"]], line["results"]
    if task.measure == "memory":
        return _memory_table(results)
    with_errors = any("error" in found for found in results.values())
    rows = [
        [
            "",
            "seconds, median",
            f"× {NAMES.get(task.base, task.base)}",
            *(["squared error"] if with_errors else []),
        ]
    ]
    ordered = (
        sorted(results, key=lambda name: _seconds(results, name))
        if task.measure == "turns"
        else list(results)
    )
    for name in ordered:
        mark = " ¹" if is_off(results, name, task.tolerance) else ""
        row = [
            NAMES.get(name, f"`{name}`") + mark,
            number(_seconds(results, name)),
            number(ratio(results, name, task.base)),
        ]
        error = results[name].get("error")
        rows.append([*row, *(["" if error is None else f"{error:.5f}"] if with_errors else [])])
    off = any(is_off(results, name, task.tolerance) for name in results)
    note = (
        f"\n\n¹ its error differs from that of isthmus by more than {task.tolerance:.0%}, so it is"
        " not ranked."
    )
    return markdown(rows) + (note if off else "")


def number(value: float) -> str:
    """Three digits that count."""
    return (
        f"{value:,.0f}"
        if value >= 100
        else f"{value:.3g}"
        if value < 1
        else f"{value:.{2 if value < 10 else 1}f}"
    )


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table; the first is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- |" + " ---: |" * (len(rows[0]) - 1), *lines[1:]])


def _seconds(results: Mapping[str, Any], name: str) -> float:
    return statistics.median(results[name]["seconds"])


def _memory_table(results: Mapping[str, Any]) -> str:
    rows = [["", "greatest memory, MB", "seconds of an epoch, median"]]
    for name, found in results.items():
        seconds = (
            number(_seconds(results, name))
            if "seconds" in found and name != "imports alone"
            else ""
        )
        rows.append([NAMES.get(name, name), f"{_peak(results, name):,.0f}", seconds])
    return markdown(rows)


def _peak(results: Mapping[str, Any], name: str) -> float:
    """Megabytes."""
    return statistics.median(results[name]["peak"]) / 1e6


class NoPeerError(Exception):
    """No peer reached the error of isthmus, so that none can be ranked."""


@dataclass(frozen=True)
class Goal:
    """What was aimed at.

    Attributes:
        task: of which task.
        words: the goal.
        measure: from its results to the number that the goal speaks of; None where a contestant is
            missing.
        bound: the number it is held against; below it, or above where ``more``.
        unit: written behind the number.
    """

    task: str
    words: str
    measure: Callable[[Mapping[str, Any]], float]
    bound: float
    more: bool = False
    unit: str = "×"

    def row(self, lines: Mapping[str, Line]) -> list[str]:
        """Its row in the table."""
        try:
            value = self.measure(lines[self.task]["results"])
        except KeyError:
            return [self.words, "not measured", ""]
        except NoPeerError:
            return [self.words, "no peer reached its error", ""]
        holds = value >= self.bound if self.more else value <= self.bound
        return [self.words, f"{number(value)}{self.unit}", "holds" if holds else "falls short"]


def _floor(name: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda results: ratio(results, name, "floor")


def _than(name: str, ours: str = "isthmus") -> Callable[[Mapping[str, Any]], float]:
    return lambda results: ratio(results, name, ours)


def _best_peer(task: str) -> Callable[[Mapping[str, Any]], float]:
    """How many times as long the best peer takes that reaches the error of isthmus."""

    def measured(results: Mapping[str, Any]) -> float:
        peers = [
            name
            for name in results
            if name not in ("floor", "products", "isthmus", "isthmus_compiled")
        ]
        ranked = [
            ratio(results, name, "isthmus")
            for name in peers
            if not is_off(results, name, TASKS[task].tolerance)
        ]
        if not ranked:
            raise NoPeerError if peers else KeyError("no peer was measured")
        return min(ranked)

    return measured


def _linear(first: str, last: str, factor: float) -> Callable[[Mapping[str, Any]], float]:
    return lambda results: ratio(results, last, first) / factor


STORED = 60_000 * 784 / 1e6  # megabytes of the images
GOALS = (
    Goal("ae", "AE 784-256-32, default settings: at most 1.6 × the floor", _floor("isthmus"), 1.6),
    Goal(
        "ae", "… at least 4.5 × as fast as the tutorial script", _than("tutorial"), 4.5, more=True
    ),
    *(
        Goal("ae", f"… at least {bound} × as fast as {NAMES[name]}", _than(name), bound, more=True)
        for name, bound in (("keras", 1.8), ("pythae", 1.8), ("lightning", 1.8), ("skorch", 1.6))
    ),
    Goal(
        "ae",
        "… with `compile=True`, warm: at most 1.3 × the floor",
        _floor("isthmus_compiled"),
        1.3,
    ),
    Goal(
        "ae",
        "… with `compile=True`, warm: at least as fast as JAX",
        _than("jax", "isthmus_compiled"),
        1.0,
        more=True,
    ),
    Goal("conv-vae", "Convolutional VAE: at most 1.35 × the floor", _floor("isthmus"), 1.35),
    Goal(
        "conv-vae",
        "… at least 1.3 × as fast as the best peer",
        _best_peer("conv-vae"),
        1.3,
        more=True,
    ),
    Goal("vqvae", "VQ-VAE: at most 1.3 × the floor", _floor("isthmus"), 1.3),
    Goal("vqvae", "… at least 1.3 × as fast as the best peer", _best_peer("vqvae"), 1.3, more=True),
    Goal(
        "transform", "`transform` of 60,000 images: at most 1.3 × the floor", _floor("isthmus"), 1.3
    ),
    Goal("transform", "… the fastest of all", _best_peer("transform"), 1.0, more=True),
    Goal(
        "memory",
        "Memory of training on n examples: at most the stored data + weights + 300 MB",
        lambda results: _peak(results, "60,000 images") - _peak(results, "imports alone") - STORED,
        300,
        unit=" MB",
    ),
    Goal(
        "memory",
        "Streaming 600,000 images from the disk: at least 80% of the speed in the memory",
        lambda results: (
            100 / ratio(results, "600,000 images, memory map", "600,000 images in the memory")
        ),
        80,
        more=True,
        unit="%",
    ),
    Goal(
        "memory",
        "… in at most 1,000 MB",
        lambda results: _peak(results, "600,000 images, memory map"),
        1000,
        unit=" MB",
    ),
    Goal(
        "likelihood",
        "Likelihood, 10,000 images × 200 samples: at most 1.5 × the floor",
        _floor("isthmus"),
        1.5,
    ),
    Goal("likelihood", "… at least 100 × as fast as Pythae", _than("pythae"), 100, more=True),
    Goal(
        "scaling",
        "Cost per example: 60,000 against 7,500 examples, at most 10% more",
        _linear("n=7500", "n=60000", 8),
        1.1,
    ),
)


def filled(text: str, lines: Mapping[str, Line]) -> str:
    """The page with what was measured in its blocks; all other words are kept."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{_block(found[2], lines)}\n{found[3]}", text)


def _block(name: str, lines: Mapping[str, Line]) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- end -->``."""
    if name == "elsewhere":
        tables = [
            f"{TASKS[line['task']].title}, {line['device']}:\n\n{table(line)}"
            for line in read_elsewhere().values()
        ]
        return "\n\n".join(tables) or "Not measured yet: no accelerator was at hand."
    if name == "goals":
        return markdown([["goal", "measured", ""], *(goal.row(lines) for goal in GOALS)])
    if name == "where":
        return "\n\n".join(_where(lines.values()))
    return table(lines[name]) if name in lines else "Not measured."


def _where(lines: Iterable[Line]) -> list[str]:
    """One sentence for every surroundings, with the commits at which was measured there."""
    commits: dict[str, dict[str, list[str]]] = {}
    for line in lines:
        versions = ", ".join(f"{name} {version}" for name, version in line["versions"].items())
        words = (
            f"Measured on {line['machine']}, {line['threads']} threads, with torch {line['torch']}."
            f" Data: {line['data']}. Peers: {versions or 'none'}."
        )
        commits.setdefault(words, {}).setdefault(line["commit"], []).append(line["task"])
    listed = {
        words: "; ".join(f"{commit} for {', '.join(tasks)}" for commit, tasks in found.items())
        for words, found in commits.items()
    }
    return [f"{words} Commits: {found}." for words, found in listed.items()]


def chart(lines: Mapping[str, Line]) -> Figure:
    """Bars of ratios to the floor, a panel for every task that has one."""
    tasks = [
        name
        for name in ("ae", "deep-ae", "conv-vae", "vqvae", "transform", "scores", "likelihood")
        if name in lines
    ]
    counts = [len(lines[name]["results"]) for name in tasks]
    figure = new_figure(WIDTH, 0.22 * sum(counts) + 0.55 * len(tasks))
    panels = figure.subplots(len(tasks), 1, height_ratios=counts, squeeze=False)[:, 0]
    for axes, name in zip(panels, tasks, strict=True):
        results = lines[name]["results"]
        ratios = sorted(((ratio(results, each, "floor"), each) for each in results), reverse=True)
        names = [
            NAMES[each].strip("*")
            + (" (another error)" if is_off(results, each, TASKS[name].tolerance) else "")
            for _, each in ratios
        ]
        shown = [value for value, _ in ratios]
        limit = min(max(shown), 8.0)
        colours = [_colour(each) for _, each in ratios]
        axes.barh(names, [min(value, limit) for value in shown], color=colours, height=0.7)
        for place, value in enumerate(shown):
            beyond = value > limit
            axes.text(
                min(value, limit) + 0.01 * limit,
                place,
                f"{number(value)}" + (" →" if beyond else ""),
                va="center",
                fontsize=SMALL,
                color=INK,
            )
        quiet(axes)
        axes.set_yticks(range(len(names)), names)  # every bar has its name
        axes.set_xlim(0, 1.1 * limit)
        axes.set_title(
            TASKS[name].title.replace("`", "").partition(", an epoch")[0],
            loc="left",
            fontsize=TEXT,
            color=INK,
        )
        axes.tick_params(axis="y", length=0)
    panels[-1].set_xlabel(
        "time, as a multiple of the floor (shorter is better)", fontsize=SMALL, color=INK
    )
    return figure


def _colour(name: str) -> str:
    return (
        QUIET
        if name in ("floor", "products")
        else PALETTE[2]
        if name.startswith("isthmus")
        else PALETTE[0]
    )


def scaling_figure(line: Line) -> Figure:
    """Seconds of an epoch against n, and against the size of the code, beside straight lines."""
    figure = new_figure(WIDTH, 2.6)
    for axes, (key, label) in zip(
        figure.subplots(1, 2), (("n", "training examples"), ("d", "size of the code")), strict=True
    ):
        points = sorted(
            (int(name[2:]), _seconds(line["results"], name))
            for name in line["results"]
            if name.startswith(key)
        )
        x, y = zip(*points, strict=True)
        axes.plot((x[0], x[-1]), (y[0], y[-1]), color=QUIET, linewidth=1, linestyle="--")
        axes.plot(x, y, "o", color=PALETTE[2], markersize=5)
        axes.set(ylim=(0, 1.08 * max(y)), xlim=(0, 1.05 * max(x)))
        axes.set_xlabel(label, fontsize=SMALL, color=INK)
        axes.set_ylabel("seconds of an epoch", fontsize=SMALL, color=INK)
        quiet(axes)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure


def write() -> None:
    """Write the page and its pictures from the lines that are kept."""
    lines = read()
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")
    save(chart(lines), CHART)
    if "scaling" in lines:
        save(scaling_figure(lines["scaling"]), SCALING)
