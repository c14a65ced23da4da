"""Folders that change as a whole: several files, and one act that makes them the present ones.

A folder has a *manifest*, ``config.json`` of a run: what it says, and the checksum of every file
beside it.
A new edition is written under other names first. Then the manifest is replaced, by one rename: that
is the act. What is left to do afterwards, to give the files their names, is done by whoever opens
the folder next, if the first did not live to do it. So at every moment there is the old edition or
the new one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from isthmus.core import files, tensor_files
from isthmus.errors import InputError, RunError

MANIFEST = "config.json"
_NEXT = ".isthmus-next"
_ATTEMPTS = 5
_DEEPEST = 2000  # bytes of a path within a folder
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Edition:
    """The next state of a folder, until :meth:`publish` makes it the present one.

    Args:
        folder: made where it is missing.
        names: all files that such a folder may hold beside its manifest; those that the new edition
            lacks are removed.
        manifest: the name of the manifest.
        synced: whether files shall survive a crash of the machine; see
            :func:`~isthmus.core.files.write_bytes`.
    """

    def __init__(
        self, folder: Path, names: Iterable[str], manifest: str = MANIFEST, *, synced: bool = True
    ) -> None:
        self.folder = folder
        self.names = tuple(names)
        self.manifest = manifest
        self.synced = synced
        self.entries: dict[str, dict[str, Any]] = {}
        self.made: list[Path] = []  # folders within
        self.ended: dict[str, str] = {}

    def write(self, name: str, content: bytes) -> None:
        """Add a file; its name may lead into a folder below."""
        if not is_within(name):
            raise InputError(
                f"{self.folder / name} cannot be written: its name is too long, or leads out of"
                " the folder: rename what it is made of."
            )
        entry = {"sha256": files.sha256(content), "bytes": len(content)}
        if not _matches(self.folder / name, entry):
            path = self.folder / name
            waiting = _next(self.folder, name, entry)
            above = (self.folder / place for place in Path(name).parents)
            self.made += [place for place in above if not place.exists()]
            files.write_bytes(waiting, content, synced=self.synced, named=path)
        self.entries[name] = entry

    def write_tensors(self, name: str, tensors: Mapping[str, Tensor], meta: Any = None) -> None:
        """Add a file of tensors."""
        self.write(name, tensor_files.tensor_bytes(tensors, meta))

    def keep(self, manifest: Mapping[str, Any], names: Iterable[str]) -> None:
        """Take over files of the present edition."""
        self.entries |= {
            name: entry
            for name, entry in entries_of(manifest, self.folder).items()
            if name in set(names)
        }

    def end(self, name: str) -> None:
        """Let a file go with this edition, which is what it led to, unless it changes before."""
        path = self.folder / name
        if path.is_file():
            with files.storing(path):
                self.ended[name] = files.sha256(files.content_of(path))

    def publish(self, values: Mapping[str, Any]) -> None:
        """Make this the present edition, by one rename of the manifest."""
        said = {**values, "files": self.entries}
        said.pop("ended", None)
        if self.ended:
            said["ended"] = self.ended
        files.write_json(self.folder / self.manifest, sealed(said))
        settle(self.folder, self.names, self.manifest)


@contextmanager
def edition(
    folder: Path, names: Iterable[str], manifest: str = MANIFEST, *, synced: bool = True
) -> Iterator[Edition]:
    """A new edition of a folder; what was written for it goes if it is not published."""
    new = Edition(folder, names, manifest, synced=synced)
    was_there = folder.exists()
    if was_there:
        settle(folder, new.names, manifest)
    try:
        yield new
    except BaseException:
        # an interruption may come right behind the act: then what waits is the present edition
        with suppress(InputError):
            settle(folder, (), manifest)
            _clean(folder, new.entries)
        for made in sorted(new.made, reverse=True):  # the deepest first
            with suppress(OSError):  # it is not empty
                made.rmdir()
        if not was_there and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise


def settle(folder: Path, names: Iterable[str] = (), manifest: str = MANIFEST) -> None:
    """Finish what a killed process left undone, and remove what it left behind.

    A folder whose manifest cannot be read stays as it is: what waits may be all that is left.
    """
    said: Any = None
    if (folder / manifest).is_file():
        try:
            said = files.read_json(folder / manifest)
        except RunError:
            return
    entries, ended = _entries(folder, said, "files"), _entries(folder, said, "ended")
    for name, entry in entries.items():
        waiting = _next(folder, name, entry)
        if waiting.is_file():
            with files.storing(folder / name):
                waiting.replace(folder / name)
    left_out = set(names) - set(entries) if entries else set()
    done = {name for name, seal in ended.items() if _has(folder / name, seal)}
    for name in left_out | done:
        with files.storing(folder / name):
            (folder / name).unlink(missing_ok=True)
    _clean(folder, entries)


def _entries(folder: Path, said: Any, key: str) -> dict[str, Any]:
    """What a manifest lists, but for names that lead out of its folder."""
    found = said.get(key) if isinstance(said, dict) else None
    if not isinstance(found, dict):
        return {}
    is_fit = _is_entry if key == "files" else _is_seal
    kept = {name: entry for name, entry in found.items() if is_fit(name, entry)}
    home = folder.resolve()
    places = {parent: (folder / parent).resolve() for parent in {Path(n).parent for n in kept}}
    return {n: e for n, e in kept.items() if places[Path(n).parent].is_relative_to(home)}


def is_within(name: str) -> bool:
    """Whether a name in a manifest stays in the folder of it."""
    path = Path(name)
    try:
        lengths = [len(os.fsencode(part)) for part in path.parts]
    except UnicodeError:
        return False
    is_name = lengths and max(lengths) <= files.LONGEST and sum(lengths) <= _DEEPEST
    leads_out = path.is_absolute() or ".." in path.parts or "\0" in name
    return bool(is_name) and not leads_out


def is_leftover(path: Path) -> bool:
    """Whether a file was being written when its process ended."""
    return path.name.startswith(".") and path.name.endswith((files.PART, _NEXT))


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with the checksums of what it says: of each entry, and of the whole."""
    open_ = {key: value for key, value in values.items() if key not in ("sections", "sha256")}
    said = {**open_, "sections": {key: _digest(value)[:16] for key, value in open_.items()}}
    return {**said, "sha256": _digest(said)}


