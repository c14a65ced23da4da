"""How to make the same comparison again, in a shell and in Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.estimator import Estimator
from isthmus.registry import DATA


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
        """The command, or nothing where an estimator was given, whose fields a command cannot carry."""
        names = [member for member in self.members if isinstance(member, str)]
        if len(names) < len(self.members):
            return ""
        options = {"data": self._source, "snapshots": self.snapshots, **self.overrides, "out": self.out}
        given = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", _text(value))]
        return shlex.join(["isthmus", "compare", *names, *given])

    @property
    def python(self) -> str:
        """The same as lines of Python."""
        members = ", ".join(repr(m) if isinstance(m, str) else f"ist.{' '.join(repr(m).split())}" for m in self.members)
        return (
            "import isthmus as ist\n\n"
            f"data = ist.data.load({self._source!r})\n"
            f"ist.compare([{members}], data, {self.out!r}, snapshots={self.snapshots}, overrides={dict(self.overrides)!r})"
        )

    @property
    def _source(self) -> str:
        return self.data if self.data in DATA else f"path/to/{self.data}"


def _text(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
