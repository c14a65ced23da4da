"""What is kept of a run: one JSON line in ``benchmarks/results/papers.jsonl``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.papers.row import Bench, Row
from isthmus.metrics._measure import Measure

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "papers.jsonl"

Record = dict[str, Any]


def record(row: Row, found: Mapping[str, Measure], bench: Bench, loaded: str) -> Record:
    """Everything about one measurement of a row by a commit, without names of hosts and places."""
    values = {name: round(measure.value, 5) for name, measure in found.items()}
    lengths = {
        name: f"{value:,}" for name, value in bench.settings.items() if isinstance(value, int)
    }
    return {
        "row": row.name,
        "what": row.what,
        "setting": row.setting.format(**lengths, epochs=bench.epochs),
        "metric": row.metric,
        "unit": row.unit,
        "value": values,
        "error": {
            name: round(measure.error, 5)
            for name, measure in found.items()
            if measure.error is not None
        },
        "published": dict(row.published),
        "source": row.source,
        "wanted": row.wanted.words,
        "holds": row.wanted.holds(values),
        "epochs": bench.epochs,
        "settings": bench.settings,
        "data": row.data,
        "seconds": round(bench.seconds, 1),
        "device": device(),
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "commit": loaded,
        "date": datetime.now(UTC).date().isoformat(),
    }


def append(line: Record, path: Path = RESULTS) -> None:
    """Add a line to those that are kept."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(path: Path = RESULTS) -> list[Record]:
    """All lines, the oldest first; none where nothing was measured yet."""
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if path.exists()
        else []
    )


def has_accelerator() -> bool:
    """Whether torch finds an accelerator that works."""
    return torch.accelerator.current_accelerator(check_available=True) is not None


def device() -> str:
    """``"CPU"``, or the accelerator's name; the page shows the latest line of each."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return str(torch.accelerator.current_accelerator()) if has_accelerator() else "CPU"


def machine() -> str:
    """The processor's model and the number of its cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'unknown processor'}, {os.cpu_count()} cores"


def commit() -> str:
    """The commit of the code that measured; where sources have changed since, it says so.

    BENCH_COMMIT says it where the code came without its history.
    """
    if named := os.environ.get("BENCH_COMMIT"):
        return named
    changed = _git("status", "--porcelain", "--", "src", "benchmarks/papers")
    return _git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
