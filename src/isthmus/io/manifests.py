"""What makes a folder a run or a detector: its manifest, read whole and asked entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.core import editions, files
from isthmus.core.records import Record, unusable
from isthmus.errors import RunError, unknown
from isthmus.priors import _storage as storage
from isthmus.registry import MEMBERS
from isthmus.training.checkpoint import FILE
from isthmus.version import __version__

FORMAT = 3
CHECKPOINT = FILE
CONFIG, WEIGHTS, HISTORY, SNAPSHOTS = (
    editions.MANIFEST,
    "model.safetensors",
    "history.jsonl",
    "snapshots.safetensors",
)
FILES = (WEIGHTS, HISTORY, SNAPSHOTS, storage.FILE)
_NEEDED = {"member", "fields", "networks", "data", "columns"}


def read_manifest(path: Path) -> dict[str, Any]:
    """The configuration of a member's run, or of a detector's, whose format this isthmus reads."""
    require_folder(path)
    with files.reading(path / CONFIG, files.RESTORE):
        return _of_this_format(files.read_json(path / CONFIG), path)


def read_whole(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The configuration of a run or a detector and its files; refused where it was changed."""
    config, contents = read_as_it_is(path)
    if entries := editions.changes(config):
        raise RunError(
            f"{path / CONFIG} was changed after it was written ({', '.join(entries)}), so it is"
            f" damaged or edited: restore it, or accept it as it is with isthmus repair {path}."
        )
    return config, contents


def read_as_it_is(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The configuration of a run or a detector, also a changed one, and the files that fit it."""
    require_folder(path)
    with files.reading(path / CONFIG, files.RESTORE):
        config, contents = editions.read_edition(path)
        config = _of_this_format(config, path)
        editions.changes(config)  # what cannot be compared is damaged
    return config, contents


def damaged_file(path: Path, name: str) -> RunError:
    """The error for a file that is missing, or not what the configuration says."""
    if not (path / name).is_file():
        return RunError(f"{path / name} is missing: restore it from a copy, or train again.")
    return RunError(
        f"{path / name} does not match its checksum in {CONFIG}, so it was damaged or exchanged:"
        f" restore it, or, where that was meant, accept it with isthmus repair {path}."
    )


def require_folder(path: Path) -> None:
    """Refuse a path that is no folder of a finished run."""
    if not path.is_dir():
        raise RunError(
            f"there is no run at {path}:"
            f" {'it is a file' if path.exists() else 'the folder does not exist'}."
        )
    if not (path / CONFIG).exists():
        raise RunError(f"{path} is not a finished run of isthmus: it holds no {CONFIG}.")


def _of_this_format(config: Any, path: Path) -> dict[str, Any]:
    version = config.get("format") if isinstance(config, dict) else None
    if not isinstance(version, int):
        raise RunError(
            f"{path / CONFIG} is not the configuration of a run of isthmus: it names no format."
        )
    if version > FORMAT:
        raise RunError(
            f"{path} has format {version}, this isthmus ({__version__}) reads up to {FORMAT}:"
            " upgrade isthmus."
        )
    if version < FORMAT:
        raise RunError(
            f"{path} has format {version}, which isthmus {__version__} no longer reads: train it"
            " again."
        )
    editions.entries_of(config, path)
    return dict(config)


def require_member(config: Mapping[str, Any], path: Path) -> None:
    """Refuse the configuration of a detector, and one that lacks what a member needs."""
    if "detector" in config:
        folder = next(iter(config.get("members", [])), "member-0")
        raise RunError(
            f"{path} holds a detector, which is no member: load it with isthmus.load, or name one"
            f" of its members, such as {path / str(folder)}."
        )
    if missing := _NEEDED - set(config):
        raise RunError(
            f"{path / CONFIG} is damaged: it lacks {', '.join(sorted(missing))}; restore it, or"
            " train again."
        )
    with files.reading(path / CONFIG, files.RESTORE):
        for name in ("fields", "networks", "data"):
            Record(config[name], name)
        for name, target in config["networks"].items():
            if not (target is None or isinstance(target, str)):
                raise unusable(f"networks.{name}", target, "a place to import from, or nothing")
        if config.get("source") is not None:
            Record(config["source"], "source")
        if not isinstance(config["member"], str) or config["member"] not in MEMBERS:
            raise unknown("member", config["member"], MEMBERS)
