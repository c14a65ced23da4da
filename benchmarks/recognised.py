"""How many draws of a digit are recognised as that digit: python -m benchmarks.recognised [NAME].

A small convolutional network is trained on the training digits of MNIST, and its accuracy is known
from the test digits. Then it names draws of a trained member with a prior that knows the labels,
``pretrained:NAME`` (vqvae-mnist). Draws may be recognised and all be alike: so how much those of a
digit differ, as a share of how much real ones do, stands beside it. A line is added to
benchmarks/results/recognised.jsonl.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import isthmus as ist
from benchmarks.pages import surroundings
from isthmus.data import Data

RESULTS = Path(__file__).parent / "results" / "recognised.jsonl"
EPOCHS, BATCH, DRAWS = 4, 128, 200


def classifier() -> nn.Sequential:
    """A network from images ``(n, 1, 28, 28)`` in [0, 1] to the logits of ten classes."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 7 * 7, 128), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def trained(data: Data) -> nn.Sequential:
    """The classifier, trained on the training part by Adam with a learning rate that falls."""
    torch.manual_seed(0)
    network, x, y = classifier(), pixels(data.train.x), torch.from_numpy(np.asarray(data.train.y))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for places in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(network(x[places]), y[places]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def pixels(x: np.ndarray) -> Tensor:
    """Images as the classifier takes them."""
    return torch.from_numpy(x / np.float32(255) if x.dtype == np.uint8 else x)


@torch.no_grad()
def named(network: nn.Module, x: np.ndarray) -> np.ndarray:
    """The digit that a classifier sees in each image, ``(n,)``."""
    return np.concatenate([network(part).argmax(1).numpy() for part in pixels(x).split(1000)])


def spread(x: np.ndarray) -> float:
    """The mean squared distance of images from their mean."""
    flat = pixels(x).flatten(1)
    return float((flat - flat.mean(0)).square().sum(1).mean())


def measured(network: nn.Module, model: Any, data: Data) -> dict[str, Any]:
    """What is recognised of draws, as the prior makes them and without its guidance."""
    accuracy = float((named(network, data.test.x) == data.test.y).mean())
    found = {"classifier": accuracy, "draws": DRAWS} | _of_draws(network, model, data)
    model.prior_.set_params(guidance=0.0)
    plain = _of_draws(network, model, data)
    return found | {f"{key}_unguided": value for key, value in plain.items()}


def _of_draws(network: nn.Module, model: Any, data: Data) -> dict[str, Any]:
    """The share that is recognised, digit by digit, and how much draws differ."""
    shares, spreads = [], []
    for digit in range(10):
        drawn = model.sample(DRAWS, label=digit, random_state=digit)
        shares.append(float((named(network, drawn) == digit).mean()))
        spreads.append(spread(drawn) / spread(data.test.x[data.test.y == digit]))
    return {
        "recognised": float(np.mean(shares)),
        "by_digit": shares,
        "spread": float(np.mean(spreads)),
    }


def main(name: str) -> None:
    """Train the classifier, measure, print, and add a line to the results."""
    data, model = ist.data.load("mnist"), ist.load(f"pretrained:{name}")
    found = {"model": name, **measured(trained(data), model, data), **surroundings()}
    print(json.dumps(found, indent=1))
    with RESULTS.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "vqvae-mnist")
