"""How the site is divided: which page stands in which section, and under which address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_RENAMED = {
    "README.md": "overview",
    "README.zh-TW.md": "overview.zh-TW",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changes",
    "SECURITY.md": "security",
}


@dataclass(frozen=True)
class Section:
    """A section of the site.

    Attributes:
        name: its place in the address, and the name of its first page.
        title: what the bar at the top says.
        about: what its first page says.
        pages: its pages by their addresses, in their order.
        head: a page of ``docs`` that is its first page; a list of cards where there is none.
    """

    name: str
    title: str
    about: str
    pages: tuple[str, ...]
    head: str | None = None

    @property
    def first(self) -> str:
        """The address of its first page."""
        return self.head or self.name


def address(source: Path) -> str:
    """Where a page of the repository stands in the site, without a suffix: ``members/vae``."""
    name = source.relative_to(ROOT).as_posix()
    if name in _RENAMED:
        return _RENAMED[name]
    return re.sub(r"README$", "index", name.removeprefix("docs/").removesuffix(".md"))


def sources() -> list[Path]:
    """Every page of the repository that the site shows."""
    roots = [ROOT / name for name in _RENAMED]
    return [*(path for path in roots if path.exists()), *sorted(DOCS.rglob("*.md"))]


def addresses(folder: str) -> tuple[str, ...]:
    """The addresses of the pages of a folder of ``docs``, but of its first one, which lists them.

    They stand in the order in which that first page names them, folder by folder.
    """
    first = DOCS / folder / "README.md"
    listed = first.read_text(encoding="utf-8") if first.exists() else ""
    found = [path for path in sorted((DOCS / folder).rglob("*.md")) if path != first]

    def place(path: Path) -> tuple[Path, int, str]:
        at = listed.find(f"({path.relative_to(DOCS / folder).as_posix()}")
        return (path.parent, at if at >= 0 else len(listed), path.name)

    return tuple(address(path) for path in sorted(found, key=place))


def sections() -> tuple[Section, ...]:
    """The sections in the order of the bar at the top; the reference is made by itself."""
    here = tuple(address(path) for path in sources())
    chosen = (
        Section(
            "start",
            "Get started",
            "",
            ("overview", "overview.zh-TW"),
            head="install",
        ),
        Section(
            "course",
            "Course",
            "From a picture as a row of numbers to networks that draw new ones.",
            (*addresses("course"), *addresses("properties")),
            head="course/index",
        ),
        Section(
            "guides",
            "Guides",
            "One task a page: your own data, training, judging, drawing.",
            (
                *("data", "training", "compare", "diagnose", "explorer", "figures", "likelihoods"),
                *(
                    "conditions",
                    "maps",
                    "judges",
                    "posteriors",
                    "dictionaries",
                    "few-labels",
                    "priors",
                    "outliers",
                    "tables",
                    "series",
                    "sound",
                    "streams",
                    "files",
                    "export",
                    "compression",
                ),
            ),
        ),
        Section("members", "Members", "", addresses("members"), head="members/index"),
        Section(
            "measured",
            "Results",
            "What is measured: against published numbers, against other packages, under attack.",
            ("results", "rate-distortion", "performance", "reliability"),
        ),
        Section(
            "project",
            "Project",
            "How it is built, how to add to it, and what may be relied on.",
            (
                *("design", "add-a-member", "contributing", "policy", "libraries"),
                *("changes", "releasing", "security"),
            ),
        ),
    )
    return tuple(
        Section(s.name, s.title, s.about, tuple(p for p in s.pages if p in here), s.head)
        for s in chosen
    )
