"""A command of the command line: its options, its errors as one line, and its exit status."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from isthmus._cli.options import SWITCH, Option, Options
from isthmus.core.memory import is_shortage
from isthmus.core.wording import printable
from isthmus.errors import InputError, LostProcessError
from isthmus.registry import MEMBERS

_FLAGS: ContextVar[Mapping[str, str]] = ContextVar(
    "flags of the running command", default=MappingProxyType({})
)
_ARGUMENT = re.compile(
    r"""(?<![\w-])(?P<name>[a-z_]+)=(?P<value>'[^']*'(?: or '[^']*')*|-?[\w.]+)"""
)


class Command(TyperCommand):
    """A command whose switches may stand alone, and whose help shows the chosen parts' fields.

    A switch alone is true: ``--compile`` is ``--compile=true``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options: Options | None = getattr(self.callback, "options", None)
        if options is not None:
            given = options.given(args)
            for parameter in self.params:
                if parameter.name in options.by_key:
                    _show(parameter, options, options.by_key[parameter.name], given)
        switches = {
            flag
            for parameter in self.params
            if parameter.metavar == SWITCH
            for flag in parameter.opts
        }
        words = [
            f"{word}=true" if word in switches and after.startswith("-") else word
            for word, after in pairwise([*args, "-"])
        ]
        return super().parse_args(ctx, words)

    def invoke(self, ctx: Any) -> Any:
        """Run it; what it says names its options."""
        flags = {one.name: one.opts[0] for one in self.params if one.opts[0].startswith("--")}
        token = _FLAGS.set(flags)
        try:
            return super().invoke(ctx)
        finally:
            _FLAGS.reset(token)


class Members(TyperGroup):
    """A command for each member; who gives the name of a class is told the member's."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        classes = {}
        for name in MEMBERS:
            with suppress(InputError):  # two packages offer it
                classes[MEMBERS.target(name).rpartition(":")[2].lower()] = name
        near = classes.get(args[0].lower())
        if args[0] not in self.commands and near is not None:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near!r}?")
        return super().resolve_command(ctx, args)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors are one line on stderr, and whose exit status says what happened."""

    @functools.wraps(command)
    def kept(*args: Any, **kwargs: Any) -> None:
        warnings.showwarning = warn
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
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            _fail("memory ran out: ask for less at a time, or give it more memory.", 1)
        except KeyboardInterrupt as interruption:
            _fail(str(interruption) or "interrupted", 130)
        except SystemExit as ending:
            _fail(str(ending), ending.code if isinstance(ending.code, int) else 1)

    return kept


def own_flags(function: Callable[..., None]) -> set[str]:
    """The flags of the options that a command has by itself."""
    found = set()
    for parameter in _own(function):
        names = getattr(parameter.annotation, "__metadata__", ())
        flags = [flag for name in names for flag in getattr(name, "param_decls", None) or ()]
        found |= {*flags, "--" + parameter.name.replace("_", "-")}
    return found


def with_options(function: Callable[..., None], options: Options) -> Callable[..., None]:
    """Give a command that takes ``**values`` these options; values that are not given are left out.

    Fields of parts are handed over as ``slot__field``.
    """
    own, by_key = _own(function), options.by_key

    @functools.wraps(function)
    def filled(**arguments: Any) -> None:
        texts = {key: arguments.pop(key) for key in by_key}
        given = {key: text for key, text in texts.items() if text is not None}
        values = {}
        for key, text in given.items():
            field = options.active(by_key[key], given)
            if field is None:
                raise options.refusal(by_key[key], given)
            values[key] = field.parse(text)
            field.check(values[key])
        function(**arguments, **values)

    command: Any = guarded(filled)
    parameters = [*own, *(_parameter(options, option) for option in by_key.values())]
    command.options = options
    command.__signature__ = inspect.Signature(
        [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _own(function: Callable[..., None]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return [parameter for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]


def _parameter(options: Options, option: Option) -> inspect.Parameter:
    look = options.look(option, {})
    made = typer.Option(
        option.flag,
        help=look.help,
        metavar=look.metavar,
        rich_help_panel=look.panel,
        hidden=look.hidden,
    )
    return inspect.Parameter(
        option.key,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, made],
    )


def _show(parameter: Any, options: Options, option: Option, given: dict[str, str]) -> None:
    look = options.look(option, given)
    parameter.help, parameter.metavar, parameter.hidden = look.help, look.metavar, look.hidden
    parameter.rich_help_panel = look.panel


def warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as one line on stderr."""
    print(f"{_speaker()}: warning: {printable(_in_shell(str(message)))}", file=sys.stderr)


def _speaker() -> str:
    """Who speaks: under torchrun every process does, and the first is the one that writes."""
    rank = os.environ.get("RANK", "0")
    return "isthmus" if rank == "0" else f"isthmus (process {rank})"


def _fail(message: str, status: int) -> None:
    print(f"{_speaker()}: {printable(_in_shell(message))}", file=sys.stderr)
    raise typer.Exit(status)


def _in_shell(text: str) -> str:
    """A sentence whose remedy, behind the last colon, names arguments of Python as the options of
    the command that runs: ``pass size=30`` becomes ``pass --size 30``.
    """
    flags = _FLAGS.get()

    def option(found: re.Match[str]) -> str:
        flag, value = flags.get(found["name"]), found["value"].replace("'", "")
        if flag is None:
            return found[0]
        return flag if value == "True" else f"{flag} {value}"  # a flag that stands alone

    problem, colon, remedy = text.rpartition(": ")
    return problem + colon + _ARGUMENT.sub(option, remedy)
