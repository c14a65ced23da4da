"""Hyper-parameters, declared once.

A member is a dataclass whose fields are made with :func:`field`. From that one line come the
constructor argument, its validation and its message, the option of the command line with its help,
and the entry in a saved run. A field made with :func:`slot` takes a part: its registered name, or
one that is configured. :mod:`isthmus.core.declarations` reads all this from the source alone.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any

from isthmus.errors import InputError, unknown
from isthmus.registry import Registry

_PLAIN = ("int", "float", "bool", "str", "tuple[int, ...]", "tuple[float, ...]", "dict[str, str]")
_LARGEST = 3.4e38
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


@dataclass(frozen=True)
class Field:
    """A declared hyper-parameter: its name, its type as written, its default, help and limits, and
    whether it says how what is fitted is used, so that it may be set ``afterwards``.
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
    registry: Registry | None = None
    owner: str = ""
    afterwards: bool = False

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
    def alternatives(self) -> tuple[str, ...]:
        """The types that the annotation admits: ``"float | None"`` gives ``("float", "None")``."""
        return _alternatives_of(self.type)

    @property
    def names(self) -> tuple[str, ...]:
        """The words that the field takes: its choices, and what is registered for its slot."""
        return (*(self.choices or ()), *(self.registry or ()))

    @property
    def is_plain(self) -> bool:
        """Whether a value can be written in a shell and in JSON (not a module or a function)."""
        return bool(set(self.alternatives) & set(_PLAIN))

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def limits(self) -> str:
        """The limits in words, for a message or a help text; empty where there are none."""
        words = [
            f"{word} {value if isinstance(value, int) else format(value, 'g')}"
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
        if self.registry is not None:
            part = self.registry.base.rpartition(":")[2] or "configured part"
            return f"one of {', '.join(self.names)}, or a {part}"
        if self.choices and not set(self.alternatives) - {"str", "None"}:
            return "one of " + ", ".join(self.choices)
        names = {
            "int": "a whole number",
            "float": "a number",
            "bool": "True or False",
            "str": " or ".join(map(repr, self.choices)) if self.choices else "a name",
            "tuple[int, ...]": "whole numbers such as (256, 128)",
            "tuple[float, ...]": "numbers such as (0.1, 0.3)",
            "dict[str, str]": "names with words, such as {'age': 'number'}",
            "Callbacks": "a list of callbacks, or of their names",
            "None": "None",
        }
        words = " or ".join(names.get(kind, kind) for kind in self.alternatives)
        return f"{words}, {self.limits}" if self.limits else words

    def check(self, value: Any) -> None:
        """Raise :class:`InputError` where ``value`` is not what the field takes."""
        if self.registry is not None:
            self._check_part(self.registry, value)
        elif isinstance(value, str) and self.choices and value not in self.choices:
            raise unknown(f"value of {self.name}", value, self.choices)
        elif _is_boundless(value):
            raise InputError(
                f"{self.name}={value!r} is too large for any computer: give {self.expected}."
            )
        elif not any(_is(kind, value) for kind in self.alternatives) or not self._within(value):
            raise InputError(f"{self.name}={value!r} is not usable: give {self.expected}.")

    def parse(self, text: str) -> Any:
        """The value that a text from the command line stands for."""
        kinds = self.alternatives
        if text.lower() == "none" and "None" in kinds:
            return None
        for kind in (kind for kind in _PLAIN if kind != "str"):
            if kind in kinds and (value := _read(kind, text)) is not None:
                return value
        if "str" in kinds:
            return text
        raise InputError(f"{self.flag} {text!r} is not usable: give {self.expected}.")

    def _check_part(self, registry: Registry, value: Any) -> None:
        """Refuse what is neither a registered name nor a usable part of the slot's kind."""
        if isinstance(value, str):
            if value not in (self.choices or ()) and value not in registry:
                raise unknown(f"value of {self.name}", value, self.names)
        elif not isinstance(value, type) and registry.admits(value):
            validate(value.get_params(deep=False), declared(type(value)))
        elif not (value is None and "None" in self.alternatives) and not (
            callable(value) and "Callable" in self.type
        ):
            raise InputError(f"{self.name}={value!r} is not usable: give {self.expected}.")

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
            may stand in the annotation instead: ``Literal["full", "diag"]``. ``afterwards=True``
            declares what shapes nothing that is learnt, and may be set on what is fitted.
    """
    return dataclasses.field(default=default, metadata={"help": help, **limits})


def slot(
    default: Any, registry: Registry, help: str, choices: tuple[str, ...] | None = None
) -> Any:
    """Declare a slot: a hyper-parameter that takes a registered name, or a configured part.

    Args:
        default: a registered name, one of ``choices``, or None where the annotation admits it.
        registry: where names are looked up; its ``base`` is what a configured part must be.
        help: as for :func:`field`.
        choices: words that are no names of parts, such as ``("auto",)``.
    """
    return field(default, help, registry=registry, **({"choices": choices} if choices else {}))


def declared(cls: type) -> dict[str, Field]:
    """The hyper-parameters of a member's class, in the order of declaration."""
    return dict(_declared(cls))


@functools.cache
def _declared(cls: type) -> dict[str, Field]:
    """The same, worked out once: every fit asks ten times."""
    owners = {
        name: base.__name__
        for base in reversed(cls.__mro__)
        for name in inspect.get_annotations(base)
    }
    return {
        f.name: Field(f.name, _as_written(f.type), f.default, owner=owners[f.name], **f.metadata)
        for f in dataclasses.fields(cls)
        if "help" in f.metadata
    }


def declaration(cls: type, name: str) -> Field | None:
    """The declaration of one name; None where it is no hyper-parameter."""
    found = getattr(cls, "__dataclass_fields__", {}).get(name)
    return declared(cls)[name] if found is not None and "help" in found.metadata else None


def validate(values: Mapping[str, Any], fields: Mapping[str, Field]) -> None:
    """Check every value against its declaration; an unknown name is refused."""
    for name, value in values.items():
        if name not in fields:
            raise unknown("field", name, fields)
        fields[name].check(value)


def _as_written(annotation: Any) -> str:
    """An annotation as it stands in the source, also where Python has evaluated it."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, UnionType):
        return " | ".join(_as_written(kind) for kind in annotation.__args__)
    return "None" if annotation is NoneType else inspect.formatannotation(annotation)


@functools.cache
def _alternatives_of(annotation: str) -> tuple[str, ...]:
    return tuple(_alternatives(ast.parse(annotation, mode="eval").body))


def _alternatives(annotation: ast.expr) -> list[str]:
    """The members of a union, however it is spelt."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_alternatives(left), *_alternatives(right)]
        case ast.Constant(value=str(quoted)):
            return _alternatives(ast.parse(quoted, mode="eval").body)
        case ast.Subscript(value=value, slice=inner):
            match ast.unparse(value).rpartition(".")[2]:
                case "Optional":
                    return [*_alternatives(inner), "None"]
                case "Union":
                    kinds = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                    return [name for kind in kinds for name in _alternatives(kind)]
                case "Tuple":
                    return ["tuple[" + ast.unparse(inner).strip("()") + "]"]
                case "Literal":
                    return ["str"]
    return [ast.unparse(annotation)]


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "None":
            return value is None
        case "bool":
            return isinstance(value, bool) or _is_switch_of_numpy(value)
        case "int":
            return isinstance(value, Integral) and not isinstance(value, bool)
        case "float":
            return isinstance(value, Real) and not isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "Callbacks":  # each is checked where it is used
            return isinstance(value, tuple | list)
        case "tuple[int, ...]":
            return isinstance(value, tuple | list) and all(_is("int", item) for item in value)
        case "tuple[float, ...]":
            return isinstance(value, tuple | list) and all(_is("float", item) for item in value)
        case "dict[str, str]":
            return isinstance(value, Mapping) and all(
                isinstance(word, str) for pair in value.items() for word in pair
            )
        case "nn.Module":
            return callable(value)
        case "np.random.RandomState":
            return hasattr(value, "randint")
        case _ if kind.startswith("Callable"):
            return callable(value)
        case _:  # a module, a function, a generator: checked where it is used
            return value is not None and not isinstance(value, str | int | float | tuple)


def _is_switch_of_numpy(value: Any) -> bool:
    """Whether it is a truth value of NumPy, which is not imported to find out."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.bool_)


def _is_boundless(value: Any) -> bool:
    """Whether a number, or one of several, is beyond the types that torch computes with.

    Whole numbers have 64 bits, all others those of float32.
    """
    if isinstance(value, tuple | list):
        return any(_is_boundless(item) for item in value)
    if isinstance(value, Integral):
        return not -(2**63) <= int(value) < 2**63
    return isinstance(value, Real) and _LARGEST < abs(float(value)) < math.inf


def _pair(text: str) -> tuple[str, str]:
    """A name and a word, of ``name=word``."""
    name, equals, word = text.rpartition("=")
    if not equals:
        raise ValueError(text)
    return name.strip(), word.strip()


def _read(kind: str, text: str) -> Any:
    try:
        match kind:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return True if text.lower() in _TRUE else False if text.lower() in _FALSE else None
            case "dict[str, str]":
                return dict(_pair(part) for part in text.split(",") if part.strip())
            case _:
                number = float if kind == "tuple[float, ...]" else int
                parts = text.strip("()[] ").split(",")
                return tuple(number(part) for part in parts if part.strip())
    except ValueError:
        return None
