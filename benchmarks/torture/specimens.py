"""What the trials are tried on: small examples, members of every kind, and what makes one equal."""

from __future__ import annotations

import functools
import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import isthmus as ist
from isthmus.core import fields, tensor_files

# Members whose defaults are made for images of more pixels, brought down.
BRIEF: dict[str, Any] = {
    "pretrain_epochs": 1,
    "groups": (1, 1),
    "width": 8,
    "probes": 1,
    "hidden": (8,),
}
_SHAPES = {"recurrent": (8, 2)}
_PRIORS: dict[str, Any] = {
    "vae": ist.priors.Flow(epochs=1),
    "vqvae": ist.priors.PixelCNN(epochs=1),
    "vqvae2": ist.priors.PixelCNN(epochs=1),
}


def brief(name: str, **values: Any) -> Any:
    """A member of few weights that is trained within moments."""
    declared = fields.declared(ist.MEMBERS[name])
    small = {field: value for field, value in BRIEF.items() if field in declared}
    return ist.MEMBERS[name](
        **{"epochs": 2, "random_state": 0, "batch_size": 16, **small, **values}
    )


@functools.cache
def examples(name: str, count: int = 32) -> np.ndarray:
    """Examples that a member takes: images of 8 by 8 pixels, or sequences."""
    draw = np.random.default_rng(0)
    if name in _SHAPES:
        return draw.normal(size=(count, *_SHAPES[name])).astype(np.float32)
    return draw.random((count, 8, 8), dtype=np.float32)


@functools.cache
def with_everything(name: str, seed: int = 0) -> Any:
    """A member with all that a run can hold: snapshots, and a prior where it takes one.

    It is made once: use a copy, or a loaded one, where it is to change.
    """
    model = brief(name, random_state=seed, snapshots=2).fit(examples(name))
    if model.learns_prior:
        return model
    return model.fit_prior(examples(name), prior=_PRIORS.get(name, "auto"))


def prepared() -> None:
    """Make all that many trials need, before the process is copied."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ist.MEMBERS:
            with_everything(name)


def saved(name: str, folder: Path) -> str:
    """Write a member with everything to a folder; gives its identity, as it is when it is read."""
    return identity(ist.load(with_everything(name).save(folder)))


def identity(model: Any) -> str:
    """A checksum over all that a fitted member is and answers; equal where two are equal."""
    total = hashlib.sha256(type(model).__name__.encode())

    def add(value: Any) -> None:
        total.update(json.dumps(value, sort_keys=True, default=repr).encode())

    add({k: v for k, v in model.get_params(deep=False).items() if k not in _PLACES})
    add([model.history_, model.preprocessor_.to_json(), model.source_])
    total.update(tensor_files.tensor_bytes(model.module_.state_dict()))
    for snapshot in model.snapshots_:
        total.update(snapshot.codes.tobytes() + snapshot.grid.tobytes())
    if model.prior_ is not None:
        tensors, learnt = model.prior_.state()
        total.update(tensor_files.tensor_bytes(tensors))
        add(learnt)
    example = examples(ist.MEMBERS.name_of(type(model)))[:1]
    total.update(model.reconstruct(example).tobytes())
    return total.hexdigest()


_PLACES = {"device", "checkpoint_dir", "callbacks", "warm_start"}
