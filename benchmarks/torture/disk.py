"""Disks that are full: the file is named, and what was there stays."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.torture.deaths import forked, limited_files
from benchmarks.torture.trials import Kind, Outcome, Verdict, judged
from benchmarks.torture.writers import ABSENT, Writer, drawn

_SIZE = 16 << 20
_NEW_NAMES = 0x00020000  # unshare(CLONE_NEWNS): what is mounted goes with this process


class FullDisks(Kind):
    """Something is written to a disk that has room for a part of it, or that may only be read.

    Where the system allows no mount, a limit on the size of files stands in for the disk.
    """

    name = "disk"
    group = "disk"
    promise = (
        "A disk that is full or may not be written to gives one sentence with the file's name; what"
        " was there is unchanged, and with room again the same command works."
    )
    target = 200
    share = 2.0
    breath = 120.0

    def prepare(self) -> None:
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.mounted = _mounted(self.disk)

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        writer = drawn(draw, self.disk / "place")
        writer.write_old()
        old = writer.state()
        read_only = self.mounted and draw.random() < 0.2
        room = int(2 ** draw.uniform(0, 17))
        what = f"{writer.name}, {'read-only' if read_only else f'{room} bytes free'}"
        if read_only:
            _mount("-o", "remount,ro", str(self.disk))
        elif self.mounted:
            self._fill(room)
        try:
            with limited_files(_SIZE if self.mounted else room):
                ended = forked(writer.write_new, writer.place)
        finally:
            if read_only:
                _mount("-o", "remount,rw", str(self.disk))
            (self.disk / "filler").unlink(missing_ok=True)
        yield self._told(what, ended.status, ended.error)
        if ended.status:
            yield _kept(what, writer, old)
        again = forked(writer.write_new, writer.place)
        verdict = Verdict.LOST if again.status else Verdict.SAME
        yield Outcome(verdict, f"{what}, and again with room", again.error)

    def _told(self, what: str, status: int, error: str) -> Outcome:
        """The error must be ours and name a place on the disk; a command's was printed."""
        if status in (0, 2):
            return Outcome(Verdict.SAME if status == 0 else Verdict.REFUSED, what)
        is_ours = error.startswith("StorageError: ") and str(self.disk) in error
        return Outcome(Verdict.REFUSED if is_ours else Verdict.FOREIGN, what, error[:300])

    def _fill(self, room: int) -> None:
        """Leave so many bytes on the disk, in whole pages."""
        free = shutil.disk_usage(self.disk).free
        (self.disk / "filler").write_bytes(bytes(max(free - room, 0)))


def _kept(what: str, writer: Writer, old: str) -> Outcome:
    found = judged(what, writer.state, lambda now: now == old)
    lost = not found.survived or (found.verdict == Verdict.REFUSED and old != ABSENT)
    said = found.said or "the old state is gone"
    return Outcome(Verdict.LOST, what, said, found.where) if lost else found


def _mounted(folder: Path) -> bool:
    """Mount a small disk that this process alone sees, where the system allows that."""
    system = ctypes.CDLL(None, use_errno=True)
    if os.name != "posix" or not hasattr(system, "unshare") or system.unshare(_NEW_NAMES):
        return False
    return _mount("--make-rprivate", "/") and _mount(
        "-t", "tmpfs", "-o", f"size={_SIZE}", "torture", str(folder)
    )


def _mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
