"""What the training loop adds to a step: isthmus beside a bare torch loop that does the same work, in one run.

    python benchmarks/loop.py [ROUNDS]

Both train 784-256-32-256-784 (batch 128, fused Adam, squared error) on 60,000 uint8 images, an epoch at a time, in turns.
Prints the seconds of every round, and the median of the ratios; the data are random, which costs the same.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn

import isthmus as ist

ROWS, BATCH = 60_000, 128


def bare(x: torch.Tensor) -> float:
    """An epoch of the shortest loop that does the work; gives its seconds."""
    layers = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 32), nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 784)]
    model = nn.Sequential(*layers, nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    torch.set_flush_denormal(True)
    start = time.perf_counter()
    for rows in torch.randperm(ROWS).split(BATCH):
        batch = x.index_select(0, rows).float().mul_(1 / 255)
        loss = (model(batch) - batch).square().sum(1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    seconds = time.perf_counter() - start
    torch.set_flush_denormal(False)
    return seconds


def ours(x: np.ndarray) -> float:
    """An epoch of isthmus with its default settings, the admission of the data included; gives its seconds."""
    model = ist.AE(latent_dim=32, hidden=(256,), likelihood="mse", network="mlp", epochs=1, batch_size=BATCH, verbose=0)
    start = time.perf_counter()
    model.fit(x)
    return time.perf_counter() - start


def main(rounds: int) -> None:
    x = np.random.default_rng(0).integers(0, 256, (ROWS, 784), dtype=np.uint8)
    tensor = torch.from_numpy(x)
    ours(x), bare(tensor)  # the first of each loads and compiles
    pairs = [(ours(x), bare(tensor)) for _ in range(rounds)]
    result = {
        "isthmus_s": [round(a, 3) for a, _ in pairs],
        "bare_s": [round(b, 3) for _, b in pairs],
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
