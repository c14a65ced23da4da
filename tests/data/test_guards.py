"""Files that never end, or claim more than they hold: refused at once, in one sentence."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus as ist
from isthmus.core import memory
from isthmus.core.paths import as_path
from isthmus.data._sources import guards


@pytest.mark.parametrize(
    "name", ["x.csv", "x.csv.gz", "x.npy", "x.npz", "x.h5", "x.parquet", "x.png", "x.zarr"]
)
def test_a_pipe_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ist.InputError, match=rf"{name} is a pipe, not a file: write what it gives"):
        ist.data.load(tmp_path / name)


@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x.png"])
def test_a_device_is_refused_also_behind_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(ist.InputError, match="is a device, not a file"):
        ist.data.load(tmp_path / name)


def test_a_pipe_in_a_folder_of_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "x.png")
    with pytest.raises(ist.InputError, match=r"x\.png is a pipe"):
        ist.data.load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "checkpoint.safetensors"])
def test_a_pipe_in_a_run_is_refused(tmp_path: Path, name: str) -> None:
    x = np.random.default_rng(0).random((20, 3))
    run = ist.AE(epochs=1, verbose=0).fit(x).save(tmp_path / "run")
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(ist.InputError, match=name):
        if name == "checkpoint.safetensors":
            ist.AE(epochs=1, verbose=0, checkpoint_dir=str(run)).fit(x)
        ist.load(run)


def test_a_link_to_itself_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "x.csv").symlink_to("x.csv")
    with pytest.raises(ist.InputError, match="does not exist"):
        ist.data.load(tmp_path / "x.csv")


@pytest.mark.parametrize("text", [b"a" * 2**20, b"0,0\n" * 2**18])
def test_a_packed_text_that_fills_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr(guards, "_LARGE", 2**20)
    path = tmp_path / "x.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"a,b\n")
        for _ in range(8):
            file.write(text)
    with pytest.raises(ist.InputError, match=r"x.csv.gz claims to hold [\d.]+ MB in [\d.]+ kB"):
        ist.data.load(path)


def test_a_packed_text_of_its_usual_size_is_read(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((500, 3))
    with gzip.open(tmp_path / "x.csv.gz", "wt") as file:
        file.write("a,b,c\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    assert np.array_equal(ist.data.read(tmp_path / "x.csv.gz").x.to_numpy(), rows)


def test_an_archive_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    head = io.BytesIO()
    said = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(head, said)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(800))
    with pytest.raises(ist.InputError, match=r"x.npz claims to hold 7.28 TB in \d+ bytes"):
        ist.data.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("shape", "chunks", "message"),
    [
        ((10**6, 10**4), None, r"claims to hold 74.5 GB in [\d.]+ kB"),
        ((10**6, 10), (1, 10), r"claims 1,000,000 chunks, of which 0 are there"),
    ],
)
def test_an_array_that_is_not_there_is_refused(
    tmp_path: Path, shape: tuple[int, int], chunks: tuple[int, int] | None, message: str
) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", shape, "f8", chunks=chunks)
    with pytest.raises(ist.InputError, match=message):
        ist.data.load(tmp_path / "x.h5")


def test_chunks_that_are_not_there_are_refused(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = str(tmp_path / "x.zarr")
    zarr.create_array(path, shape=(10**6, 1), chunks=(1, 1), dtype="f8")
    with pytest.raises(ist.InputError, match=r"claims 1,000,000 chunks, of which 1 are there"):
        ist.data.load(path)


def test_sets_that_claim_more_than_they_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_LARGE", 2**20)
    head = struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**10, 2**10)
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(head + bytes(2**23))
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / f"{name}-ubyte.gz").write_bytes(gzip.compress(bytes(16)))
    with pytest.raises(ist.InputError, match=r"train-images-idx3-ubyte\.gz claims to hold"):
        ist.data.load("mnist", data_dir=tmp_path)


def test_a_table_too_wide_for_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(",".join(f"c{i}" for i in range(60_000)) + "\n")
    with pytest.raises(ist.InputError, match=r"has 60,000 columns, and a table may have 50,000"):
        ist.data.load(path)


@pytest.mark.parametrize("size", [10**6, 10**19])
def test_images_brought_to_a_size_beyond_the_memory_are_refused(tmp_path: Path, size: int) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    with pytest.raises(ist.InputError, match=r"an array of 2 images of .* would take .*smaller"):
        ist.data.load(tmp_path, size=size)


@pytest.mark.parametrize(
    "ask",
    [
        lambda data, model: ist.figures.grid(model, data, side=10**6),
        lambda data, model: ist.figures.walk(model, data, steps=10**10),
        lambda data, model: ist.data.windows(np.arange(200_000.0), 100_000),
        lambda data, model: ist.VAE(condition="label", epochs=1, verbose=0).fit(
            np.zeros((10**5, 1)) + np.arange(10**5)[:, None], np.arange(10**5)
        ),
    ],
)
def test_what_a_person_asks_for_is_compared_with_the_memory(
    ask: Callable[[ist.data.Data, ist.Estimator], object],
    digits: ist.data.Data,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ist.AE(epochs=1, verbose=0).fit(digits.train.take(slice(50)))
    monkeypatch.setattr(memory, "room", lambda: 2**32)
    with pytest.raises(ist.errors.MemoryLimitError, match="of memory, of which 4 GB are left"):
        ask(digits, model)


@pytest.mark.parametrize("value", ["\ud800", "~nobody-of-that-name/x", "a" * 5000, "x\0y"])
def test_what_no_file_can_be_called_is_refused(value: str) -> None:
    with pytest.raises(ist.InputError, match=r"source=.* cannot be used as a path"):
        as_path(value, "source")


@pytest.mark.parametrize("value", [{}, None, 3, np.zeros(2)])
def test_what_is_no_path_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"path=.* is no path: give a text or a pathlib.Path"):
        ist.load(value)  # type: ignore[arg-type]
