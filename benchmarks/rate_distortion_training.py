"""Training one Hyperprior for several rates on patches of photographs, for a given time."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

import isthmus as ist
from benchmarks.kept import KeptRows
from benchmarks.rate_distortion_pictures import KEYS, OWN, RESULTS
from isthmus.training.callbacks import Callback
from isthmus.training.loop import Trainer

WEIGHTS = (30, 100, 300, 1000)
_JUDGED = 256  # patches
# gradients have a norm of some millions, and of a thousand times as much at times
_NORM = 1e5


class Until(Callback):
    """Ends training at a time, whatever the epoch."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        """Stop where the next epoch would end too late."""
        if time.monotonic() + row["seconds"] > self.end:
            trainer.stop("the time is over")


def train(arguments: argparse.Namespace) -> None:
    """Train one model for several rates, as long as it was told, and judge it by held-out patches.

    Those are of photographs that give none to train on.
    """
    start = time.monotonic()
    data = ist.data.load(arguments.photographs, patch=arguments.patch, test_fraction=0.08)
    random = np.random.default_rng(0)
    x = turned(data.train.x[random.permutation(len(data.train.x))][: arguments.patches])

    # an epoch of some tells how many will fit; the one before it holds what is done once
    some = x[: max(1, len(x) // 16)]
    trial = untrained(arguments, epochs=2).fit(some)
    each = trial.history_[-1]["seconds"] * len(x) / len(some)
    left = arguments.seconds - (time.monotonic() - start)
    model = untrained(arguments) if arguments.start is None else ist.load(arguments.start)
    model.set_params(
        epochs=max(1, int(0.95 * left / each)),
        callbacks=[Until(left)],
        warm_start=arguments.start is not None,
    )
    model.fit(x).save(arguments.out)
    kept = KeptRows(RESULTS, KEYS, anew=True)
    steps = len(model.history_) * -(-len(x) // arguments.batch_size)
    said = {"steps": steps, "seconds": time.monotonic() - start, "device": device_of(model)}
    held_out = data.test.x[random.permutation(len(data.test.x))[:_JUDGED]]
    for quality in range(len(WEIGHTS)):
        model.quality = quality
        codec = f"{OWN}, {arguments.network}"
        kept.put(("held-out patches", codec, quality), {**on_patches(model, held_out), **said})
    print(f"{arguments.out}: {len(x)} patches, {len(model.history_)} epochs, {steps} steps")


def untrained(arguments: argparse.Namespace, **values: Any) -> ist.Hyperprior:
    """The member that is trained, with settings of the command line."""
    widths = tuple(int(width) for width in arguments.hidden.split(","))
    return ist.Hyperprior(
        network=arguments.network,
        hidden=widths,
        latent_dim=widths[-1],
        hyper_channels=64,
        distortion_weights=WEIGHTS,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        schedule="cosine",
        clip_norm=_NORM,
        precision="tf32" if torch.cuda.is_available() else "float32",
        random_state=0,
        verbose=2,
        **values,
    )


def on_patches(model: Any, x: np.ndarray) -> dict[str, float]:
    """Bits per pixel by the likelihood, and the PSNR of the mean squared error, of patches."""
    terms, (_, channels, height, width) = model.terms(x), x.shape
    error = terms["distortion"].mean() / (channels * height * width)
    return {
        "bits_per_pixel": float(terms["rate"].mean() / np.log(2) / height / width),
        "psnr": float(-10 * np.log10(error)),
    }


def device_of(model: Any) -> str:
    """The name of the accelerator that a model is on, or "CPU"."""
    device = next(model.module_.parameters()).device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def turned(x: np.ndarray) -> np.ndarray:
    """Every patch as it is, mirrored, turned on its diagonal, and both."""
    return np.concatenate([x, x[..., ::-1], x.swapaxes(2, 3), x.swapaxes(2, 3)[..., ::-1]])
