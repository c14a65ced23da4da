"""Rows about samples of codes without noise, from a distribution that is fitted afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import isthmus as ist
from benchmarks.papers.judge import SAMPLES, distance, judge
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.metrics._measure import Measure

NETWORK: dict[str, Any] = {
    "latent_dim": 16,
    "hidden": (512, 256),
    "network": "mlp",
    "schedule": "cosine",
    "random_state": 0,
}
GAUSSIANS = {"one Gaussian": 1, "ten Gaussians": 10}


def _halved(values: Values) -> bool:
    return all(
        values[f"{name}, ten Gaussians"] <= 0.5 * values[f"{name}, one Gaussian"]
        for name in ("AE", "RAE")
    )


@row(
    "rae-gaussians",
    what="Samples of AE and RAE from ten Gaussians that were fitted to their codes, beside one",
    setting=(
        "784-512-256-16, {epochs} epochs each; 10,000 samples of each against the 10,000 test"
        " images, in the codes of a small classifier that the row trains. One full Gaussian, or"
        " ten, fitted to the codes of the training images. Beside them a VAE from N(0, I) and"
        " 10,000 training images."
    ),
    metric="Fréchet distance",
    unit="in the codes of the judge",
    published={
        "AE, one Gaussian": 58.73,
        "AE, ten Gaussians": 10.66,
        "RAE, one Gaussian": 22.22,
        "RAE, ten Gaussians": 8.69,
        "VAE, N(0, I)": 19.21,
    },
    source=(
        "Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, table 1, in the"
        " features of Inception, convolutional networks"
    ),
    wanted=Wanted("ten Gaussians at most half of one, for AE and RAE", _halved),
    epochs=(12, 200),
)
def rae_gaussians(bench: Bench) -> Mapping[str, Measure]:
    """What a richer distribution of the codes makes of samples."""
    model, images, train = judge(bench), bench.data.test.x, bench.data.train.x
    found: dict[str, Measure] = {}
    for name, member in (("AE", ist.AE(**NETWORK)), ("RAE", ist.RAE(**NETWORK))):
        trained = bench.train(name, member)
        for words, count in GAUSSIANS.items():
            prior = ist.priors.Mixture(components=count, fewer=False, random_state=0)
            with bench.clock():
                trained.fit_prior(train, prior=prior)
            samples = trained.sample(SAMPLES, random_state=0)
            found[f"{name}, {words}"] = distance(model, samples, images)
    vae = bench.train("VAE", ist.VAE(**NETWORK))
    found["VAE, N(0, I)"] = distance(model, vae.sample(SAMPLES, random_state=0), images)
    return {**found, "training images": distance(model, train[:SAMPLES], images)}
