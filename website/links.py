"""Links of the pages: those of the repository become those of the site, others are looked at."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from website.sections import DOCS, ROOT, address

_SHOWN = r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]"
_LINK = re.compile(rf"({_SHOWN})\(([^)\s]+)\)")
# code between fences, code in a line, and links, whose text may hold code
_CODE = re.compile(
    rf"^(```|~~~).*?^\1\s*?$|(?P<link>{_SHOWN}\([^)\s]+\))|(`+)[^`].*?\3",
    re.DOTALL | re.MULTILINE,
)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change what stands between the code of a page, and leave the code as it is; a link whose text
    holds code is no code.
    """
    parts, at = [], 0
    for code in _CODE.finditer(text):
        if code["link"]:
            continue
        parts += [change(text[at : code.start()]), code.group()]
        at = code.end()
    return "".join([*parts, change(text[at:])])


def relinked(text: str, source: Path, target_of: Callable[[Path], str | None]) -> str:
    """A page whose links to files are changed: ``target_of`` says to what, None to no link.

    What follows ``#`` stays, and so does every link to the net.
    """

    def changed(match: re.Match[str]) -> str:
        shown, (target, hash_, fragment) = match[1], match[2].partition("#")
        if "://" in target or not target or target.startswith(("mailto:", "data:")):
            return match.group()
        new = target_of((source.parent / target).resolve())
        return shown[1:-1] if new is None else f"{shown}({new}{hash_}{fragment})"

    return outside_code(text, lambda prose: _LINK.sub(changed, prose))


def in_site(source: Path, wanted: set[Path]) -> Callable[[Path], str]:
    """What the links of a page become in the site, beside which pictures lie as they do here.

    A file that is neither page nor picture gets a page with its text; it is added to ``wanted``.
    """
    here = posixpath.dirname(address(source))

    def target_of(path: Path) -> str:
        if path.suffix == ".md":
            place = f"{address(path)}.md"
        elif path.is_relative_to(DOCS):
            place = path.relative_to(DOCS).as_posix()
        else:
            wanted.add(path)
            place = f"{code_page(path)}.md"
        return posixpath.relpath(place, here or ".")

    return target_of


def code_page(path: Path) -> str:
    """The address of the page that shows a file of the repository."""
    return f"code/{path.relative_to(ROOT).as_posix()}"


def external(text: str) -> Iterator[str]:
    """The addresses in the net to which a page links."""
    prose = _CODE.sub(lambda found: found["link"] or "", text)
    yield from (link for _, link in _LINK.findall(prose) if "://" in link)
    yield from re.findall(r"<(https?://[^>\s]+)>", prose)


def is_well_formed(link: str) -> bool:
    """Whether an address could be one: https, a host with a dot, nothing that must be quoted."""
    parts = urlsplit(link)
    return (
        parts.scheme == "https"
        and "." in parts.netloc
        and re.fullmatch(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", link) is not None
    )


def code_host() -> str | None:
    """``owner/name`` of the project on GitHub, where the variable of its workflows or git says so.

    Colab opens notebooks from there alone.
    """
    if named := os.environ.get("GITHUB_REPOSITORY"):
        return named
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "remote", "get-url", "origin"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?$", asked.stdout.strip())
    return found[1] if found else None
