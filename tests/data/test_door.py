"""The door through which data come: a damaged file gives values, or one sentence of ours."""

from __future__ import annotations

import gzip
import os
import random
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import isthmus as ist
from isthmus.data._sources import trial
from isthmus.data._sources.door import entering
from isthmus.data._sources.trial import require_survival
from isthmus.errors import DataWarning, InputError, MemoryLimitError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = RNG.integers(0, 3, 40)
FRAME = pd.DataFrame(X, columns=list("abc")).assign(k=RNG.choice(list("pq"), 40))
PIXELS = RNG.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
TRIALS = 25
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")


def images(folder: Path, suffix: str) -> Path:
    for place, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(folder / f"{place}{suffix}")
    return folder


def written(path: Path, write: Callable[[Path], object]) -> Path:
    write(path)
    return path


def hdf5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=X, chunks=(10, 3), compression="gzip", fletcher32=True)


def zarr(path: Path) -> None:
    array = pytest.importorskip("zarr").open(
        str(path), mode="w", shape=X.shape, chunks=(10, 3), dtype="f4"
    )
    array[:] = X


def idx(folder: Path) -> Path:
    for part, count in (("train", 20), ("t10k", 10)):
        x, y = RNG.integers(0, 256, (count, 28, 28)), np.arange(count) % 10
        for name, values in (("images-idx3", x), ("labels-idx1", y)):
            head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            with gzip.open(folder / f"{part}-{name}-ubyte.gz", "wb") as file:
                file.write(head + values.astype(np.uint8).tobytes())
    return folder


MADE: dict[str, Callable[[Path], Path]] = {
    "npy": lambda p: written(p / "x.npy", lambda path: np.save(path, X)),
    "npz": lambda p: written(p / "x.npz", lambda path: np.savez_compressed(path, x=X, y=Y)),
    "csv": lambda p: written(p / "x.csv", lambda path: FRAME.to_csv(path, index=False)),
    "csv.gz": lambda p: written(p / "x.csv.gz", lambda path: FRAME.to_csv(path, index=False)),
    "parquet": lambda p: written(p / "x.parquet", FRAME.to_parquet),
    "h5": lambda p: written(p / "x.h5", hdf5),
    "zarr": lambda p: written(p / "x.zarr", zarr),
    **{suffix: lambda p, s=suffix: images(p, s) for suffix in (".png", ".jpg", ".tiff", ".gif")},
}
CHECKED = ("npz", "csv.gz", ".png", "idx")
"""Formats with a checksum of their own, in which no other values can come out."""


def values_of(source: Any, **options: Any) -> bytes:
    data = ist.data.load(source, **options)
    found = [part.x for part in (data.train, data.test)] + [data.train.y, data.test.y]
    return b"".join(
        x.to_csv().encode() if hasattr(x, "iloc") else np.asarray(x[:]).tobytes()
        for x in found
        if x is not None
    )


def damaged(content: bytes, random: random.Random) -> bytes:
    """A bit turned, an end cut, bytes put in, taken out, exchanged or made zero."""
    changed, place = bytearray(content), random.randrange(len(content))
    match random.randrange(6):
        case 0:
            changed[place] ^= 1 << random.randrange(8)
        case 1:
            del changed[place:]
        case 2:
            changed[place:place] = random.randbytes(random.choice([1, 100]))
        case 3:
            del changed[place : place + random.choice([1, 50])]
        case 4:
            other = random.randrange(len(content))
            changed[place], changed[other] = changed[other], changed[place]
        case _:
            changed[place : place + 64] = bytes(len(changed[place : place + 64]))
    return bytes(changed)


def attack(source: Path, load: Callable[[], bytes], kind: str) -> None:
    whole, chance = load(), random.Random(0)
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    for _ in range(TRIALS):
        file = chance.choice(files)
        content = file.read_bytes()
        file.write_bytes(damaged(content, chance))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DataWarning)
            try:
                found = load()
            except InputError as error:
                assert str(source.parent) in str(error)
                assert "\n" not in str(error)
            else:
                assert kind not in CHECKED or found == whole
        file.write_bytes(content)
    assert load() == whole


@pytest.mark.parametrize("kind", MADE)
def test_a_damaged_file_gives_values_or_one_sentence(kind: str, tmp_path: Path) -> None:
    source = MADE[kind](tmp_path)
    attack(source, lambda: values_of(source), kind)


@pytest.mark.parametrize("kind", ["parquet", "h5", "zarr", ".png"])
def test_a_damaged_stream_does_too(kind: str, tmp_path: Path) -> None:
    if kind == "parquet":
        numbers = pd.DataFrame(X, columns=list("abc"))
        source = written(tmp_path / "x.parquet", numbers.to_parquet)
    else:
        source = MADE[kind](tmp_path)
    attack(source, lambda: values_of(source, stream=True), kind)


def test_damaged_files_of_a_known_set_are_named(tmp_path: Path) -> None:
    folder = idx(tmp_path)
    attack(folder, lambda: values_of("mnist", data_dir=folder), "idx")


def test_what_a_reader_warns_of_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.fromarray(PIXELS[0]).save(path, software="a text that says who wrote it")
    content = path.read_bytes()
    tag = struct.pack("<HH", 305, 2)  # that text, which is now as long as no file of ours
    assert content.count(tag) == 1
    head = content.index(tag) + len(tag)
    path.write_bytes(content[:head] + struct.pack("<I", 10**6) + content[head + 4 :])
    with pytest.warns(DataWarning, match=r"a\.tiff: its reader says: .*; check what was read\."):
        rows = ist.data.read(path)
    np.testing.assert_array_equal(rows.x[0], PIXELS[0].transpose(2, 0, 1))


@on_linux
def test_a_reader_that_dies_of_a_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"anything")

    def die() -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def stray() -> None:
        raise RuntimeError("said by the second reading")

    with pytest.raises(
        InputError, match=r"x\.h5 is damaged or incomplete \(a process that read it d"
    ):
        require_survival(path, die)
    require_survival(path, stray)
    before = os.getpid()
    require_survival(path, lambda: None)
    assert os.getpid() == before


@on_linux
def test_a_reader_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_PATIENCE", 0.1)
    (tmp_path / "x.h5").write_bytes(b"")
    with pytest.raises(InputError, match=r"a process that read it never ended\): write or copy"):
        require_survival(tmp_path / "x.h5", lambda: time.sleep(60))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (KeyError("x"), InputError, r"^x\.csv is damaged or incomplete \('x'\): write or copy it"),
        (RecursionError(), InputError, r"damaged or incomplete \(RecursionError\): write or copy"),
        (PermissionError(13, "denied"), InputError, r"cannot be read \(denied\): check that it is"),
        (MemoryError(), MemoryLimitError, r"takes more memory than there is: split it"),
        (InputError("ours."), InputError, r"^ours\.$"),
    ],
)
def test_every_error_becomes_one_of_ours(
    error: Exception, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message), entering(Path("x.csv")):
        raise error


def test_warnings_of_ours_and_of_libraries_pass_as_they_are() -> None:
    for kind in (DataWarning, DeprecationWarning):
        with pytest.warns(kind, match=r"^as it is$"), entering(Path("x.csv")):
            warnings.warn("as it is", kind, stacklevel=1)
    said = r"^x\.csv: its reader says: two lines; check"
    with pytest.warns(DataWarning, match=said), entering(Path("x.csv")):
        warnings.warn("two\nlines", RuntimeWarning, stacklevel=1)
