"""The command line, made from the declarations: every field of a member is an option.

Nothing heavy is imported here: ``--help`` reads the declarations from their source.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from isthmus._cli import (
    compressing,
    demo,
    drawing,
    exploring,
    exporting,
    judging,
    labels,
    lookup,
    sampling,
    training,
    using,
)
from isthmus._cli.commands import Command, Members, guarded, own_flags, warn, with_options
from isthmus._cli.options import Options, plain
from isthmus._cli.shared import described
from isthmus.core import declarations
from isthmus.core.fields import Field
from isthmus.errors import InputError
from isthmus.registry import MEMBERS, PRIORS
from isthmus.version import __version__

_PRIOR = {
    "prior": Field(
        "prior", "str", "auto", "what is fitted", choices=("auto",), registry=PRIORS, owner="Prior"
    )
}


def main() -> None:
    """The entry point of the command ``isthmus``."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # one that knows few letters shows their numbers
        sys.stdout.reconfigure(errors="backslashreplace")
    words = tuple(sys.argv[1:])
    if "LOCAL_RANK" in os.environ and words[:1] not in ((), ("train",)):
        print(
            f"isthmus: isthmus {words[0]} runs in one process: start it without torchrun.",
            file=sys.stderr,
        )
        raise SystemExit(2)
    warnings.showwarning = warn
    try:
        application(words)()
    except (KeyboardInterrupt, SystemExit) as ending:
        if not _is_unsaid(ending):
            raise
        print("isthmus: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _is_unsaid(ending: BaseException) -> bool:
    """Whether Ctrl-C came before a command began, or behind its end, so that none has said so;
    typer makes a silent exit of it.
    """
    leaving = ending.__context__
    causes = (ending, leaving.__cause__ if leaving is not None else None)
    return any(isinstance(cause, KeyboardInterrupt) for cause in causes)


def application(words: tuple[str, ...] | None = None) -> typer.Typer:
    """The commands in the order of the help; ``train`` has one per registered member.

    Options made from declarations are hundreds: with the ``words`` of the command line, only those
    that it can ask for are made. It answers no other words then.
    """
    app = typer.Typer(
        name="isthmus",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        help="Autoencoders: train them, compare them, look at them, and use them on your own data.",
    )
    train = typer.Typer(
        cls=Members,
        no_args_is_help=True,
        help="Train one member on a data set and keep it in a folder.",
    )
    app.callback(invoke_without_command=True)(_root)

    def asked(*path: str) -> bool:
        return words is None or words[: len(path)] == path

    def filled(
        function: Callable[..., None], declared: dict[str, Field], *, is_open: bool = False
    ) -> Callable[..., None]:
        taken = own_flags(function)
        mine = {key: field for key, field in declared.items() if field.flag not in taken}
        return with_options(function, Options(mine, taken, words, is_open=is_open))

    named = words[1] if words is not None and words[:1] == ("train",) and len(words) > 1 else ""
    asks_one = named in MEMBERS  # the list with all descriptions is not shown then
    for name in MEMBERS:
        wanted = asked("train", name) and _can_be_read(name)
        command = filled(training.trainer(name), _ordered(name) if wanted else {})
        text = described(MEMBERS, name) if wanted or not asks_one else ""
        train.command(name, cls=Command, help=text)(command)
    app.command("demo", cls=Command, rich_help_panel="Train and compare")(
        guarded(demo.demo_command)
    )
    app.add_typer(train, name="train", rich_help_panel="Train and compare")
    app.command("compare", cls=Command, rich_help_panel="Train and compare")(
        filled(training.compare_command, _union() if asked("compare") else {}, is_open=True)
    )
    app.command("fit-prior", cls=Command, rich_help_panel="Train and compare")(
        filled(training.fit_prior_command, _PRIOR if asked("fit-prior") else {}, is_open=True)
    )
    app.command("label-curves", cls=Command, rich_help_panel="Train and compare")(
        guarded(labels.label_curves_command)
    )
    panels: dict[str, dict[str, Callable[..., None]]] = {
        "Use a trained member": {
            "encode": using.encode_command,
            "decode": using.decode_command,
            "reconstruct": using.reconstruct_command,
            "denoise": using.denoise_command,
            "impute": using.impute_command,
            "sample": sampling.sample_command,
            "outliers": filled(judging.outliers_command, judging.choices()),
            "evaluate": judging.evaluate_command,
            "diagnose": judging.diagnose_command,
            "features": judging.features_command,
            "draw": drawing.draw_command,
            "explore": exploring.explore_command,
            "export": exporting.export_command,
            "push": exporting.push_command,
            "compress": compressing.compress_command,
            "decompress": compressing.decompress_command,
        },
        "Look up": {
            "models": lookup.models_command,
            "priors": lookup.priors_command,
            "data": lookup.data_command,
            "info": lookup.info_command,
            "repair": lookup.repair_command,
        },
    }
    for panel, commands in panels.items():
        for name, command in commands.items():
            app.command(name, cls=Command, rich_help_panel=panel)(guarded(command))
    return app


def _ordered(name: str) -> dict[str, Field]:
    """The fields of a member, its own first."""
    declared = plain(declarations.read(MEMBERS.target(name)))
    own = {
        key: field
        for key, field in declared.items()
        if field.owner not in ("Settings", "TrainingSettings")
    }
    return own | declared


def _union() -> dict[str, Field]:
    """The fields of all members."""
    return {
        key: field
        for name in MEMBERS
        if _can_be_read(name)
        for key, field in _ordered(name).items()
    }


def _can_be_read(name: str) -> bool:
    """Whether a member's declarations can be read; one of a broken package is left out."""
    try:
        declarations.read(MEMBERS.target(name))
    except InputError:
        return False
    return True


def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit()
