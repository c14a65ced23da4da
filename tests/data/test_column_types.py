"""Columns in the types that pandas has beside numpy's, and text that looks like something else."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.data._layout import warn_of_large
from isthmus.data._lookalikes import resemblance
from isthmus.data.table_fitting import fit_table
from isthmus.data.tables import Table
from isthmus.errors import DataWarning, InputError

RNG = np.random.default_rng(0)
N = 40
Z = RNG.normal(size=N)
DAYS = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N) % 9, unit="D")
HIGH = pd.Series(np.where(Z > 0, "high", "low"))
COLUMNS: dict[str, pd.Series] = {
    "nullable": pd.Series(np.arange(N) % 5, dtype="Int64"),
    "truth": pd.Series(Z > 0, dtype="boolean"),
    "text": HIGH.astype("string"),
    "arrow numbers": pd.Series(Z).astype("double[pyarrow]"),
    "arrow truth": pd.Series(Z > 0).astype("bool[pyarrow]"),
    "arrow text": HIGH.convert_dtypes(dtype_backend="pyarrow"),
    "arrow times": pd.Series(DAYS).astype("timestamp[us][pyarrow]"),
    "arrow days": pd.Series(DAYS).astype("date32[day][pyarrow]"),
    "arrow zone": pd.Series(DAYS.tz_localize("Europe/Oslo")).convert_dtypes(
        dtype_backend="pyarrow"
    ),
    "days": pd.Series(DAYS),
    "sparse": pd.Series(pd.arrays.SparseArray((Z > 1).astype(float))),
    "sparse counts": pd.Series(pd.arrays.SparseArray((np.arange(N) % 7 == 0) * 3)),
    "set of truth": pd.Series(pd.Categorical(Z > 0, categories=[False, True])),
    "set of bytes": pd.Series(pd.Categorical(np.where(Z > 0, 1, 2).astype("int8"))),
    "set of times": pd.Series(pd.Categorical(DAYS)),
    "bins": pd.Series(pd.cut(Z, 3)),
}  # fmt: skip


def frame_of(name: str) -> pd.DataFrame:
    """A column of numbers, and one of the type, which lacks a value where it can."""
    cells = COLUMNS[name].copy()
    if "sparse" not in name:
        cells = cells.where(np.arange(N) != 3)
    return pd.DataFrame({"z": Z, "other": cells})


@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_of_column_goes_all_the_way(name: str, tmp_path: Path) -> None:
    frame = frame_of(name)
    model = ist.AE(epochs=1, hidden=(8,), random_state=0, verbose=0)
    model.fit(frame)
    filled = model.impute(frame)
    assert filled["other"].isna().sum() == 0
    known = frame["other"].notna()
    pd.testing.assert_frame_equal(filled[known], frame[known])
    new = model.reconstruct(frame)
    assert list(new.dtypes) == list(frame.dtypes)  # also the categories, and their type
    model.save(tmp_path / "run")
    pd.testing.assert_frame_equal(ist.load(tmp_path / "run").reconstruct(frame), new)


@pytest.mark.parametrize("name", ["nullable", "truth", "arrow truth", "arrow times", "days"])
def test_a_detector_takes_every_type_of_column(name: str) -> None:
    frame = frame_of(name)
    detector = ist.OutlierDetector(random_state=0)
    assert np.isfinite(detector.fit(frame).score_samples(frame)).all()


def test_a_category_that_no_row_has_stays_one() -> None:
    cells = pd.Series(pd.Categorical([True] * 20 + [False] * 20), name="x")
    table = fit_table(pd.DataFrame({"z": Z, "x": cells}))
    assert [code.kind for code in table.codes] == ["number", "category"]
    again = Table.from_json(table.to_json())
    numbers = table.encode(pd.DataFrame({"z": Z, "x": cells}))
    only = again.decode(numbers[:20])["x"]
    assert only.tolist() == [True] * 20
    assert only.cat.categories.tolist() == [False, True]
    assert only.cat.categories.dtype == bool


def test_long_whole_numbers_are_said_also_where_some_are_missing() -> None:
    cells = pd.Series([2**60, None, 3], dtype="Int64")
    with pytest.warns(DataWarning, match=r"whole numbers of up to 1,152,921,504,606,846,976"):
        warn_of_large(pd.DataFrame({"x": cells}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_large(pd.DataFrame({"x": cells[1:], "s": pd.arrays.SparseArray([0, 1])}))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "X has the column 'a' twice: rename one"),
        (["a", 1], r"X has the column 1, whose name is no text as those of others are: .*map\(str"),
        (list(DAYS[:2]), r"X has the column Timestamp.*, whose name is no text: make text"),
        ([("x", "a"), ("x", "b")], "X has columns of several levels: flatten their names"),
    ],
)
@pytest.mark.parametrize("made", [ist.AE, ist.OutlierDetector])
def test_names_that_tell_no_columns_apart_are_refused(
    names: list[Any], message: str, made: type[Any]
) -> None:
    rows = RNG.normal(size=(30, 2))
    with pytest.raises(InputError, match=message):
        made().fit(pd.DataFrame(rows, columns=pd.Index(names)))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["21.11.1979", "3.1.2001"], "'21.11.1979', which looks like a date"),
        (["11/21/79", "1/3/01"], "'11/21/79', which looks like a date"),
        (["2020-01-31 12:30", "2020-02-01 08:00"], "which looks like a date"),
        (["45%", "3.5 %"], "'45%', which looks like a number with a sign"),
        (["$1,231.50", "-$3.00"], "'$1,231.50', which looks like a number with a sign"),
        (["12,50 €", "1.200,00 €"], "'12,50 €', which looks like a number with a sign"),
        (["20-30", "30-40"], None),
        (["1.2.3.4", "10.0.0.1"], None),
        (["A1", "2nd", "10 mg"], None),
        (["45%", "high", "low", "none"], None),
    ],
)
def test_text_that_looks_like_dates_or_amounts(texts: list[str], said: str | None) -> None:
    found = resemblance(pd.Series(texts))
    assert found is None if said is None else found is not None and said in found


def test_text_that_looks_like_something_else_is_said_once() -> None:
    shares = pd.DataFrame({"z": Z, "p": [f"{i % 4}0%" for i in range(N)]})
    with pytest.warns(DataWarning, match=r"'p' holds '00%', which .* read as a category; pass"):
        assert fit_table(shares).codes[-1].kind == "category"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_table(shares, {"p": "category"})
    dates = pd.DataFrame({"z": Z, "d": (DAYS + pd.to_timedelta(np.arange(N), "D")).strftime("%x")})
    with pytest.warns(DataWarning, match=r"looks like a date: convert .*; as text it is left out"):
        assert fit_table(dates).types == {"d": "str"}


def test_cells_that_cannot_be_read_are_shown() -> None:
    from decimal import Decimal

    frame = pd.DataFrame({"z": Z, "price": [Decimal("1.50")] * N})
    with pytest.raises(InputError, match=r"'price' holds Decimal\('1.50'\) \(type object\), which"):
        fit_table(frame)
