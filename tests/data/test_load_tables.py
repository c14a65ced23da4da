"""Tables: columns, labels, and cells that are no numbers."""

from __future__ import annotations

import sys

import numpy as np
import pandas
import pytest

from isthmus.data import load, read
from isthmus.errors import InputError, MissingExtraError

FLOWERS = "length,width,kind\n" + "".join(
    f"{i},{i / 2},{('rose', 'aster')[i % 2]}\n" for i in range(10)
)


@pytest.fixture
def table(tmp_path):
    def write(text: str):
        path = tmp_path / "t.csv"
        path.write_text(text)
        return path

    return write


def test_a_table_is_read_as_it_stands(table):
    rows = read(table("a,b\n1,2.5\n-3,4e3\n"))
    assert (rows.x.dtype, rows.columns, rows.y) == (np.float32, ("a", "b"), None)
    assert rows.x.tolist() == [[1, 2.5], [-3, 4000]]


def test_the_label_column_may_be_text(table):
    path = table(FLOWERS)
    rows = read(path, label="kind")
    assert (rows.columns, rows.classes, rows.y.tolist()) == (
        ("length", "width"),
        ("aster", "rose"),
        [1, 0] * 5,
    )
    data = load(path, label="kind")
    assert (data.columns, data.classes, len(data.train), np.bincount(data.test.y).tolist()) == (
        ("length", "width"),
        ("aster", "rose"),
        8,
        [1, 1],
    )


@pytest.mark.parametrize("labels", [[7, 30, 7], [7.0, 30.0, 7.0]])
def test_the_label_column_may_be_whole_numbers(table, labels):
    rows = read(table("a,y\n" + "".join(f"0,{label}\n" for label in labels)), label="y")
    assert (rows.classes, rows.y.tolist()) == (("7", "30"), [0, 1, 0])


def test_a_parquet_table_is_the_same_table(tmp_path, table):
    path = table(FLOWERS)
    pandas.read_csv(path).astype({"kind": "category", "length": "Int64"}).to_parquet(
        tmp_path / "t.parquet"
    )
    left, right = read(path, label="kind"), read(tmp_path / "t.parquet", label="kind")
    np.testing.assert_array_equal(left.x, right.x)
    np.testing.assert_array_equal(left.y, right.y)
    assert (left.classes, left.columns) == (right.classes, right.columns)


def test_numbered_columns_are_names_too(table):
    assert read(table("0,1,2\n5,6,7\n")).columns == ("0", "1", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            FLOWERS,
            (
                r"column 'kind' does not hold numbers \(row 1 is 'rose'\): .*label='kind' \(--label"
                r" 'kind'"
            ),
        ),
        ("a,b\n1,2\n1,?\n", r"column 'b' does not hold numbers \(row 2 is '\?'\)"),
        (
            "a,b\n1,2\n3,\n",
            r"row 2, column 'b' holds nan, which is no finite float32 .*: fill it in",
        ),
        ("a,b\n1,inf\n", r"row 1, column 'b' holds inf, which is no finite float32"),
        ("a,b\n1,1e300\n", r"row 1, column 'b' holds 1e\+300, which is no finite float32"),
        ("a,b\n", r"t.csv holds 0 rows of 2 numbers: at least 1 of each is needed"),
        ("", r"t.csv cannot be read as a table \(No columns"),
        (
            "0.5,1.5\n2,3\n",
            r"the first line holds numbers, not the names of the columns: add a line of names",
        ),
        (
            ",a\n0,1\n1,2\n",
            r"the first column has no name: name it, or write the table without its index",
        ),
        (",0,1\n0,1,5\n1,2,6\n", r"the first column has no name"),
        ("a;b\n1;2\n", r"the columns are not separated by commas"),
        ("a,b\n1,2,3\n4,5,6\n", r"rows hold more values than the first line has names"),
        ("a,b\n1,2\n1,2,3\n", r"t.csv cannot be read as a table \(Error tokenizing data"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        read(table(text))


def test_an_unknown_label_column_gets_a_suggestion(table):
    with pytest.raises(
        InputError, match=r"unknown label column 'kinds': did you mean 'kind'\? Known: kind, length"
    ):
        read(table(FLOWERS), label="kinds")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n1,x\n2,\n", r"column 'y': row 2 has no label: fill it in"),
        (
            "a,y\n1,0.5\n2,1\n",
            r"column 'y': the label of row 1 is 0.5: labels must be whole numbers or text",
        ),
        ("y\nb\nc\n", r"t.csv holds 2 rows of 0 numbers"),
    ],
)
def test_bad_labels_are_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        read(table(text), label="y")


@pytest.mark.parametrize(
    ("name", "content"), [("t.csv", b"\xff\xfe\x00a,b\n"), ("t.parquet", b"PAR1 not really")]
)
def test_a_damaged_table_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        InputError, match=rf"{name} cannot be read as a table \(.*\): write it again"
    ):
        read(tmp_path / name)


@pytest.mark.parametrize(("package", "name"), [("pandas", "t.csv"), ("pyarrow", "t.parquet")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, package, name):
    (tmp_path / name).write_text("a\n1\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtraError,
        match=rf"reading {name} needs the package '{package}': .*isthmus\[tables\]",
    ):
        read(tmp_path / name)
