"""Rows about files: how many bytes codes and examples take, beside what the likelihood says."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

import isthmus as ist
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.compression import read_coded
from isthmus.metrics._measure import Measure

_BYTE = 8 * math.log(2)  # in nats


def _are_close(values: Values) -> bool:
    return all(abs(value - 1) <= 0.02 for value in values.values())


@row(
    "file-size",
    what="Compressed files beside the likelihood: codes of a VQ-VAE, and every pixel",
    setting=(
        "{images} training images of MNIST, {epochs} epochs. A VQ-VAE of 7×7 codes out of 128: its"
        " codes without a prior, and under a PixelCNN of 32 channels and 5 layers ({prior_epochs}"
        " epochs on the same images); every pixel, by its codes and a mixture of logistics. A VAE"
        " of 20 dimensions with such a mixture: every pixel, by bits back. {files} test images in"
        " one file; what is measured is its bytes, without the head, divided by −log p of codes or"
        " by −ELBO. All files are decompressed and compared: codes and pixels are the same."
    ),
    metric="bytes of a file, divided by what the likelihood says",
    unit="ratio",
    published={},
    source="the likelihood itself",
    epochs=(2, 20),
    wanted=Wanted("within 2% of 1", _are_close),
    note=(
        "What is above 1 is the last word of the coder, a byte or two of notes for every 64"
        " examples, and the grids to which logits and parameters are rounded; the bits with which"
        " the first code is drawn count too."
    ),
)
def file_size(bench: Bench) -> Mapping[str, Measure]:
    """Whether a file is as large as the likelihood says, and holds what went in."""
    x = bench.data.train.x[: bench.length("images", 10_000, 60_000)]
    test = bench.data.test.x[: bench.length("files", 1000, 10_000)]
    grid = ist.likelihoods.LogisticMixture(components=3)
    quantised = ist.VQVAE(
        quantizer=ist.quantizers.VectorQuantizer(codebook_size=128),
        likelihood=grid,
        network="residual",
        hidden=(16, 32),
        random_state=0,
    )
    vqvae = bench.train("VQ-VAE", quantised, x)
    found = {"codes, no prior": _codes(vqvae, test)}
    with bench.clock():
        epochs = bench.length("prior_epochs", 2, 20)
        vqvae.fit_prior(x, prior=ist.priors.PixelCNN(epochs=epochs, random_state=0))
    found["codes, PixelCNN"] = _codes(vqvae, test)
    found["pixels, VQ-VAE"] = _pixels(vqvae, test)
    drawn = ist.VAE(latent_dim=20, hidden=(256,), likelihood=grid, random_state=0)
    found["pixels, VAE"] = _pixels(bench.train("VAE", drawn, x), test)
    return {name: _ratio(name, value) for name, value in found.items()}


def _codes(model: ist.VQVAE, x: np.ndarray) -> float:
    """The bytes of codes, beside −log p; the file is read again."""
    content = model.compress(x)
    assert (model.decompress(content) == model.reconstruct(x)).all()
    nats = len(x) * (
        -model.score_prior(x) if model.prior_ is not None else model.module_.bottleneck.rate
    )
    return _size(content) / nats


def _pixels(model: ist.VQVAE | ist.VAE, x: np.ndarray) -> float:
    """The bytes of every pixel, beside −ELBO; the file is read again."""
    content = model.compress(x, lossless=True)
    assert (model.decompress(content) == x).all()
    terms = model.terms(x)
    rate = terms["rate"].sum()
    if isinstance(model, ist.VQVAE):
        rate = -model.score_prior(x) * len(x)
    return _size(content) / float(terms["distortion"].sum() + rate)


def _size(content: bytes) -> float:
    """A file's streams in nats."""
    return sum(map(len, read_coded(content)[0].streams)) * _BYTE


def _ratio(name: str, value: float) -> Measure:
    return Measure(name, value, "ratio", None, "lower", "Bytes divided by the likelihood's.")
