"""The door: names, paths, and arguments that mean nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from isthmus import registry
from isthmus.data import Data, load, names, read
from isthmus.errors import InputError


@pytest.fixture
def array(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(4, dtype=np.float32))
    return tmp_path / "x.npy"


def test_digits_need_nothing():
    data = load("digits")
    assert (data.shape, data.train.x.dtype, data.range) == ((1, 8, 8), np.float32, (0, 1))
    assert (len(data.train), len(data.test), data.classes) == (1438, 359, tuple("0123456789"))
    assert np.bincount(data.test.y).min() >= 34


def test_read_gives_all_rows_of_a_known_set():
    rows, data = read("digits"), load("digits")
    assert (len(rows), rows.train_rows) == (1797, 1438)
    np.testing.assert_array_equal(rows.x[1438:], data.test.x)
    np.testing.assert_array_equal(rows.y[1438:], data.test.y)


def test_every_known_set_has_a_line():
    assert set(names()) == set(registry.DATA)
    assert names()["digits"].startswith("1,797 handwritten digits of 8x8 grey pixels")
    assert all(line.endswith((".", "download.")) and "\n" not in line for line in names().values())


def test_a_set_of_your_own_is_registered_in_one_line(monkeypatch):
    monkeypatch.setattr(registry.DATA, "_targets", dict(registry.DATA._targets))
    registry.DATA.add("mine", "isthmus.data._sources.embedded:digits")
    assert isinstance(load("mine"), Data)


def test_a_path_may_be_text_or_a_path(array):
    np.testing.assert_array_equal(read(str(array)).x, read(array).x)


def test_a_folder_that_is_called_like_a_known_set(tmp_path, monkeypatch, array):
    monkeypatch.chdir(tmp_path)
    Path("digits").mkdir()
    assert load("digits").name == "digits"
    with pytest.raises(InputError, match=r"digits holds no images"):
        load("./digits")
    with pytest.raises(InputError, match=r"digits holds no images"):
        load(Path("digits"))


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(
        InputError,
        match=r"unknown data set or path 'mnits': did you mean 'mnist'\? Known: cifar10, di",
    ):
        load("mnits")


@pytest.mark.parametrize("source", ["no/such/folder", "nothing.npy", Path("a/b.csv")])
def test_a_missing_path_is_named(source):
    with pytest.raises(
        InputError, match=rf"'{source}' does not exist \(looked for /.*{source}\): check the path"
    ):
        load(source)


def test_an_unknown_kind_of_file_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("1 2 3")
    with pytest.raises(
        InputError,
        match=r"x.txt cannot be read: give .npy, .npz, .h5, .*, .csv, .*, an image, a sound ",
    ):
        load(tmp_path / "x.txt")


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        (
            "digits",
            {"label": "y"},
            "label='y' means nothing for 'digits', which is a known data set: leave it out",
        ),
        ("digits", {"size": 8}, "size=8 means nothing for 'digits'"),
        ("x.npy", {"label": "y"}, "label='y' means nothing for 'x.npy', which is a file of arrays"),
        ("x.npy", {"size": 8}, "size=8 means nothing for 'x.npy'"),
        ("x.npy", {"data_dir": "."}, "data_dir='.' means nothing for 'x.npy', which is a path"),
        (".", {"label": "y"}, "label='y' means nothing for '.', which is a folder of images"),
        ("x.csv", {"size": 3}, "size=3 means nothing for 'x.csv', which is a table"),
    ],
)
def test_an_argument_that_means_nothing_is_refused(array, monkeypatch, source, arguments, message):
    monkeypatch.chdir(array.parent)
    Path("x.csv").write_text("a\n1\n")
    Path("x.png").touch()  # by its name, the folder is one of images
    with pytest.raises(InputError, match=message):
        load(source, **arguments)


def test_a_bad_fraction_is_refused_before_anything_is_read():
    with pytest.raises(InputError, match=r"test_fraction=2 must be a number"):
        load("nothing.npy", test_fraction=2)


@pytest.mark.parametrize("name", ["skip_unreadable", "stream", "mono"])
def test_a_flag_is_true_or_false(array, name):
    with pytest.raises(InputError, match=rf"^{name}='no' is not usable: give True or False\.$"):
        load(array, **{name: "no"})


def test_importing_takes_nothing_heavy():
    code = "import sys, isthmus.data; isthmus.data.names(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "pandas", "sklearn", "pooch", "PIL", "rich"} & set(loaded)
