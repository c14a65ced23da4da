"""Every public name of the package, and the page of the reference on which it stands."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import isthmus
from isthmus import registry
from isthmus.registry import Registry

SUBMODULES: tuple[str, ...] = vars(isthmus)["_SUBMODULES"]
# public rooms that are no attribute of the root: parts in the slots of training stand there
OTHERS = ("training.optimizers", "training.schedules", "training.callbacks")


@dataclass(frozen=True)
class Name:
    """A public name.

    Attributes:
        path: under which it is documented, ``isthmus.figures.plane``.
        value: what it stands for.
        page: the address of its page, ``api/isthmus.figures``.
        aliases: under which paths it can be had as well.
    """

    path: str
    value: Any
    page: str
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def module(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def home(self) -> str:
        """The module on whose page it is listed: its own, or the nearest that has a page."""
        module = self.module
        while module not in modules():
            module = module.rpartition(".")[0]
        return module

    @property
    def is_page(self) -> bool:
        """Whether it has a page of its own; others share that of their module."""
        return self.page == f"api/{self.path}"


def registries() -> Mapping[str, Registry]:
    """The registries by their names."""
    return {name: value for name, value in vars(registry).items() if isinstance(value, Registry)}


def modules() -> tuple[str, ...]:
    """The public modules that have a page, the root first."""
    return ("isthmus", *(f"isthmus.{name}" for name in (*SUBMODULES, *OTHERS)))


def offered(module: str) -> Iterator[str]:
    """The public names of a module: those of ``__all__``, or those that it defines."""
    found = import_module(module)
    if module == "isthmus":
        yield from (name for name in dir(found) if name not in SUBMODULES)
    elif hasattr(found, "__all__"):
        yield from found.__all__
    else:
        yield from (
            name
            for name, value in vars(found).items()
            if not name.startswith("_")
            and not isinstance(value, types.ModuleType)
            and (getattr(value, "__module__", None) == module or _is_registry(value, module))
        )


def _is_registry(value: Any, module: str) -> bool:
    return isinstance(value, Registry) and module == registry.__name__


@cache
def names() -> Mapping[str, Name]:
    """All public names by the paths under which they are documented.

    What can be had in several places is documented once: errors in ``isthmus.errors``, registries
    in ``isthmus.registry``, the rest as near to the root as possible.
    """
    first = ("isthmus.errors", "isthmus.registry")
    order = (*first, *(module for module in modules() if module not in first))
    paths: dict[int, list[str]] = {}
    values: dict[int, Any] = {}
    for module in order:
        for name in offered(module):
            value = getattr(import_module(module), name)
            paths.setdefault(id(value), []).append(f"{module}.{name}")
            values[id(value)] = value
    for value in (known[key] for known in registries().values() for key in known):
        path = f"{value.__module__}.{value.__qualname__}"
        if id(value) not in paths and "._" not in path:  # a part that its room does not export
            paths[id(value)], values[id(value)] = [path], value
    made = (_named(values[key], places) for key, places in paths.items())
    return {each.path: each for each in made}


def _named(value: Any, paths: list[str]) -> Name:
    path, *aliases = paths
    is_page = inspect.isclass(value) and not issubclass(value, BaseException)
    return Name(path, value, f"api/{path if is_page else path.rpartition('.')[0]}", tuple(aliases))


def path_of(value: Any) -> str | None:
    """Under which path something is documented, if it is."""
    return next((name.path for name in names().values() if name.value is value), None)
