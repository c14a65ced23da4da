"""From declarations to command-line options, and from errors to one line and an exit status."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from isthmus.core import fields
from isthmus.core.fields import Field
from isthmus.errors import InputError, LostProcessError

SEED = 0  # a command gives the same numbers when it is given again
_PANELS = {
    "Settings": "All members",
    "TrainingSettings": "Training",
    "TrainedPrior": "Training",
    "Prior": "All priors",
}
# The run's folder takes the place of the one, --from that of the other.
_ELSEWHERE = {"checkpoint_dir", "warm_start"}
_SWITCH = "true|false"


class Command(TyperCommand):
    """A command whose switches may stand alone: ``--compile`` is ``--compile=true``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        switches = {
            flag
            for parameter in self.params
            if parameter.metavar == _SWITCH
            for flag in parameter.opts
        }
        words = [
            f"{word}=true" if word in switches and after.startswith("-") else word
            for word, after in pairwise([*args, "-"])
        ]
        return super().parse_args(ctx, words)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors are one line on stderr, with an exit status that says which kind."""

    @functools.wraps(command)
    def kept(*args: Any, **kwargs: Any) -> None:
        warnings.showwarning = _warn
        try:
            command(*args, **kwargs)
        except InputError as error:
            _fail(str(error), 2)
        except OSError as error:  # a full disk, a folder that may not be written to
            _fail(
                f"{error.filename or 'a file'} cannot be read or written"
                f" ({error.strerror or error}): choose another place.",
                2,
            )
        except (ArithmeticError, LostProcessError) as error:
            _fail(str(error), 1)
        except KeyboardInterrupt as interruption:
            _fail(str(interruption) or "interrupted", 130)
        except SystemExit as ending:
            _fail(str(ending), ending.code if isinstance(ending.code, int) else 1)

    return kept


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"{_speaker()}: warning: {message}", file=sys.stderr)


def _fail(message: str, status: int) -> None:
    print(f"{_speaker()}: {message}", file=sys.stderr)
    raise typer.Exit(status)


def _speaker() -> str:
    """Who speaks: under torchrun every process does, and the first is the one that writes."""
    rank = os.environ.get("RANK", "0")
    return "isthmus" if rank == "0" else f"isthmus (process {rank})"


def with_fields(
    function: Callable[..., None], declared: Mapping[str, Field]
) -> Callable[..., None]:
    """Give a command that takes ``**values`` one option per field; values that are not given are
    left out.
    """
    own = [
        p
        for p in inspect.signature(function, eval_str=True).parameters.values()
        if p.kind is not p.VAR_KEYWORD
    ]
    declared = {name: d for name, d in declared.items() if name not in {p.name for p in own}}
    options = [_option(d) for d in declared.values()]

    @functools.wraps(function)
    def filled(**given: Any) -> None:
        values = {
            name: declared[name].parse(given.pop(name))
            for name in declared
            if given[name] is not None
        }
        fields.validate(values, declared)
        function(**{name: value for name, value in given.items() if name not in declared}, **values)

    command: Any = guarded(filled)
    command.__signature__ = inspect.Signature(
        [p.replace(kind=p.KEYWORD_ONLY) for p in [*own, *options]]
    )
    command.__annotations__ = {p.name: p.annotation for p in [*own, *options]}
    return command


def _option(declaration: Field) -> inspect.Parameter:
    default = SEED if declaration.name == "random_state" else declaration.default
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default).lower()
    kinds = {"tuple[int, ...]": "N,N,…", "int": "N", "float": "X", "str": "NAME", "bool": _SWITCH}
    if declaration.choices:
        kinds["str"] = "|".join(declaration.choices)
    metavar = "|".join(kinds[k] for k in declaration.alternatives if k in kinds)
    notes = "; ".join(filter(None, (declaration.limits, f"default {shown}")))
    option = typer.Option(
        declaration.flag,
        help=f"{declaration.help} ({notes})",
        metavar=metavar,
        rich_help_panel=_PANELS.get(declaration.owner, declaration.owner),
    )
    return inspect.Parameter(
        declaration.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, option],
    )


def plain(declared: Mapping[str, Field]) -> dict[str, Field]:
    """The fields that can be written on a command line."""
    return {name: d for name, d in declared.items() if d.is_plain and name not in _ELSEWHERE}
