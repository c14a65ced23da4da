"""Rows about classifiers that start from an encoder which predicted hidden patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.frozen import FrozenEstimator

import isthmus as ist
from benchmarks.papers.row import Bench, over_seeds, rising, row
from isthmus.core.parts import plain_values
from isthmus.metrics._measure import Measure
from isthmus.networks import ViT

SEEDS = (0, 1, 2)
_UNMOVED = 1e-12  # a step size at which weights stay as they were drawn


def masked(bench: Bench, **values: Any) -> ist.MaskedAE:
    """A masked autoencoder of patches of 4×4 pixels; on an accelerator as large as ViT-tiny."""
    blocks = bench.length("blocks", 4, 12)
    width = bench.length("channels", 64, 192)
    return ist.MaskedAE(
        hidden=(width,) * blocks,
        network=ViT(patch=4, heads=width // 16),
        likelihood="mse",
        verbose=0,
        **values,
    )


@row(
    "mae",
    what="Classifier fine-tuned from the encoder of a masked autoencoder, and from scratch",
    setting=(
        "A vision transformer of {blocks} blocks of {channels} channels on patches of 4×4 pixels,"
        " pretrained on {images} images of MNIST without labels for {epochs} epochs with 75% of the"
        " patches hidden; then, with a linear softmax layer on the mean of its tokens,"
        " {fine_tuning} epochs on {labels} of them with labels, as without the pretraining; all"
        " 10,000 test images. The published one is ViT-tiny on 50,000 images of CIFAR-10, all of"
        " them with labels, and 2,000 epochs of pretraining."
    ),
    metric="test accuracy",
    unit="%, mean of three seeds",
    published={"from scratch": 74.1, "pretrained": 89.8},
    source="a reimplementation of He et al., MAE, CVPR 2022, for CIFAR-10",
    wanted=rising("from scratch", "pretrained"),
    epochs=(20, 400),
    error="standard deviation over three seeds",
    note=(
        "It takes MNIST and 200 labels, because the CPU's pretraining is too short for photographs:"
        " with 10,000 images of CIFAR-10, 12 epochs of pretraining and 1,000 labels there was no"
        " order, by hand and with one seed: from scratch 35.6, pretrained 34.8%."
    ),
)
def mae(bench: Bench) -> Mapping[str, Measure]:
    """The same fine-tuning, with the pretraining and without it."""
    train = bench.data.train.take(slice(bench.length("images", 10_000, 60_000)))
    test = bench.data.test
    tuning = {
        "epochs": bench.length("fine_tuning", 100, 100),
        "n_labels": bench.length("labels", 200, 200),
        "batch_size": 20,
        "schedule": "cosine",
    }
    pretraining = {"batch_size": 64, "schedule": "cosine", "epochs": bench.epochs}
    right: dict[str, list[float]] = {"pretrained": [], "from scratch": []}
    for seed in SEEDS:
        blank = train.take(slice(128))
        members = {
            "pretrained": (masked(bench, random_state=seed, **pretraining), train),
            "from scratch": (
                masked(bench, random_state=seed, epochs=1, learning_rate=_UNMOVED),
                blank,
            ),
        }
        for name, (member, images) in members.items():
            bench.settings[name] = plain_values(member)
            with bench.clock():
                trained = FrozenEstimator(member.fit(images))
                classifier = ist.AutoencoderClassifier(
                    trained, random_state=seed, verbose=0, **tuning
                ).fit(train)
            right[name].append(100 * classifier.score(test.x, test.y))
            print(f"{name}, seed {seed}: {right[name][-1]:.1f} %", flush=True)
    bench.settings["tuning"] = tuning
    return {
        name: over_seeds("Test accuracy", values, "%", "higher") for name, values in right.items()
    }
