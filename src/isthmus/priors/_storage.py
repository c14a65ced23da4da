"""A fitted prior on the disk: a file of tensors, and an entry in the configuration of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.core import fields, files
from isthmus.core.parts import from_plain, plain_values
from isthmus.errors import RunError
from isthmus.priors.base import Prior
from isthmus.registry import PRIORS

FILE = "prior.safetensors"


def write_prior(prior: Prior | None, folder: Path) -> dict[str, Any] | None:
    """Write a prior into its run, in place of an earlier one; gives its configuration."""
    if prior is None:
        (folder / FILE).unlink(missing_ok=True)
        return None
    name, values = PRIORS.name_of(type(prior)), plain_values(prior)
    if isinstance(values["random_state"], str):  # a generator is no seed that could be written down
        values["random_state"] = None
    tensors, learnt = prior.state()
    return {
        "name": name,
        "fields": values,
        "values": learnt,
        "sha256": files.write_tensors(folder / FILE, tensors),
    }


def read_prior(entry: Mapping[str, Any] | None, folder: Path, device: str) -> Prior | None:
    """Read the prior of an entry, to compute on ``device``; None where there is none.

    Raises:
        RunError: for a file that is missing or damaged, and an entry that cannot be read.
    """
    if entry is None:
        return None
    try:
        cls, values, sha256 = PRIORS[entry["name"]], entry["values"], str(entry["sha256"])
        given = from_plain(entry["fields"], fields.declared(cls))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"the prior in the configuration of {folder} cannot be read ({error}): fit it again."
        ) from error
    prior: Prior = cls(**given | ({"device": device} if "device" in given else {}))
    tensors, _ = files.read_tensors(folder / FILE, sha256)
    try:
        return prior.restore(tensors, values)
    except RunError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder / FILE} does not fit the configuration beside it ({error!r}): fit the prior"
            " again."
        ) from error
