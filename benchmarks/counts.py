"""Likelihoods of counts on counts whose distribution is known: python -m benchmarks.counts.

Counts of 30 columns are drawn from negative binomial variables whose logarithms of rates are linear
in a code of two dimensions, once with rates of their own, once as shares of sizes that differ from
example to example. A VAE of two dimensions learns from 2,000 of them; its -log p(x) of 500 others
stands beside that of the truth, an integral over a grid of codes. The digits, counts from 0 to 16,
follow: bits per dimension of the same VAE. Results are added to benchmarks/results/counts.jsonl.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import gammaln, logsumexp, softmax

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.likelihoods import (
    LogisticMixture,
    NegativeBinomial,
    NegativeBinomialLikelihood,
    Poisson,
)

SEEDS = (0, 1, 2)
EPOCHS = 50
RESULTS = Path(__file__).parent / "results" / "counts.jsonl"
_COLUMNS, _TRAINING, _TEST = 30, 2000, 500
_GRID = np.linspace(-4.5, 4.5, 91)


class Drawn(NamedTuple):
    """Counts ``(n, columns)`` of a training and a test part, and what the truth says.

    ``theta`` ``(columns,)`` is the inverse dispersion, and ``entropy`` the mean -log p(x) of the
    test part in nats, under sizes that are known where there are any.
    """

    train: np.ndarray
    test: np.ndarray
    theta: np.ndarray
    entropy: float


def draw(seed: int, *, sized: bool) -> Drawn:
    """Low-rank counts; as shares of log-normal sizes, around 400, where ``sized``."""
    random = np.random.default_rng(seed)
    weight = random.normal(0, 0.7, (2, _COLUMNS))
    bias, theta = random.normal(1, 1, _COLUMNS), random.uniform(1, 5, _COLUMNS)
    n = _TRAINING + _TEST
    size = random.lognormal(6, 0.5, (n, 1)) if sized else None
    rate = rates(random.normal(size=(n, 2)) @ weight + bias, size)
    x = random.poisson(rate * random.gamma(theta, 1 / theta, rate.shape)).astype(float)
    codes = np.stack(np.meshgrid(_GRID, _GRID), -1).reshape(-1, 2)
    prior = -0.5 * np.square(codes).sum(1)
    logits = codes @ weight + bias  # (codes, columns)
    found = [
        -logsumexp(
            log_masses(x[row], rates(logits, None if size is None else size[row]), theta)
            + prior
            - logsumexp(prior)
        )
        for row in range(_TRAINING, n)
    ]
    return Drawn(x[:_TRAINING], x[_TRAINING:], theta, float(np.mean(found)))


def rates(logits: np.ndarray, size: np.ndarray | None) -> np.ndarray:
    """Rates of logits: their exponentials, or the shares of a size."""
    return np.exp(logits) if size is None else size * softmax(logits, axis=1)


def log_masses(x: np.ndarray, rate: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """log p of one example ``(columns,)`` under every row of rates, ``(rows,)``."""
    choices = gammaln(x + theta) - gammaln(theta) - gammaln(x + 1)
    total = np.log(theta + rate)
    return np.asarray(
        (choices + theta * (np.log(theta) - total) + x * (np.log(rate) - total)).sum(1)
    )


def measure(seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """What is measured under one seed, by name."""
    for sized in (False, True):
        data = draw(seed, sized=sized)
        kind = "sized" if sized else "plain"
        yield f"{kind} truth", {"nll": data.entropy}
        for part in (
            *(Poisson(), NegativeBinomial()),
            *((Poisson(library=True), NegativeBinomial(library=True)) if sized else ()),
        ):
            model = fitted(data.train, part, latent_dim=2, seed=seed)
            row = {"nll": float(model.nll(data.test, 200).mean())}
            likelihood = model.module_.likelihood
            if isinstance(likelihood, NegativeBinomialLikelihood):
                learnt = likelihood.inverse_dispersion.detach().numpy()
                row["theta_ratio"] = float(np.exp(np.log(learnt / data.theta).mean()))
            yield f"{kind} {part}", row
    grey = ist.data.load("digits")
    train, test = (Part(np.rint(16 * part.x)) for part in (grey.train, grey.test))
    counts = Data("digits", train, test)
    for part in (Poisson(), NegativeBinomial(), LogisticMixture(components=5, bins=17)):
        digits = grey if isinstance(part, LogisticMixture) else counts
        found = ist.evaluate(fitted(digits.train, part, latent_dim=8, seed=seed), digits)
        yield f"digits {part}", {"bits_per_dim": found["bits_per_dim"].value}


def fitted(
    x: np.ndarray | Part, part: ist.likelihoods.LikelihoodPart, latent_dim: int, seed: int
) -> ist.VAE:
    """A VAE under a likelihood."""
    model = ist.VAE(
        latent_dim=latent_dim, likelihood=part, epochs=EPOCHS, random_state=seed, verbose=0
    )
    return model.fit(x)


def main() -> None:
    """Measure, print, and add a line to the results."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    runs = [dict(measure(seed)) for seed in SEEDS]
    for name in runs[0]:
        means = {key: np.mean([run[name][key] for run in runs]) for key in runs[0][name]}
        print(f"{name:<45}", "  ".join(f"{key} {value:.2f}" for key, value in means.items()))
    record = {
        "benchmark": "counts",
        "commit": commit,
        "date": date.today().isoformat(),
        "machine": platform.processor() or "CPU",
        "torch": torch.__version__,
        "seeds": SEEDS,
        "runs": runs,
    }
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
