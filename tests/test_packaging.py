"""What is written twice says the same: versions, lower bounds, and what a contributor is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import isthmus as ist
from isthmus import registry

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# what judges the code is taken as new as it comes, and torch is held back by the comment there
_NOT_HELD = {"torch", "ruff", "mypy", "pandas-stubs", "playwright"}
_OF_OTHERS = {"torch", "click", "pyparsing"}


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    extras = PROJECT["optional-dependencies"].values()
    given = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    bounds = dict(line.split(">=") for line in given)
    lines = (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines()
    oldest = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: _release(bound) for name, bound in bounds.items() if name not in _NOT_HELD} == {
        name: _release(version) for name, version in oldest.items() if name not in _OF_OTHERS
    }


def _release(version: str) -> tuple[int, ...]:
    """A version with three numbers: 2.2 is 2.2.0."""
    numbers = [int(part) for part in version.split(".")]
    return (*numbers, *[0] * (3 - len(numbers)))


def test_the_citation_names_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ist.__version__}\n" in citation


@pytest.mark.parametrize(
    "name", [name for name, value in vars(registry).items() if isinstance(value, registry.Registry)]
)
def test_contributors_are_told_of_every_registry(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
