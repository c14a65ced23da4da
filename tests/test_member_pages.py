"""Every member has a page that says what its docstring says, and shows a picture."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from isthmus import registry

ROOT = Path(__file__).resolve().parents[1]
EQUATION = r"\n\$\$\n(.+?)\n\$\$\n"
MATH = r"\.\. math:: (.+?)\n\n"
YEAR = re.compile(r"\b[12]\d{3}\b")


def test_the_index_and_the_changelog_name_every_member() -> None:
    index, changes = (
        (ROOT / "docs" / "members" / "README.md").read_text(),
        (ROOT / "CHANGELOG.md").read_text(),
    )
    for name, cls in registry.MEMBERS.items():
        assert f"| [`{cls.__name__}`]({name}.md) |" in index
        assert re.search(rf"\b{cls.__name__}\b", changes), cls.__name__


@pytest.mark.parametrize("name", registry.MEMBERS)
def test_every_member_has_a_page(name: str) -> None:
    page, doc = (
        (ROOT / "docs" / "members" / f"{name}.md").read_text(),
        inspect.getdoc(registry.MEMBERS[name]),
    )
    assert page.startswith(f"# {registry.MEMBERS[name].__name__}: ")
    shown, declared = (
        re.search(pattern, text, re.DOTALL) for pattern, text in ((EQUATION, page), (MATH, doc))
    )
    assert letters(shown[1]) == letters(declared[1])
    picture = re.search(r"^!\[[^\]]+\]\((.+)\)$", page, re.MULTILINE)[1]
    assert picture == f"../images/members/{name}.png"
    assert (ROOT / "docs" / "members" / picture).stat().st_size < 150_000
    papers, references = (
        re.split("## Papers?\n", page)[1],
        re.split("References?:\n", doc)[1].split("Example:")[0],
    )
    assert YEAR.findall(papers) == YEAR.findall(references) != []


def letters(formula: str) -> str:
    """A formula without spaces, be they its author's or TeX's."""
    return re.sub(r"\s|\\[,;]", "", formula)
