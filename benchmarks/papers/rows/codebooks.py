"""Rows about what is used of a codebook."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

import isthmus as ist
from benchmarks.papers.data import cifar10, fashion_mnist
from benchmarks.papers.judge import distance, judge
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.metrics import reconstruction
from isthmus.metrics._measure import Measure
from isthmus.quantizers.base import counts_of, use_of

OORD = (
    "van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, NeurIPS 2017"
)
MENTZER = "Mentzer, Minnen, Agustsson and Tschannen, Finite scalar quantization, ICLR 2024"
BATCH = 32


def used(indices: np.ndarray, size: int) -> Mapping[str, float]:
    """The share of the entries that indices use, and their perplexity."""
    return use_of(counts_of(torch.from_numpy(indices).flatten(), size))


def _share(value: float) -> Measure:
    return Measure("Usage", value, "share", None, "higher", "The share of entries in use.")


def _perplexity(values: list[float]) -> Measure:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Measure(
        "Perplexity",
        float(np.mean(values)),
        "entries",
        error,
        "higher",
        "So many entries, used equally often, would say as much.",
    )


def _near_and_alive(values: Values) -> bool:
    return values["NMSE"] <= 0.07 and values["perplexity of a batch"] >= 300


@row(
    "vqvae-cifar10",
    what="VQ-VAE of CIFAR-10: 8×8 codes out of 512 entries of 64 numbers",
    setting=(
        "10,000 training images, the first batch, in place of 50,000, and the first 1,000 test"
        " images. Residual network of 64 and 128 channels, {epochs} epochs in batches of 32 (80"
        " epochs are 25,000 steps), Adam at 0.001. The commitment of 0.25 is that of means: as a"
        " sum beside a squared error of variance 0.063 it is 0.012. NMSE is the squared error by"
        " the variance of the test images' values; the perplexity of a batch that of 32 test"
        " images, that of all of the whole test set."
    ),
    metric="normalised squared error, perplexity of the codebook",
    unit="share of the variance; entries",
    published={"NMSE": 0.055, "perplexity of a batch": 352},
    source=(
        f"a public re-implementation of {OORD}, with 128 hidden units after 25,000 steps of 32 on"
        " all 50,000 images"
    ),
    epochs=(8, 80),
    data="CIFAR-10, 10,000 images",
    wanted=Wanted("NMSE at most 0.07, perplexity of a batch at least 300", _near_and_alive),
)
def vqvae_cifar10(bench: Bench) -> Mapping[str, Measure]:
    """How near a reconstruction comes, and how much of the codebook it needs for that."""
    train, test = cifar10()
    quantizer = ist.quantizers.VectorQuantizer(512, commitment=0.012)
    model = ist.VQVAE(
        quantizer=quantizer,
        latent_dim=64,
        hidden=(64, 128),
        likelihood="mse",
        batch_size=BATCH,
        random_state=0,
    )
    model = bench.train("VQ-VAE", model, train)
    variance = float((test / 255).var())
    error = reconstruction.sse(model.squared_error(test) / (test[0].size * variance))
    indices = model.encode(test)
    batches = [indices[i : i + BATCH] for i in range(0, len(indices) - BATCH + 1, BATCH)]
    whole = used(indices, quantizer.codebook_size)
    return {
        "NMSE": error,
        "perplexity of a batch": _perplexity(
            [used(batch, quantizer.codebook_size)["perplexity"] for batch in batches]
        ),
        "perplexity of all": _perplexity([whole["perplexity"]]),
        "usage": _share(whole["usage"]),
    }


def _scalars_use_all(values: Values) -> bool:
    return values["FSQ: usage"] >= 0.99 and values["FSQ: usage"] >= values["VQ: usage"]


@row(
    "fsq-vq",
    what="FSQ beside VQ on Fashion-MNIST at equal bits: 7×7 codes out of 1,000",
    setting=(
        "{images} training images, residual networks of 32 and 64 channels, {epochs} epochs each in"
        " batches of 128, squared error: FSQ with 8, 5, 5 and 5 values, VQ with 1,000 entries of 16"
        " numbers, started by k-means and with unused entries renewed until the last tenth of the"
        " epochs. Then FSQ with 8, 6 and 5 values, plain convolutions of 16 and 32 channels, and"
        " {steps} steps of 256 at 0.0003, as a public implementation has it. Usage and perplexity"
        " are those of the 10,000 test images."
    ),
    metric="usage of the codebook, perplexity, squared error",
    unit="share; entries; per test image of 784 values in [0, 1]",
    published={},
    source=f"{MENTZER}, who find all entries of FSQ in use, and fewer of VQ's the more there are",
    epochs=(6, 20),
    data="Fashion-MNIST",
    wanted=Wanted("usage of FSQ at least 0.99 and not below that of VQ", _scalars_use_all),
    note=(
        "VQ uses every entry here, because k-means starts its entries and unused ones are renewed."
        " FSQ uses half of its 1,000 after 940 steps, and its error is the smaller one by a"
        " hundredth all the same. Until its numbers started at the deviation of the data they began"
        " near 0, used a quarter, and the error was 6.34. With 240 entries it uses a third. By hand"
        " and with one seed: after three epochs most of the numbers lay at their ends; with 10,000"
        " of the images it made no difference to start at a tenth, a quarter or half of the"
        " deviation (37 to 38%); nor did uncorrelated numbers (33%), or no linear maps around them"
        " (30%), with 20,000."
    ),
)
def fsq_vq(bench: Bench) -> Mapping[str, Measure]:
    """Whether numbers that are rounded use all of a codebook that nobody learns."""
    data = fashion_mnist()
    train = data.train.take(slice(bench.length("images", 20_000, 60_000)))
    quantizers = {
        "FSQ": ist.quantizers.FSQ(levels=(8, 5, 5, 5)),
        "VQ": ist.quantizers.VectorQuantizer(1000),
    }
    found: dict[str, Measure] = {}
    for name, quantizer in quantizers.items():
        model = ist.VQVAE(
            quantizer=quantizer,
            hidden=(32, 64),
            likelihood="mse",
            batch_size=128,
            schedule="cosine",
            random_state=0,
        )
        model = bench.train(name, model, train)
        uses = used(model.encode(data.test.x), 1000)
        found[f"{name}: usage"] = _share(uses["usage"])
        found[f"{name}: perplexity"] = _perplexity([uses["perplexity"]])
        found[f"{name}: squared error"] = reconstruction.sse(model.squared_error(data.test))
    small = ist.VQVAE(
        quantizer=ist.quantizers.FSQ(levels=(8, 6, 5)),
        hidden=(16, 32),
        network="conv",
        likelihood="mse",
        batch_size=256,
        learning_rate=3e-4,
        random_state=0,
    )
    steps = bench.length("steps", 1000, 1000)
    some = data.train.take(slice(256 * 200))
    small = bench.train("FSQ 8·6·5", small, some, epochs=steps // 200)
    uses = used(small.encode(data.test.x), 8 * 6 * 5)
    found["FSQ 8·6·5: usage"] = _share(uses["usage"])
    found["FSQ 8·6·5: perplexity"] = _perplexity([uses["perplexity"]])
    found["FSQ 8·6·5: squared error"] = reconstruction.sse(small.squared_error(data.test))
    return found


def _judges_help(values: Values) -> bool:
    return values["VQGAN: Fréchet"] < values["VQ-VAE: Fréchet"]


@row(
    "vqgan",
    what="Reconstructions of a VQ-VAE and of a VQGAN, at 64 bits an image of MNIST",
    setting=(
        "4×4 codes out of 16, residual networks of 16, 32 and 64 channels, squared error, {images}"
        " training images, {epochs} epochs each in batches of 128; then the same with the features"
        " of a classifier (weight 0.05), and with these and an adversary of patches. Fréchet"
        " distances are those of the 10,000 reconstructed test images to the test images, in the"
        " codes of a small classifier that the row trains."
    ),
    metric="Fréchet distance in the codes of the judge; squared error",
    unit="squared units of the judge's codes; per test image of 784 values in [0, 1]",
    published={},
    source=(
        "Esser, Rombach and Ommer, Taming transformers, CVPR 2021, who find reconstructions of a"
        " VQGAN nearer to images, at larger squared errors"
    ),
    epochs=(3, 10),
    wanted=Wanted("Fréchet distance of VQGAN below that of VQ-VAE", _judges_help),
)
def vqgan(bench: Bench) -> Mapping[str, Measure]:
    """Whether reconstructions that are judged look more like images."""
    train = bench.data.train.take(slice(bench.length("images", 12_000, 60_000)))
    test, looks = bench.data.test, judge(bench)
    judges = {"VQ-VAE": None, "with features": "perceptual", "VQGAN": "vqgan"}
    found: dict[str, Measure] = {}
    for name, kind in judges.items():
        model = ist.VQVAE(
            judge=kind,
            quantizer=ist.quantizers.VectorQuantizer(16),
            hidden=(16, 32, 64),
            likelihood="mse",
            batch_size=128,
            schedule="cosine",
            random_state=0,
        )
        model = bench.train(name, model, train)
        found[f"{name}: Fréchet"] = distance(looks, model.reconstruct(test.x), test.x)
        found[f"{name}: squared error"] = reconstruction.sse(model.squared_error(test))
    return found
