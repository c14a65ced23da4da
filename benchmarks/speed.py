"""Speed, side by side: tasks × contestants, in turns, as ratios to the task's bare products.

    python -m benchmarks.speed                  # everything measurable here; then the page
    python -m benchmarks.speed ae transform     # these tasks
    python -m benchmarks.speed --page           # docs/performance.md from the lines that are kept
    python -m benchmarks.speed --device cuda    # the first tasks on an accelerator
    BENCH_ROUNDS=3 python -m benchmarks.speed   # fewer turns, where a machine is lent for minutes

Peers take part where ``make bench-peers`` has made their environment. The digits are MNIST where
ISTHMUS_DATA, or the folder shared/data beside the checkout, has it; else they are made of
scikit-learn's small digits, enlarged and shifted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import speed_page, step
from benchmarks.contestants.data import write
from benchmarks.pages import surroundings
from benchmarks.papers.record import commit, device
from benchmarks.speed_page import ROOT, TASKS, Task

ROUNDS, COMMAND_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9")), 5
PEERS = Path(os.environ.get("ISTHMUS_PEERS", ROOT / ".venv-peers"))
ELSEWHERE = ("ae", "deep-ae", "conv-vae", "transform", "scores")
MOVABLE = ("floor", "products", "isthmus", "isthmus_compiled", "tutorial", "lightning", "pythae")
OURS = ("floor", "products", "isthmus", "isthmus_compiled")


class GaveUpError(Exception):
    """A contestant ended before its time."""


class Contestant:
    """A process that imports what it needs, prepares itself, and does a round when told to."""

    def __init__(self, name: str, task: str, folder: Path) -> None:
        self.name = name
        python = sys.executable if name in OURS else _peer_python()
        self.log = (folder / f"{task}-{name}.log").open("w+")
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.contestants", name, task.replace("-", "_"), str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def imported(self) -> None:
        """Wait until everything is imported; it starts by itself."""
        self._answer()

    def prepared(self) -> None:
        """Make everything ready, with a short round that does not count."""
        self._tell()

    def round(self) -> dict[str, Any]:
        """Do one round."""
        answer: dict[str, Any] = json.loads(self._tell())
        return answer

    def _tell(self) -> str:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone: what it said at last is found below
            print(file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()  # until then its last words may be missing
            self.log.seek(0)
            raise GaveUpError(f"{self.name} gave up: {self.log.read()[-2000:].strip()}")
        return line


def in_turns(task: Task, folder: Path) -> dict[str, Any]:
    """The rounds of a task: A B C, A B C, …; what every contestant took, and its error."""
    here = os.environ["BENCH_DEVICE"] == "cpu"
    names = [name for name in task.contestants if name in OURS or name in _peers(*task.contestants)]
    names = [name for name in names if here or name in MOVABLE]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with ExitStack() as stack:
        contestants = [stack.enter_context(Contestant(name, task.name, folder)) for name in names]
        # one prepares after another, and all import at once
        for stage in (Contestant.imported, Contestant.prepared):
            contestants = [contestant for contestant in contestants if _manages(contestant, stage)]
        for _ in range(ROUNDS):
            for contestant in contestants:
                found[contestant.name].append(contestant.round())
                print(
                    f"  {contestant.name}: {found[contestant.name][-1]['seconds']:.2f} s",
                    file=sys.stderr,
                    flush=True,
                )
    return {
        name: {
            "seconds": [round(each["seconds"], 4) for each in rounds],
            **(
                {"error": statistics.median(each["error"] for each in rounds)}
                if rounds[0]["error"] is not None
                else {}
            ),
        }
        for name, rounds in found.items()
        if rounds
    }


def _manages(contestant: Contestant, stage: Callable[[Contestant], None]) -> bool:
    """Whether a contestant comes through a stage; one that does not is left out, and named."""
    try:
        stage(contestant)
    except GaveUpError as error:
        if contestant.name in OURS:
            raise
        print(f"  left out: {error}", file=sys.stderr, flush=True)
        return False
    return True


def commands(task: Task, folder: Path) -> dict[str, Any]:
    """Whole processes in turns, from their start to their end."""
    isthmus = Path(sys.executable).with_name("isthmus")
    run = folder / "run"
    _python(
        "import isthmus as ist; d = ist.data.load('digits'); ist.AE(epochs=1,"
        f" verbose=0).fit(d.train).save({str(run)!r})"
    )
    first = (
        f"import isthmus as ist; m = ist.load({str(run)!r});"
        " m.transform(ist.data.load('digits').test.x[:1])"
    )
    lines: dict[str, list[str]] = {
        "start": {
            "python": [sys.executable, "-c", "pass"],
            "import torch": [sys.executable, "-c", "import torch"],
            "import torch, sklearn.base": [sys.executable, "-c", "import torch, sklearn.base"],
            "isthmus --help": [str(isthmus), "--help"],
            "isthmus train vae --help": [str(isthmus), "train", "vae", "--help"],
            "import isthmus": [sys.executable, "-c", "import isthmus"],
            "load + transform": [sys.executable, "-c", first],
            **{
                f"import {name}": [_peer_python(), "-c", f"import {name}"]
                for name in _peers("pythae.models", "keras")
            },
        },
        "compare": {
            "import torch": [sys.executable, "-c", "import torch"],
            "isthmus compare": [
                str(isthmus),
                "compare",
                "ae",
                "vae",
                "--data",
                "digits",
                "--out",
                str(folder / "page"),
            ],
        },
    }[task.name]
    found: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(COMMAND_ROUNDS):
        for name, line in lines.items():
            found[name].append(round(_timed(line), 4))
    return {name: {"seconds": seconds} for name, seconds in found.items()}


def memory(task: Task, folder: Path) -> dict[str, Any]:
    """The greatest memory and the speed of an epoch, from the memory and from the disk.

    Each is measured in a process of its own.
    """
    _write_large(folder)
    fits = {
        "imports alone": "pass",
        "60,000 images": "fit(np.load(train))",
        "600,000 images in the memory": "fit(np.load(large))",
        "600,000 images, memory map": "fit(np.load(large, mmap_mode='r'))",
    }
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "peak": []} for name in fits}
    for _ in range(2):  # the large ones take half a minute each
        for name, line in fits.items():
            seconds, peak = map(float, _python(_MEMORY.format(folder=folder, line=line)).split())
            found[name]["seconds"].append(round(seconds, 3))
            found[name]["peak"].append(int(peak))
    for name in _peers("keras", "pythae", "tutorial"):
        with Contestant(name, "memory", folder) as contestant:
            contestant.imported()
            contestant.prepared()
            found[name] = {"peak": [contestant.round()["peak"]]}
    (folder / "large.npy").unlink()
    return found


def scaling(task: Task, folder: Path) -> dict[str, Any]:
    """Seconds of an epoch against the number of examples, and against the size of the code."""
    import isthmus as ist

    x = np.load(folder / "train.npy")
    sizes = {f"n={n}": (n, 32) for n in (7_500, 15_000, 30_000, 60_000)}
    sizes |= {f"d={d}": (15_000, d) for d in (2, 64, 128, 256, 512)}
    found: dict[str, list[float]] = {name: [] for name in sizes}
    for number in range(COMMAND_ROUNDS + 1):
        for name, (n, d) in sizes.items():
            model = ist.AE(
                latent_dim=d, hidden=(256,), network="mlp", likelihood="mse", epochs=1, verbose=0
            ).fit(x[:n])
            if number:
                found[name].append(round(model.history_[0]["seconds"], 4))
    return {name: {"seconds": seconds} for name, seconds in found.items()}


MEASURES: Mapping[str, Callable[[Task, Path], dict[str, Any]]] = {
    "turns": in_turns,
    "commands": commands,
    "memory": memory,
    "scaling": scaling,
    "step": lambda task, folder: step.measured(),
}

_MEMORY = """
import time
import numpy as np
from benchmarks.contestants.work import peak
import isthmus as ist
import isthmus.estimators.base
train, large = "{folder}/train.npy", "{folder}/large.npy"
start = time.perf_counter()
def fit(x):
    global start
    model = ist.AE(
        latent_dim=32, hidden=(256,), network="mlp", likelihood="mse",
        epochs=1, verbose=0, random_state=0,
    )
    start = time.perf_counter()
    model.fit(x)
{line}
print(time.perf_counter() - start, peak())
"""


def _write_large(folder: Path) -> None:
    train = np.load(folder / "train.npy", mmap_mode="r")
    large = np.lib.format.open_memmap(
        folder / "large.npy", "w+", np.uint8, (10 * len(train), train.shape[1])
    )
    for part in range(10):
        large[part * len(train) : (part + 1) * len(train)] = np.roll(train, part, axis=1)
    large.flush()


def _python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def _timed(line: Sequence[str]) -> float:
    """Seconds of a command, by a clock that starts and stops outside of it."""
    start = time.perf_counter()
    subprocess.run(line, check=True, capture_output=True, cwd=tempfile.gettempdir())
    return time.perf_counter() - start


def _peer_python() -> str:
    return str(PEERS / "bin" / "python")


def _peers(*names: str) -> list[str]:
    return list(names) if (PEERS / "bin" / "python").exists() else []


def _versions() -> dict[str, str]:
    """What takes part, and in which version."""
    listed = (
        subprocess.run(
            [PEERS / "bin" / "python", "-m", "pip", "list"], capture_output=True, text=True
        ).stdout
        if _peers("all")
        else ""
    )
    wanted = r"(keras|tensorflow[\w-]*|pythae|skorch|lightning|jax|scikit-learn|torch)\s+(\S+)"
    return dict(re.findall(rf"^{wanted}", listed, re.MULTILINE))


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="Speed, side by side."
    )
    parser.add_argument(
        "tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; none: all"
    )
    parser.add_argument(
        "--device",
        default="cpu",
        choices=("cpu", "cuda"),
        help="where isthmus, floor, tutorial, Lightning and Pythae compute",
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="only write docs/performance.md from the lines that are kept",
    )
    chosen = parser.parse_args(words)
    if unknown := [name for name in chosen.tasks if name not in TASKS]:
        parser.error(f"{unknown[0]!r} is no task: choose from {', '.join(TASKS)}")
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device here: leave --device out to measure on the CPU")
    os.environ["BENCH_DEVICE"] = chosen.device
    names = chosen.tasks or (TASKS if chosen.device == "cpu" else ELSEWHERE)
    if not chosen.page:
        with tempfile.TemporaryDirectory() as folder:
            measure([TASKS[name] for name in names], Path(folder), chosen.device)
    speed_page.write()


def measure(tasks: Sequence[Task], folder: Path, where_computed: str) -> None:
    data = write(folder)
    name = "CPU" if where_computed == "cpu" else device()
    where = {
        **surroundings(),
        "device": name,
        "commit": commit(),
        "data": data,
        "versions": _versions(),
    }
    for task in tasks:
        print(f"{task.name}: {task.title} …", flush=True)
        start = time.monotonic()
        line = {"task": task.name, "results": MEASURES[task.measure](task, folder), **where}
        speed_page.append(line)
        print(f"{speed_page.table(line)}\n({time.monotonic() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
