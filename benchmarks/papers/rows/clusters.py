"""Rows about clusters of digits whose classes nobody told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from benchmarks.papers.data import fashion_mnist
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.metrics._measure import Measure
from isthmus.metrics.clustering import cluster_accuracy

SEEDS = (0, 1, 2, 3, 4)
FEWER = SEEDS[:3]
SCORE = "accuracy under the best naming of clusters"
SPREAD = "standard deviation over seeds"
GUO = "Guo, Zhu, Liu and Yin, Deep embedded clustering with data augmentation, ACML 2018, table 3"
NETWORK: dict[str, Any] = {
    "hidden": (500, 250),
    "network": "mlp",
    "initialization": "torch",
    "latent_dim": 10,
    "batch_size": 256,
}
N2D = (
    "McConville, Santos-Rodriguez, Piechocki and Craddock, N2D: (not too) deep clustering via"
    " clustering the local manifold of an autoencoded embedding, ICPR 2020, table 1"
)
SQUARED = ist.likelihoods.SquaredError(output="linear")
MOVED = ist.corruptions.RandomAffine(shift=3, rotate=15, zoom=0.15)


def _reached(values: Values) -> bool:
    return (
        abs(values["k-means, pixels"] - 53.5) < 2
        and max(values["AE + k-means"], values["AE + k-means, whitened"]) >= 78
        and values["DEC"] >= 84.3
    )


@row(
    "clustering",
    what=(
        "Clusters of MNIST: k-means on pixels, on an autoencoder's codes, and deep embedded"
        " clustering"
    ),
    setting=(
        "The first {images} training images, which are also those that are clustered, five seeds;"
        " 784-500-250-10 with torch's start and a linear output, {epochs} epochs as an autoencoder"
        " that rebuilds images (squared error, Adam at 0.002, cosine) from moved ones (3 pixels, 15"
        " degrees, 15% larger or smaller); k-means with 20 starts on the codes, raw and whitened;"
        " then {gathering} epochs of DEC from the whitened codes, Adam at 0.001, moved images drawn"
        " to the targets of unmoved ones. The paper has 784-500-500-2000-10 and pretrains layer by"
        " layer with dropout, 50,000 steps a layer, then 100,000 steps for all, on 70,000 images."
    ),
    metric=SCORE,
    unit="%, median of five seeds",
    published={"k-means, pixels": 53.5, "AE + k-means": 81.8, "DEC": 84.3},
    source=(
        "Xie, Girshick and Farhadi, Unsupervised deep embedding for clustering analysis, ICML 2016,"
        " table 2"
    ),
    wanted=Wanted("53.5 ± 2, at least 78 (raw or whitened), at least 84.3", _reached),
    epochs=(25, 300),
    error=SPREAD,
    note=(
        "DEC holds; k-means on codes, raw or whitened, falls short of the published 81.8 by some"
        " points. With cross-entropy as the loss it came to 76.6, whitened (row dec-da). Tried"
        " before: moves of 2 pixels, 10 degrees and 10% gave 66.1 (raw), 75.1 (whitened) and 84.2"
        " (DEC), also over five seeds. With one seed, 20 epochs and whitened"
        " codes, the paper's layers of 500, 500 and 2,000 units gave 82.9 at five times the time,"
        " further masking of a fifth of the pixels 76.7, and gelu units 74.6. Reconstruction says"
        " little of the shape of codes, so that seeds differ by several points."
    ),
)
def clustering(bench: Bench) -> Mapping[str, Measure]:
    """Each seed trains one autoencoder, whose codes are clustered before and after gathering."""
    images, epochs = bench.length("images", 60_000, 60_000), bench.length("gathering", 15, 100)
    part = bench.data.train.take(slice(images))
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        before = started(bench, part, seed)
        model = gathered(bench, before, part, seed, epochs)
        pixels, codes = part.x.reshape(images, -1) / np.float32(255), before.transform(part)
        with bench.clock():
            named = {
                "k-means, pixels": grouped(pixels, seed, 3),
                "AE + k-means": grouped(codes, seed),
                "AE + k-means, whitened": grouped(whitened(codes), seed),
                "DEC": model.labels_,
            }
        for name, clusters in named.items():
            found.setdefault(name, []).append(100 * cluster_accuracy(part.y, clusters).value)
    return {name: median(values) for name, values in found.items()}


@row(
    "dec-da",
    what="Clusters of MNIST by deep embedded clustering with data augmentation (DEC-DA)",
    setting=(
        "As the row clustering, but with cross-entropy as the loss of the autoencoder: {epochs}"
        " epochs of it and {gathering} of gathering, on all 60,000 training images, five seeds, of"
        " which the one with the lowest objective is named beside the median. The paper has"
        " 784-500-500-2000-10, 500 epochs before, 20,000 steps after, and 70,000 images."
    ),
    metric=SCORE,
    unit="%, median of five seeds",
    published={"DEC-DA": 98.5},
    source=GUO,
    wanted=Wanted("at least 95", lambda values: values["DEC-DA"] >= 95),
    epochs=(20, 500),
    error=SPREAD,
    note=(
        "Seeds end in two ways (the command prints each): 96.5 and 96.0% where k-means finds every"
        " digit among the codes (83.0 and 85.1%), and 84.7, 84.4 and 86.0% where 4 and 9 share a"
        " cluster and another digit has two (75.1, 75.6 and 76.6%). Gathering does not part them,"
        " and the objective does not tell the two apart. Cross-entropy is what led to starts of the"
        " first kind. With squared error: the paper's layers, three seeds, 84.3 (the best 93.3);"
        " hidden layers of 500 and 250 units, 30 epochs of gathering, 82.7; turns up to 30 degrees"
        " and shifts of 5 pixels, by hand, no better. Centres from a Gaussian mixture with full"
        " covariances in place of k-means, by hand: two seeds at 87, one at 96. 50 epochs of"
        " autoencoder in place of 20 left one seed's start as it was."
    ),
)
def dec_da(bench: Bench) -> Mapping[str, Measure]:
    """Digits."""
    return _augmented(bench, bench.data.train)


@row(
    "dec-da-fashion",
    what="Clusters of Fashion-MNIST by deep embedded clustering with data augmentation (DEC-DA)",
    setting=(
        "As the row dec-da, with the 60,000 training images of Fashion-MNIST: {epochs} epochs as an"
        " autoencoder and {gathering} of gathering."
    ),
    metric=SCORE,
    unit="%, median of five seeds",
    published={"DEC-DA": 58.6},
    source=GUO,
    wanted=Wanted("at least 55", lambda values: values["DEC-DA"] >= 55),
    epochs=(20, 500),
    error=SPREAD,
    data="fashion-mnist",
)
def dec_da_fashion(bench: Bench) -> Mapping[str, Measure]:
    """Clothes."""
    return _augmented(bench, fashion_mnist().train)


def _augmented(bench: Bench, part: ist.data.Part) -> dict[str, Measure]:
    """Moved images are drawn to the targets of unmoved ones."""
    epochs, objectives = bench.length("gathering", 12, 100), []
    found: dict[str, list[float]] = {"k-means, whitened": [], "DEC-DA": []}
    for seed in SEEDS:
        before = started(bench, part, seed, likelihood="bernoulli")
        clusters = grouped(whitened(before.transform(part)), seed)
        model = gathered(bench, before, part, seed, epochs)
        for values, labels in zip(found.values(), (clusters, model.labels_), strict=True):
            values.append(accuracy(part, labels))
        objectives.append(model.history_[-1]["objective"])
        reached = {name: round(values[-1], 2) for name, values in found.items()}
        print(f"seed {seed}: {reached}, objective {objectives[-1]:.4f}")
    chosen = found["DEC-DA"][int(np.argmin(objectives))]
    medians = {name: median(values) for name, values in found.items()}
    return {**medians, "chosen by its objective": single(chosen)}


@row(
    "vade",
    what="Clusters of MNIST by a VAE with a mixture as prior (VaDE)",
    setting=(
        "All 60,000 training images, five seeds; 784-500-250-10, {epochs} epochs as an autoencoder"
        " that rebuilds images (cross-entropy) from moved ones; a Gaussian mixture with full"
        " covariances fitted to its codes, which then take a linear map that makes clusters round;"
        " {together} epochs of VaDE, Adam at 0.0003 with cosine, on images that move too. The paper"
        " has 784-500-500-2000-10, batches of 100, 300 epochs at a rate of 0.002 that falls by a"
        " tenth every ten, 70,000 images, and names the best of ten."
    ),
    metric=SCORE,
    unit="%, of five seeds",
    published={"best": 94.5},
    source="Jiang, Zheng, Tan, Tang and Zhou, Variational deep embedding, IJCAI 2017, table 2",
    wanted=Wanted("best at least 90", lambda values: values["best"] >= 90),
    epochs=(20, 300),
    error=SPREAD,
    note=(
        "The start decides: VaDE keeps the clusters that the mixture has found, and adds little"
        " (by hand: a mixture at 90% became 91, one at 81 remained there). Seeds end at 91.2, 80.5,"
        " 80.9, 89.9 and 79.9% (the command prints each), and the objective does not name the best."
        " A mixture with diagonal covariances is right for about 70%, and 40 epochs at a rate of"
        " 0.002 from there ended at 82.0 at best and 70.2 in the middle, 15 epochs with smaller"
        " moves at 74.9 and 69.0. At that rate a good start was lost (from 90 to 84%, by hand)."
    ),
)
def vade(bench: Bench) -> Mapping[str, Measure]:
    """The best accuracy and the median, and that of the seed with the lowest objective."""
    epochs, part = bench.length("together", 20, 300), bench.data.train
    found, objectives = [], []
    for seed in SEEDS:
        before = started(bench, part, seed, likelihood="bernoulli")
        model = ist.VaDE.starting_from(
            before,
            n_clusters=10,
            initialization="torch",
            whiten=True,
            batch_size=256,
            learning_rate=3e-4,
            schedule="cosine",
            corruption=MOVED,
            random_state=seed,
        )
        model = bench.train(f"VaDE {seed}", model, part, epochs=epochs)
        found.append(accuracy(part, model.labels_))
        print(f"seed {seed}: {found[-1]:.2f}")
        objectives.append(model.history_[-1]["objective"])
    chosen = found[int(np.argmin(objectives))]
    return {
        "best": single(max(found)),
        "median": median(found),
        "chosen by its objective": single(chosen),
    }


@row(
    "n2d",
    what="Clusters of MNIST on the manifold of an autoencoder's codes (N2D)",
    setting=(
        "All 60,000 training images, three seeds; 784-500-250-10, {epochs} epochs as an autoencoder"
        " that rebuilds images (squared error) from moved ones; UMAP of the codes, raw and"
        " whitened, to 10 dimensions"
        " (20 neighbours, least distance 0) and a Gaussian mixture with full covariances. The paper"
        " has 784-500-500-2000-10, 1,000 epochs on unmoved images, and 70,000 images."
    ),
    metric=SCORE,
    unit="%, median of three seeds",
    published={"N2D": 97.9},
    source=N2D,
    wanted=Wanted("one at least 95", lambda values: max(values.values()) >= 95),
    epochs=(25, 1000),
    error=SPREAD,
)
def n2d(bench: Bench) -> Mapping[str, Measure]:
    """Digits."""
    return _on_manifold(bench, bench.data.train)


@row(
    "n2d-fashion",
    what="Clusters of Fashion-MNIST on the manifold of an autoencoder's codes (N2D)",
    setting=(
        "As the row n2d, with the 60,000 training images of Fashion-MNIST: {epochs} epochs as an"
        " autoencoder, three seeds."
    ),
    metric=SCORE,
    unit="%, median of three seeds",
    published={"N2D": 67.2},
    source=N2D,
    wanted=Wanted("one at least 64", lambda values: max(values.values()) >= 64),
    epochs=(25, 1000),
    error=SPREAD,
    data="fashion-mnist",
    note=(
        "The seed moves it by several points. Tried beside, no better: cross-entropy as the loss"
        " and 20 epochs, three seeds, 58.0 (raw) and 60.6 (whitened: 65.0, 60.6 and 57.6); images"
        " that are not moved, as in the paper, one seed, by hand, 61.5 and 57.9. The paper trains"
        " its 784-500-500-2000-10 for 1,000 epochs, forty times as long."
    ),
)
def n2d_fashion(bench: Bench) -> Mapping[str, Measure]:
    """Clothes."""
    return _on_manifold(bench, fashion_mnist().train)


def _on_manifold(bench: Bench, part: ist.data.Part) -> dict[str, Measure]:
    """The codes stay as they are; their map is divided."""
    found: dict[str, list[float]] = {"N2D": [], "N2D, whitened": []}
    for seed in FEWER:
        before = FrozenEstimator(started(bench, part, seed))
        for whiten, values in zip((False, True), found.values(), strict=True):
            model = ist.ManifoldClustering(before, n_clusters=10, whiten=whiten, random_state=seed)
            with bench.clock():
                values.append(accuracy(part, model.fit_predict(part)))
        print(f"seed {seed}: { {name: round(values[-1], 2) for name, values in found.items()} }")
    return {name: median(values) for name, values in found.items()}


def started(
    bench: Bench,
    part: ist.data.Part,
    seed: int,
    likelihood: Any = SQUARED,
) -> ist.DenoisingAE:
    """An autoencoder that rebuilds images from moved ones."""
    model = ist.DenoisingAE(
        **NETWORK,
        likelihood=likelihood,
        corruption=MOVED,
        learning_rate=2e-3,
        schedule="cosine",
        random_state=seed,
    )
    return bench.train(f"AE {seed}", model, part)


def gathered(
    bench: Bench,
    before: ist.DenoisingAE,
    part: ist.data.Part,
    seed: int,
    epochs: int,
) -> ist.ClusteringAE:
    """Its codes, whitened, and drawn to centres on images that move."""
    model = ist.ClusteringAE.starting_from(
        before,
        n_clusters=10,
        whiten=True,
        corruption=MOVED,
        initialization="torch",
        batch_size=256,
        random_state=seed,
    )
    return bench.train(f"DEC {seed}", model, part, epochs=epochs)


def grouped(x: np.ndarray, seed: int, starts: int = 20) -> np.ndarray:
    """The clusters that k-means finds, the best of some starts."""
    return np.asarray(KMeans(10, n_init=starts, random_state=seed).fit_predict(x))


def whitened(codes: np.ndarray) -> np.ndarray:
    """Codes with a covariance of one, by the root of the inverse of theirs."""
    variances, directions = np.linalg.eigh(np.cov(codes.T))
    return np.asarray((codes - codes.mean(0)) @ (directions / np.sqrt(variances)) @ directions.T)


def accuracy(part: ist.data.Part, clusters: np.ndarray) -> float:
    """In percent."""
    return 100 * cluster_accuracy(part.y, clusters).value


def median(values: Sequence[float]) -> Measure:
    """The median over seeds, with their standard deviation in place of an error."""
    middle, spread = float(np.median(values)), float(np.std(values, ddof=1))
    return Measure("Accuracy", middle, "%", spread, "higher", "The median over seeds.")


def single(value: float) -> Measure:
    """One accuracy among those of the seeds."""
    return Measure("Accuracy", value, "%", None, "higher", "Of one seed.")
