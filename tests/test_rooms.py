"""The rooms of the package: dependencies point one way, and what is public is documented."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import isthmus

SOURCE = Path(isthmus.__file__).parent
ORDER = (  # a room knows those of its own line and of the lines above it
    ("errors", "version"),
    ("registry", "branches"),
    (
        "core",
        "data",
        "likelihoods",
        "networks",
        "quantizers",
        "posteriors",
        "latent_priors",
        "geometries",
        "corruptions",
        "divergences",
        "judges",
        "sparsities",
    ),
    ("training",),
    ("priors",),
    ("io",),
    ("compression",),
    ("estimators",),
    ("models",),
    ("figures", "metrics"),
    ("diagnosis",),
    ("explorer",),
    ("report",),
    ("_cli",),
    ("__init__", "__main__", "_stubs"),
)
LEVELS = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
MODULES = {
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
PUBLIC = [name for name in sorted(MODULES) if not any(p[0] == "_" for p in name.split("."))]


def room(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def statements(tree: ast.AST, *, inside: bool) -> Iterator[ast.ImportFrom | ast.Import]:
    """The imports of a module that are run; with those inside of functions, where asked for."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        elif inside or not isinstance(node, ast.FunctionDef):
            yield from statements(node, inside=inside)


def imported(module: str, *, inside: bool) -> Iterator[tuple[str, str]]:
    """The modules of the package that a module imports, and what it takes from each."""
    for node in statements(TREES[module], inside=inside):
        pairs = (
            [(node.module or "", alias.name) for alias in node.names if alias.name]
            if (isinstance(node, ast.ImportFrom))
            else [(alias.name, "") for alias in node.names]
        )
        for source, name in pairs:
            if f"{source}.{name}" in MODULES:
                yield f"{source}.{name}", ""
            elif source in MODULES:
                yield source, name


def test_every_room_has_its_place() -> None:
    assert {room(module) for module in MODULES} == set(LEVELS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_knows_only_the_rooms_below(module: str) -> None:
    wrong = [
        source
        for source, _ in imported(module, inside=True)
        if LEVELS[room(source)] > LEVELS[room(module)]
    ]
    assert wrong == []


def test_no_two_modules_wait_for_each_other() -> None:
    graph = {
        module: {source for source, _ in imported(module, inside=False)} - {module}
        for module in MODULES
    }
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_what_begins_with_an_underscore_stays_in_its_module(module: str) -> None:
    taken = [
        f"{source}.{name}"
        for source, name in imported(module, inside=True)
        if name.startswith("_") and name != "__version__"
    ]
    assert taken == []


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_public_is_documented(module: str) -> None:
    tree = TREES[module]
    assert ast.get_docstring(tree), "the module says what it is for"
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def is_used(name: str, tree: ast.Module) -> bool:
    """Whether a module uses a name by itself, beyond importing it."""
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


@pytest.mark.parametrize("module", [name for name in PUBLIC if MODULES[name].stem == "__init__"])
def test_a_room_lists_what_it_exports(module: str) -> None:
    own = f"{module}."
    names = {
        alias.asname
        for node in TREES[module].body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(own)
        for alias in node.names
        if alias.asname
    } | {
        alias.name
        for node in TREES[module].body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(own)
        for alias in node.names
        if not alias.asname and not is_used(alias.name, TREES[module])
    }
    written = [
        node.value
        for node in TREES[module].body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    if names:
        (listed,) = written
        exported = {part.value for part in ast.walk(listed) if isinstance(part, ast.Constant)}
        assert names <= exported
