"""What type checkers and editors see of the package; ``python -m isthmus._stubs`` writes it.

``import isthmus`` imports nothing until a name is used, which no tool can follow. So the file
``__init__.pyi`` says the same in types: every public name, and for whatever is made of declared
fields a constructor that is narrower than the source, with the choices of each field.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import isthmus
from isthmus.core import fields
from isthmus.core.fields import Field
from isthmus.errors import InputError
from isthmus.estimators.settings import Settings
from isthmus.io import pretrained, runs
from isthmus.registry import Registry

STUB = Path(isthmus.__file__).with_suffix(".pyi")
_LAZY: Mapping[str, str] = vars(isthmus)["_NAMES"]  # which the stub itself does not show
_SUBMODULES: Sequence[str] = vars(isthmus)["_SUBMODULES"]
_HEADER = '"""The public names of isthmus and their types: written by `make stubs`, not by hand."""'
_INDENT = " " * 4


def stub() -> str:
    """The text of ``__init__.pyi``, from the registries and the declared fields as they are."""
    names = Names()
    for module in _SUBMODULES:
        names.add(module, "isthmus", module, public=True)
    classes = []
    for name, home in _homes().items():
        if name == "load":
            continue  # it has overloads, written below
        module = home.partition(":")[0]
        found = getattr(import_module(module), name)
        if _is_built(found):
            names.add(f"_{name}", module, name)
            classes.append(_class(found, names))
        else:
            names.add(name, module, name, public=True)
    load = _load(names)
    exported = f"__all__ = {sorted(isthmus.__all__ + [cls.__name__ for cls in _members()])!r}"
    parts = [_HEADER, names.imports(), exported, names.choices(), *classes, load]
    return _formatted("\n\n".join(parts) + "\n")


class Names:
    """What a stub imports, and the names of its choices."""

    def __init__(self) -> None:
        self._origins: dict[str, tuple[str, str]] = {}
        self._public: set[str] = set()
        self._choices: dict[str, str] = {}

    def add(self, known_as: str, module: str, name: str, *, public: bool = False) -> None:
        """Import ``name`` of a module, or the module where ``name`` is empty."""
        origin = self._origins.setdefault(known_as, (module, name))
        if origin != (module, name) and _imported(*origin) is not _imported(module, name):
            raise InputError(
                f"{known_as!r} would stand for {'.'.join(origin)} and for {module}.{name} in the"
                " stub: call one of them otherwise."
            )
        if public:
            self._public.add(known_as)

    def annotation(self, text: str, module: str) -> str:
        """An annotation of a module, whose names are imported as that module imports them."""
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Name) and node.id in (known := _origins(module)):
                self.add(node.id, *known[node.id])
        return text

    def literal(self, field: Field) -> str:
        """The name of a type that admits the choices of a field, and nothing else."""
        options = f"Literal[{', '.join(map(repr, _options(field)))}]"
        if options not in self._choices:
            name = "_" + field.name.title().replace("_", "")
            while name in self._choices.values():
                name = f"_{field.owner}{name}"
            self._choices[options] = name
        return self._choices[options]

    def imports(self) -> str:
        """The lines that import all of them; what is public is exported again."""
        self.add("Literal", "typing", "Literal")
        self.add("TypeAlias", "typing", "TypeAlias")
        lines = []
        for known_as, (module, name) in self._origins.items():
            line = f"from {module} import {name}" if name else f"import {module}"
            renamed = known_as != (name or module) or known_as in self._public
            lines.append(f"{line} as {known_as}" if renamed else line)
        return "\n".join(lines)

    def choices(self) -> str:
        """The types of the choices."""
        pairs = sorted((name, options) for options, name in self._choices.items())
        return "\n".join(f"{name}: TypeAlias = {options}" for name, options in pairs)


def _imported(module: str, name: str) -> object:
    found = import_module(module)
    return getattr(found, name) if name else found


def _homes() -> Mapping[str, str]:
    """Every public name of the root, except modules, and the module that it comes from."""
    members = {cls.__name__: cls.__module__ for cls in _members()}
    lazy = {*_LAZY, *_SUBMODULES}
    eager = {name: _origins("isthmus")[name][0] for name in isthmus.__all__ if name not in lazy}
    return dict(sorted({**eager, **_LAZY, **members}.items()))


def _members() -> list[type]:
    """The members of this package; those that others registered have types of their own."""
    mine = [n for n in isthmus.MEMBERS if isthmus.MEMBERS.target(n).startswith("isthmus.")]
    return [isthmus.MEMBERS[name] for name in mine]


def _is_built(found: object) -> bool:
    """Whether something is a class that is made of declared fields, and that can be made."""
    if (
        not isinstance(found, type)
        or not dataclasses.is_dataclass(found)
        or inspect.isabstract(found)
    ):
        return False
    return bool(fields.declared(found))


def _class(cls: Any, names: Names) -> str:
    """A class of declared fields, whose constructor says what each of them takes."""
    positional = [f.name for f in dataclasses.fields(cls) if not f.kw_only]
    parameters = ["self"]
    for field in fields.declared(cls).values():
        if field.name not in positional and "*" not in parameters:
            parameters.append("*")
        parameters.append(f"{field.name}: {_type(cls, field, names)} = {field.default!r}")
    signature = "".join(f"{parameter},\n" for parameter in parameters)
    return (
        f"class {cls.__name__}(_{cls.__name__}):\n"
        f"{_docstring(cls)}\n"
        f"{_INDENT}def __init__({signature}) -> None: ...\n"
    )


def _type(cls: type, field: Field, names: Names) -> str:
    """The type of a field, with its choices in the place of any text."""
    (owner,) = (base for base in cls.__mro__ if base.__name__ == field.owner)
    text = names.annotation(field.type, owner.__module__)
    return re.sub(r"\bstr\b", names.literal(field), text, count=1) if _options(field) else text


def _options(field: Field) -> tuple[str, ...]:
    """The words that a field takes, of this package: what others register has types of its own."""
    known: Registry | None = getattr(field, "registry", None)
    parts = [name for name in known or () if known and known.target(name).startswith("isthmus.")]
    return (*(field.choices or ()), *parts)


def _docstring(cls: type) -> str:
    """What a class is, and what its own fields mean."""
    lines = [_summary(cls)]
    shared = fields.declared(Settings)
    own = [field for field in fields.declared(cls).values() if shared.get(field.name) != field]
    if own:
        lines += ["", "Args:"]
    return _quoted([*lines, *(f"{_INDENT}{field.name}: {field.help}." for field in own)])


def _summary(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _quoted(lines: Sequence[str]) -> str:
    """Lines as a docstring inside of a class or a function."""
    wrapped = []
    for line in lines:
        deeper = (
            f"{line[: len(line) - len(line.lstrip())]}{_INDENT}" if line.startswith(" ") else ""
        )
        wrapped.append(textwrap.fill(line, 92, subsequent_indent=deeper, break_on_hyphens=False))
    text = "\n".join(wrapped)
    raw, end = "r" if "\\" in text else "", "\n" if "\n" in text else ""
    return textwrap.indent(f'{raw}"""{text}{end}"""', _INDENT)


def _load(names: Names) -> str:
    """``load``, which gives the class of a pretrained run where the name is written out."""
    signature = inspect.signature(runs.load_run)
    first, *others = signature.parameters.values()
    rest = ", ".join(
        f"{p.name}: {names.annotation(p.annotation, runs.__name__)} = {p.default!r}" for p in others
    )
    by_class: defaultdict[str, list[str]] = defaultdict(list)
    for name in pretrained.loadable():
        member = runs.info(f"pretrained:{name}")["member"]
        by_class[isthmus.MEMBERS[member].__name__].append(f"pretrained:{name}")
    cases = [(f"Literal[{', '.join(map(repr, known))}]", cls) for cls, known in by_class.items()]
    cases.append(
        (
            names.annotation(first.annotation, runs.__name__),
            names.annotation(signature.return_annotation, runs.__name__),
        )
    )
    names.add("overload", "typing", "overload")
    text = _quoted([_summary(runs.load_run)])
    return "\n".join(
        f"@overload\ndef load({first.name}: {source}, *, {rest}) -> {given}:\n{text}\n"
        for source, given in cases
    )


@cache
def _origins(module: str) -> dict[str, tuple[str, str]]:
    """What the names of a module stand for: ``{"np": ("numpy", ""), "nn": ("torch", "nn")}``."""
    found: dict[str, tuple[str, str]] = {}
    tree = ast.parse(inspect.getsource(import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name: (str(node.module), a.name) for a in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.asname or a.name: (a.name, "") for a in node.names}
    found |= {name: (module, name) for name in _defined(tree)}
    return found


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def _formatted(text: str) -> str:
    """The text as the linter wants it, with sorted imports."""
    stdin = f"--stdin-filename={STUB}"
    for command in (["check", "--fix", "--quiet", "--select=I,RUF022", stdin], ["format", stdin]):
        line = [sys.executable, "-m", "ruff", *command, "-"]
        done = subprocess.run(line, input=text, text=True, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise RuntimeError(f"ruff cannot read the stub: {done.stderr}")
        text = done.stdout
    return text


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