def changes(manifest: Mapping[str, Any]) -> list[str]:
    """The entries of a manifest that somebody changed since it was written; empty if none."""
    if manifest == sealed(manifest):
        return []
    known = manifest.get("sections")
    known = known if isinstance(known, dict) else {}
    now = sealed(manifest)["sections"]
    changed = [key for key in now if known.get(key) != now[key]]
    changed += [key for key in known if key not in now]
    return changed or ["its own checksum"]


def read_edition(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest of a folder and its files, each with the checksum that the manifest names.

    What is missing or damaged is left out, and the caller says so. Where another process publishes
    a new edition meanwhile, that one is read.
    """
    for _ in range(_ATTEMPTS):
        manifest = files.read_json(folder / MANIFEST)
        entries = entries_of(manifest, folder)
        found = {name: _content(folder, name, entry) for name, entry in entries.items()}
        kept = {name: content for name, content in found.items() if content is not None}
        if len(kept) == len(found) or manifest == files.read_json(folder / MANIFEST):
            return manifest, kept
    raise RunError(f"{folder} is being written again and again: load it when that has ended.")


def entries_of(manifest: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """What a manifest says of the files beside it: of each the checksum, and how many bytes it has.

    Raises:
        RunError: for what is no manifest; for names that lead out of the folder.
    """
    if not isinstance(manifest, dict):
        raise RunError(f"{folder / MANIFEST} is no configuration of a run of isthmus.")
    entries = manifest.get("files")
    if not isinstance(entries, dict) or not all(map(_is_entry, entries, entries.values())):
        raise RunError(
            f"{folder / MANIFEST} is damaged: files is no list of them; restore it, or train again."
        )
    return entries


def _is_entry(name: str, entry: Any) -> bool:
    """Whether a manifest names a file inside its folder, and what it holds."""
    return (
        is_within(name)
        and isinstance(entry, dict)
        and type(entry.get("bytes")) is int
        and isinstance(entry.get("sha256"), str)
        and _DIGEST.fullmatch(entry["sha256"]) is not None
    )


def _is_seal(name: str, seal: Any) -> bool:
    return is_within(name) and isinstance(seal, str)


def file_changes(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Which files are not what the manifest says, each with how: missing, or changed."""
    return {
        name: "changed" if (folder / name).is_file() else "missing"
        for name, entry in entries_of(manifest, folder).items()
        if _content(folder, name, entry) is None
    }


def _content(folder: Path, name: str, entry: Mapping[str, Any]) -> bytes | None:
    """The bytes of a file, under its own name or the one that waits; None unless they match."""
    for path in (_next(folder, name, entry), folder / name):
        with files.reading(path, files.RESTORE), suppress(FileNotFoundError):  # renamed meanwhile
            if path.is_file() and path.stat().st_size == entry["bytes"]:
                content = files.content_of(path)
                if files.sha256(content) == entry["sha256"]:
                    return content
    return None


def _matches(path: Path, entry: Mapping[str, Any]) -> bool:
    return (
        path.is_file()
        and path.stat().st_size == entry["bytes"]
        and files.sha256(files.content_of(path)) == entry["sha256"]
    )


def _next(folder: Path, name: str, entry: Mapping[str, Any]) -> Path:
    return files.meanwhile(folder / name, f".{entry['sha256'][:16]}{_NEXT}")


def _clean(folder: Path, names: Iterable[str]) -> None:
    """Remove what was being written, also in the folders below that the names lead into."""
    for place in {folder, *((folder / name).parent for name in names)}:
        if place.is_dir():
            for path in filter(is_leftover, place.iterdir()):
                with suppress(OSError):  # what cannot go is in nobody's way
                    path.unlink()


def _has(path: Path, seal: str) -> bool:
    return path.is_file() and files.sha256(files.content_of(path)) == seal


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return files.sha256(text.encode())
