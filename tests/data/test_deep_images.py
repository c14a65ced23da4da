"""Images of 16 bits: they stay so, and meet others in words."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.data import read
from isthmus.errors import DataWarning, InputError

DEEP = np.array([[0, 1, 256], [40_000, 65_534, 65_535]], np.uint16)
SHALLOW = np.array([[0, 1, 2], [128, 254, 255]], np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def save_deep_colours(path: Path, size: int = 2) -> Path:
    """Write a PNG of one colour with 16 bits each, which Pillow cannot."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", size, size, 16, 2, 0, 0, 0)
    line = b"\0" + struct.pack(">HHH", 65535, 32896, 0) * size
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(line * size)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    return path


@pytest.mark.parametrize(
    ("name", "pixels"),
    [("a.png", DEEP), ("a.tif", DEEP), ("a.tif", DEEP.astype(">u2")), ("a.tif", DEEP.astype(int))],
)
def test_sixteen_bits_stay_sixteen(tmp_path, name, pixels):
    path = save(tmp_path / name, pixels.astype(np.int32) if pixels.dtype == int else pixels)
    x = read(path).x
    assert x.dtype == np.uint16
    np.testing.assert_array_equal(x, DEEP[None, None])


def test_sixteen_bits_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    x = read(save(tmp_path / "a.png", DEEP, exif=exif)).x
    np.testing.assert_array_equal(x[0, 0], np.rot90(DEEP, -1))


def test_sixteen_bits_are_resized_within_their_range(tmp_path):
    step = np.repeat(np.array([[0, 65535]], np.uint16), 8, axis=1).repeat(8, axis=0)
    x = read(save(tmp_path / "a.png", step), size=(8, 12)).x
    assert (x.shape, x.dtype, x.min(), x.max()) == ((1, 1, 8, 12), np.uint16, 0, 65535)
    # the step is where it was, and between its ends
    assert (x[0, 0, 0, :5] < 20_000).all() and (x[0, 0, 0, 7:] > 45_000).all()


def test_eight_bits_among_sixteen_keep_their_greys(tmp_path):
    save(tmp_path / "a.png", DEEP)
    save(tmp_path / "b.png", SHALLOW)
    with pytest.warns(DataWarning, match=r"1 of 2 images have 16 .* read as 16, in which white is"):
        x = read(tmp_path).x
    np.testing.assert_array_equal(x[0, 0], DEEP)
    np.testing.assert_array_equal(x[1, 0] / 65535, SHALLOW / 255)


def test_among_colours_sixteen_bits_become_eight(tmp_path):
    save(tmp_path / "a.png", DEEP)
    save(tmp_path / "b.png", np.full((2, 3, 3), 9, np.uint8))
    with pytest.warns(DataWarning, match=r"1 of 2 images .* all are read as 8, as colours are"):
        x = read(tmp_path).x
    assert (x.shape, x.dtype) == ((2, 3, 2, 3), np.uint8)
    np.testing.assert_array_equal(x[0], np.rint(DEEP / 257)[None].repeat(3, axis=0))


def test_sixteen_bits_a_colour_are_cut_with_a_warning(tmp_path):
    path = save_deep_colours(tmp_path / "a.png")
    with pytest.warns(DataWarning, match="of 16 bits a colour, 8 are read .*, such as a.png"):
        x = read(path).x
    assert (x.dtype, x[0, :, 0, 0].tolist()) == (np.uint8, [255, 128, 0])


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (
            np.array([[0, 65_536]], np.int32),
            "holds values from 0 to 65536, beyond 16 bits: save",
        ),
        (np.array([[-1, 5]], np.int32), "holds values from -1 to 5, beyond 16 bits"),
        (np.array([[0.5, 1]], np.float32), r"holds floating-point values \(F\): save it with"),
    ],
)
def test_what_no_image_of_sixteen_bits_holds_is_refused(tmp_path, pixels, message):
    with pytest.raises(InputError, match=rf"a.tif {message}"):
        read(save(tmp_path / "a.tif", pixels))
