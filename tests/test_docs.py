"""The documentation holds: its code runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist
from isthmus import cli, fields, registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_example_of_a_new_member_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: np.ndarray) -> None:
    member, line = blocks(ROOT / "docs" / "add-a-member.md", "python")[:2]
    (tmp_path / "pulled.py").write_text(member)
    monkeypatch.syspath_prepend(str(tmp_path))
    name, target = re.findall(r'"([^"]+)"', line)
    monkeypatch.setattr(registry.MEMBERS, "_targets", dict(registry.MEMBERS._targets))
    registry.MEMBERS.add(name, target.replace("isthmus.models.", ""))
    cls = registry.MEMBERS[name]
    assert fields.read(registry.MEMBERS.target(name)) == fields.declared(cls)
    weak, strong = (cls(pull=pull, epochs=20, random_state=0).fit(few) for pull in (0.0, 10.0))
    assert np.abs(strong.transform(few)).mean() < 0.2 * np.abs(weak.transform(few)).mean()
    assert "length" in strong.history_[-1]
    again = ist.load(strong.save(tmp_path / "run"))
    assert np.array_equal(again.transform(few), strong.transform(few))


MEMBER_PAGES = [ROOT / "docs" / "members" / f"{name}.md" for name in registry.MEMBERS]
RUN = pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "docs" / "outliers.md", *MEMBER_PAGES], ids=lambda page: page.stem
)


@RUN
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page, "python"))
    assert code
    code = re.sub(r"epochs=\d+", "epochs=2", code)
    exec(compile(code, page.name, "exec"), {})


@RUN
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli._assemble()
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("isthmus ")]
    assert len(lines) >= (1 if page in MEMBER_PAGES else 3)
    for line in lines:
        words = shlex.split(re.sub(r"epochs \d+", "epochs 2", line), comments=True)
        with pytest.raises(SystemExit) as ending:
            cli.app(args=words[1:])
        assert not ending.value.code, line


def test_the_members_and_settings_of_the_readme_are_those_there_are() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert sorted(member for member, _ in rows) == sorted(cls.__name__ for cls in registry.MEMBERS.values())
    for member, settings in rows:
        assert set(re.findall(r"`(\w+)`", settings)) <= set(fields.declared(getattr(ist, member)))


def test_the_index_and_the_changelog_name_every_member() -> None:
    index, changes = (ROOT / "docs" / "members" / "README.md").read_text(), (ROOT / "CHANGELOG.md").read_text()
    for name, cls in registry.MEMBERS.items():
        assert f"| [`{cls.__name__}`]({name}.md) |" in index
        assert re.search(rf"\b{cls.__name__}\b", changes), cls.__name__


@pytest.mark.parametrize("name", registry.MEMBERS)
def test_every_member_has_a_page(name: str) -> None:
    page, doc = (ROOT / "docs" / "members" / f"{name}.md").read_text(), inspect.getdoc(registry.MEMBERS[name])
    assert page.startswith(f"# {registry.MEMBERS[name].__name__}: ")
    shown, declared = (re.search(pattern, text, re.DOTALL) for pattern, text in ((EQUATION, page), (MATH, doc)))
    assert letters(shown[1]) == letters(declared[1])
    picture = re.search(r"^!\[[^\]]+\]\((.+)\)$", page, re.MULTILINE)[1]
    assert picture == f"../images/members/{name}.png"
    assert (ROOT / "docs" / "members" / picture).stat().st_size < 150_000
    papers, references = re.split("## Papers?\n", page)[1], re.split("References?:\n", doc)[1].split("Example:")[0]
    assert YEAR.findall(papers) == YEAR.findall(references) != []


EQUATION, MATH, YEAR = r"\n\$\$\n(.+?)\n\$\$\n", r"\.\. math:: (.+?)\n\n", re.compile(r"\b[12]\d{3}\b")


def letters(formula: str) -> str:
    """A formula without spaces, be they its author's or TeX's."""
    return re.sub(r"\s|\\[,;]", "", formula)
