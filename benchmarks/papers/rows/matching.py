"""Rows about samples of members that match their codes to a prior."""

from __future__ import annotations

from collections.abc import Mapping

import isthmus as ist
from benchmarks.papers.judge import SAMPLES, distance, judge
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.metrics._measure import Measure

NETWORK = {
    "latent_dim": 8,
    "hidden": (512, 256),
    "network": "mlp",
    "schedule": "cosine",
    "random_state": 0,
}


def _below_the_vae(values: Values) -> bool:
    return max(values["AAE"], values["WAE"]) < values["VAE"]


@row(
    "aae-wae",
    what="Samples of AAE and WAE beside those of a VAE, the same network, a code of 8",
    setting=(
        "784-512-256-8, {epochs} epochs each; 10,000 samples of each against the 10,000 test"
        " images, in the codes of a small classifier that the row trains. Beside them 10,000"
        " training images, whose distance is the least one can expect."
    ),
    metric="Fréchet distance",
    unit="in the codes of the judge",
    published={},
    source=(
        "no number for this feature space; Tolstikhin et al., ICLR 2018, find WAE below VAE in FID"
        " on CelebA"
    ),
    wanted=Wanted("AAE and WAE below VAE", _below_the_vae),
    epochs=(12, 200),
    note=(
        "All are far from the distance of real images: twelve epochs, a fully connected decoder,"
        " and the mean of p(x | z) in place of a draw. The order is that of the WAE paper."
    ),
)
def aae_wae(bench: Bench) -> Mapping[str, Measure]:
    """Whether matching the prior by codes as a whole makes better samples than one by one."""
    model, images = judge(bench), bench.data.test.x
    members = {
        "VAE": ist.VAE(**NETWORK),
        "AAE": ist.AAE(**NETWORK),
        "WAE": ist.WAE(mmd_weight=100.0, **NETWORK),
    }
    found = {
        name: distance(model, bench.train(name, member).sample(SAMPLES, random_state=0), images)
        for name, member in members.items()
    }
    return {**found, "training images": distance(model, bench.data.train.x[:SAMPLES], images)}
