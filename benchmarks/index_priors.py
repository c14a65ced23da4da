"""Priors over the indices of MNIST in one table: python -m benchmarks.index_priors.

The codes are those of ``pretrained:vqvae-mnist``, 7×7 indices out of 128. Each prior learns those
of the training images with their labels, for about ``--seconds``, and is measured on 10,000 draws,
a thousand of every digit, with and without guidance: the share that a classifier of the digits
(:mod:`benchmarks.recognised`) names as they were asked for, how much the draws of a digit differ as
a share of how much real ones do, the Fréchet distance of its last hidden layer to that of the test
images, and the time a thousand draws take. Bits are those of the codes of the test images given
their label, per dimension of the image: of the masked transformer a bound. Training images, and
reconstructions of the test images, stand beside. Lines are added to
benchmarks/results/index_priors.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import isthmus as ist
from benchmarks.pages import rounded, surroundings
from benchmarks.recognised import named, pixels, spread, trained
from isthmus.core.randomness import own_draws
from isthmus.metrics.generation import frechet_distance
from isthmus.priors import Masked, PixelCNN, Prior, Transformer

RESULTS = Path(__file__).parent / "results" / "index_priors.jsonl"
PIXELS, BOUNDS, BATCH = 784, 16, 256
ATTENTION = {"channels": 128, "layers": 4, "heads": 4, "dropout": 0.1}
PRIORS: dict[str, Callable[..., Prior]] = {
    "pixelcnn": lambda **how: PixelCNN(channels=64, layers=5, dropout=0.1, **how),
    "transformer": lambda **how: Transformer(**ATTENTION, **how),
    "masked": lambda **how: Masked(**ATTENTION, **how),
}
GUIDED = {"pixelcnn": 1.2, "transformer": 1.2, "masked": 1.0}


def learnt(name: str, codes: Tensor, labels: np.ndarray, levels: Any, args: Any) -> Prior:
    """A prior that was trained for about so many seconds, by what an epoch takes."""
    rest = {"learning_rate": 2e-3, "batch_size": BATCH, "random_state": 0}

    def fitted(epochs: int, *, is_compiled: bool) -> Any:
        prior = PRIORS[name](
            epochs=epochs, compile=is_compiled, device=args.device, verbose=0, **rest
        )
        return prior.fit(codes, labels, levels)

    is_compiled = args.compile
    try:
        tried = fitted(2, is_compiled=is_compiled)
    except Exception as error:  # no compiler, or one that does not like the device
        print(f"{name}: not compiled ({type(error).__name__})", flush=True)
        tried, is_compiled = fitted(2, is_compiled=False), False
    epochs = args.epochs or int(args.seconds / tried.history_[-1]["seconds"])
    print(f"{name}: an epoch takes {tried.history_[-1]['seconds']:.2f} s", flush=True)
    return tried if epochs <= 2 else fitted(epochs, is_compiled=is_compiled)


def bits(prior: Any, codes: Tensor, labels: np.ndarray) -> float:
    """−log p of codes given their labels, in bits per dimension of the image; or its bound."""
    if prior.has_log_prob:
        nats = float(-prior.log_prob(codes, labels).mean())
    else:
        device = next(prior.module_.parameters()).device
        told = prior._one_hot(prior.classes_.indices(labels, len(codes)))
        with torch.no_grad(), own_draws(0):
            bounds = [
                prior.module_.bound(rows.to(device), given.to(device)).mean().cpu()
                for _ in range(BOUNDS)
                for rows, given in zip(codes.split(1000), told.split(1000), strict=True)
            ]
        nats = float(torch.stack(bounds).mean())
    return nats / (PIXELS * math.log(2))


@torch.no_grad()
def features(network: nn.Sequential, x: np.ndarray) -> np.ndarray:
    """The last hidden layer of the classifier, ``(n, 128)``."""
    return torch.cat([network[:-2](part) for part in pixels(x).split(1000)]).numpy()


def judged(network: nn.Sequential, x: np.ndarray, asked: np.ndarray, test: Any) -> dict[str, float]:
    """What the classifier says of images that were asked for as ``asked``."""
    spreads = [spread(x[asked == digit]) / spread(test.x[test.y == digit]) for digit in range(10)]
    return {
        "recognised": float((named(network, x) == asked).mean()),
        "spread": float(np.mean(spreads)),
        "frechet": frechet_distance(features(network, x), features(network, test.x)),
    }


def sampled(network: nn.Sequential, model: Any, test: Any, draws: int) -> dict[str, float]:
    """What the classifier says of draws, and how long a thousand take."""
    asked = np.repeat(np.arange(10), draws // 10)
    model.sample(10, label=3, random_state=0)  # whatever is made at first use
    start = time.perf_counter()
    x = model.sample(len(asked), label=asked, random_state=1)
    taken = time.perf_counter() - start
    return judged(network, x, asked, test) | {"seconds_per_1000": 1000 * taken / len(asked)}


def written(found: dict[str, Any], device: str) -> None:
    """Print a line, and add it to the results."""
    found = {**found, "device": device, **surroundings()}
    print(json.dumps(rounded(found)), flush=True)
    with RESULTS.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(rounded(found)) + "\n")


def main(args: argparse.Namespace) -> None:
    """Train, measure, print, and add lines to the results."""
    data, model = ist.data.load("mnist"), ist.load("pretrained:vqvae-mnist")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    network, test = trained(data), data.test
    codes, held_out = (model._codes_for_prior(part.x) for part in (data.train, test))
    beside = {
        "training images": (data.train.x[: args.draws], data.train.y[: args.draws]),
        "reconstructions of test images": (model.reconstruct(test.x), test.y),
    }
    for name, (x, asked) in beside.items():
        written({"prior": name, **judged(network, x, asked, test)}, device)
    for name in args.priors:
        start = time.perf_counter()
        shown, labels = codes[: args.images], data.train.y[: args.images]
        prior: Any = learnt(name, shown, labels, model._levels, args)
        taken = time.perf_counter() - start
        model.prior_ = prior
        found = {
            "prior": name,
            "parameters": sum(weights.numel() for weights in prior.module_.parameters()),
            "images": len(shown),
            "epochs": prior.epochs,
            "training_seconds": taken,
            "bits_per_dim": bits(prior, held_out, test.y),
            "is_bound": not prior.has_log_prob,
        }
        for guidance in (0.0, GUIDED[name]):
            prior.module_.guidance = prior.guidance = guidance
            measured = sampled(network, model, test, args.draws)
            written({**found, "guidance": guidance, **measured}, device)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("priors", nargs="*", default=list(PRIORS))
    parser.add_argument("--seconds", type=float, default=60, help="of training, for each prior")
    parser.add_argument("--epochs", type=int, help="in place of --seconds")
    parser.add_argument("--images", type=int, default=60_000, help="training images")
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true")
    main(parser.parse_args())
