"""Hyper-parameters, declared once.

A member is a dataclass whose fields are made with :func:`field`. From that one line come the
constructor argument, its validation and its message, the option of the command line with its help,
and the entry in a saved run. The declaration can also be read from the source alone (:func:`read`),
so that ``--help`` imports neither torch nor scikit-learn.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from isthmus.errors import InputError, unknown

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Field:
    """One declared hyper-parameter: its name, its type as written, its default, its help and its
    limits.
    """

    name: str
    type: str
    default: Any
    help: str
    low: float | None = None
    above: float | None = None
    high: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | None = None
    owner: str = ""

    def __post_init__(self) -> None:
        """Read the choices of an annotation: ``Literal["full", "diag"]`` is a str with choices."""
        if "Literal[" not in self.type:
            return
        for node in ast.walk(ast.parse(self.type, mode="eval")):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal"):
                words = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                text = ast.get_source_segment(self.type, node) or ""
                object.__setattr__(self, "type", self.type.replace(text, "str"))
                object.__setattr__(self, "choices", tuple(ast.literal_eval(w) for w in words))

    @property
    def alternatives(self) -> list[str]:
        """The types that the annotation admits: ``"float | None"`` gives ``["float", "None"]``."""
        return [part.strip() for part in self.type.split("|")]

    @property
    def is_plain(self) -> bool:
        """Whether a value can be written on the command line and in JSON (not a module or a
        function).
        """
        return bool(set(self.alternatives) & {"int", "float", "bool", "str", "tuple[int, ...]"})

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def limits(self) -> str:
        """The limits in words, for a message or a help text; empty where there are none."""
        words = [
            f"{word} {value:g}"
            for word, value in (
                ("at least", self.low),
                ("above", self.above),
                ("at most", self.high),
                ("below", self.below),
            )
            if value is not None
        ]
        return " and ".join(words)

    @property
    def expected(self) -> str:
        """What the field takes, in words."""
        if self.choices and not set(self.alternatives) - {"str", "None"}:
            return "one of " + ", ".join(self.choices)
        names = {
            "int": "a whole number",
            "float": "a number",
            "bool": "True or False",
            "str": " or ".join(map(repr, self.choices)) if self.choices else "a name",
            "tuple[int, ...]": "whole numbers such as (256, 128)",
            "None": "None",
        }
        words = " or ".join(names.get(kind, kind) for kind in self.alternatives)
        return f"{words}, {self.limits}" if self.limits else words

    def check(self, value: Any) -> None:
        """Raise :class:`InputError` where ``value`` is not what the field takes."""
        if isinstance(value, str) and self.choices and value not in self.choices:
            raise unknown(f"value of {self.name}", value, self.choices)
        if not any(_is(kind, value) for kind in self.alternatives) or not self._within(value):
            raise InputError(f"{self.name}={value!r} is not usable: give {self.expected}.")

    def parse(self, text: str) -> Any:
        """The value that a text from the command line stands for."""
        kinds = self.alternatives
        if text.lower() == "none" and "None" in kinds:
            return None
        for kind in ("int", "float", "bool", "tuple[int, ...]"):
            if kind in kinds and (value := _read(kind, text)) is not None:
                return value
        if "str" in kinds:
            return text
        raise InputError(f"{self.flag} {text!r} is not usable: give {self.expected}.")

    def _within(self, value: Any) -> bool:
        if isinstance(value, tuple | list):
            return all(self._within(item) for item in value)
        if isinstance(value, bool) or not isinstance(value, Real):
            return True
        number = float(value)
        return (
            math.isfinite(number)
            and (self.low is None or number >= self.low)
            and (self.above is None or number > self.above)
            and (self.high is None or number <= self.high)
            and (self.below is None or number < self.below)
        )


def field(default: Any, help: str, **limits: Any) -> Any:
    """Declare a hyper-parameter of a member.

    Args:
        default: the value that the constructor takes when none is given; a literal.
        help: one line for the docstring, the command line and the reference.
        limits: ``low``, ``above``, ``high``, ``below`` (numbers) and ``choices`` (names), which
            may stand in the annotation instead: ``Literal["full", "diag"]``.
    """
    return dataclasses.field(default=default, metadata={"help": help, **limits})


def declared(cls: type) -> dict[str, Field]:
    """The hyper-parameters of a member's class, in the order of declaration."""
    owners = {
        name: base.__name__
        for base in reversed(cls.__mro__)
        for name in inspect.get_annotations(base)
    }
    return {
        f.name: Field(f.name, str(f.type), f.default, owner=owners[f.name], **f.metadata)
        for f in dataclasses.fields(cls)
        if "help" in f.metadata
    }


def read(target: str) -> dict[str, Field]:
    """The same as :func:`declared`, for ``"module:Class"``, read from the source without importing
    it.
    """
    module, name = target.split(":")
    tree = _source(module)
    origins = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    origins |= {
        node.name: f"{module}:{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)
    }
    written = _definition(tree, name)
    found: dict[str, Field] = {}
    for base in reversed(written.bases):  # as the order of a dataclass's fields
        origin = origins.get(ast.unparse(base), "")
        # Declarations stand in isthmus and in the member's own package; scikit-learn's mixins hold
        # none.
        if re.split(r"[.:]", origin)[0] in ("isthmus", module.partition(".")[0]):
            found |= read(origin)
    return found | {declaration.name: declaration for declaration in _written(written)}


def describe(target: str) -> str:
    """The first sentence of the docstring of ``"module:name"``, read from the source alone."""
    module, name = target.split(":")
    return first_paragraph(ast.get_docstring(_definition(_source(module), name)))


def first_paragraph(docstring: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((docstring or "").strip().partition("\n\n")[0].split())


def validate(values: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    """Check every value against its declaration; an unknown name is refused with the nearest known
    one.
    """
    for name, value in values.items():
        if name not in fields:
            raise unknown("field", name, fields)
        fields[name].check(value)


def plain_values(estimator: Any) -> dict[str, Any]:
    """The values of an estimator's fields as JSON holds them; what JSON cannot hold is given by its
    name.
    """
    return {name: _plain(value) for name, value in estimator.get_params(deep=False).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


@functools.cache
def _source(module: str) -> ast.Module:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise InputError(
            f"the module {module!r} cannot be found: is the package that registered it installed?"
        )
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _definition(tree: ast.Module, name: str) -> Any:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    raise InputError(
        f"{name!r} is registered, but its module does not define it: correct the registration."
    )


def _written(node: ast.ClassDef) -> Iterator[Field]:
    for line in node.body:
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.value, ast.Call)
            and ast.unparse(line.value.func) == "field"
        ):
            default, text = (ast.literal_eval(argument) for argument in line.value.args)
            limits = {str(k.arg): ast.literal_eval(k.value) for k in line.value.keywords}
            yield Field(
                ast.unparse(line.target),
                ast.unparse(line.annotation),
                default,
                text,
                owner=node.name,
                **limits,
            )


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "None":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, Integral) and not isinstance(value, bool)
        case "float":
            return isinstance(value, Real) and not isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "tuple[int, ...]":
            return isinstance(value, tuple | list) and all(_is("int", item) for item in value)
        case _:  # a module, a function, a generator: checked where it is used
            return value is not None and not isinstance(value, str | int | float | tuple)


def _read(kind: str, text: str) -> Any:
    try:
        match kind:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
            case _:
                return tuple(int(part) for part in text.strip("()[] ").split(",") if part.strip())
    except ValueError:
        return None
