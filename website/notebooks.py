"""Pages as notebooks: the same Markdown, whose Python becomes cells."""

from __future__ import annotations

import ast
import base64
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt
from nbformat import NotebookNode, v4

import isthmus
from website.languages import CHINESE, language_of
from website.links import code_host, relinked
from website.sections import DOCS, address, addresses

MEMBERS = ("ae", "vae", "sparse", "denoising", "clustering", "vqvae")
BRANCH = "gh-pages"  # to which the site is published; Colab opens what lies on the code host
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_WORDS = {
    "en": ("Notebook:", "download", "open in Colab", "open Colab, and upload it there"),
    CHINESE: ("Notebook：", "下載", "在 Colab 開啟", "開啟 Colab，再上傳"),
}


def pages() -> list[Path]:
    """The pages that are notebooks too: the course, the properties, and six members."""
    course = [DOCS / f"{page}.md" for page in addresses("course")]
    return [
        *(path for path in course if path.exists()),
        *(DOCS / f"{page}.md" for page in addresses("properties")),
        *(DOCS / "members" / f"{name}.md" for name in MEMBERS),
    ]


def write(target: Path) -> None:
    """Write all notebooks into a folder, under the addresses of their pages."""
    for page in pages():
        path = target / f"{address(page)}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook(page), path)


def notebook(page: Path) -> NotebookNode:
    """A page as a notebook without outputs; its first cell installs the package."""
    text = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    cells = [v4.new_code_cell(install())]
    for is_code, part in parts(text):
        if is_code:
            cells += [v4.new_code_cell(cell) for cell in shown(part)]
        elif part.strip():
            cells.append(v4.new_markdown_cell(_alone(part, page).strip()))
    for at, cell in enumerate(cells):  # ids of their own, not drawn: the same page, the same file
        cell.id = f"cell-{at}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.validate(made)
    return made


def install() -> str:
    """The first cell: what a bare notebook needs; nothing is done where the package is there.

    Without a code host it takes the file that the page on installing makes, and never a name from a
    public index, where anybody could have taken it.
    """
    host = code_host()
    wheel = f"isthmus-{isthmus.__version__}-py3-none-any.whl"
    source = f'"isthmus @ git+https://github.com/{host}"' if host else wheel
    beside = "" if host else ", from the file that the page on installing says how to make"
    return (
        f"# installs isthmus where it is missing{beside}\n"
        "from importlib.util import find_spec\n\n"
        'if find_spec("isthmus") is None:\n'
        f"    %pip install --quiet {source}"
    )


def parts(text: str) -> Iterator[tuple[bool, str]]:
    """A page cut into prose and Python, in its order: whether it is code, and the text."""
    lines, at = text.splitlines(keepends=True), 0
    for token in MarkdownIt().parse(text):
        if token.type == "fence" and token.info.strip() == "python" and token.level == 0:
            assert token.map is not None  # every token of a block knows its lines
            yield False, "".join(lines[at : token.map[0]])
            yield True, token.content
            at = token.map[1]
    yield False, "".join(lines[at:])


def shown(code: str) -> Iterator[str]:
    """The cells of a block: where a figure is saved to a file, a cell ends that shows it."""
    lines, start = code.splitlines(keepends=True), 0
    for node in ast.parse(code).body:
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="savefig", value=figure))):
                before = "".join(lines[start : node.lineno - 1])
                yield (before + (ast.get_source_segment(code, figure) or "")).strip("\n")
                start = node.end_lineno or start
    rest = "".join(lines[start:]).strip("\n")
    if rest:
        yield rest


def _alone(text: str, page: Path) -> str:
    """Prose that needs no other file: pictures are in it, links to other pages are their words."""

    def target_of(path: Path) -> str | None:
        if path.suffix == ".png":
            return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
        return None

    return relinked(text, page, target_of)


def with_bar(text: str, page: Path) -> str:
    """A page whose notebook can be had from it: a line below its title says where."""
    if page not in pages():
        return text
    title, rest = text.split("\n", 1)
    return f"{title}\n\n```{{raw}} html\n{_bar(address(page))}\n```\n{rest}"


def _bar(place: str) -> str:
    named, download, colab, upload = _WORDS[language_of(place)]
    file = f"notebooks/{place}.ipynb"
    here = posixpath.relpath(file, posixpath.dirname(place) or ".")
    host = code_host()
    there = (
        f"https://colab.research.google.com/{f'github/{host}/blob/{BRANCH}/{file}' if host else ''}"
    )
    return (
        f'<p class="notebook-bar">{named} <a href="{here}" download>{download}</a> · '
        f'<a href="{there}">{colab if host else upload}</a></p>'
    )


def opening(text: str) -> tuple[str, str]:
    """The title of a page and its first sentence, as plain text."""
    title, *blocks = re.split(r"\n{2,}", _FENCE.sub("", text).lstrip())
    prose = (block for block in blocks if re.match(r"[^\s!|<#>-]", block))
    first = plain(next(prose, "")).replace("\n", " ")
    return plain(title.lstrip("# ")), re.split(r"(?<=[.:!?。])(?:\s|(?<=。))", first)[0].rstrip(":")


def plain(text: str) -> str:
    """Markdown without its marks."""
    text = re.sub(r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)", "", text, flags=re.DOTALL)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*`]|\$(?=\S)|(?<=\S)\$", "", text).strip()
