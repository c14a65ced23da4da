"""Ways to damage bytes, and ways to damage the structure of JSON."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

Damage = Callable[[bytearray, random.Random], bytearray]
_BLOCK = 64


def damaged(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """Bytes that differ from these, and how, in a word; an empty file can only grow."""
    while True:
        name = draw.choice(list(DAMAGES)) if content else "insert"
        other = bytes(DAMAGES[name](bytearray(content), draw))
        if other != content:
            return name, other


def _flip(content: bytearray, draw: random.Random) -> bytearray:
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return content


def _replace(content: bytearray, draw: random.Random) -> bytearray:
    content[draw.randrange(len(content))] = draw.randrange(256)
    return content


def _digit(content: bytearray, draw: random.Random) -> bytearray:
    """Another digit in place of one: what a text still means something with."""
    places = [found.start() for found in re.finditer(rb"[0-9]", content)]
    if places:
        content[draw.choice(places)] = ord(draw.choice("0123456789"))
    return content


def _cut(content: bytearray, draw: random.Random) -> bytearray:
    return content[: draw.randrange(len(content))]


def _drop(content: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(len(content))
    del content[start : start + draw.randint(1, _BLOCK)]
    return content


def _insert(content: bytearray, draw: random.Random) -> bytearray:
    place = draw.randint(0, len(content))
    content[place:place] = draw.randbytes(draw.randint(1, _BLOCK))
    return content


def _zero(content: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(len(content))
    stop = min(start + draw.randint(1, _BLOCK), len(content))
    content[start:stop] = bytes(stop - start)
    return content


def _swap(content: bytearray, draw: random.Random) -> bytearray:
    size = draw.randint(1, min(_BLOCK, len(content)))
    a, b = (draw.randint(0, len(content) - size) for _ in range(2))
    content[a : a + size], content[b : b + size] = content[b : b + size], content[a : a + size]
    return content


def _twice(content: bytearray, draw: random.Random) -> bytearray:
    return content + content[: draw.randint(1, len(content))]


def _noise(content: bytearray, draw: random.Random) -> bytearray:
    return bytearray(draw.randbytes(draw.randint(0, 2 * _BLOCK)))


DAMAGES: dict[str, Damage] = {
    "flip": _flip,
    "replace": _replace,
    "digit": _digit,
    "cut": _cut,
    "drop": _drop,
    "insert": _insert,
    "zero": _zero,
    "swap": _swap,
    "twice": _twice,
    "noise": _noise,
}


STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**400,
    0.5,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\x00",
    "\ud800",
    "ae" * 5000,
    [],
    [[]],
    [0],
    ["x"],
    [float("nan")] * 3,
    {},
    {"x": 1},
)
"""Values that stand where another kind of value should."""


def deep(levels: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def places(tree: Any) -> list[tuple[Any, Any]]:
    """All nodes of a tree of dictionaries and lists: what holds them, and under which key."""
    found: list[tuple[Any, Any]] = []
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        found.append((tree, key))
        if isinstance(value, dict | list):
            found += places(value)
    return found


def restructured(tree: Any, draw: random.Random) -> str:
    """Change one node of a tree of JSON; gives what was done to it, in words."""
    holder, key = draw.choice(places(tree))
    deed = draw.choice(("strange", "strange", "gone", "renamed", "deep", "longer", "other"))
    if deed == "gone":
        del holder[key]
    elif deed == "renamed" and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif deed == "deep":
        holder[key] = deep(draw.choice((5, 200, 900)))
    elif deed == "longer" and isinstance(holder[key], list):
        holder[key] = holder[key] * 2 + [holder[key]]
    elif deed == "other":
        other, place = draw.choice(places(tree))
        holder[key] = other[place] if not isinstance(other[place], dict | list) else 3
    else:
        holder[key] = draw.choice(STRANGE)
        deed = f"{_short(holder[key])}"
    return f"{key!r}: {deed}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) < 30 else f"{text[:25]}…"
