"""Whole numbers in as few bytes as they need, seven bits in each, the lowest first."""

from __future__ import annotations

from isthmus.errors import InputError

_LONGEST = 9  # bytes of a number below 2**63


def varint(value: int) -> bytes:
    """A whole number from 0 on in as few bytes as it needs, seven bits in each."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def read_varint(content: bytes, start: int) -> tuple[int, int]:
    """A number that :func:`varint` wrote, and where the next thing begins."""
    value = 0
    for place in range(_LONGEST):
        if start + place >= len(content):
            break
        byte = content[start + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80 and value < 2**63:
            return value, start + place + 1
    raise damaged_data()


def damaged_data() -> InputError:
    """The error for what cannot have been written by us."""
    return InputError("the compressed data are damaged: restore them from a copy.")
