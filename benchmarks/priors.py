"""How well priors explain codes that they have not seen: python benchmarks/priors.py.

An AE of 2 and of 8 dimensions is trained on the digits; each prior is fitted to the codes of the
training part and scored on those of the test part, by their mean -log p(z) in nats. Results are
added to benchmarks/results/priors.jsonl.
"""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import date
from pathlib import Path

import torch

import isthmus as ist

SEEDS = (0, 1, 2)
RESULTS = Path(__file__).parent / "results" / "priors.jsonl"
PRIORS = {
    "gaussian": lambda: ist.priors.Mixture(components=1),
    "mixture": lambda: ist.priors.Mixture(),
    "flow": lambda: ist.priors.Flow(verbose=0),
    "affine flow": lambda: ist.priors.Flow(kind="affine", verbose=0),
}


def measure(latent_dim: int, seed: int) -> dict[str, dict[str, float]]:
    """The scores of every prior on the codes of one AE, without and with labels."""
    data = ist.data.load("digits")
    model = ist.AE(latent_dim=latent_dim, epochs=100, random_state=seed, verbose=0).fit(data.train)
    found = {}
    for name, make in PRIORS.items():
        plain = -model.fit_prior(data.train.x, prior=make()).score_prior(data.test.x)
        model.fit_prior(data.train, prior=make())
        found[name] = {
            "nll": plain,
            "nll_by_class": -model.score_prior(data.test.x),
            "nll_given_label": -model.score_prior(data.test.x, data.test.labels),
        }
    return found


def main() -> None:
    """Measure, print, and add a line to the results."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    runs = {size: [measure(size, seed) for seed in SEEDS] for size in (2, 8)}
    for size, by_seed in runs.items():
        for name in PRIORS:
            rows = [run[name] for run in by_seed]
            means = {key: torch.tensor([row[key] for row in rows]).mean() for key in rows[0]}
            print(
                f"{size} {name:<12}",
                "  ".join(f"{key} {value:.2f}" for key, value in means.items()),
            )
    record = {
        "benchmark": "priors",
        "commit": commit,
        "date": date.today().isoformat(),
        "machine": platform.processor() or "CPU",
        "torch": torch.__version__,
        "seeds": SEEDS,
        "latent_dim": runs,
    }
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
