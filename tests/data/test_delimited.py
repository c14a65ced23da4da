"""Tables as text: signs between columns, decimal commas, compression, and stray words."""

from __future__ import annotations

import gzip
import warnings

import numpy as np
import pytest

from isthmus.data import load, read
from isthmus.errors import DataWarning, InputError


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "t.csv"):
        path = tmp_path / name
        opened = gzip.open if name.endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8") as file:
            file.write(text)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "sign", "notes"),
    [
        ("t.csv", ",", 0),
        ("t.CSV.gz", ",", 0),
        ("t.tsv", "\t", 0),
        ("t.tsv.gz", "\t", 0),
        ("t.csv", ";", 1),
        ("t.csv", "\t", 1),
    ],
)
def test_every_sign_between_columns_gives_the_same_table(table, name, sign, notes):
    text = "a,b,kind\n1,2.5,x\n-3,4e3,y\n,,\n".replace(",", sign)
    rows = read(table(text, name))
    assert (rows.columns, len(rows.notes)) == (("a", "b", "kind"), notes)
    np.testing.assert_array_equal(rows.x["a"], [1, -3, np.nan])
    np.testing.assert_array_equal(rows.x["b"], [2.5, 4000, np.nan])
    assert rows.x["kind"].tolist()[:2] == ["x", "y"]


def test_what_was_recognised_is_noted(table):
    path = table("a;b\n1,5;2,3\n")
    data = read(path)
    assert data.x.to_numpy().tolist() == [[1.5, 2.3]]
    assert data.notes == (
        f"{path}: read with semicolons between columns.",
        f"{path}: read with decimal commas ('1,5' is 1.5).",
    )
    assert load(table("a;b\n1,5;2\n0;1\n")).notes == data.notes


def test_decimal_commas_with_points_for_thousands(table):
    text = "a;b;day;word\n1.234,5;7;01.02.2024;x\n-0,25;8;02.02.2024;1,x\n;;;\n1.000;9;;\n"
    x = read(table(text)).x
    np.testing.assert_array_equal(x["a"], [1234.5, -0.25, np.nan, 1000])
    np.testing.assert_array_equal(x["b"], [7, 8, np.nan, 9])
    assert x["day"].tolist()[:2] == ["01.02.2024", "02.02.2024"]
    assert x["word"].tolist()[:2] == ["x", "1,x"]


def test_texts_may_hold_the_other_sign(table):
    x = read(table("name, first;size\nb, a;1\nc;2\n")).x
    assert x.columns.tolist() == ["name, first", "size"]
    assert x["name, first"].tolist() == ["b, a", "c"]
    assert read(table('"a;b",c\n"1;2",3\n')).columns == ("a;b", "c")


def test_a_long_quotation_may_be_cut_where_the_lines_are_judged(table):
    rows = "".join("1,2;3,4\n" for _ in range(98))
    text = "a, in cm;b\n" + rows + '"1\n";2\n' + rows
    with pytest.raises(InputError, match="can be read with commas or with semicolons between"):
        read(table("a,b;c\n1,2;3\n"))
    x = read(table(text)).x
    assert (x.columns.tolist(), x.iloc[98].tolist()) == (["a, in cm", "b"], [1, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n1,234;x\n", r"'1,234' in column 'a' may be 1.234 or 1234: write it with a decimal"),
        ("a;b\n1,5;2.5\n", r"'1,5' in column 'a' and '2.5' in column 'b': write all decimals with"),
        ("a;b\n1,5;x\n2.5;y\n", r"'1,5' in column 'a' and '2.5' in column 'a': write all decimals"),
        ("1,5;2,3\n1,7;2,9\n", r"the first line holds numbers, not the names of the columns"),
        ("a;b\n1;2;3\n4;5;6\n", r"rows hold more values than the first line has names"),
        ("a;a\n1;2\n", r"has two columns named 'a': give each its own name"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        read(table(text))


def test_a_tsv_without_tabs_is_refused(table):
    with pytest.raises(InputError, match=r"t.tsv: the columns are not separated by tabs: write it"):
        read(table("a,b\n1,2\n", "t.tsv"))


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip at all",
        gzip.compress(b"a,b\n1,2\n" * 1000)[:40],
        gzip.compress(b"\xff\xfe\x00"),
        gzip.compress(b""),
        b"",
    ],
    ids=["text", "cut", "bytes", "nothing", "empty"],
)
def test_a_damaged_compressed_table_is_named(tmp_path, content):
    (tmp_path / "t.csv.gz").write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"t.csv.gz (cannot be read as a table \(.*\): write it ag|is no text in UTF-8)",
    ):
        read(tmp_path / "t.csv.gz")


def test_stray_words_among_numbers_are_said(table):
    rows = [str(i) for i in range(20)]
    rows[3], rows[7], rows[11] = "?", "unknown", "?"
    path = table("age,name\n" + "".join(f"{age},n{age}\n" for age in rows))
    with pytest.warns(
        DataWarning,
        match=r"column 'age' is read as text, because 3 of its 20 cells hold no number but '\?',"
        r" 'unknown' \(rows 4, 8, 12\): leave these cells empty, and the column is numbers",
    ):
        x = read(path).x
    assert x["age"].tolist() == rows


def test_stray_words_among_decimal_commas_are_said(table):
    with pytest.warns(DataWarning, match=r"1 of its 4 cells hold no number but '-' \(row 2\)"):
        x = read(table("a;b\n1,5;2,5\n-;3,5\n2,25;1\n0,5;1\n")).x
    assert x["b"].tolist() == [2.5, 3.5, 1, 1]


def test_quoted_commas_in_numbers_are_said(table):
    with pytest.warns(DataWarning, match=r"numbers hold commas, such as '1,234' \(row 2\): write"):
        read(table('a,b\n7,x\n"1,234",y\n'))


def test_words_are_no_strays(table):
    codes = ["250", "V27", "V30", "401", "E11", "785", "V45", "428", "A01", "B02"]
    with warnings.catch_warnings(record=True) as said:
        x = read(table("code,answer\n" + "".join(f"{code},yes\n" for code in codes))).x
    assert (x["code"].tolist(), said) == (codes, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"# by hand\n# today\na,b\n1,2\n",
            "line 3 has 2 cells, but those before it have 1: begin with",
        ),
        ("größe\n1\n2\n".encode("latin-1"), r"is no text in UTF-8: save it in that encoding"),
    ],
)
def test_a_text_that_is_no_table_is_told_why(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv")
