"""What it costs to train on a folder of small PNGs that is never in memory as a whole.

Three times are measured with the same network: an epoch on the decoded array, the decoder's own
time (every file once, in one process), and an epoch on the stream. The bound is

    (in memory + decoder) / stream >= 0.8,

as if nothing overlapped. Memory is that of all processes together, shared pages counted once (PSS),
above what it was after the imports::

    OMP_NUM_THREADS=1 python -m benchmarks.streams --images 200000
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import isthmus as ist
from isthmus.data import Stream
from isthmus.data._sources.images import Wanted
from isthmus.data._sources.lazy_images import stream_folder

RESULTS = Path(__file__).parent / "results" / "streams.jsonl"
SIDE, A_FOLDER = 28, 2000


def write(folder: Path, images: int) -> None:
    """PNGs of 28x28 with strokes of chance, 2,000 to a folder."""
    random = np.random.default_rng(0)
    for place in range(images):
        sub = folder / f"{place // A_FOLDER:03d}"
        if place % A_FOLDER == 0:
            sub.mkdir()
        pixels = np.zeros((SIDE, SIDE), np.uint8)
        for row, column, length in random.integers(2, SIDE - 8, size=(6, 3)):
            pixels[row : row + 2, column : column + min(length, 8)] = 255 - random.integers(64)
        Image.fromarray(pixels).save(sub / f"{place:06d}.png")


class Memory(threading.Thread):
    """The greatest sum of the memory of this process and of those that it started, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.start_at, self.peak, self._over = megabytes(), 0.0, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.5):
            self.peak = max(self.peak, megabytes() - self.start_at)

    def stop(self) -> float:
        """The peak above the start."""
        self._over.set()
        self.join()
        return self.peak


def megabytes() -> float:
    """The proportional set size of the family of this process."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    return sum(_pss(int(process)) for process in (own, *children))


def _pss(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def epochs_of(x: Any, epochs: int) -> list[float]:
    """The seconds of each epoch of an autoencoder with the default network."""
    model = ist.AE(epochs=epochs, verbose=0, random_state=0).fit(x)
    return [row["seconds"] for row in model.history_]


def measured(images: int, epochs: int, workers: int | None) -> dict[str, Any]:
    """All figures for so many images."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), images)
        memory = Memory()
        memory.start()
        start = time.monotonic()
        listed = stream_folder(Path(name), Wanted()).x
        assert isinstance(listed, Stream)
        listing = time.monotonic() - start
        stream = Stream(listed.source, workers=workers)
        streamed = epochs_of(stream, epochs)
        peak = memory.stop()
        start = time.monotonic()
        x = stream[:]
        decoder = time.monotonic() - start
        in_memory = epochs_of(x, epochs)
    # the processes start within the first epoch, which is left out
    own, other = (statistics.median(seconds[1:]) for seconds in (in_memory, streamed))
    return {
        "images": images,
        "processors": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "seconds_listing": round(listing, 2),
        "seconds_decoder": round(decoder, 2),
        "seconds_in_memory": round(own, 2),
        "seconds_stream": round(other, 2),
        "least_in_memory": round(min(in_memory), 2),
        "least_stream": round(min(streamed), 2),
        "speed_with_decoder_counted": round((own + decoder) / other, 3),
        "megabytes_above_imports": round(peak),
    }


def main() -> None:
    """Measure, print, and add a line to the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()
    row = measured(arguments.images, arguments.epochs, arguments.workers)
    print(json.dumps(row))
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
