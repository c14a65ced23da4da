"""What a long benchmark has measured: a line of JSON a row, so that it goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.pages import rounded, surroundings
from benchmarks.papers.record import commit, read

ANEW = "--anew"  # on the command line: finished rows are measured again


class KeptRows:
    """The rows of a file, each found by the values of its keys.

    Args:
        path: the file of JSON lines; lines without these keys are others' and stay as they are.
        keys: names of the values that no two rows share.
        anew: whether finished rows count as missing until they are measured again.
    """

    def __init__(self, path: Path, keys: tuple[str, ...], *, anew: bool = False) -> None:
        self.path, self.keys = path, keys
        self._finished = set() if anew else {self._key(line) for line in self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        """The rows that stand in the file."""
        return [line for line in read(self.path) if self._is_row(line)]

    def lacks(self, *key: object) -> bool:
        """Whether a row is still to be measured."""
        return key not in self._finished

    def put(self, key: tuple[object, ...], found: Mapping[str, object]) -> None:
        """Keep a row in place of the one that has the same key."""
        row = {
            **dict(zip(self.keys, key, strict=True)),
            **rounded(found),
            **surroundings(),
            "commit": commit(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        others = [line for line in read(self.path) if self._key(line) != key]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (*others, row))
        beside = self.path.with_suffix(".part")  # a run that is killed leaves the whole file
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.path)
        self._finished.add(key)

    def _is_row(self, line: Mapping[str, object]) -> bool:
        return all(name in line for name in self.keys)

    def _key(self, line: Mapping[str, object]) -> tuple[object, ...]:
        return tuple(line.get(name) for name in self.keys)
