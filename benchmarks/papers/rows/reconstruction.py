"""Rows about how close a reconstruction comes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

import isthmus as ist
from benchmarks.papers.row import Bench, above, at_most, row, within
from isthmus.metrics import reconstruction
from isthmus.metrics._measure import Measure, average
from isthmus.report._reference import PCAReference

PIXELS = 784
HINTON = (
    "Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science"
    " 2006"
)
TUTORIAL = (
    "the Keras blog's autoencoder tutorial; a perfect output has 0.05808, the entropy of the grey"
    " values"
)


@row(
    "pca30",
    what="PCA, 30 components",
    setting=(
        "Fitted on all 60,000 training images, centred; the reference that stands beside every"
        " comparison."
    ),
    metric="squared error",
    unit="per test image, pixels in [0, 1]",
    published={"PCA": 13.87},
    source=HINTON,
    wanted=within(13.866, 0.001),
)
def pca30(bench: Bench) -> Mapping[str, Measure]:
    """The settings of the data and of the metric are right where this number is."""
    with bench.clock():
        pca = PCAReference(latent_dim=30).fit(bench.data.train)
    bench.settings["PCA"] = {"member": "PCAReference", **pca.get_params()}
    return {"PCA": reconstruction.sse(pca.squared_error(bench.data.test))}


@row(
    "deep-ae",
    what="Deep autoencoder, 784-1000-500-250-30, linear code, cross-entropy",
    setting=(
        "Gelu units and Adam with a cosine schedule, from random weights, {epochs} epochs; the"
        " paper has sigmoid units, pre-trained layer by layer, then 200 epochs of conjugate"
        " gradients."
    ),
    metric="squared error",
    unit="per test image, pixels in [0, 1]",
    published={"deep AE": 3.00},
    source=HINTON,
    wanted=at_most(3.5),
    epochs=(20, 200),
    note="Relu in place of gelu ended at 3.82 after as many epochs.",
)
def deep_ae(bench: Bench) -> Mapping[str, Measure]:
    """The network that brought deep autoencoders back."""
    model = ist.AE(
        latent_dim=30,
        hidden=(1000, 500, 250),
        network="mlp",
        activation="gelu",
        schedule="cosine",
        random_state=0,
    )
    fitted = bench.train("deep AE", model)
    return {"deep AE": reconstruction.sse(fitted.squared_error(bench.data.test))}


@row(
    "simple-ae",
    what="The tutorial's simple autoencoder, 784-32, cross-entropy",
    setting=(
        "One linear map to a linear code of 32 and one back to logits, batches of 256, cosine"
        " schedule, {epochs} epochs; the tutorial has relu on the code and 50 epochs."
    ),
    metric="cross-entropy",
    unit="nats per pixel",
    published={"simple AE": 0.093},
    source=TUTORIAL,
    wanted=at_most(0.094),
    epochs=(50, 50),
    note="Better than the tutorial's number; its code goes through relu, ours is linear.",
)
def simple_ae(bench: Bench) -> Mapping[str, Measure]:
    """The first model of most courses."""
    model = ist.AE(
        latent_dim=32,
        hidden=(),
        network="mlp",
        batch_size=256,
        learning_rate=3e-3,
        schedule="cosine",
        random_state=0,
    )
    return {"simple AE": cross_entropy(bench.train("simple AE", model), bench)}


@row(
    "conv-ae",
    what="The tutorial's convolutional autoencoder, a code of 8×4×4 = 128",
    setting=(
        "Strided convolutions of 16, 8 and 8 channels with gelu to 8×4×4 features, a linear code of"
        " 128, cosine schedule, {epochs} epochs; the tutorial has max pooling, upsampling and 50"
        " epochs."
    ),
    metric="cross-entropy",
    unit="nats per pixel",
    published={"convolutional AE": 0.094},
    source=TUTORIAL,
    wanted=at_most(0.094),
    epochs=(5, 50),
)
def conv_ae(bench: Bench) -> Mapping[str, Measure]:
    """The same code size as the tutorial's, by our own convolutional network."""
    model = ist.AE(
        latent_dim=128,
        hidden=(16, 8, 8),
        network="conv",
        activation="gelu",
        learning_rate=3e-3,
        schedule="cosine",
        random_state=0,
    )
    return {"convolutional AE": cross_entropy(bench.train("convolutional AE", model), bench)}


@row(
    "denoising",
    what="Removing Gaussian noise of σ = 0.5 from MNIST",
    setting=(
        "Noise is added and clipped to [0, 1], in training afresh at every step, in the test images"
        " once by a fixed seed; a linear code of 64, one hidden layer of 512 units on either side,"
        " cosine schedule, {epochs} epochs."
    ),
    metric="PSNR against the clean image",
    unit="dB",
    published={},
    source="no number; the noise is that of the Keras blog's autoencoder tutorial",
    wanted=above("noisy", 8, "dB"),
    epochs=(8, 100),
    note="The gain is 9.6 dB: about a ninth of the noise's squared error is left.",
)
def denoising(bench: Bench) -> Mapping[str, Measure]:
    """What the noise costs, and what the member wins back."""
    clean = bench.data.test.x.astype(np.float32) / 255
    noise = np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
    noisy = (clean + 0.5 * noise).clip(0, 1)
    model = ist.DenoisingAE(
        corruption=clipped_noise,
        latent_dim=64,
        hidden=(512,),
        network="mlp",
        schedule="cosine",
        random_state=0,
    )
    fitted = bench.train("denoised", model)
    return {"noisy": psnr(noisy, clean), "denoised": psnr(fitted.denoise(noisy), clean)}


def clipped_noise(x: torch.Tensor) -> torch.Tensor:
    """Gaussian noise of σ = 0.5, clipped to [0, 1]."""
    return (x + 0.5 * torch.randn_like(x)).clamp_(0, 1)


def cross_entropy(model: ist.Estimator, bench: Bench) -> Measure:
    """−log p(x | z) of the test images per pixel, with grey values as probabilities."""
    distortion = model.terms(bench.data.test)["distortion"]
    return average(
        "Cross-entropy",
        distortion / PIXELS,
        "nats per pixel",
        "lower",
        "The distortion divided by the pixels.",
    )


def psnr(x: np.ndarray, clean: np.ndarray) -> Measure:
    """The peak signal-to-noise ratio of images against their clean ones."""
    return reconstruction.mean_psnr(np.square(x - clean).reshape(len(x), -1).sum(1), PIXELS)
