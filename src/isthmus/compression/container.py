"""What compressed data look like: a head, the streams of a member, and a checksum of both.

    magic       4 bytes, 93 69 73 74
    version     1 byte
    checksum    8 bytes of the model, 8 of its prior (zeros where none is needed)
    member      a length and its name
    method      1 byte: codes, or everything
    examples    their number, their type, their axes, the size of each
    streams     their number, the length of each
    the streams themselves
    CRC-32      4 bytes, of all before

Numbers without a size are written seven bits to a byte, the lowest first. Nothing in it is run.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from isthmus.compression.varints import damaged_data, read_varint, varint
from isthmus.core.example import Shape
from isthmus.errors import InputError

MAGIC = b"\x93ist"
VERSION = 1

Method = Literal["codes", "everything"]
METHODS: tuple[Method, ...] = get_args(Method)

_TYPES = ("f4", "f8", "u1", "u2", "f2", "i1", "i2", "i4", "i8", "u4", "u8", "b1", "O")
_CHECKSUM = 8
_MOST_AXES = 8
_LONGEST_NAME = 64
_MOST_NUMBERS = 2**40  # of one example


@dataclass(frozen=True)
class Identity:
    """Which model data belong to.

    Attributes:
        member: what it is called.
        model: the checksum of its weights and of what is known of its data, 8 bytes.
        prior: the checksum of the prior that codes were coded by, 8 bytes; zeros for none.
    """

    member: str
    model: bytes
    prior: bytes = bytes(_CHECKSUM)

    def __str__(self) -> str:
        return f"{self.member} with the checksum {self.model.hex()}"


@dataclass(frozen=True)
class ExampleForm:
    """How many examples were handed in, and what they looked like.

    Attributes:
        n: how many.
        shape: the sizes of one.
        dtype: the type of their array; that of objects for frames and lists.
    """

    n: int
    shape: Shape
    dtype: np.dtype[np.generic] = field(default_factory=lambda: np.dtype(np.float32))


@dataclass(frozen=True)
class Coded:
    """Examples as a member codes them.

    Attributes:
        form: what was handed in.
        streams: what the member needs to give them back.
        method: ``"codes"``, from which they are reconstructed, or ``"everything"``.
        by_prior: whether the model's fitted prior is needed to read them.
    """

    form: ExampleForm
    streams: tuple[bytes, ...]
    method: Method = "codes"
    by_prior: bool = False


def coded_bytes(coded: Coded, identity: Identity) -> bytes:
    """Compressed data as bytes, with a head that says of which model they are."""
    form, name = coded.form, identity.member.encode()
    dtype = f"{form.dtype.kind}{form.dtype.itemsize}" if form.dtype.kind != "O" else "O"
    if dtype not in _TYPES or len(name) > _LONGEST_NAME or len(form.shape) > _MOST_AXES:
        raise InputError(
            f"examples of shape {form.shape} and type {form.dtype} cannot be compressed: give an"
            " array of float32 or uint8."
        )
    head = (
        *(MAGIC, bytes([VERSION]), identity.model, identity.prior),
        *(varint(len(name)), name, bytes([METHODS.index(coded.method), _TYPES.index(dtype)])),
        *(varint(form.n), varint(len(form.shape)), *map(varint, form.shape)),
        *(varint(len(coded.streams)), *(varint(len(stream)) for stream in coded.streams)),
    )
    content = b"".join((*head, *coded.streams))
    return content + zlib.crc32(content).to_bytes(4, "little")


def read_coded(content: bytes) -> tuple[Coded, Identity]:
    """The inverse of :func:`coded_bytes`.

    Raises:
        InputError: for what is foreign, of a later version, or damaged.
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        raise InputError(f"data is a {type(content).__name__}: give the bytes that compress made.")
    content = bytes(content)
    if content[: len(MAGIC)] != MAGIC:
        raise InputError(
            "these are no compressed data of isthmus, which begin otherwise: give what compress"
            " made."
        )
    if len(content) < 32 or zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        raise InputError(
            "the compressed data do not match their checksum, so they were damaged or cut: restore"
            " them from a copy."
        )
    if content[4] != VERSION:
        raise InputError(
            f"the compressed data are of version {content[4]}, but this isthmus knows version"
            f" {VERSION}: upgrade it."
        )
    return _Head(content[:-4]).read()


class _Head:
    """Reads what :func:`coded_bytes` wrote, of which nothing is believed."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, len(MAGIC) + 1

    def read(self) -> tuple[Coded, Identity]:
        model, prior = self.taken(_CHECKSUM), self.taken(_CHECKSUM)
        name = self.taken(self.number(_LONGEST_NAME))
        if not (name.isascii() and name.decode("ascii").isprintable()):
            raise damaged_data()
        method, dtype = self.taken(2)
        if method >= len(METHODS) or dtype >= len(_TYPES):
            raise damaged_data()
        n = self.number(2**48)
        shape = tuple(self.number(2**40) for _ in range(self.number(_MOST_AXES)))
        if n == 0 or 0 in shape or _product(shape) > _MOST_NUMBERS:
            raise damaged_data()
        lengths = [self.number(len(self.content)) for _ in range(self.number(len(self.content)))]
        streams = tuple(self.taken(length) for length in lengths)
        if self.place != len(self.content):
            raise damaged_data()
        form = ExampleForm(n, shape, np.dtype(_TYPES[dtype]))
        return Coded(form, streams, METHODS[method], any(prior)), Identity(
            name.decode(), model, prior
        )

    def number(self, most: int) -> int:
        """A number of at most so much."""
        value, self.place = read_varint(self.content, self.place)
        if value > most:
            raise damaged_data()
        return value

    def taken(self, size: int) -> bytes:
        """The next bytes."""
        found = self.content[self.place : self.place + size]
        if len(found) != size:
            raise damaged_data()
        self.place += size
        return found


def _product(sizes: Shape) -> int:
    found = 1
    for size in sizes:
        found *= size
    return found
