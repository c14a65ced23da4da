"""The pages of the reference, as sources that Sphinx fills with the docstrings."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import isthmus as ist
from isthmus.core import fields
from isthmus.core.fields import Field
from website import public
from website.public import Name

_GROUPS = {  # of the first page; what is in none of them is a test's failure
    "Everyday use": ("isthmus", "isthmus.data", "isthmus.figures", "isthmus.metrics"),
    "Parts of a model": (
        *("isthmus.models", "isthmus.networks", "isthmus.likelihoods", "isthmus.quantizers"),
        *("isthmus.posteriors", "isthmus.latent_priors", "isthmus.geometries"),
        *("isthmus.priors", "isthmus.corruptions", "isthmus.divergences", "isthmus.judges"),
        "isthmus.sparsities",
    ),
    "Training": tuple(f"isthmus.{name}" for name in public.OTHERS),
    "Around it": (
        *("isthmus.report", "isthmus.diagnosis", "isthmus.explorer", "isthmus.compression"),
        *("isthmus.registry", "isthmus.errors"),
    ),
}

_MANY = 15  # fields in a signature


def pages() -> Iterator[tuple[str, str]]:
    """Every page of the reference: its address and its text in reStructuredText."""
    yield "api/index", _index()
    for module in public.modules():
        yield f"api/{module}", _module(module)
    for name in public.names().values():
        if name.is_page:
            yield name.page, _class(name)


def _index() -> str:
    parts = [
        heading("API reference", "#"),
        "Everything here can be had from ``import isthmus as ist``. Members stand in"
        " :doc:`isthmus <isthmus>`; each has a page with its fields, and a"
        " :doc:`page with a picture </members/index>`.",
        toctree([module for group in _GROUPS.values() for module in group]),
    ]
    for title, modules in _GROUPS.items():
        rows = [(f":doc:`{module}`", escaped(_about(module))) for module in modules]
        parts += [heading(title, "="), table(("module", "what it holds"), rows, (35, 65))]
    return "\n\n".join(parts)


def _module(module: str) -> str:
    found = [name for name in public.names().values() if name.home == module]
    classes = [name for name in found if name.is_page]
    members = [name for name in classes if name.value in ist.MEMBERS.values()]
    parts = [heading(module, "#"), f".. py:module:: {module}", _prose(module)]
    if classes:
        parts.append(toctree([name.path for name in classes]))
    for title, some in (
        ("Members", members),
        ("Classes", [name for name in classes if name not in members]),
    ):
        if some:
            parts += [heading(title, "="), _listing(some)]
    functions = [name for name in found if not name.is_page and inspect.isroutine(name.value)]
    errors = [name for name in found if not name.is_page and inspect.isclass(name.value)]
    data = [name for name in found if name not in (*classes, *functions, *errors)]
    for title, some, directive in (
        ("Functions", functions, "autofunction"),
        ("Errors and warnings", errors, "autoexception"),
    ):
        if some:
            parts.append(heading(title, "="))
            parts += [f".. {directive}:: {name.path}" for name in some]
    if module == "isthmus.models":
        parts.append(_listing([n for n in public.names().values() if n.value in _members()]))
    if data:
        parts += [heading("Values", "="), *map(_value, data)]
    return "\n\n".join(parts)


def _members() -> tuple[type, ...]:
    return tuple(ist.MEMBERS.values())


def _prose(module: str) -> str:
    """What a module says of itself, without its examples, which need what was imported there."""
    doc = inspect.getdoc(import_module(module)) or ""
    return re.split(r"^>>> ", doc, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _about(module: str) -> str:
    return _prose(module).split("\n\n")[0].replace("\n", " ")


def _listing(names: Sequence[Name]) -> str:
    """A table of classes: the name, which leads to its page, and the first sentence."""
    rows = [
        (f":py:obj:`{name.name} <{name.path}>`", escaped(sentence(name.value))) for name in names
    ]
    return table(("name", "what it is"), rows, (28, 72))


def _value(name: Name) -> str:
    """A constant; of a registry, all that is registered."""
    lines = [f".. py:data:: {name.path}"]
    if isinstance(name.value, public.Registry):
        described = ((key, public.path_of(name.value[key])) for key in name.value)
        rows = [
            (f"``{key}``", f":py:obj:`~{path}`" if path else escaped(sentence(name.value[key])))
            for key, path in described
        ]
        lines.append(
            indented(
                f"What is registered as a {name.value.kind}.\n\n"
                + table(("name", "what it is"), rows, (30, 70))
            )
        )
    else:
        lines.append(indented(f":value: {name.value!r}" if isinstance(name.value, str) else ""))
    return "\n\n".join(lines) if "table" in lines[-1] else "\n".join(lines)


def _class(name: Name) -> str:
    own, shared = divided(name.value)
    methods = list(_methods(name.value))
    parts = [heading(name.name, "#"), *_beside(name), f".. autoclass:: {name.path}"]
    if own:
        parts += [heading("Fields", "="), _fields(own)]
    if shared:
        parts.append(
            f"And the {len(shared)} fields that all members share: see"
            " :py:obj:`~isthmus.Estimator`."
        )
    if methods:
        parts.append(heading("Methods", "="))
        parts += [f".. auto{kind}:: {name.path}.{method}" for kind, method in methods]
    if name.value in _members():
        parts += ["And those of all members:", _shared_methods({m for _, m in methods})]
    return "\n\n".join(parts)


def _beside(name: Name) -> Iterator[str]:
    """What else there is about a class: its name where it is registered, and its page."""
    for known in public.registries().values():
        for key in (key for key in known if known[key] is name.value):
            also = f" :doc:`Its page </members/{key}>` has a picture, and says when to use it."
            yield f"The {known.kind} ``{key}``.{also if known is ist.MEMBERS else ''}"


# ------------------------------------------------------------------------------------- fields


def divided(cls: type) -> tuple[Mapping[str, Field], Mapping[str, Field]]:
    """The declared fields of a class: those of its own, and those that it has as all members do.

    A field that all have, but which has another default or other limits here, is its own.
    """
    declared = _declared(cls)
    if not issubclass(cls, ist.Estimator) or cls is ist.Estimator:
        return declared, {}
    common = _declared(ist.Estimator)
    shared = {key: field for key, field in declared.items() if _is_same(field, common.get(key))}
    return {key: field for key, field in declared.items() if key not in shared}, shared


def _declared(cls: type) -> Mapping[str, Field]:
    return fields.declared(cls) if hasattr(cls, "__dataclass_fields__") else {}


def _is_same(field: Field, other: Field | None) -> bool:
    return other is not None and (field.default, field.limits, field.names) == (
        other.default,
        other.limits,
        other.names,
    )


def _fields(declared: Mapping[str, Field]) -> str:
    rows = [
        (f"``{field.name}``", _taken(field), f"``{field.default!r}``", escaped(field.help))
        for field in declared.values()
    ]
    return table(("field", "takes", "default", "meaning"), rows, (18, 24, 14, 44))


def _taken(field: Field) -> str:
    """What a field takes: its names, or its type and its limits."""
    names = ", ".join(f"``{name!r}``" for name in field.names)
    if field.registry is not None:
        names += f"; a configured {field.registry.kind}"
    limits = f", {escaped(field.limits)}" if field.limits else ""
    return names or f"``{field.type}``{limits}"


def signature(cls: type) -> str | None:
    """A signature that shows the fields of a class's own; None where it has no declared fields."""
    own, shared = divided(cls)
    if not own and not shared:
        return None
    if len(own) > _MANY:  # the table below is easier to read
        return "(**fields)"
    given = [f"{field.name}={field.default!r}" for field in own.values()]
    return f"({', '.join(['*', *given, *(['**shared'] if shared else [])])})"


