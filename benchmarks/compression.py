"""Small images without loss, beside PNG and WebP: bytes, exactness and speed.

    python -m benchmarks.compression train --seconds 45 --out runs/compression
    python -m benchmarks.compression measure --runs runs/compression
    python -m benchmarks.compression speed

The first trains, for each data set, a VAE with a likelihood of single values (bits back) and a
PixelCNN over pixels, for so many seconds each, on an accelerator where there is one. The second
compresses test images with them and adds a line for each method to
benchmarks/results/compression.jsonl. Every image is compared with what comes back. The third
measures megapixels a second, and which share of the time is not that of the networks, by
`pretrained:vqvae-mnist` without a prior, under a PixelCNN, and under its own one of ten classes.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image

import isthmus as ist
from benchmarks.pages import rounded, surroundings
from benchmarks.papers.data import fashion_mnist
from benchmarks.papers.record import device
from isthmus.compression import coder, indices, values
from isthmus.compression.indices import IndexCoder
from isthmus.core.forward import Level
from isthmus.core.tensor_files import read_tensors, write_tensors
from isthmus.data import Data
from isthmus.training.callbacks import Callback

RESULTS = Path(__file__).parent / "results" / "compression.jsonl"
DATA: dict[str, Callable[[], Data]] = {
    "digits": lambda: ist.data.load("digits"),
    "mnist": lambda: ist.data.load("mnist"),
    "fashion-mnist": fashion_mnist,
}
KINDS = ("vae", "pixelcnn")
_ACROSS = 50  # images in a row of a picture that holds all of them
_MOST_EPOCHS = 400

Trained = TypeVar("Trained")


class Deadline(Callback):
    """Ends training at the first end of an epoch after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.end = time.perf_counter() + seconds

    def on_epoch_end(self, trainer: Any, row: Any) -> None:
        if time.perf_counter() > self.end:
            trainer.stop("the time is over")


def pixels(data: Data, part: str) -> np.ndarray:
    """Images ``(n, h, w)`` as whole numbers from 0; the digits have 17 greys."""
    x = getattr(data, part).x[:, 0]
    return x if x.dtype == np.uint8 else np.rint(x * 16).astype(np.uint8)


def bins_of(name: str) -> int:
    """How many greys images of a data set may have."""
    return 17 if name == "digits" else 256


def vae(name: str, epochs: int, **settings: Any) -> ist.VAE:
    """A VAE whose likelihood gives a mass to every grey."""
    is_small = name == "digits"
    return ist.VAE(
        latent_dim=10 if is_small else 30,
        hidden=(64, 64) if is_small else (256,),
        network="mlp",
        likelihood=ist.likelihoods.LogisticMixture(components=3, bins=bins_of(name)),
        epochs=epochs,
        learning_rate=2e-3,
        schedule="cosine",
        random_state=0,
        verbose=0,
        **settings,
    )


def pixelcnn(name: str, epochs: int, **settings: Any) -> ist.priors.PixelCNN:
    """A PixelCNN over the greys themselves."""
    channels = 24 if name == "digits" else 48
    return ist.priors.PixelCNN(
        channels=channels, layers=5, epochs=epochs, random_state=0, verbose=0, **settings
    )


def train(name: str, kind: str, folder: Path, options: argparse.Namespace) -> None:
    """Train a model of a data set on all images, or the first of them, and keep it."""
    x, seconds = pixels(DATA[name](), "train")[: options.images], options.seconds
    if kind == "vae":
        given = x if bins_of(name) == 256 else x / np.float32(16)
        fitted: Any = within(seconds, lambda n, **more: vae(name, n, **more).fit(given))
        fitted.save(folder / "vae")
    else:
        levels = (Level(x.shape[1:], bins_of(name)),)
        codes = torch.from_numpy(x.reshape(len(x), -1).astype(np.int64))
        fitted = within(
            seconds, lambda n, **more: pixelcnn(name, n, **more).fit(codes, levels=levels)
        )
        tensors, learnt = fitted.state()
        write_tensors(folder / "pixelcnn.safetensors", tensors, json.loads(json.dumps(learnt)))
    spent = sum(row["seconds"] for row in fitted.history_)
    facts = {"trained_on": device(), "training_images": len(x)}
    facts |= {"epochs": len(fitted.history_), "training_seconds": spent}
    (folder / f"{kind}.json").write_text(json.dumps(facts))
    print(name, kind, facts, flush=True)


