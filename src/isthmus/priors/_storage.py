"""A fitted prior on the disk: a file of tensors, and an entry in the configuration of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from isthmus.core import fields, files
from isthmus.core.allocations import as_saved
from isthmus.core.editions import MANIFEST, Edition
from isthmus.core.parts import from_plain, plain_values
from isthmus.priors.base import Prior
from isthmus.registry import PRIORS

FILE = "prior.safetensors"


def write_prior(prior: Prior | None, new: Edition) -> dict[str, Any] | None:
    """Write a prior into the next edition of its run; gives its configuration.

    Raises:
        InputError: for fields that could not be read again.
    """
    if prior is None:
        return None
    prior.validate()
    name, values = PRIORS.name_of(type(prior)), plain_values(prior)
    if isinstance(values["random_state"], str):  # a generator is no seed that could be written down
        values["random_state"] = None
    tensors, learnt = prior.state()
    new.write_tensors(FILE, tensors)
    return {"name": name, "fields": values, "values": learnt}


def read_prior(
    entry: Mapping[str, Any], tensors: dict[str, Tensor], folder: Path, device: str
) -> Prior:
    """Make the prior of an entry, with its tensors, to compute on ``device``.

    Raises:
        RunError: for an entry that cannot be read, and tensors that do not fit it.
    """
    with files.reading(folder / MANIFEST, "fit the prior again"):
        cls, values = PRIORS[entry["name"]], entry["values"]
        given = from_plain(entry["fields"], fields.declared(cls))
        prior: Prior = cls(**given | ({"device": device} if "device" in given else {}))
    with files.reading(folder, "fit the prior again"), as_saved(tensors, folder / FILE):
        return prior.restore(tensors, values)
