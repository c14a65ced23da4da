"""Where training should start: torch's weights, Glorot's, or those and the data's mean.

    python -m benchmarks.starts

Trains the same members from each start and prints what a test example costs then; a line for each
is added to benchmarks/results/starts.jsonl. The digits come with scikit-learn; MNIST is looked for
as ``isthmus.data.load`` does it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import isthmus as ist
from benchmarks.pages import rounded, surroundings
from isthmus.estimators import base as estimator
from isthmus.models._variational import StochasticBottleneck
from isthmus.registry import INITIALIZATIONS

RESULTS = Path(__file__).parent / "results" / "starts.jsonl"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Task:
    """A member, what it is trained on, and which of its terms are added up."""

    data: str
    member: str
    settings: Mapping[str, Any]


SHORT = {"batch_size": 64, "learning_rate": 0.002, "verbose": 0}
TASKS = (
    *(
        Task("digits", name, {**SHORT, "epochs": epochs})
        for name in ("ae", "vae", "contractive")
        for epochs in (30, 100)
    ),
    *(
        Task("digits", "vae", {**SHORT, "epochs": 30, "latent_dim": 16, "learning_rate": rate})
        for rate in (0.001, 0.005)
    ),
    Task(
        "mnist",
        "ae",
        {
            "hidden": (256, 128, 64),
            "latent_dim": 32,
            "likelihood": "mse",
            "batch_size": 256,
            "epochs": 10,
            "verbose": 0,
        },
    ),
)


@contextmanager
def start(name: str) -> Iterator[None]:
    """Members are fitted from the start of that name while this lasts, whatever their codes are."""
    with ExitStack() as changes:
        if name == "mean":
            changes.enter_context(patch.object(StochasticBottleneck, "is_random", False))
        else:
            changes.enter_context(patch.object(estimator, "init_output_bias", lambda *given: None))
        if name == "torch":
            torch_s_own = INITIALIZATIONS.target("torch")
            changes.enter_context(patch.dict(INITIALIZATIONS._targets, glorot=torch_s_own))
        yield


def main() -> None:
    for task in TASKS:
        data = ist.data.load(task.data)
        for name in ("torch", "glorot", "mean"):
            costs = [cost(task, name, data, seed) for seed in SEEDS]
            line = {
                "data": task.data,
                "member": task.member,
                "settings": dict(task.settings),
                "start": name,
                "cost": rounded(
                    {"mean": float(np.mean(costs)), "least": min(costs), "greatest": max(costs)}
                ),
                **surroundings(),
            }
            print(json.dumps(line), flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def cost(task: Task, name: str, data: ist.data.Data, seed: int) -> float:
    """Distortion, and rate if any, of a test example in nats (squared units under mse)."""
    with start(name):
        model = ist.MEMBERS[task.member](**task.settings, random_state=seed).fit(data.train)
    terms = model.terms(data.test)
    return float(np.mean(terms["distortion"] + terms.get("rate", 0)))


if __name__ == "__main__":
    main()
