"""A small classifier of MNIST that judges samples by its codes and its classes."""

from __future__ import annotations

import numpy as np

import isthmus as ist
from benchmarks.papers.row import Bench
from isthmus.metrics._measure import Measure, average
from isthmus.metrics.generation import frechet_distance

SAMPLES = 10_000


def judge(bench: Bench) -> ist.AutoencoderClassifier:
    """784-512-256-64 with a softmax layer; its test error goes into the settings of the row."""
    member = ist.AE(latent_dim=64, hidden=(512, 256), network="mlp", epochs=1)
    with bench.clock():
        model = ist.AutoencoderClassifier(member, epochs=8, schedule="cosine", random_state=0).fit(
            bench.data.train
        )
    wrong = float(np.mean(model.predict(bench.data.test.x) != bench.data.test.y))
    bench.settings["judge"] = {
        "member": "AE 784-512-256-64",
        "epochs": 8,
        "test_error": round(wrong, 4),
    }
    return model


def distance(model: ist.AutoencoderClassifier, samples: np.ndarray, images: np.ndarray) -> Measure:
    """The Fréchet distance of samples to images, in the judge's codes."""
    value = frechet_distance(model.codes(samples), model.codes(images))
    return Measure(
        "Fréchet distance",
        value,
        "squared units of the judge's codes",
        None,
        "lower",
        "How far samples are from data.",
    )


def recognised(
    model: ist.AutoencoderClassifier, samples: np.ndarray, labels: np.ndarray
) -> Measure:
    """The share of samples in which the judge sees the class that was asked for."""
    seen = model.predict(samples) == labels
    return average(
        "Recognised", seen, "share", "higher", "How many samples show the class that was asked for."
    )
