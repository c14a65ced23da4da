"""Declarations of fields, read from the source alone.

``--help`` must not import torch or scikit-learn, so it reads what :func:`isthmus.core.fields.field`
and :func:`~isthmus.core.fields.slot` declare without importing the module. Where the text alone
does not say it (a default that is computed, a base class that is found at run time), the module is
imported after all, and :func:`~isthmus.core.fields.declared` asked.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isthmus import registry
from isthmus.core.fields import Field, declared
from isthmus.errors import InputError

_MAKERS = {"isthmus.core.fields:field": False, "isthmus.core.fields:slot": True}
_ARGUMENTS = {False: ("default", "help"), True: ("default", "registry", "help", "choices")}
_WITHOUT_FIELDS = {"abc", "typing", "builtins", "sklearn", "torch", "collections", "enum"}


class UnreadableError(Exception):
    """The source alone does not say what is declared."""


def read(target: str, *, may_import: bool = True) -> dict[str, Field]:
    """:func:`~isthmus.core.fields.declared` of ``"module:Class"``, not imported if possible.

    Raises:
        InputError: where the module or the class is not there, or cannot be imported.
        UnreadableError: where it would have to be imported, and ``may_import`` is False.
    """
    try:
        return _read(target)
    except UnreadableError:
        if not may_import:
            raise
    module, name = target.split(":")
    return declared(_imported(module, name))


def describe(target: str) -> str:
    """The first sentence of the docstring of ``"module:name"``, from the source if it is there."""
    module, name = target.split(":")
    try:
        found = _definition(*_resolved(module, name))
        return first_paragraph(ast.get_docstring(found))
    except UnreadableError:
        return first_paragraph(_imported(module, name).__doc__)


def first_paragraph(docstring: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((docstring or "").strip().partition("\n\n")[0].split())


def _imported(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        raise InputError(
            f"{name!r} is registered, but its module {module!r} does not define it: correct the"
            " registration."
        ) from error
    except Exception as error:  # whatever a module of somebody else's raises while it is imported
        raise InputError(
            f"the module {module!r} cannot be imported ({error}): is the package that registered it"
            " whole?"
        ) from error


@functools.cache
def _read(target: str) -> dict[str, Field]:
    module, name = _resolved(*target.split(":"))
    source = _source(module)
    written = _definition(module, name)
    if not isinstance(written, ast.ClassDef):
        raise UnreadableError(target)
    found: dict[str, Field] = {}
    for base in reversed(written.bases):  # as the order of a dataclass's fields
        origin = source.origin(base.value if isinstance(base, ast.Subscript) else base)
        if origin.partition(":")[0].partition(".")[0] not in _WITHOUT_FIELDS:
            found |= _read(origin)
    for name, declaration in _written(written, source):
        if declaration is not None:
            found[name] = declaration
        else:
            found.pop(name, None)
    return found


@dataclass(frozen=True)
class _Source:
    """A module's text, and where the names in it come from.

    Attributes:
        tree: the parsed text.
        origins: ``"module:name"`` of each name that is imported or defined, ``"module"`` of a
            module.
    """

    module: str
    tree: ast.Module
    origins: dict[str, str]

    def origin(self, name: ast.expr) -> str:
        """Where a name, or an attribute of a module, is defined: ``"module:name"``."""
        match name:
            case ast.Name(id=plain):
                if plain in self.origins:
                    return self.origins[plain]
                if plain in dir(__builtins__) or plain in ("object", "Exception"):
                    return f"builtins:{plain}"
            case ast.Attribute(value=ast.Name(id=plain), attr=attribute):
                if plain in self.origins:
                    return f"{self.origins[plain].replace(':', '.')}:{attribute}"
        raise UnreadableError(ast.unparse(name))


@functools.cache
def _source(module: str) -> _Source:
    spec = _found(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise UnreadableError(module)
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    origins: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.ImportFrom(module=origin, names=names, level=level):
                above = package.rsplit(".", level - 1)[0] if level else ""
                home = ".".join(filter(None, (above, origin)))
                origins |= {alias.asname or alias.name: f"{home}:{alias.name}" for alias in names}
            case ast.Import(names=names):
                origins |= {alias.asname: alias.name for alias in names if alias.asname}
                origins |= {alias.name: alias.name for alias in names if "." not in alias.name}
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                origins[name] = f"{module}:{name}"
    return _Source(module, tree, origins)


def _found(module: str) -> ModuleSpec | None:
    """Where a module lies; its packages are not imported, because they may import torch."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise InputError(
            f"the module {module!r} cannot be found: is the package that registered it installed?"
        )
    for name in rest:
        places = spec.submodule_search_locations
        found = None if places is None else PathFinder.find_spec(f"{spec.name}.{name}", places)
        if found is None:
            return None
        spec = found
    return spec


def _resolved(module: str, name: str) -> tuple[str, str]:
    """Where a name is defined that a module may only pass on."""
    seen: set[str] = set()
    while f"{module}:{name}" not in seen:
        seen.add(f"{module}:{name}")
        origin = _source(module).origins.get(name, "")
        if origin.count(":") != 1:
            raise UnreadableError(f"{module}:{name}")
        module, name = origin.split(":")
    return module, name


def _definition(module: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    for node in _source(module).tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    raise UnreadableError(f"{module}:{name}")


def _written(node: ast.ClassDef, source: _Source) -> Iterator[tuple[str, Field | None]]:
    """The annotated names of a class, with their declarations; None where one declares no field."""
    for line in node.body:
        if isinstance(line, ast.AnnAssign):
            name, annotation = ast.unparse(line.target), ast.unparse(line.annotation)
            if not isinstance(line.value, ast.Call):
                yield name, None
            elif not annotation.startswith("ClassVar"):
                yield name, _declaration(name, annotation, line.value, source, node.name)
        elif isinstance(line, ast.If | ast.Try | ast.For | ast.With):
            raise UnreadableError(node.name)


def _declaration(name: str, annotation: str, call: ast.Call, source: _Source, owner: str) -> Field:
    is_slot = _MAKERS.get(source.origin(call.func))
    if is_slot is None or any(isinstance(value, ast.Starred) for value in call.args):
        raise UnreadableError(name)
    given = dict(zip(_ARGUMENTS[is_slot], call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None:
            raise UnreadableError(name)
        given[keyword.arg] = keyword.value
    place = source.origin(given.pop("registry")) if "registry" in given else None
    try:
        values: dict[str, Any] = {key: ast.literal_eval(value) for key, value in given.items()}
    except ValueError as error:
        raise UnreadableError(name) from error
    if place is not None:
        module, _, names = place.partition(":")
        if module != registry.__name__:
            raise UnreadableError(name)
        values["registry"] = getattr(registry, names)
    return Field(name, annotation, owner=owner, **values)
