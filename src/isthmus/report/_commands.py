"""How to make the same comparison again, in a shell and in Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.core.parts import SlotPart
from isthmus.estimators.base import Estimator
from isthmus.registry import DATA

SNAPSHOTS = 24
"""Moments of training that are kept, where nobody says otherwise."""


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        members: names or estimators, as they were given.
        overrides: the fields of all members.
        snapshots: moments of training that were kept.
        data, out: the names of the data set and of the folder.
    """

    members: tuple[str | Estimator, ...]
    overrides: Mapping[str, Any]
    snapshots: int
    data: str
    out: str

    @property
    def shell(self) -> str:
        """The command; nothing for an estimator or a part, which a command cannot carry."""
        names = [member for member in self.members if isinstance(member, str)]
        parts = [value for value in self.overrides.values() if isinstance(value, SlotPart)]
        if len(names) < len(self.members) or parts:
            return ""
        options = {"data": self._source, **self._options, **self.overrides, "out": self.out}
        given = [
            text
            for name, value in options.items()
            for text in (f"--{name.rpartition('__')[2].replace('_', '-')}", _text(value))
        ]
        return shlex.join(["isthmus", "compare", *names, *given])

    @property
    def python(self) -> str:
        """The same as lines of Python."""
        members = ", ".join(
            repr(m) if isinstance(m, str) else f"ist.{' '.join(repr(m).split())}"
            for m in self.members
        )
        options = self._options | ({"overrides": dict(self.overrides)} if self.overrides else {})
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        return (
            "import isthmus as ist\n\n"
            f"data = ist.data.load({self._source!r})\n"
            f"ist.compare([{members}], data, {self.out!r}{given})"
        )

    @property
    def _options(self) -> dict[str, Any]:
        return {} if self.snapshots == SNAPSHOTS else {"snapshots": self.snapshots}

    @property
    def _source(self) -> str:
        return self.data if self.data in DATA else f"path/to/{self.data}"


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
