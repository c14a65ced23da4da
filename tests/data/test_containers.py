"""HDF5, zarr and folders of Parquet files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus.data import load, read
from isthmus.data._sources import containers
from isthmus.errors import InputError, MissingExtraError

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = [0, 1, 0, 1, 0, 1]


def write_hdf5(path: Path, arrays: dict[str, Any], **options: Any) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **options)
    return path


def write_zarr(path: Path, arrays: dict[str, Any], version: int = 3) -> Path:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    for name, values in arrays.items():
        group[name] = np.asarray(values)
    return path


WRITERS = [("t.h5", write_hdf5), ("t.hdf5", write_hdf5), ("t.zarr", write_zarr)]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_examples_and_labels_are_named_as_in_npz(tmp_path, name, write):
    rows = read(write(tmp_path / name, {"x": X, "y": Y}))
    np.testing.assert_array_equal(rows.x, X)
    assert (rows.y.tolist(), rows.classes) == (Y, ("0", "1"))
    parts = {"x_train": X[:4], "y_train": Y[:4], "x_test": X[4:], "y_test": Y[4:]}
    data = load(write(tmp_path / name, parts))
    assert (len(data.train), len(data.test), data.test.y.tolist()) == (4, 2, [0, 1])


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_a_single_array_may_have_any_name(tmp_path, name, write):
    np.testing.assert_array_equal(read(write(tmp_path / name, {"images": X})).x, X)


@pytest.mark.parametrize(("name", "write"), WRITERS)
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"holds the arrays \(none\): name them x and perhaps y"),
        ({"a": X, "b": X}, "holds the arrays a, b: name them x and perhaps y"),
        ({"x": X, "y": Y[:3]}, r"y has the shape \(3,\), but x has 6 rows"),
        (
            {"x": X[:, 0]},
            r"has the shape \(6,\): the rows must lie along the first of at least two",
        ),
        ({"x": X.astype(complex)}, "holds values of type complex128: convert them"),
        ({"x": np.where(X > 3, X, np.inf)}, "holds inf"),
        ({"x": X[:0]}, "holds no values: at least 1 row is needed"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, name, write, arrays, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / name, arrays))


def test_text_labels_of_hdf5(tmp_path):
    rows = read(write_hdf5(tmp_path / "t.h5", {"x": X[:3], "y": ["b", "a", "b"]}))
    assert (rows.classes, rows.y.tolist()) == (("a", "b"), [1, 0, 1])


def test_a_large_hdf5_array_stays_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "ON_DISK", 10)
    plain = read(write_hdf5(tmp_path / "t.h5", {"x": X})).x
    assert isinstance(plain, np.memmap)
    np.testing.assert_array_equal(plain, X)
    packed = read(write_hdf5(tmp_path / "t.h5", {"x": X}, compression="gzip")).x
    assert not isinstance(packed, np.memmap)
    np.testing.assert_array_equal(packed, X)


def test_a_zarr_array_by_itself_and_the_older_format(tmp_path):
    zarr = pytest.importorskip("zarr")
    zarr.save_array(str(tmp_path / "array"), X)  # known by what it holds, not by its name
    np.testing.assert_array_equal(read(tmp_path / "array").x, X)
    np.testing.assert_array_equal(read(write_zarr(tmp_path / "t.zarr", {"x": X}, 2)).x, X)


@pytest.mark.parametrize("content", [b"", b"no container"])
def test_a_damaged_hdf5_file_is_named(tmp_path, content):
    pytest.importorskip("h5py")
    (tmp_path / "t.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"t.h5 is damaged or incomplete \(.*\): write or copy it"):
        read(tmp_path / "t.h5")


def test_a_damaged_zarr_folder_is_named(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "t.zarr").mkdir()
    with pytest.raises(InputError, match=r"t.zarr is damaged or incomplete \(.*\): write or copy"):
        read(tmp_path / "t.zarr")
    path = write_zarr(tmp_path / "u.zarr", {"x": X, "y": Y})
    (path / "x" / "zarr.json").write_text("{")
    with pytest.raises(InputError, match=r"u.zarr is damaged or incomplete"):
        read(path)


@pytest.mark.parametrize(("name", "package"), [("t.h5", "h5py"), ("t.zarr", "zarr")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).mkdir() if package == "zarr" else (tmp_path / name).write_text("x")
    with pytest.raises(
        MissingExtraError, match=rf"reading {name} needs the package '{package}': .*\[{package}\]"
    ):
        read(tmp_path / name)


@pytest.fixture
def parts(tmp_path) -> Path:
    """Two Parquet files in sub-folders that name a column, in a folder whose name looks alike."""
    folder = tmp_path / "owner=me" / "rows"
    for year, values in (("2023", [1.5, 2.5]), ("2024", [3.5])):
        place = folder / f"year={year}"
        place.mkdir(parents=True)
        kinds = pd.Categorical(["k" + year] * len(values))
        frame = pd.DataFrame({"a": values, "kind": kinds, "y": [0, 1][: len(values)]})
        frame.to_parquet(place / "part.parquet")
    (folder / "_SUCCESS").write_text("")
    return folder


def test_a_folder_of_parquet_files_is_one_table(parts):
    rows = read(parts, label="y")
    assert rows.columns == ("a", "kind", "year")
    assert rows.x["a"].tolist() == [1.5, 2.5, 3.5]
    assert rows.x["kind"].tolist() == ["k2023", "k2023", "k2024"]
    assert (rows.x["year"].tolist(), rows.x.index.tolist()) == ([2023, 2023, 2024], [0, 1, 2])
    assert (rows.y.tolist(), rows.classes) == ([0, 1, 0], ("0", "1"))


def test_parquet_files_that_do_not_fit_are_refused(parts):
    pd.DataFrame({"a": ["x"]}).to_parquet(parts / "year=2024" / "part2.parquet")
    with pytest.raises(InputError, match=r"rows cannot be read as a table \(.*\): write it again"):
        read(parts)
    (parts / "year=2024" / "part2.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"rows cannot be read as a table"):
        read(parts)