def within(seconds: float, fit: Callable[..., Trained]) -> Trained:
    """What a fit makes of as many epochs as the time is enough for; one is tried first, or two
    where the first compiles.
    """
    compiled = torch.cuda.is_available()
    try:
        start = time.perf_counter()
        trial: Any = fit(1 + compiled, compile=compiled)
    except ist.InputError:
        compiled, start = False, time.perf_counter()
        trial = fit(1)
    each, spent = trial.history_[-1]["seconds"], time.perf_counter() - start
    left = seconds - (spent - 2 * each if compiled else spent)  # the compiler's time comes again
    epochs = int(min(_MOST_EPOCHS, max(1, left // each)))
    print(f"{spent:.1f} s for a trial, {each:.2f} s for an epoch: {epochs} epochs", flush=True)
    return fit(epochs, compile=compiled, callbacks=[Deadline(1.5 * seconds)])


def measure(name: str, count: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Every method on some test images."""
    x = pixels(DATA[name](), "test")[:count]
    yield pictures(x, "PNG", {"optimize": True}, bins_of(name))
    yield pictures(x, "WEBP", {"lossless": True, "quality": 100}, bins_of(name))
    for method, kind in ((bits_back, "vae"), (pixel_by_pixel, "pixelcnn")):
        facts = folder / name / f"{kind}.json"
        if facts.exists():
            with timed() as clock:
                found = method(name, x, folder)
            share = clock["coder"] / sum(found["seconds"])
            yield found | {"share_of_coder": share, **json.loads(facts.read_text())}


def pictures(x: np.ndarray, form: str, options: dict[str, Any], bins: int) -> dict[str, Any]:
    """Every image as a file of its own, and all of them side by side in one."""
    white = np.uint8(255 // (bins - 1))
    start = time.perf_counter()
    each = sum(len(encoded(image * white, form, options)) for image in x)
    seconds = time.perf_counter() - start
    rows = -(-len(x) // _ACROSS)
    padded = np.zeros((rows * _ACROSS, *x.shape[1:]), np.uint8)
    padded[: len(x)] = x * white
    sheet = padded.reshape(rows, _ACROSS, *x.shape[1:]).swapaxes(1, 2)
    together = sheet.reshape(rows * x.shape[1], _ACROSS * x.shape[2])
    content = encoded(together, form, options)
    back = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    return {
        "method": form,
        "bytes": each / len(x),
        "bytes_together": len(content) / len(x),
        "exact": bool((back == together).all()),
        "seconds": [seconds, None],
    }


def encoded(image: np.ndarray, form: str, options: dict[str, Any]) -> bytes:
    """A grey image as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form, **options)
    return buffer.getvalue()


def bits_back(name: str, x: np.ndarray, folder: Path) -> dict[str, Any]:
    """The VAE, all images in one file, and the bound that its size should reach."""
    model = ist.load(folder / name / "vae", device="cpu")
    given = x if bins_of(name) == 256 else x / np.float32(16)
    content, there = clocked(model.compress, given, lossless=True)
    found, back = clocked(model.decompress, content)
    terms = model.terms(given)
    bound = float((terms["distortion"] + terms["rate"]).sum()) / np.log(2) / 8
    single = np.mean([len(model.compress(given[i : i + 1], lossless=True)) for i in range(20)])
    return {
        "method": "VAE, bits back",
        "bytes": float(single),
        "bytes_together": len(content) / len(x),
        "bound": bound / len(x),
        "exact": bool((found == given).all()),
        "seconds": [there, back],
    }


def pixel_by_pixel(name: str, x: np.ndarray, folder: Path) -> dict[str, Any]:
    """The PixelCNN over pixels, and −log₂ p of the images."""
    tensors, facts = read_tensors(folder / name / "pixelcnn.safetensors")
    prior = pixelcnn(name, 1, device="cpu").restore(tensors, facts)
    codes = x.reshape(len(x), -1).astype(np.int64)
    index = IndexCoder(prior.levels_, prior.module_.double())
    streams, there = clocked(index.encode, codes)
    found, back = clocked(index.decode, streams, len(codes))
    with torch.inference_mode():
        parts = torch.from_numpy(codes).split(16)
        bits = -sum(float(prior.module_.log_prob(some).sum()) for some in parts) / np.log(2)
    single = np.mean([sum(map(len, index.encode(codes[i : i + 1]))) for i in range(20)])
    return {
        "method": "PixelCNN",
        "bytes": float(single),
        "bytes_together": sum(map(len, streams)) / len(x),
        "bound": bits / 8 / len(x),
        "exact": bool((found == codes).all()),
        "seconds": [there, back],
    }


def clocked(made: Callable[..., Trained], *given: Any, **named: Any) -> tuple[Trained, float]:
    """What a call gives, and its seconds."""
    start = time.perf_counter()
    found = made(*given, **named)
    return found, time.perf_counter() - start


def speed(count: int) -> Iterator[dict[str, Any]]:
    """Megapixels a second both ways, and the share of the time that the coder takes."""
    model = ist.load("pretrained:vqvae-mnist", device="cpu")
    data = ist.data.load("mnist")
    x, classes = data.test.x[:count], model.prior_
    unlabelled = ist.priors.PixelCNN(epochs=1, random_state=0, verbose=0)
    model.fit_prior(data.train.x[:2000], prior=unlabelled)
    for name, prior in (("none", None), ("PixelCNN", model.prior_), ("ten classes", classes)):
        model.prior_ = prior
        model.compress(x[:64])  # what is made once
        with timed() as clock:
            content, there = clocked(model.compress, x)
            coder_there = clock["coder"]
            found, back = clocked(model.decompress, content)
        yield {
            "method": f"VQ-VAE, prior: {name}",
            "bytes_together": len(content) / len(x),
            "exact": bool((found == model.reconstruct(x)).all()),
            "megapixels_a_second": [x.size / 1e6 / there, x.size / 1e6 / back],
            "share_of_coder": [coder_there / there, (clock["coder"] - coder_there) / back],
        }


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Counts the seconds of entropy coding: rounding, frequencies, and the coder itself."""
    clock, running = {"coder": 0.0}, [False]
    watched = [
        *((coder.Writer, name) for name in ("write", "write_uniform", "content")),
        *((coder.SymbolSource, name) for name in ("read", "read_uniform")),
        *((coder.Stack, name) for name in ("push", "push_gaussian", "draw", "give_back")),
        *((indices, name) for name in ("rounded", "rounded_as", "frequencies", "notes_of")),
        *((values.ValueCoder, name) for name in ("push", "write", "read")),
    ]
    kept = [(owner, name, getattr(owner, name)) for owner, name in watched]

    def counted(method: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if running[0]:  # inside of another
                return method(*args, **options)
            running[0], start = True, time.perf_counter()
            try:
                return method(*args, **options)
            finally:
                running[0] = False
                clock["coder"] += time.perf_counter() - start

        return call

    for owner, name, method in kept:
        setattr(owner, name, counted(method))
    try:
        yield clock
    finally:
        for owner, name, method in kept:
            setattr(owner, name, method)


def main() -> None:
    """Train, or measure, by the words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--seconds", type=float, default=60)
    training.add_argument("--out", type=Path, default=Path("runs/compression"))
    training.add_argument("--images", type=int)
    training.add_argument("--models", nargs="+", choices=KINDS, default=KINDS)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--runs", type=Path, default=Path("runs/compression"))
    measuring.add_argument("--images", type=int, default=1000)
    commands.add_parser("speed").add_argument("--images", type=int, default=1000)
    for command in (training, measuring):
        command.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    options = parser.parse_args()
    if options.command == "speed":
        keep("mnist", speed(options.images))
        return
    for name in options.data:
        if options.command == "train":
            for kind in options.models:
                train(name, kind, options.out / name, options)
            continue
        keep(name, measure(name, options.images, options.runs))


def keep(name: str, lines: Iterator[dict[str, Any]]) -> None:
    """Print what was measured, and add it to the results."""
    for found in lines:
        line = {"data": name, **found, **surroundings(), "date": date.today().isoformat()}
        print(json.dumps(rounded(line)), flush=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(rounded(line)) + "\n")


if __name__ == "__main__":
    main()
