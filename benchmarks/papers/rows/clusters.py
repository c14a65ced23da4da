"""Rows about clusters of digits whose classes nobody told."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.cluster import KMeans

import isthmus as ist
from benchmarks.papers.row import Bench, Values, Wanted, over_seeds, row
from isthmus.metrics._measure import Measure
from isthmus.metrics.clustering import cluster_accuracy

SEEDS = (0, 1, 2, 3, 4)
NETWORK = {
    "hidden": (500, 250),
    "network": "mlp",
    "latent_dim": 10,
    "likelihood": "mse",
    "batch_size": 256,
}


def _reached(values: Values) -> bool:
    return (
        abs(values["k-means, pixels"] - 53.5) < 2
        and values["AE + k-means"] >= 78
        and values["DEC"] >= 83
    )


@row(
    "clustering",
    what=(
        "Clusters of MNIST: k-means on pixels, on an autoencoder's codes, and deep embedded"
        " clustering"
    ),
    setting=(
        "The first {images} training images, which are also those that are clustered, five seeds;"
        " 784-500-250-10, {epochs} epochs as an autoencoder (squared error), k-means with 20"
        " starts, then {gathering} epochs of DEC. The paper has 784-500-500-2000-10 and pretrains"
        " layer by layer with dropout, 50,000 steps a layer, then 100,000 steps for all, on 70,000"
        " images."
    ),
    metric="accuracy under the best naming of clusters",
    unit="%, mean of five seeds",
    published={"k-means, pixels": 53.5, "AE + k-means": 81.8, "DEC": 84.3},
    source=(
        "Xie, Girshick and Farhadi, Unsupervised deep embedding for clustering analysis, ICML 2016,"
        " table 2"
    ),
    wanted=Wanted("53.5 ± 2, at least 78, at least 83", _reached),
    epochs=(30, 200),
    error="standard deviation over five seeds",
    note=(
        "K-means on pixels comes out as published; the codes do not. The start decides, and the"
        " paper's, layer by layer with dropout for 300,000 steps, is out of reach here. What was"
        " tried by hand instead, on one seed and mostly 20,000 images, stayed below 70% for k-means"
        " on the codes: 60 epochs (65.3%), half the pixels masked (67.9%), layers one by one"
        " without noise (65.6%), all 60,000 images for ten epochs (65.1%), 784-500-500-2000-10"
        " (65.0%), convolutions on 10,000 images (47.4%). From the codes that it starts from, DEC"
        " gains one to three points, as in the paper; here its start is a training of its own, and"
        " the spread over seeds is as large as the gain."
    ),
)
def clustering(bench: Bench) -> Mapping[str, Measure]:
    """Each seed trains one member, whose codes before and after the gathering are clustered."""
    images, epochs = bench.length("images", 20_000, 60_000), bench.length("gathering", 20, 40)
    part = bench.data.train.take(slice(images))
    found: dict[str, list[float]] = {"k-means, pixels": [], "AE + k-means": [], "DEC": []}
    for seed in SEEDS:
        pixels, plain = (
            part.x.reshape(images, -1) / np.float32(255),
            {**NETWORK, "random_state": seed},
        )
        model = ist.ClusteringAE(n_clusters=10, pretrain_epochs=bench.epochs, **plain)
        model = bench.train(f"DEC {seed}", model, part, epochs=epochs)
        before = bench.train(f"AE {seed}", ist.AE(**plain), part)
        with bench.clock():
            named = {
                "k-means, pixels": grouped(pixels, seed),
                "AE + k-means": grouped(before.transform(part), seed),
            }
        for name, clusters in {**named, "DEC": model.labels_}.items():
            found[name].append(100 * cluster_accuracy(part.y, clusters).value)
    return {name: over_seeds("Accuracy", values, "%", "higher") for name, values in found.items()}


def grouped(x: np.ndarray, seed: int) -> np.ndarray:
    """The clusters that k-means finds, the best of 20 starts."""
    return np.asarray(KMeans(10, n_init=20, random_state=seed).fit_predict(x))
