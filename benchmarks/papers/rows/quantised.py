"""Rows about codes that are whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

import isthmus as ist
from benchmarks.papers.data import cifar10
from benchmarks.papers.judge import judge, recognised
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.metrics import likelihood, reconstruction
from isthmus.metrics._measure import Measure

PIXELS, BITS = 784, math.log(2)
OORD = (
    "van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, NeurIPS 2017"
)


def _alive_and_told(values: Values) -> bool:
    return (
        values["usage"] >= 0.95
        and values["recognised"] >= 0.85
        and values["bits, PixelCNN"] < values["bits, uniform prior"]
    )


@row(
    "vqvae",
    what="VQ-VAE of MNIST, 7×7 codes out of 128, with a PixelCNN prior that knows the digit",
    setting=(
        "Residual network of 16 and 32 channels, entries of 16 dimensions, {epochs} epochs; the"
        " prior has 32 channels and 5 layers, {prior_epochs} epochs on the codes of {prior_images}"
        " training images. Usage is that of the last epoch; bits are of the cross-entropy with the"
        " grey values as probabilities, plus the prior's; recognised are 1,000 samples, 100 of each"
        " digit, by a small classifier that the row trains."
    ),
    metric="usage of the codebook, bits per dimension, share recognised",
    unit="share; bits; share",
    published={},
    source=f"{OORD}, which reports CIFAR-10 alone",
    epochs=(5, 100),
    wanted=Wanted(
        "usage at least 0.95, recognised at least 0.85, fewer bits with the PixelCNN",
        _alive_and_told,
    ),
    note=(
        "Every entry is used, and the PixelCNN saves two fifths of the bits. A prior that saw"
        " 20,000 images for five epochs had 83% of its samples recognised."
    ),
)
def vqvae(bench: Bench) -> Mapping[str, Measure]:
    """Whether codes stay alive, and whether a prior over them makes digits that were asked for."""
    settings = {
        "codebook_size": 128,
        "latent_dim": 16,
        "network": "residual",
        "hidden": (16, 32),
        "schedule": "cosine",
    }
    model = bench.train("VQ-VAE", ist.VQVAE(random_state=0, **settings))
    with bench.clock():
        prior = ist.priors.PixelCNN(
            epochs=bench.length("prior_epochs", 6, 50), channels=32, layers=5, random_state=0
        )
        model.fit_prior(
            bench.data.train.take(slice(bench.length("prior_images", 40_000, 60_000))), prior=prior
        )
    test, terms = bench.data.test, model.terms(bench.data.test)
    codes = model._codes_for_prior(test)
    labels = np.arange(10).repeat(100)
    return {
        "usage": Measure(
            "Usage",
            model.history_[-1]["usage"],
            "share",
            None,
            "higher",
            "The share of entries in use.",
        ),
        "bits, uniform prior": likelihood.bits_per_dim(terms["distortion"], terms["rate"], PIXELS),
        "bits, PixelCNN": likelihood.bits_per_dim(
            terms["distortion"], -model.prior_.log_prob(codes).numpy(), PIXELS
        ),
        "recognised": recognised(
            judge(bench), model.sample(1000, label=labels, random_state=0), labels
        ),
    }


def _two_levels_win(values: Values) -> bool:
    return values["VQ-VAE-2"] < values["VQ-VAE"]


@row(
    "vqvae2",
    what="VQ-VAE-2 beside VQ-VAE on CIFAR-10, at 320 bits an image",
    setting=(
        "The first training batch of 10,000 images and the first 1,000 test images, squared error,"
        " {epochs} epochs each in batches of 32: 8×8 codes out of 32 against 4×4 and 8×8 codes out"
        " of 16 each, the same residual networks of 32 and 64 channels otherwise."
    ),
    metric="squared error",
    unit="per test image of 3072 values in [0, 1]",
    published={},
    source="Razavi, van den Oord and Vinyals, NeurIPS 2019, who compare on larger images",
    epochs=(12, 100),
    data="CIFAR-10, 10,000 images",
    wanted=Wanted("VQ-VAE-2 below VQ-VAE", _two_levels_win),
    note=(
        "The second level pays where bits are scarce and training is long enough for them to be"
        " what is missing. At 576 bits (512 entries against 147) and after six epochs in batches of"
        " 128 one level was ahead, 18.4 against 21.9."
    ),
)
def vqvae2(bench: Bench) -> Mapping[str, Measure]:
    """Whether a second level says more with as many bits."""
    train, test = cifar10()
    members = {
        "VQ-VAE": ist.VQVAE(quantizer=ist.quantizers.VectorQuantizer(32)),
        "VQ-VAE-2": ist.VQVAE2(quantizer=ist.quantizers.VectorQuantizer(16)),
    }
    shared = {
        "hidden": (32, 64),
        "likelihood": "mse",
        "batch_size": 32,
        "schedule": "cosine",
        "random_state": 0,
    }
    found = {}
    for name, member in members.items():
        model = bench.train(name, member.set_params(**shared), train)
        bench.settings[f"bits of {name}"] = round(float(model.terms(test[:2])["rate"][0]) / BITS, 1)
        found[name] = reconstruction.sse(model.squared_error(test))
    return found
