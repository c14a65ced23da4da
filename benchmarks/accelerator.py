"""Every member and every prior on an accelerator, beside the same on the CPU.

    python -m benchmarks.accelerator               # a line for each; at the end what failed
    python -m benchmarks.accelerator vae vqvae     # these members alone
    python -m benchmarks.accelerator --steps       # what an epoch takes, plain and compiled

Lines are added to benchmarks/results/accelerator.jsonl.

Each member trains for two epochs on scikit-learn's digits, on the CPU and on the accelerator, with
the same seed. What is asked of it:

- **first loss**: the untrained modules, with the same weights and the same noise, agree on the
  distortion.
- **moved**: the trained run, saved and loaded on the CPU, gives the same codes and reconstructions.
- **learnt**: the error after training is near the CPU's (the order of sums differs, so training
  does, a little).
- **bfloat16**, **compiled**, **resumed**: the trainings in these ways end near the first; the one
  that was stopped and went on ends where the uninterrupted one did.
- **prior**: a prior is fitted there, and draws.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import isthmus as ist
from benchmarks.papers.record import commit, device
from isthmus.core import fields
from isthmus.core.batch import Batch
from isthmus.errors import InputError
from isthmus.training.callbacks import Callback
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import multiplying

EPOCHS, EXAMPLES = 2, 512
BRIEF = {"pretrain_epochs": 1, "groups": (1, 1), "width": 8}
NEAR = {"first loss": 1e-4, "moved": 1e-3, "learnt": 0.1, "bfloat16": 0.2, "compiled": 0.1}
NEAR["resumed"] = 1e-5
STEPS: dict[str, dict[str, Any]] = {
    "ae": {"latent_dim": 32, "hidden": (256,), "network": "mlp", "likelihood": "mse"},
    "vae": {"latent_dim": 16, "hidden": (32, 64), "network": "conv"},
}
RESULTS = Path(__file__).parent / "results" / "accelerator.jsonl"


def make(name: str, **values: Any) -> Any:
    """A member of seed 0 that trains for a moment."""
    declared = fields.declared(ist.MEMBERS[name])
    brief = {field: value for field, value in BRIEF.items() if field in declared}
    shared = {"epochs": EPOCHS, "random_state": 0, "batch_size": 64, "latent_dim": 4, "verbose": 0}
    return ist.MEMBERS[name](**{**shared, **brief, **values})


class Stop(Callback):
    """Interrupts a training after its first epoch."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        raise KeyboardInterrupt


def first_loss(name: str, x: np.ndarray, where: str) -> float:
    """The distortion of one batch, of the untrained module."""
    torch.manual_seed(0)
    module, batch = make(name).build(x.shape[1:]), torch.from_numpy(x[:64] / np.float32(16))
    shape = module.bottleneck.code_shape
    noise = torch.randn(64, *shape) if module.bottleneck.is_random else None
    module, noise = module.to(where).eval(), None if noise is None else noise.to(where)
    with torch.no_grad(), multiplying():
        features = module.features(Batch(batch.to(where)))
        terms = module.cost(features, Batch(batch.to(where)), noise).terms
    return float(terms["distortion"].mean())


def checked(name: str, x: np.ndarray, where: str) -> dict[str, float]:
    """How far apart the accelerator and the CPU are, relative, by what is compared."""
    found: dict[str, float] = {}
    if not make(name).build(x.shape[1:]).penalty:
        found["first loss"] = _apart(first_loss(name, x, where), first_loss(name, x, "cpu"))
    here, there = (make(name, device=each).fit(x) for each in ("cpu", where))
    errors = [float(each.squared_error(x).mean()) for each in (here, there)]
    found["learnt"] = _apart(errors[1], errors[0])
    with tempfile.TemporaryDirectory() as folder:
        loaded = ist.load(there.save(Path(folder) / "run"), device="cpu")
    found["moved"] = max(
        _far(loaded.transform(x), there.transform(x)),
        _far(loaded.reconstruct(x), there.reconstruct(x)),
    )
    for what, values in (("bfloat16", {"precision": "bfloat16"}), ("compiled", {"compile": True})):
        try:
            model = make(name, device=where, **values).fit(x)
        except InputError as error:
            if "cannot be compiled" not in str(error):
                raise
            print(f"{name}: {error}", flush=True)
            continue
        found[what] = _apart(float(model.squared_error(x).mean()), errors[1])
    with tempfile.TemporaryDirectory() as folder:
        kept = {"device": where, "checkpoint_dir": folder}
        with contextlib.suppress(KeyboardInterrupt):
            make(name, callbacks=[Stop()], **kept).fit(x)
        model = make(name, **kept).fit(x)
        found["resumed"] = _apart(float(model.squared_error(x).mean()), errors[1])
    return found


