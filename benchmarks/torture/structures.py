"""Configurations that are well-formed and sealed, and say something that no run would."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import isthmus as ist
from benchmarks.torture import specimens
from benchmarks.torture.damage import restructured
from benchmarks.torture.trials import Kind, Outcome, judged
from isthmus.core import editions, files, tensor_files
from isthmus.io import manifests

_AT_ONCE = 4


class Structures(Kind):
    """One node of a configuration becomes something else, with its checksums or without.

    With its checksums it is what somebody wrote who wants harm, and may be read as what it now
    says; then it must also compute.
    """

    name = "structures"
    group = "damage"
    promise = (
        "A configuration or weights that somebody forged, checksums and all, are refused in one"
        " sentence or read as what they say; no code runs, and no memory is ordered."
    )
    target = 15_000
    share = 2.0

    def prepare(self) -> None:
        self.saved: dict[str, str] = {}
        for name in ist.MEMBERS:
            self.saved[name] = specimens.saved(name, self.folder / name)
        self.config = {
            name: json.loads((self.folder / name / manifests.CONFIG).read_text())
            for name in self.saved
        }

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(list(self.saved))
        path = self.folder / name / manifests.CONFIG
        content = path.read_bytes()
        for _ in range(_AT_ONCE):
            deed = draw.choice((self._plain, self._forged, self._forged, self._tensors))
            yield deed(name, draw)
        path.write_bytes(content)

    def _plain(self, name: str, draw: random.Random) -> Outcome:
        config, what = self.config[name], ""
        while config == self.config[name]:
            config = copy.deepcopy(config)
            what = restructured(config, draw)
        self._put(name, config)
        return judged(
            f"config.json of {name}, {what}",
            lambda: specimens.identity(ist.load(self.folder / name)),
            lambda now: now == self.saved[name],
        )

    def _forged(self, name: str, draw: random.Random) -> Outcome:
        config = copy.deepcopy(self.config[name])
        inner = {key: config[key] for key in ("fields", "data", "prior", "columns", "source")}
        whole = draw.random() < 0.3
        what = restructured(config if whole else inner, draw)
        self._put(name, editions.sealed(config if whole else config | inner))
        return judged(f"forged config.json of {name}, {what}", lambda: self._used(name))

    def _tensors(self, name: str, draw: random.Random) -> Outcome:
        """Other weights, with every checksum."""
        path = draw.choice(sorted((self.folder / name).glob("*.safetensors")))
        kept = path.read_bytes()
        tensors, meta = tensor_files.read_tensors(path)
        what = _changed(tensors, draw)
        content = tensor_files.tensor_bytes(tensors, meta)
        path.write_bytes(content)
        config = copy.deepcopy(self.config[name])
        config["files"][path.name] = {"sha256": files.sha256(content), "bytes": len(content)}
        self._put(name, editions.sealed(config))
        found = judged(f"forged {path.name} of {name}, {what}", lambda: self._used(name))
        path.write_bytes(kept)
        return found

    def _put(self, name: str, config: Any) -> None:
        """Write JSON as a forger would: with NaN, and without a complaint."""
        path: Path = self.folder / name / manifests.CONFIG
        path.write_text(json.dumps(config), encoding="utf-8")

    def _used(self, name: str) -> Any:
        model = ist.load(self.folder / name)
        z = model.transform(specimens.examples(name)[:2])
        if model.prior_ is not None:
            model.sample(2, random_state=0)
        return z


def _changed(tensors: dict[str, torch.Tensor], draw: random.Random) -> str:
    """Change one of the tensors; gives what was done."""
    name = draw.choice(sorted(tensors))
    value = tensors[name]
    deeds = {
        "gone": None,
        "NaN": value.double() * np.nan,
        "infinite": value.double() + np.inf,
        "whole numbers": value.to(torch.int32),
        "halves": value.half(),
        "booleans": value.bool(),
        "flat": value.reshape(-1),
        "one more": torch.cat([value.reshape(-1), value.reshape(-1)[:1]]),
        "empty": value.reshape(-1)[:0],
        "huge": torch.full_like(value.double(), 1e300).to(value.dtype),
        "negative": (-value.double().abs() - 1).to(value.dtype),
    }
    deed = draw.choice(list(deeds))
    found = deeds[deed]
    if found is None:
        del tensors[name]
    else:
        tensors[name] = found
    return f"{name!r}: {deed}"
