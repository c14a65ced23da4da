"""The sources as Sphinx reads them: the pages with links of the site, and what is made for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from website import gallery, live, notebooks, players, reference
from website.links import code_page, in_site, relinked
from website.sections import DOCS, ROOT, Section, address, sections, sources

_UNSOUGHT = ("changes",)  # every word stands there: it would come before what one looks for
_NAMED = {
    "overview": "Overview",
    "overview.zh-TW": "繁體中文簡介",
}  # their titles are the package's
EXTRA = "_extra"  # what goes into the site as it is


def stage(target: Path) -> None:
    """Write all sources of the site into a folder, which is made anew."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copytree(DOCS / "images", target / "images")
    wanted: set[Path] = set()
    sounds: set[Path] = set()
    for page in sources():
        text = players.with_players(page.read_text(encoding="utf-8"), page, sounds)
        text = relinked(text, page, in_site(page, wanted))
        text = notebooks.with_bar(text, page)
        if address(page) in _UNSOUGHT:
            text = f"---\nnosearch: true\n---\n\n{text}"
        _write(target, f"{address(page)}.md", _with_children(text, address(page)))
    for place, text in (*_made(), *gallery.pages(), *reference.pages()):
        suffix = "rst" if place.startswith("api/") else "md"
        _write(target, f"{place}.{suffix}", text)
    for path in sorted(wanted | gallery.sources_of_code()):
        _write(target, f"{code_page(path)}.md", _code(path))
    notebooks.write(target / EXTRA / "notebooks")
    live.write(target / EXTRA / "live")
    for path in sounds:
        copy = target / EXTRA / players.in_site(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _write(target: Path, place: str, text: str) -> None:
    path = target / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _made() -> Iterator[tuple[str, str]]:
    """The first pages of the sections that have none in ``docs``."""
    for section in sections():
        if section.head is None:
            cards = "\n\n".join(_card(page) for page in section.pages)
            yield (
                section.name,
                f"# {section.title}\n\n{section.about}\n\n"
                f"::::{{grid}} 1 2 2 3\n:gutter: 3\n\n{cards}\n\n::::\n\n{toctree(section)}",
            )


def _card(page: str) -> str:
    title, first = told(page)
    return f":::{{grid-item-card}} {title}\n:link: /{page}\n:link-type: doc\n\n{first}\n:::"


def told(page: str) -> tuple[str, str]:
    """The title of a page and its first sentence, as plain text."""
    (source,) = (path for path in sources() if address(path) == page)
    return notebooks.opening(source.read_text(encoding="utf-8"))


def _with_children(text: str, page: str) -> str:
    """A page of ``docs`` that is the first of its section lists the others, unseen."""
    heads = {section.first: section for section in sections() if section.head is not None}
    return f"{text}\n\n{toctree(heads[page])}" if page in heads else text


def toctree(section: Section) -> str:
    """The pages of a section, which the bar at the side lists."""
    entries = "\n".join(_entry(page) for page in section.pages)
    return f"```{{toctree}}\n:hidden:\n\n{entries}\n```\n"


def _entry(page: str) -> str:
    return f"{_NAMED[page]} </{page}>" if page in _NAMED else f"/{page}"


def _code(path: Path) -> str:
    """The page that shows a file."""
    name = path.relative_to(ROOT).as_posix()
    language = {".py": "python", ".toml": "toml"}.get(path.suffix, "text")
    fence = "`" * 8
    return (
        "---\norphan: true\nnosearch: true\n---\n\n"
        f"# {name}\n\n{fence}{{code-block}} {language}\n:linenos:\n\n"
        f"{path.read_text(encoding='utf-8')}\n{fence}\n"
    )