def priors(where: str, x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], object]]:
    """What fits each prior, and draws from it."""
    members = {
        True: make("vqvae", device=where).fit(x),
        False: make("vae", device=where).fit(x),
    }

    def fitting(name: str) -> Callable[[], object]:
        def fit() -> object:
            cls = ist.registry.PRIORS[name]
            declared = fields.declared(cls)
            brief = {k: v for k, v in {"epochs": 1, "device": where}.items() if k in declared}
            model = members[cls.takes_indices].fit_prior(x, y, prior=cls(**brief))
            return model.sample(4, label=int(y[0]), random_state=0)

        return fit

    return {name: fitting(name) for name in ist.registry.PRIORS}


def epochs_of(name: str, where: str, **values: Any) -> dict[str, Any]:
    """Seconds of the epochs after the first, the plain step beside the compiled one.

    The examples are random: what is measured is the way of a step, not what it learns.
    """
    x = np.random.default_rng(0).integers(0, 256, (20_000, 1, 28, 28), dtype=np.uint8)
    found: dict[str, Any] = {"member": name, "examples": len(x), "settings": values}
    for what, is_compiled in (("plain", False), ("compiled", True)):
        model = ist.MEMBERS[name](
            epochs=5, device=where, compile=is_compiled, random_state=0, verbose=0, **values
        ).fit(x)
        found[what] = [round(row["seconds"], 4) for row in model.history_[1:]]
        found[f"first, {what}"] = round(model.history_[0]["seconds"], 4)
    return found


def write(found: dict[str, Any]) -> None:
    """Add a line to those that are kept."""
    line = {**found, "device": device(), "torch": torch.__version__, "commit": commit()}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def main(names: list[str]) -> int:
    where = torch.accelerator.current_accelerator(check_available=True)
    if where is None:
        print("torch finds no accelerator here.")
        return 1
    warnings.simplefilter("ignore")
    if names == ["--steps"]:
        for member, values in STEPS.items():
            found = epochs_of(member, where.type, **values)
            print(found, flush=True)
            write(found)
        return 0
    data, failed = ist.data.load("digits").train, []
    x, y = data.x[:EXAMPLES], data.y[:EXAMPLES]
    for name in names or ist.MEMBERS:
        start = time.perf_counter()
        try:
            found = checked(name, x, where.type)
        except Exception:
            failed.append(name)
            print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
            continue
        too_far = [what for what, value in found.items() if not value <= NEAR[what]]
        failed += [f"{name} ({what})" for what in too_far]
        shown = ", ".join(f"{what} {value:.1e}" for what, value in found.items())
        verdict = f"FAR: {', '.join(too_far)}" if too_far else "holds"
        print(f"{name}: {verdict}; {shown} ({time.perf_counter() - start:.1f} s)", flush=True)
        write(
            {
                "member": name,
                "apart": {what: float(f"{value:.1e}") for what, value in found.items()},
            }
        )
    for name, fit in {} if names else priors(where.type, x, y).items():
        try:
            fit()
            print(f"prior {name}: draws", flush=True)
        except Exception:
            failed.append(f"prior {name}")
            print(f"prior {name}: FAILED\n{traceback.format_exc()}", flush=True)
    print(f"{device()}: {'all hold' if not failed else 'not: ' + ', '.join(failed)}")
    return bool(failed)


def _apart(value: float, wanted: float) -> float:
    return abs(value - wanted) / max(abs(wanted), 1e-9)


def _far(found: Any, wanted: Any) -> float:
    """The largest difference, in standard deviations of what is wanted."""
    a, b = (np.asarray(each, np.float64) for each in (found, wanted))
    return float(np.abs(a - b).max() / max(float(b.std()), 1e-9))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
