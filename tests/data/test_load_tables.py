"""Tables: columns and their types, labels, and cells that are none of these."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal

import numpy as np
import pandas
import pytest

from isthmus.data import load, read
from isthmus.data.frames import numbers_of
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
    assert (rows.columns, rows.y) == (("a", "b"), None)
    assert rows.x.dtypes.tolist() == [np.int64, np.float64]
    assert rows.x.to_numpy().tolist() == [[1, 2.5], [-3, 4000]]


def test_every_column_has_its_own_type(table):
    rows = read(
        table(
            "when,at,number,word,truth,empty,missing,later\n"
            "2024-02-29,2024-02-29 12:30,1753000000.25,ant,True,,True,2024-02-30\n"
            "2024-03-01,2024-03-01T01:00:00Z,1753000000.5,bee,False,,,2024-03-01\n"
            ",2024-03-01T01:00:00+02:00,,,True,,False,2024-03-02\n"
        )
    )
    assert rows.x["when"].tolist()[:2] == [
        pandas.Timestamp("2024-02-29"),
        pandas.Timestamp("2024-03-01"),
    ]
    assert rows.x["at"].tolist() == [
        pandas.Timestamp("2024-02-29 12:30", tz="UTC"),
        pandas.Timestamp("2024-03-01 01:00", tz="UTC"),
        pandas.Timestamp("2024-02-29 23:00", tz="UTC"),
    ]
    assert rows.x["number"].tolist()[:2] == [1753000000.25, 1753000000.5]  # not cut to float32
    assert rows.x["word"].tolist()[:2] == ["ant", "bee"]
    assert rows.x["truth"].dtype == bool
    assert rows.x["empty"].dtype == np.float64
    assert rows.x["missing"].dtype == "boolean"
    assert rows.x["later"].tolist()[0] == "2024-02-30"  # no day of the calendar, so it is text
    assert rows.x.isna().sum().tolist() == [1, 0, 1, 1, 0, 3, 1, 0]


def test_a_parquet_table_keeps_its_types(tmp_path):
    day = datetime.date(2024, 5, 6)
    frame = pandas.DataFrame(
        {
            "kind": pandas.Categorical(["b", "a", "b"], categories=["a", "b", "never"]),
            "count": pandas.array([1, None, 3], dtype="Int64"),
            "day": [day, None, day],
            "price": [Decimal("1.50"), Decimal("2.25"), None],
            "bytes": np.array([1, 2, 3], np.uint8),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    x = read(tmp_path / "t.parquet").x
    assert x["kind"].cat.categories.tolist() == ["a", "b", "never"]
    assert (x["count"].dtype, x["bytes"].dtype) == ("Int64", np.uint8)
    assert x["day"].tolist()[0] == pandas.Timestamp(day)
    assert x["price"].tolist()[:2] == [1.5, 2.25]
    assert x.isna().sum().tolist() == [0, 1, 1, 1, 0]


def test_rows_of_a_table_keep_their_numbers(table):
    data = load(table(FLOWERS), label="kind", test_fraction=0.2)
    for part in (data.train, data.test):
        assert part.x["length"].tolist() == part.x.index.tolist()  # the row in the file
        assert [("rose", "aster")[i % 2] for i in part.x.index] == part.labels.tolist()
    assert (data.shape, data.train.take(slice(3)).x.shape) == ((2,), (3, 2))
    assert data.range == (0, 9)


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
    assert right.x["length"].dtype == "Int64"
    np.testing.assert_array_equal(numbers_of(left.x), numbers_of(right.x))
    np.testing.assert_array_equal(left.y, right.y)
    assert (left.classes, left.columns) == (right.classes, right.columns)


def test_numbered_columns_are_names_too(table):
    assert read(table("0,1,2\n5,6,7\n")).columns == ("0", "1", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a,b\n1,0\n1,-inf\n",
            r"row 2, column 'b' holds -inf, which is no finite number .*: leave",
        ),
        ("a,b\n1,1e400\n", r"row 1, column 'b' holds inf, which is no finite number"),
        ("a,b\n", r"t.csv holds 0 rows of 2 columns: at least 1 of each is needed"),
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
        ("a|b\n1|2\n", r"the columns are not separated by commas, semicolons or tabs"),
        ("a,b\n1,2,3\n4,5,6\n", r"rows hold more values than the first line has names"),
        ("a,b\n1,2\n1,2,3\n", r"t.csv: line 3 has 3 cells, but those before it have 2"),
    ],
)
def test_what_is_no_table_is_refused(table, text, message):
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
        ("y\nb\nc\n", r"t.csv holds 2 rows of 0 columns"),
    ],
)
def test_bad_labels_are_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        read(table(text), label="y")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"\xff\xfe\x00a,b\n", r"t\.csv is no text in UTF-8: save it in that encoding"),
        ("t.parquet", b"PAR1 not really", r"t\.parquet cannot be read as a table \(.*\): write it"),
    ],
)
def test_a_damaged_table_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / name)


def test_cells_that_hold_many_things_are_refused(tmp_path):
    pandas.DataFrame({"a": [1, 2], "parts": [None, [1, 2]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        InputError, match=r"column 'parts' holds array\(\[1, 2\]\) \(row 2\), .*: take it out"
    ):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numbers_of_a_frame_are_one_array(kind):
    frame = pandas.DataFrame({"a": [1.5, np.nan], "b": [2, 3]}).astype(kind)
    found = numbers_of(frame)
    assert found.dtype == kind
    np.testing.assert_array_equal(found, np.array([[1.5, 2], [np.nan, 3]], kind))
    mixed = numbers_of(frame.assign(c=[True, False], d=pandas.array([None, 7], dtype="Int64")))
    assert mixed.dtype == np.float64
    np.testing.assert_array_equal(mixed[:, 2:], [[1, np.nan], [0, 7]])
    with pytest.raises(InputError, match=r"X: column 'e' holds 'x' \(.*\), which is no number"):
        numbers_of(frame.assign(e=[None, "x"]))


@pytest.mark.parametrize(("package", "name"), [("pandas", "t.csv"), ("pyarrow", "t.parquet")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, package, name):
    (tmp_path / name).write_text("a\n1\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtraError,
        match=rf"reading {name} needs the package '{package}': .*isthmus\[tables\]",
    ):
        read(tmp_path / name)
