"""The speed of two checkouts of isthmus, side by side.

    python -m benchmarks.checkouts OLD NEW [--rounds 7]

OLD and NEW are folders that hold a ``src``. Rounds alternate, each in a process of its own, so that
what else the machine does falls on both alike. Printed are medians and the ratio NEW / OLD: of an
epoch of the autoencoder and of the convolutional VAE on made images, of a fit of thirty rows, which
is what a fit costs beside its steps, and of what starts a process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

_EPOCHS = """
import json, warnings, numpy as np, isthmus as ist
warnings.simplefilter("ignore")
x = np.random.default_rng(0).integers(0, 256, ({n}, 1, 28, 28), dtype=np.uint8)
model = {member}(random_state=0, verbose=0, epochs=4, **{values}).fit(x)
print(json.dumps(min(row["seconds"] for row in model.history_[1:])))
"""
_FIT = """
import json, time, warnings, numpy as np, isthmus as ist
warnings.simplefilter("ignore")
x = np.random.default_rng(0).random((30, 4)).astype(np.float32)
model, seconds = {member}(epochs=1, hidden=(8,), random_state=0, verbose=0), []
for _ in range(60):
    start = time.perf_counter()
    model.fit(x)
    seconds.append(time.perf_counter() - start)
print(json.dumps(float(np.median(seconds))))
"""
_WALL = {
    "import isthmus": "import isthmus",
    "load and first transform": (
        "import isthmus as ist, numpy as np;"
        "ist.load('pretrained:ae-mnist-2d').transform(np.zeros((1, 1, 28, 28), np.uint8))"
    ),
    "isthmus train vae --help": "import sys; sys.argv = ['isthmus', 'train', 'vae', '--help'];"
    "import runpy; runpy.run_module('isthmus', run_name='__main__')",
}
TASKS = {
    "epoch of AE": _EPOCHS.format(
        n=30_000, member="ist.AE", values={"hidden": (256,), "latent_dim": 32}
    ),
    "epoch of the convolutional VAE": _EPOCHS.format(
        n=3_000, member="ist.VAE", values={"network": "conv", "latent_dim": 16}
    ),
    "fit of 30 rows, AE": _FIT.format(member="ist.AE"),
    "fit of 30 rows, VAE": _FIT.format(member="ist.VAE"),
}


def seconds(folder: Path, task: str) -> float:
    """How long a task takes in one checkout: the fastest epoch, a fit, or the whole process."""
    place = {**os.environ, "PYTHONPATH": str(folder / "src")}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", TASKS.get(task) or _WALL[task]],
        env=place,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - start
    return float(json.loads(done.stdout)) if task in TASKS else wall


def main() -> None:
    """Measure every task, in turns, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    for task in (*TASKS, *_WALL):
        pairs = [(seconds(given.old, task), seconds(given.new, task)) for _ in range(given.rounds)]
        old, new = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(after / before for before, after in pairs)
        print(f"{task:<32} {old:8.3f} s {new:8.3f} s   {ratio:.3f} ×", flush=True)


if __name__ == "__main__":
    main()
