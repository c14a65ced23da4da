"""Processes of their own that need not import anything: forked from one that has.

A start of Python with torch and scikit-learn takes seconds of a processor; of these, none.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

_BEGIN = """
import atexit, os, sys
os.environ.clear()
os.environ.update({environment!r})
for number, path in ((1, {out!r}), (2, {err!r})):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
sys.argv[:] = {words!r}
import torch
torch.set_num_threads(1)
try:
    {act}
finally:
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
"""
_MODULE = "import runpy; runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
_SCRIPT = "import runpy; runpy.run_path({name!r}, run_name='__main__')"


class Warm:
    """One process that has imported everything, from which others are forked.

    Args:
        home: the folder in which what they print is kept.
    """

    def __init__(self, home: Path) -> None:
        self._home, self._count = home, 0
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            [
                "torch.distributed",
                "isthmus.models.nvae",
                "isthmus.models.vqvae2",
                "isthmus._cli.app",
            ]
        )

    def start(self, *words: object, environment: Mapping[str, str] | None = None) -> Started:
        """Start what ``python *words`` would: ``-m module …``, ``-c code …`` or ``script …``."""
        first, *rest = map(str, words)
        name = rest.pop(0) if first in ("-m", "-c") else first
        act = {"-m": _MODULE.format(name=name), "-c": f"exec({name!r}, {{}})"}
        self._count += 1
        home = self._home / str(self._count)
        home.mkdir()
        code = _BEGIN.format(
            environment={**os.environ, **(environment or {})},
            out=str(home / "out"),
            err=str(home / "err"),
            words=["-c" if first == "-c" else name, *rest],
            act=act.get(first, _SCRIPT.format(name=name)),
        )
        return Started(self._context, code, home)


class Started:
    """A process, with as much of the face of ``subprocess.Popen`` as tests ask for."""

    def __init__(self, context: ForkServerContext, code: str, home: Path) -> None:
        self._home = home
        self._process = context.Process(target=exec, args=(code, {"__name__": "__main__"}))
        with pytest.MonkeyPatch.context() as patch:  # what started us a child need not import
            patch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
            patch.delattr(sys.modules["__main__"], "__file__", raising=False)
            self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed and its diagnostics, once it has ended."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"not at an end after {timeout} s"
        return self.said("out"), self.said("err")

    def said(self, where: str) -> str:
        path = self._home / where
        return path.read_text() if path.exists() else ""
