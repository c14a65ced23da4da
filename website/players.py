"""Sounds of the pages: a link to a sound file, which GitHub plays by itself, becomes a player."""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path

from website.links import outside_code
from website.sections import DOCS, address

_SOUND = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+\.(?:wav|flac|ogg|mp3))\)")
FOLDER = "sounds"


def with_players(text: str, source: Path, found: set[Path]) -> str:
    """A page whose links to sounds are players, each with the words of its link beside it.

    Sounds lie in ``sounds/`` of the site; their files are added to ``found``.
    """
    here = posixpath.dirname(address(source))

    def player(match: re.Match[str]) -> str:
        path = (source.parent / match[2]).resolve()
        found.add(path)
        target = posixpath.relpath(in_site(path), here or ".")
        name = html.escape(match[1])
        return (
            f'<audio controls preload="none" aria-label="{name}" src="{target}"></audio> {match[1]}'
        )

    return outside_code(text, lambda prose: _SOUND.sub(player, prose))


def in_site(path: Path) -> str:
    """Where a sound of the repository lies in the site."""
    return f"{FOLDER}/{path.relative_to(DOCS).as_posix()}"
