"""Damaged files of data, of every format that is read."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import zarr
from PIL import Image

import isthmus as ist
from benchmarks.torture import specimens
from benchmarks.torture.damage import damaged
from benchmarks.torture.trials import Kind, Outcome, judged

_AT_ONCE = 4
_IMAGES = ("png", "jpg", "bmp", "gif", "tiff", "webp")


class DamagedSources(Kind):
    """Bytes are changed in a file of data, which is then read, and sometimes trained on.

    Such files have no checksum of ours, so that other numbers may be read: what counts is that
    nothing but a sentence of ours comes of what cannot be read.
    """

    name = "sources"
    group = "damage"
    promise = (
        "A damaged file of data is read, or refused in one sentence that names it, in bounded time"
        " and memory."
    )
    target = 20_000
    share = 3.0

    def prepare(self) -> None:
        self.sources: dict[str, Path] = {}
        for name, write in WRITERS.items():
            place = self.folder / name
            place.mkdir()
            self.sources[name] = write(place)

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(list(self.sources))
        source = self.sources[name]
        found = sorted(path for path in (self.folder / name).rglob("*") if path.is_file())
        path = draw.choice(found)
        content = path.read_bytes()
        for _ in range(_AT_ONCE):
            deed, other = damaged(content, draw)
            path.write_bytes(other)
            used = draw.random() < 0.1
            what = f"{deed} in {path.relative_to(self.folder)}{', trained on' if used else ''}"
            yield judged(what, partial(_read, name, source, used))
        path.write_bytes(content)


def _read(name: str, source: Path, used: bool) -> Any:
    if name == "idx":
        return ist.data.load("mnist", data_dir=source)
    if name in _STREAMED:
        data = ist.data.load(source, stream=True)
        return specimens.brief("ae", epochs=1).fit(data.train.x)
    rows = ist.data.read(source, size=8 if name in (*_IMAGES, "folder") else None)
    return specimens.brief("ae", epochs=1).fit(rows.x) if used else rows


def _frame() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": draw.integers(18, 90, 40),
            "weight": draw.normal(70, 9, 40).round(2),
            "town": draw.choice(["Rome", "Oslo", "Bern"], 40),
            "day": pd.date_range("2024-01-01", periods=40).astype(str),
        }
    )


def _csv(folder: Path) -> Path:
    _frame().to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


def _tsv(folder: Path) -> Path:
    _frame().to_csv(folder / "a.tsv", index=False, sep="\t")
    return folder / "a.tsv"


def _gzipped(folder: Path) -> Path:
    (folder / "a.csv.gz").write_bytes(gzip.compress(_frame().to_csv(index=False).encode()))
    return folder / "a.csv.gz"


def _parquet(folder: Path) -> Path:
    _frame().to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def _parquets(folder: Path) -> Path:
    for part in ("a", "b"):
        _frame().to_parquet(folder / f"{part}.parquet")
    return folder


def _npy(folder: Path) -> Path:
    np.save(folder / "a.npy", specimens.examples("ae"))
    return folder / "a.npy"


def _npz(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", x=specimens.examples("ae"), y=np.arange(32) % 3)
    return folder / "a.npz"


def _hdf5(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"], file["y"] = specimens.examples("ae"), np.arange(32) % 3
    return folder / "a.h5"


def _zarr(folder: Path) -> Path:
    group = zarr.open_group(folder / "a.zarr", mode="w")
    group.create_array("x", data=specimens.examples("ae"))
    return folder / "a.zarr"


def _image(ending: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"a.{ending}")
        return folder / f"a.{ending}"

    return write


def _folder(folder: Path) -> Path:
    for label in ("cats", "dogs"):
        (folder / label).mkdir()
        for ending in _IMAGES:
            _image(ending)(folder / label)
    return folder


def _idx(folder: Path) -> Path:
    """MNIST's own format, of few images."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 20), ("t10k", 10)):
        pixels = draw.integers(0, 256, (count, 28, 28), np.uint8)
        images = struct.pack(">IIII", 2051, count, 28, 28) + pixels.tobytes()
        labels = struct.pack(">II", 2049, count) + bytes(i % 10 for i in range(count))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return folder


_STREAMED = {"streamed parquet": _parquets, "streamed h5": _hdf5, "streamed folder": _folder}
WRITERS: dict[str, Callable[[Path], Path]] = {
    "csv": _csv,
    "tsv": _tsv,
    "csv.gz": _gzipped,
    "parquet": _parquet,
    "parquets": _parquets,
    "npy": _npy,
    "npz": _npz,
    "h5": _hdf5,
    "zarr": _zarr,
    "idx": _idx,
    "folder": _folder,
    **{ending: _image(ending) for ending in _IMAGES},
    **_STREAMED,
}
