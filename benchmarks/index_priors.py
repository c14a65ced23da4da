"""Priors over the indices of MNIST in one table: python -m benchmarks.index_priors.

The codes are those of ``pretrained:vqvae-mnist``, 7×7 indices out of 128. Each prior learns those
of the training images with their labels, for about ``--seconds`` or for ``--epochs``; the PixelCNN
that comes with the model is the first. It is measured on ``--draws``, as many of every digit, with
and without guidance: the share that a classifier of the digits
(:mod:`benchmarks.recognised`) names as they were asked for, how much the draws of a digit differ as
a share of how much real ones do, the Fréchet distance of its last hidden layer to that of the test
images, and the time a thousand draws take. Bits are those of the codes of the test images given
their label, per dimension of the image: of the masked transformer a bound. As many training
images and their reconstructions stand beside: of few images the distance is not small. Lines are
added to benchmarks/results/index_priors.jsonl; ``--page`` writes them into docs/priors.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import isthmus as ist
from benchmarks.pages import DOCS, rounded, surroundings
from benchmarks.recognised import named, pixels, spread, trained
from isthmus.core.randomness import own_draws
from isthmus.metrics.generation import frechet_distance
from isthmus.priors import Masked, PixelCNN, Transformer

RESULTS = Path(__file__).parent / "results" / "index_priors.jsonl"
PIXELS, BOUNDS, BATCH = 784, 4, 128
MARK, END = "<!-- index priors: -->", "<!-- :index priors -->"
OWN = "prepared"  # the prior that comes with the model
PRIORS: dict[str, type[Any]] = {
    "pixelcnn": PixelCNN,
    "transformer": Transformer,
    "masked": Masked,
}
GUIDED = {OWN: 1.2, "pixelcnn": 1.2, "transformer": 1.2, "masked": 1.0}


def learnt(name: str, codes: Tensor, labels: np.ndarray, levels: Any, args: Any) -> Any:
    """A prior that was trained for about so many seconds, by what an epoch takes."""
    rest = {"channels": args.channels, "layers": args.layers, "batch_size": BATCH}

    def fitted(epochs: int, *, is_compiled: bool) -> Any:
        how = {"compile": is_compiled, "device": args.device, "random_state": 0, "verbose": 2}
        prior = PRIORS[name](epochs=epochs, **rest, **how)
        return prior.fit(codes, labels, levels)

    if args.epochs and not args.compile:
        return fitted(args.epochs, is_compiled=False)

    is_compiled = args.compile
    try:
        tried = fitted(2, is_compiled=is_compiled)
    except Exception as error:  # no compiler, or one that does not like the device
        print(f"{name}: not compiled ({type(error).__name__})", flush=True)
        tried, is_compiled = fitted(2, is_compiled=False), False
    epochs = args.epochs or int(args.seconds / tried.history_[-1]["seconds"])
    print(f"{name}: an epoch takes {tried.history_[-1]['seconds']:.2f} s", flush=True)
    return tried if epochs <= 2 else fitted(epochs, is_compiled=is_compiled)


def bits(prior: Any, codes: Tensor, labels: np.ndarray) -> float:
    """−log p of codes given their labels, in bits per dimension of the image; or its bound."""
    if prior.has_log_prob:
        nats = float(-prior.log_prob(codes, labels).mean())
    else:
        device = next(prior.module_.parameters()).device
        told = prior._one_hot(prior.classes_.indices(labels, len(codes)))
        with torch.no_grad(), own_draws(0):
            bounds = [
                prior.module_.bound(rows.to(device), given.to(device)).mean().cpu()
                for _ in range(BOUNDS)
                for rows, given in zip(codes.split(1000), told.split(1000), strict=True)
            ]
        nats = float(torch.stack(bounds).mean())
    return nats / (PIXELS * math.log(2))


@torch.no_grad()
def features(network: nn.Sequential, x: np.ndarray) -> np.ndarray:
    """The last hidden layer of the classifier, ``(n, 128)``."""
    return torch.cat([network[:-2](part) for part in pixels(x).split(1000)]).numpy()


def judged(network: nn.Sequential, x: np.ndarray, asked: np.ndarray, test: Any) -> dict[str, float]:
    """What the classifier says of images that were asked for as ``asked``."""
    spreads = [spread(x[asked == digit]) / spread(test.x[test.y == digit]) for digit in range(10)]
    return {
        "recognised": float((named(network, x) == asked).mean()),
        "spread": float(np.mean(spreads)),
        "frechet": frechet_distance(features(network, x), features(network, test.x)),
    }


def sampled(network: nn.Sequential, model: Any, test: Any, draws: int) -> dict[str, float]:
    """What the classifier says of draws, and how long a thousand take."""
    asked = np.repeat(np.arange(10), draws // 10)
    model.sample(10, label=3, random_state=0)  # whatever is made at first use
    start = time.perf_counter()
    x = model.sample(len(asked), label=asked, random_state=1)
    taken = time.perf_counter() - start
    return judged(network, x, asked, test) | {"seconds_per_1000": 1000 * taken / len(asked)}


def written(found: dict[str, Any], device: str) -> None:
    """Print a line, and add it to the results."""
    found = {**found, "device": device, **surroundings()}
    print(json.dumps(rounded(found)), flush=True)
    with RESULTS.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(rounded(found)) + "\n")


def table(lines: list[dict[str, Any]]) -> str:
    """The last measurement of each prior, guidance and device, as a table for the page."""
    last = {(line["prior"], line.get("guidance"), line["device"]): line for line in lines}
    rows = [
        "| | on | trained on | bits | draws | recognised | spread | Fréchet distance | s / 1,000 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in last.values():
        name = {OWN: "`pixelcnn`, prepared"}.get(line["prior"], f"`{line['prior']}`")
        name = name if "guidance" in line else line["prior"]
        name += f", guidance {line['guidance']:g}" if line.get("guidance") else ""
        place = line["device"].removeprefix("NVIDIA ").split()[0]  # such as H100
        most = "≤ " if line.get("is_bound") else ""
        bits = f"{most}{line['bits_per_dim']:.4f}" if "bits_per_dim" in line else ""
        shown = f"{line['images']:,}, {line['epochs']} epochs" if "images" in line else ""
        seconds = f"{line['seconds_per_1000']:.1f}" if "seconds_per_1000" in line else ""
        draws = f"{line.get('draws', 1000):,}"  # a thousand in the first lines, which do not say it
        rows.append(
            f"| {name} | {place} | {shown} | {bits} | {draws} | {line['recognised']:.1%} |"
            f" {line['spread']:.1%} | {line['frechet']:.1f} | {seconds} |"
        )
    return "\n".join(rows)


def fill_page() -> None:
    """Put the table between its marks in docs/priors.md."""
    page = DOCS / "priors.md"
    before, mark, rest = page.read_text(encoding="utf-8").partition(MARK)
    _, end, after = rest.partition(END)
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    page.write_text(f"{before}{mark}\n{table(lines)}\n{end}{after}", encoding="utf-8")


def main(args: argparse.Namespace) -> None:
    """Train, measure, print, and add lines to the results."""
    data, model = ist.data.load("mnist"), ist.load("pretrained:vqvae-mnist")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    network, test = trained(data), data.test
    codes, held_out = (model._codes_for_prior(part.x) for part in (data.train, test))
    beside = {
        "training images": data.train.x[: args.draws],
        "their reconstructions": model.reconstruct(data.train.x[: args.draws]),
    }
    for name, x in beside.items():
        asked = data.train.y[: args.draws]
        written({"prior": name, "draws": len(x), **judged(network, x, asked, test)}, device)
    own: Any = model.prior_
    for name in args.priors:
        start = time.perf_counter()
        shown, labels = codes[: args.images], data.train.y[: args.images]
        prior = own if name == OWN else learnt(name, shown, labels, model._levels, args)
        taken = time.perf_counter() - start
        model.prior_ = prior
        found = {
            "prior": name,
            "parameters": sum(weights.numel() for weights in prior.module_.parameters()),
            "bits_per_dim": bits(prior, held_out, test.y),
            "is_bound": not prior.has_log_prob,
            "draws": args.draws,
        }
        if name != OWN:
            found |= {"images": len(shown), "epochs": prior.epochs, "training_seconds": taken}
        for guidance in (0.0, GUIDED[name]):
            prior.set_params(guidance=guidance)
            measured = sampled(network, model, test, args.draws)
            written({**found, "guidance": guidance, **measured}, device)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("priors", nargs="*", default=[OWN, *PRIORS])
    parser.add_argument("--seconds", type=float, default=60, help="of training, for each prior")
    parser.add_argument("--epochs", type=int, help="in place of --seconds")
    parser.add_argument("--images", type=int, default=60_000, help="training images")
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--channels", type=int, default=128, help="of every layer")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--page", action="store_true", help="only write the table into the page")
    given = parser.parse_args()
    if given.page:
        fill_page()
    else:
        main(given)
