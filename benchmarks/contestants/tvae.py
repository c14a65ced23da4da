"""CTGAN's TVAE with its defaults: synthetic rows of a table, and the seconds of training.

    .venv-peers/bin/python -m benchmarks.contestants.tvae FOLDER NAME SEED

Reads ``NAME.train.csv``, writes ``NAME.tvae-SEED.csv`` with as many rows, prints the seconds that
the processor worked.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from ctgan import TVAE
from pandas.api.types import is_numeric_dtype

from benchmarks.real_tables import parts


def main(folder: Path, name: str, seed: int) -> None:
    torch.set_num_threads(1)  # more threads gain nothing with networks of this size
    train, _ = parts(folder, name)
    categories = [column for column in train if not is_numeric_dtype(train[column])]
    model = TVAE(enable_gpu=False)
    model.set_random_state(seed)
    start = time.process_time()
    model.fit(train, categories)
    seconds = time.process_time() - start
    model.sample(len(train)).to_csv(folder / f"{name}.tvae-{seed}.csv", index=False)
    print(round(seconds, 2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
