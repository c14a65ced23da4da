"""Commands of the shell with words that nobody should write."""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from benchmarks.torture import specimens
from benchmarks.torture.trials import Kind, Outcome, Verdict, place
from isthmus._cli import app as cli

_WORDS = (
    "",
    " ",
    "-1",
    "0",
    "1",
    "2.5",
    "-0.5",
    "nan",
    "inf",
    "1e999",
    "9" * 30,
    "0x10",
    "٣",
    "x",
    "none",
    "true",
    "auto",
    "vae",
    "8,8",
    "8,x",
    "1,2,3,4",
    "(8",
    "a=1",
    "=",
    ",",
    "../..",
    "/nowhere/at/all",
    "/dev/null",
    "data.npy",
    "run",
    "run/config.json",
    "pretrained:nothing",
    "pretrained:../../etc",
    "\udcff",
    "\n",
    "\x1b[31m",
    "a" * 5000,
    "--json",
    "$_^$",
    "<script>",
)
_LASTING = {
    "--epochs",
    "--pretrain-epochs",
    "--compile",
    "--device",
    "--log",
    "--help",
    "--data-dir",
}
"""Options whose large values are honest wishes, that start a compiler, or ask for the network."""

_TRAIN = ("--data", "data.npy", "--out", "new", "--epochs", "1", "--overwrite")
_USUAL: dict[str, Sequence[str]] = {
    "train ae": (*_TRAIN, "--hidden", "8"),
    "train vae": (*_TRAIN, "--hidden", "8"),
    "train sparse": (*_TRAIN, "--hidden", "8"),
    "train denoising": (*_TRAIN, "--hidden", "8"),
    "train aae": (*_TRAIN, "--hidden", "8"),
    "train clustering": (*_TRAIN, "--pretrain-epochs", "1"),
    "train recurrent": ("--data", "series.npy", "--out", "new", "--epochs", "1", "--overwrite"),
    "encode": ("run", "data.npy", "codes.csv", "--overwrite"),
    "decode": ("run", "codes.npy", "decoded.npy", "--overwrite"),
    "reconstruct": ("run", "data.npy", "again.npy", "--overwrite"),
    "denoise": ("run", "data.npy", "clean.npy", "--overwrite"),
    "impute": ("table", "holes.csv", "whole.csv", "--overwrite"),
    "sample": ("run", "-n", "2", "--out", "samples.npy", "--overwrite"),
    "outliers": ("run", "data.npy", "--out", "strange.csv", "--overwrite"),
    "evaluate": ("run", "--data", "data.npy"),
    "fit-prior": ("run", "--data", "data.npy"),
    "info": ("run",),
    "models": (),
    "priors": (),
    "data": (),
}


class Commands(Kind):
    """One word of a command that would work is another; the command is run in this process."""

    name = "commands"
    group = "inputs"
    promise = (
        "Every option of every command is used, or refused with status 2 and one sentence; no"
        " traceback is ever shown."
    )
    target = 800
    share = 4.0

    def prepare(self) -> None:
        below = self.folder / "so" / "deep" / "that" / "all" / "is" / "ours"
        below.mkdir(parents=True)
        os.chdir(below)
        model = specimens.with_everything("ae")
        model.save(Path("run"))
        np.save("data.npy", specimens.examples("ae"))
        np.save("series.npy", specimens.examples("recurrent"))
        np.save("codes.npy", model.transform(specimens.examples("ae")))
        table = np.random.default_rng(0).normal(size=(40, 3))
        specimens.brief("ae", epochs=1).fit(table).save(Path("table"))
        Path("holes.csv").write_text("a,b,c\n1,,2\n0.5,1,\n", encoding="utf-8")
        root = typer.main.get_command(cli.application())
        self.options = {name: _options(root, name.split()) for name in _USUAL}

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(list(_USUAL))
        words = list(_USUAL[name])
        if words and draw.random() < 0.3:
            words[draw.randrange(len(words))] = draw.choice(_WORDS)
        elif self.options[name]:
            words += [draw.choice(self.options[name]), draw.choice(_WORDS)]
        else:
            words.append(draw.choice(_WORDS))
        yield run([*name.split(), *words])


def _options(command: Any, path: Sequence[str]) -> list[str]:
    """The long flags of a command's options."""
    for word in path:
        command = command.commands[word]
    flags = [flag for option in command.params for flag in option.opts if flag.startswith("--")]
    return sorted(set(flags) - _LASTING)


def run(words: Sequence[str]) -> Outcome:
    """Run a command, and judge its status and what it says."""
    what = "isthmus " + " ".join(ascii(word)[1:-1][:40] or '""' for word in words)
    said = io.StringIO()
    status: Any = 0
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            cli.application(tuple(words))(args=list(words))
    except SystemExit as ending:
        status = ending.code or 0
    except BaseException as error:
        return Outcome(
            Verdict.FOREIGN, what, f"{type(error).__name__}: {error}"[:300], place(error)
        )
    return _judged(what, status, said.getvalue())


def _judged(what: str, status: Any, said: str) -> Outcome:
    lines = [line for line in said.splitlines() if "warning:" not in line and line.strip()]
    last = lines[-1][:300] if lines else ""
    if status == 0:
        return Outcome(Verdict.SAME, what)
    is_usage = "Usage:" in said and status == 2
    is_sentence = sum(line.startswith("isthmus: ") for line in lines) >= 1 and status in (1, 2)
    if "Traceback" not in said and (is_usage or is_sentence) and last.isprintable():
        return Outcome(Verdict.REFUSED, what, last)
    return Outcome(Verdict.FOREIGN, what, f"status {status}: {last}")
