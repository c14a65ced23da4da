"""The front page: pictures, each of which leads to the page and to the code that made it."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from website.links import code_page, outside_code
from website.notebooks import opening, plain
from website.sections import DOCS, ROOT, address, sections, sources

_PICTURE = re.compile(r"^!\[([^\]]+)\]\(([^)\s]+\.png)\)", re.MULTILINE)
_MAKERS = {  # by folder or by name: the file whose function draws it
    "members": "benchmarks/members.py",
    "course": "benchmarks/course.py",
    "course/sound": "benchmarks/sound_page.py",
    "properties": "benchmarks/properties.py",
    "styles": "benchmarks/members.py",
    "series": "benchmarks/series.py",
    "dictionaries": "benchmarks/dictionaries.py",
    "tiles": "benchmarks/tiles.py",
    "performance": "benchmarks/speed_page.py",
    "scaling": "benchmarks/speed_page.py",
    "rate-distortion": "benchmarks/rate_distortion_pictures.py",
    "rate-distortion-details": "benchmarks/rate_distortion_pictures.py",
    "compare": "src/isthmus/_cli/demo.py",
}
_LAST = ("curves", "performance", "scaling", "course/digits")  # for whoever looks for them
_FIRST = (
    "compare",
    "ae-grid",
    "vae-plane",
    "styles",
    "course/denoising-path",
    "course/quantised",
    "clustering",
)


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    Attributes:
        file: where it lies.
        says: what it shows, in the words of its page.
        page: the page on which it stands first.
    """

    file: Path
    says: str
    page: Path

    @property
    def name(self) -> str:
        """Its name below ``docs/images``, without a suffix."""
        return self.file.relative_to(DOCS / "images").with_suffix("").as_posix()

    @property
    def address(self) -> str:
        """The address of its own page."""
        return f"gallery/{self.name.replace('/', '-')}"

    @property
    def maker(self) -> Path:
        """The file of the repository that draws it."""
        kinds = (self.name.rpartition("/")[0], self.name.partition("/")[0])
        return ROOT / next(_MAKERS[kind] for kind in kinds if kind in _MAKERS)

    @property
    def rank(self) -> tuple[int, int]:
        """Where it stands in the gallery."""
        first = [at for at, word in enumerate(_FIRST) if word in self.name]
        is_last = any(word in self.name for word in _LAST)
        return (2, 0) if is_last else (0, first[0]) if first else (1, 0)


@cache
def pictures() -> tuple[Picture, ...]:
    """Every picture of the English pages, the most telling first."""
    found: dict[Path, Picture] = {}

    def note(prose: str, page: Path) -> str:
        for says, target in _PICTURE.findall(prose):
            file = (page.parent / target).resolve()
            found.setdefault(file, Picture(file, plain(says), page))
        return prose

    readable = (page for page in sources() if "zh-" not in page.as_posix())
    for page in readable:
        outside_code(page.read_text(encoding="utf-8"), lambda prose, page=page: note(prose, page))
    return tuple(sorted(found.values(), key=lambda picture: picture.rank))


def sources_of_code() -> set[Path]:
    """The files that draw them."""
    return {picture.maker for picture in pictures()}


def pages() -> Iterator[tuple[str, str]]:
    """The front page, and a page for each picture."""
    yield "index", _front()
    for picture in pictures():
        yield picture.address, _alone(picture)


def _front() -> str:
    tiles = "\n".join(_tile(picture) for picture in pictures())
    entries = "\n".join(f"{section.title} </{section.first}>" for section in sections())
    entries = entries.replace("\nResults", "\nAPI </api/index>\nResults")
    hero = (Path(__file__).parent / "front.html").read_text(encoding="utf-8")
    return (
        "---\nhtml_theme.sidebar_secondary.remove: true\n---\n\n"
        f"# isthmus\n\n```{{raw}} html\n{hero}\n<div class='gallery'>\n{tiles}\n</div>\n```\n\n"
        f"```{{toctree}}\n:hidden:\n\n{entries}\n```\n"
    )


def _tile(picture: Picture) -> str:
    title, _ = opening(picture.page.read_text(encoding="utf-8"))
    page, source = f"{address(picture.page)}.html", f"{picture.address}.html"
    return (
        f'<figure class="tile"><a href="{page}"><img src="_images/{picture.file.name}"'
        f' alt="{picture.says}" loading="lazy"></a>'
        f'<figcaption><a href="{page}">{title}</a><a href="{source}">code</a>'
        f"<p>{picture.says}</p></figcaption></figure>"
    )


def _alone(picture: Picture) -> str:
    """The page of a picture: large, with the code that drew it."""
    title, _ = opening(picture.page.read_text(encoding="utf-8"))
    image = posixpath.relpath(picture.file.relative_to(DOCS).as_posix(), "gallery")
    maker = picture.maker.relative_to(ROOT).as_posix()
    function = drawing(picture)
    code = f"````{{code-block}} python\n{function}\n````\n" if function else ""
    return (
        f"---\norphan: true\nnosearch: true\n---\n\n# {title}\n\n"
        f"{picture.says}.\n\n![{picture.says}]({image})\n\n"
        f"From the page [{title}](/{address(picture.page)}.md); drawn by"
        f" [{maker}](/{code_page(picture.maker)}.md).\n\n{code}"
    )


def drawing(picture: Picture) -> str | None:
    """The function that draws a picture, where it has one of its own, named after it."""
    text = picture.maker.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == picture.file.stem.replace("-", "_"):
            return ast.get_source_segment(text, node)
    return None
