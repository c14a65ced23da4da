"""The command line, made from the declarations: every field of a member is an option.

Nothing heavy is imported here: ``--help`` reads the declarations from their source.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from isthmus._cli import lookup, training, using
from isthmus._cli.options import Command, guarded, plain, with_fields
from isthmus.core import fields
from isthmus.core.fields import Field
from isthmus.registry import MEMBERS, PRIORS, Registry
from isthmus.version import __version__

app = typer.Typer(
    name="isthmus",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Autoencoders: train them, compare them, look at them, and use them on your own data.",
)
train = typer.Typer(
    no_args_is_help=True, help="Train one member on a data set and keep it in a folder."
)


def main() -> None:
    """The entry point of the command ``isthmus``."""
    words = tuple(sys.argv[1:3])
    if "LOCAL_RANK" in os.environ and words[:1] not in ((), ("train",)):
        print(
            f"isthmus: isthmus {words[0]} runs in one process: start it without torchrun.",
            file=sys.stderr,
        )
        raise SystemExit(2)
    _assemble(words)
    app()


@functools.cache
def _assemble(words: tuple[str, ...] | None = None) -> None:
    """Put the commands in the order of the help; ``train`` has one per registered member.

    Options made from declarations are hundreds: with the first ``words`` of the command line, only
        those that it can ask
    for are made.
    """

    def asked(*path: str) -> bool:
        return words is None or words[: len(path)] == path

    for name in MEMBERS:
        target = MEMBERS.target(name)
        command = with_fields(
            training.trainer(name), _ordered(target) if asked("train", name) else {}
        )
        train.command(name, cls=Command, help=fields.describe(target))(command)
    app.add_typer(train, name="train", rich_help_panel="Train and compare")
    app.command("compare", cls=Command, rich_help_panel="Train and compare")(
        with_fields(training.compare_command, _union(MEMBERS) if asked("compare") else {})
    )
    app.command("fit-prior", cls=Command, rich_help_panel="Train and compare")(
        with_fields(training.fit_prior_command, _union(PRIORS) if asked("fit-prior") else {})
    )
    panels: dict[str, dict[str, Callable[..., None]]] = {
        "Use a trained member": {
            "encode": using.encode_command,
            "decode": using.decode_command,
            "reconstruct": using.reconstruct_command,
            "denoise": using.denoise_command,
            "sample": using.sample_command,
            "outliers": with_fields(using.outliers_command, using.judging()),
            "evaluate": using.evaluate_command,
        },
        "Look up": {
            "models": lookup.models_command,
            "priors": lookup.priors_command,
            "data": lookup.data_command,
            "info": lookup.info_command,
        },
    }
    for panel, commands in panels.items():
        for name, command in commands.items():
            app.command(name, cls=Command, rich_help_panel=panel)(guarded(command))


def _ordered(target: str) -> dict[str, Field]:
    """The fields of a member, its own first."""
    declared = plain(fields.read(target))
    own = {
        key: field
        for key, field in declared.items()
        if field.owner not in ("Settings", "TrainingSettings")
    }
    return own | declared


def _union(registry: Registry) -> dict[str, Field]:
    """The fields of everything that is registered."""
    return {
        key: field
        for name in registry
        for key, field in plain(fields.read(registry.target(name))).items()
    }


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit()
