"""A detector on the disk: a folder with its members, each a run, and what it compares with."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from isthmus.core import claims, files, tensor_files
from isthmus.core.editions import edition, settle
from isthmus.core.records import Record, unusable
from isthmus.core.weights import not_finite
from isthmus.errors import RunError
from isthmus.io import manifests, runs
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator

STATISTICS = "detector.safetensors"
_MEMBER = "member-"


def write_detector(
    path: Path,
    name: str,
    members: Sequence[Estimator],
    values: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> Path:
    """Write a detector to a folder, which must be new, empty, or hold a run.

    Members lie in folders of their own, under names that are free; the configuration names them,
    and its replacement makes the new detector the present one.
    """
    claims.refuse_foreign(path, (manifests.CONFIG,), (STATISTICS,))
    with claims.claimed(path):
        before = _members(path)
        folders = _free_names(path, len(members))
        try:
            for folder, member in zip(folders, members, strict=True):
                runs.save(member, path / folder)
            with edition(path, (STATISTICS,)) as new:
                new.write_tensors(STATISTICS, tensors)
                new.publish(
                    {
                        "format": manifests.FORMAT,
                        "isthmus": __version__,
                        "detector": name,
                        "members": {folder: _sealed_by(path / folder) for folder in folders},
                        "judging": dict(values),
                    }
                )
        except BaseException:
            _remove_unnamed(path, folders)
            raise
        _remove_unnamed(path, before)
    return path


def read_detector(
    path: Path, device: str
) -> tuple[list[Estimator], dict[str, Any], dict[str, Tensor]]:
    """The members of a detector, its values and its statistics, as they were written.

    Raises:
        RunError: for a folder that is missing, foreign or damaged.
    """
    config, contents = manifests.read_whole(path)
    if "detector" not in config:
        raise RunError(
            f"{path} holds no detector but a {config.get('member')}: give it to"
            " OutlierDetector.from_run, and fit."
        )
    seals, judging, tensors = _parts(path, config, contents)
    members = []
    for folder, seal in seals.items():
        members.append(runs.load_run(path / folder, device=device))
        if _sealed_by(path / folder) != seal:
            raise RunError(
                f"{path / folder} is not the member that the detector was made of: restore it, or,"
                f" where that was meant, accept it with isthmus repair {path}."
            )
    return members, judging, tensors


def repair_any(path: Path) -> dict[str, str]:
    """Accept a run or a detector as it is now, where somebody changed it; gives what is accepted.

    Of a detector that is its configuration, its statistics, and its members, each a run. See
    :func:`isthmus.io.runs.repair`.

    Raises:
        RunError: where it cannot be loaded as it is; nothing is changed then.
    """
    manifests.require_folder(path)
    with claims.claimed(path):
        settle(path)
        config, whole = manifests.read_as_it_is(path)
        if "detector" not in config:
            return runs.repair(path)
        accepted = runs.changed(path, config, whole)
        file = path / STATISTICS
        contents = {STATISTICS: files.content_of(file)} if file.is_file() else {}
        seals, _, _ = _parts(path, config, contents)
        for folder, seal in seals.items():
            found = runs.repair(path / folder)
            accepted |= {f"{folder}: {name}": how for name, how in found.items()}
            if not found and _sealed_by(path / folder) != seal:
                accepted[folder] = "exchanged"
        with edition(path, (STATISTICS,)) as new:
            new.write(STATISTICS, contents[STATISTICS])
            new.publish(config | {"members": {name: _sealed_by(path / name) for name in seals}})
    return accepted


def _parts(
    path: Path, config: Mapping[str, Any], contents: Mapping[str, bytes]
) -> tuple[dict[str, str], dict[str, Any], dict[str, Tensor]]:
    """What a detector is made of, checked: its members' checksums, its values, its statistics."""
    with files.reading(path / manifests.CONFIG, "restore it, or fit again"):
        given = Record(config, "it")
        seals = given.record("members").entries()
        judging = given.record("judging").entries()
        if not seals or not all(map(_is_seal, seals, seals.values())):
            raise unusable("members", seals, "folders with their checksums")
    if STATISTICS not in contents:
        raise manifests.damaged_file(path, STATISTICS)
    tensors, _ = tensor_files.parse_tensors(contents[STATISTICS], path / STATISTICS)
    if (bad := not_finite(tensors)) is not None:
        raise RunError(f"{path / STATISTICS} holds {bad!r}, which is not finite: fit again.")
    return seals, judging, tensors


def _is_seal(folder: str, seal: Any) -> bool:
    """Whether an entry names a folder of a member inside the detector's, and what it holds."""
    number = folder.removeprefix(_MEMBER)
    return folder != number and number.isascii() and number.isdigit() and isinstance(seal, str)


def _sealed_by(folder: Path) -> str:
    """The checksum over all that a run holds."""
    return str(manifests.read_manifest(folder).get("sha256"))


def _members(path: Path) -> list[str]:
    """The folders of a detector that is there; those that nobody names are of a killed process."""
    if not path.is_dir():
        return []
    return [
        folder.name
        for folder in path.iterdir()
        if folder.name.startswith(_MEMBER) and claims.may_be_replaced(folder, (manifests.CONFIG,))
    ]


def _free_names(path: Path, count: int) -> list[str]:
    places = (f"{_MEMBER}{place}" for place in itertools.count())
    return list(itertools.islice((name for name in places if not (path / name).exists()), count))


def _remove_unnamed(path: Path, folders: Iterable[str]) -> None:
    """Remove folders of members, but for those of the detector that is the present one."""
    present: Any = {}
    if (path / manifests.CONFIG).is_file():
        present = files.read_json(path / manifests.CONFIG).get("members", {})
    for folder in folders:
        if folder not in present:
            shutil.rmtree(path / folder, ignore_errors=True)
