"""What somebody's own code does, as a short text that changes when it does.

Of a function that is its bytecode, constants, defaults, and what it takes from around it; of an
object its class and its settings; of a network the shapes of its weights too, not their values,
which a checkpoint keeps. What belongs to Python or to a library counts by its name.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.digests import Digest
from isthmus.core.parts import Configurable

_LIBRARIES = frozenset({"isthmus", "numpy", "pandas", "scipy", "sklearn", "torch", "zuko"})
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
_NAMED = (Enum, np.dtype, torch.dtype, torch.device, torch.Size, PurePath, date, timedelta)
_DEEPEST = 40  # objects within each other; what lies deeper counts by its type
_OF_EVERY_MODULE = frozenset(vars(nn.Module())) - {"_forward_hooks", "_forward_pre_hooks"}
_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")


def identity(*values: Any) -> str:
    """A short text that changes when what values do, or how they are configured, does.

    Bytecode belongs to a version of Python, which stands in the text for that reason.
    """
    reader = _Reader(values)
    for value in values:
        reader.add(value)
    return f"Python {sys.version_info[0]}.{sys.version_info[1]} {reader.digest}"


def is_own(value: Any) -> bool:
    """Whether the class of an object, or a function, is no part of Python or of a library."""
    return not _is_known(_home(value if _has_name(value) else type(value)), frozenset())


def brought_by(configured: Configurable, place: str = "") -> dict[str, str]:
    """What somebody brought as code of their own, each with its identity: the class of a member or
    of a part, networks, functions. Callbacks watch, and change nothing.
    """
    found = {}
    if is_own(configured):
        found[f"code of {place or 'the member'}"] = identity(type(configured))
    for name, value in configured.get_params(deep=False).items():
        inner = f"{place}.{name}" if place else name
        if isinstance(value, Configurable):
            found |= brought_by(value, inner)
        elif callable(value) and name != "callbacks":
            found[f"code of {inner}"] = identity(value)
    return found


class _Reader:
    """Adds what decides how objects behave to a digest, each object once."""

    def __init__(self, roots: tuple[Any, ...]) -> None:
        self.digest = Digest()
        homes = (_home(root if _has_name(root) else type(root)) for root in roots)
        self._homes = frozenset(home.partition(".")[0] for home in homes)
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no two objects have one id
        self._depth = 0

    def add(self, value: Any) -> None:
        """Add an object."""
        if isinstance(value, _PLAIN):
            self.digest.add_text(f"{type(value).__name__} {value!r}")
        elif isinstance(value, _NAMED):
            self.digest.add_text(f"{type(value).__qualname__} {value}")
        elif id(value) in self._seen:
            self.digest.add_text(f"again {self._seen[id(value)]}")
        elif self._depth == _DEEPEST:
            self.digest.add_text(_name(type(value)))
        else:
            self._seen[id(value)] = len(self._seen)
            self._kept.append(value)
            self._depth += 1
            self._add_parts(value)
            self._depth -= 1

    def _add_parts(self, value: Any) -> None:
        if isinstance(value, ModuleType):
            self.digest.add_text(f"module {value.__name__}")
        elif isinstance(value, np.ndarray | np.generic | Tensor):
            self._add_numbers(value)
        elif isinstance(value, Mapping):
            self._add_pairs("mapping", value)
        elif isinstance(value, list | tuple):
            self._add_all(type(value).__name__, value)
        elif isinstance(value, set | frozenset):
            self._add_all("set", sorted(value, key=repr))
        elif isinstance(value, functools.partial):
            self._add_all("partial", (value.func, value.args, value.keywords))
        elif isinstance(value, MethodType):
            self._add_all("method", (value.__func__, value.__self__))
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, nn.Module):
            self._add_network(value)
        else:
            self._add_object(value)

    def _add_all(self, kind: str, values: Any) -> None:
        self.digest.add_text(f"{kind} of {len(values)}")
        for value in values:
            self.add(value)

    def _add_pairs(self, kind: str, values: Mapping[Any, Any]) -> None:
        self.digest.add_text(f"{kind} of {len(values)}")
        for key, value in values.items():
            self.add(key)
            self.add(value)

    def _add_numbers(self, value: Any) -> None:
        if isinstance(value, Tensor):
            value = value.detach().to("cpu").contiguous()
            self.digest.add_text(f"{value.dtype} {tuple(value.shape)}")
            value = value.reshape(-1).view(torch.uint8).numpy() if not value.is_sparse else None
        array = np.asarray(value)
        if array.dtype.hasobject:
            self._add_all("objects", array.reshape(-1).tolist())
        else:
            self.digest.add_array(array)

    def _add_function(self, function: FunctionType) -> None:
        self.digest.add_text(_name(function))
        if _is_known(_home(function), self._homes):
            return
        cells = [_content(cell) for cell in function.__closure__ or ()]
        around = {
            name: function.__globals__[name]
            for name in _globals_of(function.__code__)
            if name in function.__globals__
        }
        self._add_code(function.__code__, function.__doc__)
        self._add_all("defaults", (function.__defaults__, function.__kwdefaults__, cells))
        self._add_pairs("globals", around)

    def _add_code(self, code: CodeType, doc: str | None) -> None:
        self.digest.add_text(code.co_code.hex())
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self.digest.add_text(f"{counts} {code.co_names} {code.co_varnames} {code.co_freevars}")
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._add_code(constant, None)
            elif doc is None or constant != doc:
                self.add(constant)

    def _add_class(self, cls: type) -> None:
        for base in cls.__mro__:
            self.digest.add_text(_name(base))
            if not _is_known(_home(base), self._homes):
                self._add_pairs("class", dict(_attributes(base)))

    def _add_network(self, network: nn.Module) -> None:
        self.add(type(network))
        for name, value in network._parameters.items():
            shape = None if value is None else (tuple(value.shape), value.dtype)
            self.digest.add_text(f"{name} {shape} {value is not None and value.requires_grad}")
        for name, held in network._buffers.items():
            if name in network._non_persistent_buffers_set:  # which no checkpoint keeps
                self.add(held)
            else:
                self.digest.add_text(f"{name} {None if held is None else tuple(held.shape)}")
        own = {key: value for key, value in vars(network).items() if key not in _OF_EVERY_MODULE}
        self._add_pairs("settings", own)
        self._add_pairs("inside", network._modules)

    def _add_object(self, value: Any) -> None:
        """By its class and its settings; what belongs to Python, such as an open file, by name."""
        if _has_name(value):
            self.digest.add_text(_name(value))
            return
        self.add(type(value))
        if _home(type(value)).partition(".")[0] in sys.stdlib_module_names:
            return
        slots = [slot for cls in type(value).__mro__ for slot in getattr(cls, "__slots__", ())]
        held = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
        self._add_pairs("settings", {**held, **getattr(value, "__dict__", {})})


def _attributes(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class says in its own lines, functions taken out of what holds them."""
    for name, value in vars(cls).items():
        if isinstance(value, staticmethod | classmethod):
            yield name, value.__func__
        elif isinstance(value, property):
            yield name, (value.fget, value.fset)
        elif isinstance(value, FunctionType) or not name.startswith(("__", "_abc_")):
            yield name, value


def _globals_of(code: CodeType) -> list[str]:
    """The names that code, and code within it, looks up around its function, in order."""
    found = [step.argval for step in dis.get_instructions(code) if step.opname in _GLOBALS]
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return sorted({*found, *(name for each in inner for name in _globals_of(each))})


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _is_known(home: str, homes: frozenset[str]) -> bool:
    """Whether a module is Python's, a library's, or of a package other than those of ``homes``."""
    top = home.partition(".")[0]
    if top in _LIBRARIES or (top in sys.stdlib_module_names and top != "__main__"):
        return True
    file = getattr(sys.modules.get(home), "__file__", None) or ""
    return bool(homes) and top not in homes and "site-packages" in file


def _has_name(value: Any) -> bool:
    return isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__"))


def _home(value: Any) -> str:
    """The module in which something was defined."""
    return str(getattr(value, "__module__", None) or "builtins")


def _name(value: Any) -> str:
    return f"{_home(value)}.{getattr(value, '__qualname__', type(value).__qualname__)}"