# ------------------------------------------------------------------------------------ methods


def _methods(cls: type) -> Iterator[tuple[str, str]]:
    """The documented methods and properties of a class, but for those that all members have."""
    common = ist.Estimator.__mro__ if cls in _members() else ()
    for name in dir(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if name.startswith("_") or owner in common or not owner.__module__.startswith("isthmus"):
            continue
        found = inspect.getattr_static(cls, name)
        if isinstance(found, property):
            if found.__doc__:
                yield "property", name
        elif isinstance(found, types.FunctionType | classmethod | staticmethod) and found.__doc__:
            yield "method", name


def _shared_methods(own: Iterable[str]) -> str:
    rows = [
        (
            f":py:obj:`{name} <isthmus.Estimator.{name}>`",
            escaped(sentence(getattr(ist.Estimator, name))),
        )
        for kind, name in _methods(ist.Estimator)
        if kind == "method" and name not in own
    ]
    return table(("method", "what it does"), rows, (26, 74))


# ----------------------------------------------------------------------------------- the text


def heading(text: str, under: str) -> str:
    return f"{text}\n{under * len(text)}"


def toctree(entries: Iterable[str]) -> str:
    return ".. toctree::\n   :hidden:\n\n" + indented("\n".join(entries))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in (head, *rows):
        lines += [f"   {'*' if at == 0 else ' '} - {cell or '–'}" for at, cell in enumerate(row)]
    return "\n".join(lines)


def indented(text: str) -> str:
    return "\n".join(f"   {line}" if line else "" for line in text.split("\n"))


def escaped(text: str) -> str:
    """Plain text, in which nothing is markup; what stands in double backticks stays code."""
    parts = re.split(r"(``.+?``|:\w+:`.+?`)", text)
    return "".join(
        part if at % 2 else re.sub(r"([\\*`|_])", r"\\\1", part) for at, part in enumerate(parts)
    )


def sentence(value: Any) -> str:
    """The first sentence of a docstring, on one line."""
    first = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[.!?])\s(?=[A-Z])", first)[0]
