"""A process for commands: each line it reads is a command's words, each it writes what came of it.

It starts once and imports torch once, where packages are installed that this process has not.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from isthmus._cli import app as cli


def answer(words: list[str]) -> tuple[int, str, str]:
    """The exit status of a command, what it printed, and its diagnostics."""
    printed, said = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        try:
            cli.app(args=words)
        except SystemExit as ending:
            status = int(ending.code or 0)
    return status, printed.getvalue(), said.getvalue()


if __name__ == "__main__":
    cli._assemble()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
