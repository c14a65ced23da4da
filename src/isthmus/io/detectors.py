"""A detector on the disk: a folder with its members, each a run, and what it compares with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from isthmus.core import files
from isthmus.errors import RunError
from isthmus.io import runs
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator

STATISTICS = "detector.safetensors"


def write_detector(
    path: Path,
    name: str,
    members: Sequence[Estimator],
    values: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> Path:
    """Write a detector to a folder, which must be new, empty, or hold a run.

    The configuration is written last, so that a folder is a detector only when it is whole.
    """
    files.refuse_foreign(path, (runs.CONFIG,))
    folders = [f"member-{place}" for place in range(len(members))]
    for folder, member in zip(folders, members, strict=True):
        runs.save(member, path / folder)
    config = {
        "format": runs.FORMAT,
        "isthmus": __version__,
        "detector": name,
        "members": folders,
        "judging": dict(values),
        "sha256": files.write_tensors(path / STATISTICS, tensors),
    }
    files.write_json(path / runs.CONFIG, config)
    return path


def read_detector(
    path: Path, device: str
) -> tuple[list[Estimator], dict[str, Any], dict[str, Tensor]]:
    """The members of a detector, its values and its statistics, as :func:`write` was given them.

    Raises:
        RunError: for a folder that is missing, foreign or damaged.
    """
    config = runs.read_any(path)
    if "detector" not in config:
        raise RunError(
            f"{path} holds no detector but a {config.get('member')}: give it to"
            " OutlierDetector.from_run, and fit."
        )
    if missing := {"members", "judging", "sha256"} - set(config):
        raise RunError(
            f"{path / runs.CONFIG} is damaged: it lacks {', '.join(sorted(missing))}; restore it,"
            " or fit again."
        )
    tensors, _ = files.read_tensors(path / STATISTICS, config["sha256"])
    members = [runs.load_run(path / folder, device=device) for folder in config["members"]]
    return members, dict(config["judging"]), tensors
