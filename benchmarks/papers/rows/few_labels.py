"""Rows about classes that are learnt from few labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import isthmus as ist
from benchmarks.papers.row import Bench, at_most, over_seeds, rising, row
from isthmus.metrics._measure import Measure

SEEDS = (0, 1, 2)
LADDER: dict[str, Any] = {
    "hidden": (1000, 500, 250, 250),
    "latent_dim": 250,
    "likelihood": ist.likelihoods.SquaredError(output="linear"),
    "noise": 0.3,
    "denoising_weights": (1000.0, 10.0, 0.1),
    "reconstruction_weight": 0.0,
    "batch_size": 150,
    "labelled_share": 1 / 3,
    "learning_rate": 2e-3,
    "schedule": "linear",
}


def _error(model: Any, bench: Bench) -> float:
    """The test error in per cent."""
    return 100 * float(np.mean(model.predict(bench.data.test.x) != bench.data.test.y))


@row(
    "ladder",
    what="Ladder network with 100 labels",
    setting=(
        "784-1000-500-250-250-250-10, denoising weights 1000, 10, 0.1, noise 0.3, all 60,000"
        " training images, 100 of them with a label, batches of 50 labelled and 100 other images;"
        " Adam, 0.002, which falls on a line from two thirds of {epochs} epochs on; {seeds} draws"
        " of labels."
    ),
    metric="test error",
    unit="%, mean over draws of labels",
    published={"ladder": 1.06},
    source="Rasmus, Valpola, Honkala, Berglund and Raiko, NeurIPS 2015, table 1",
    wanted=at_most(2.0),
    epochs=(30, 150),
    error="standard deviation over draws of labels",
    note=(
        "A fifth of the published length, and one draw of labels. Labelled and other examples are"
        " normalised apart, as the authors do; together, the few labelled ones are half of every"
        " moment, and in a short trial the error rose from 23 to 28%."
    ),
)
def ladder(bench: Bench) -> Mapping[str, Measure]:
    """The published network, with the published costs."""
    errors = []
    for seed in range(bench.length("seeds", 1, 3)):
        model = ist.LadderNetwork(**LADDER, n_labels=100, random_state=seed)
        errors.append(_error(bench.train(f"ladder, seed {seed}", model), bench))
        print(f"ladder, seed {seed}: {errors[-1]:.2f} %", flush=True)
    return {"ladder": over_seeds("Test error", errors, "%", "lower")}


@row(
    "few-labels",
    what="100 labels: labels alone, pretraining, M2, a semi-supervised AAE, a ladder network",
    setting=(
        "10,000 training images, 100 of them with a label, {epochs} epochs; 784-256-128 below a"
        " code of 32, with the default settings of each member. Labels alone: the same network"
        " without pretraining. The published numbers are of 60,000 images and larger networks; M2's"
        " stands on the codes of a VAE (M1+M2)."
    ),
    metric="test error",
    unit="%, mean of three draws of labels",
    published={"M2": 3.33, "AAE": 1.90, "ladder": 1.06},
    source="Kingma et al., NeurIPS 2014; Makhzani et al. 2016; Rasmus et al., NeurIPS 2015",
    wanted=rising("ladder", "labels alone"),
    epochs=(10, 100),
    error="standard deviation over draws of labels",
)
def few_labels(bench: Bench) -> Mapping[str, Measure]:
    """Five ways to use a hundred labels."""
    train = bench.data.train.take(slice(bench.length("images", 10_000, 60_000)))
    base = {"hidden": (256, 128), "latent_dim": 32, "network": "mlp", "batch_size": 100}
    tuned = {"n_labels": 100, "epochs": 100, "batch_size": 50}

    def classifier(epochs: int) -> Callable[[int], Any]:
        member = ist.AE(**base, epochs=epochs)
        return lambda seed: ist.AutoencoderClassifier(member, **tuned, random_state=seed)

    def member(kind: type[Any]) -> Callable[[int], Any]:
        values = {**base, "batch_size": 200, "learning_rate": 2e-3, "n_labels": 100}
        return lambda seed: kind(**values, epochs=bench.epochs, random_state=seed)

    makers = {
        "labels alone": classifier(1),
        "pretrained AE": classifier(bench.epochs),
        "M2": member(ist.SemiSupervisedVAE),
        "AAE": member(ist.SemiSupervisedAAE),
        "ladder": member(ist.LadderNetwork),
    }
    errors: dict[str, list[float]] = {name: [] for name in makers}
    for seed in SEEDS:
        for name, make in makers.items():
            with bench.clock():
                model = make(seed).fit(train)
            errors[name].append(_error(model, bench))
            print(f"{name}, seed {seed}: {errors[name][-1]:.2f} %", flush=True)
    bench.settings |= {"network": base, "tuning": tuned}
    return {name: over_seeds("Test error", found, "%", "lower") for name, found in errors.items()}
