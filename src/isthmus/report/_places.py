"""Where the runs of a comparison lie: beside those of an earlier one, until its page gives way."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.core import claims, files
from isthmus.errors import RunError
from isthmus.io import manifests

RESULTS, RUNS = "results.json", "runs"
_NEXT, _LAST = ".next", ".last"


def place_of(out: Path, folder: str) -> Path:
    """Where a run is trained: in its own folder, or beside it where the present page speaks of it.

    An interrupted comparison finds the same place again.
    """
    place = out / RUNS / folder
    return _beside(place, _NEXT) if folder in _seals(out) else place


def seal_of(place: Path) -> str:
    """The checksum over all that a run holds."""
    return str(manifests.read_manifest(place)["sha256"])


def move_in(out: Path) -> None:
    """Give the runs of the present page their own folders; those of an earlier one go.

    Whoever is killed in between is finished by the next start.
    """
    for folder, seal in _seals(out).items():
        place = out / RUNS / folder
        coming, going = _beside(place, _NEXT), _beside(place, _LAST)
        with files.storing(place):
            if _has(coming, seal):
                if place.exists():
                    place.rename(going)
                coming.rename(place)
            if going.is_dir() and claims.is_ours(going / manifests.CONFIG):
                shutil.rmtree(going, ignore_errors=True)


def _seals(out: Path) -> dict[str, str]:
    """The folders of the runs that the present page speaks of, each with its checksum."""
    if not (out / RESULTS).is_file():
        return {}
    said: Any = files.read_json(out / RESULTS)
    members = said.get("members") if isinstance(said, dict) else None
    found = [each for each in members if _names_a_run(each)] if isinstance(members, list) else []
    return {Path(each["run"]).name: each["run_sha256"] for each in found}


def _names_a_run(member: Any) -> bool:
    """Whether an entry of the results names a folder of a run, in its place."""
    if not isinstance(member, Mapping) or not isinstance(member.get("run_sha256"), str):
        return False
    run = member.get("run")
    return isinstance(run, str) and Path(run).parts[:-1] == (RUNS,) and Path(run).name != ".."


def _beside(place: Path, ending: str) -> Path:
    return place.with_name(place.name + ending)


def _has(place: Path, seal: str) -> bool:
    try:
        return seal_of(place) == seal
    except RunError:  # there is none, or it is not finished
        return False
