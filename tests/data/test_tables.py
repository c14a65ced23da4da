"""Frames of mixed columns become numbers, and come back as they were."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from isthmus.data._date_columns import DateColumn
from isthmus.data.table_fitting import fit_table
from isthmus.data.tables import Table
from isthmus.errors import DataWarning, InputError

SECONDS = 1_700_000_000


@pytest.fixture
def people() -> pd.DataFrame:
    rows = 60
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": random.integers(18, 90, rows),
            "income": random.lognormal(10, 1, rows).astype(np.float32),
            "visits": random.geometric(0.4, rows) - 1,
            "member": random.random(rows) < 0.3,
            "smokes": random.integers(0, 2, rows),
            "city": np.array(["Paris", "Rome", "Oslo"])[random.integers(0, 3, rows)],
            "size": pd.Categorical(
                np.array(["S", "L"])[random.integers(0, 2, rows)],
                categories=["S", "M", "L"],
                ordered=True,
            ),
            "since": pd.to_datetime(SECONDS + 60 * random.permutation(rows), unit="s"),
            "zoned": pd.date_range("2020-03-01", periods=rows, freq="D", tz="Europe/Paris"),
            "score": pd.array(random.integers(-50, 50, rows), dtype="Int64"),
        }
    )


def kinds(table: Table) -> dict[str, str]:
    return {str(code.name): code.kind for code in table.codes}


def test_every_column_is_of_a_kind(people: pd.DataFrame) -> None:
    assert kinds(fit_table(people)) == {
        "age": "number",
        "income": "number",
        "score": "number",
        "since": "date",
        "zoned": "date",
        "visits": "count",
        "member": "binary",
        "smokes": "binary",
        "city": "category",
        "size": "category",
    }


def test_a_frame_comes_back_as_it_was(people: pd.DataFrame) -> None:
    people = people.set_index(pd.Index(range(100, 160)))
    table = Table.from_json(json.loads(json.dumps(fit_table(people).to_json())))
    numbers = table.encode(people)
    assert numbers.shape == (60, 8 + 3 + 2)
    pd.testing.assert_frame_equal(table.decode(numbers, people), people)


def test_dates_a_minute_apart_stay_apart(people: pd.DataFrame) -> None:
    table = fit_table(people)
    place = [code.name for code in table.codes].index("since")
    seconds = np.sort(table.encode(people)[:, place].astype(np.float32))
    assert np.diff(seconds).tolist() == [60.0] * 59


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_dates_of_every_unit_and_zone_are_seconds(unit: str, zone: str | None) -> None:
    times = pd.to_datetime(["1969-12-31 23:59:00", None, "1970-01-01 00:00:30"])
    dates = pd.Series(times.tz_localize("UTC").tz_convert(zone) if zone else times, name="at")
    dates = dates.dt.as_unit(unit)
    code = DateColumn.fitted(dates)
    np.testing.assert_array_equal(code.encode(dates), [[0], [np.nan], [90]])


def test_what_is_missing_is_nan_in_all_its_numbers(people: pd.DataFrame) -> None:
    table = fit_table(people)
    people["member"] = people["member"].astype(object)
    gaps = people.copy()
    for row, name in enumerate(people.columns):
        gaps.loc[row, name] = None
    numbers = table.encode(gaps)
    for code, span in table.spans():
        row = list(people.columns).index(str(code.name))
        lost = np.isnan(numbers[:, span])
        assert lost[row].all()
        assert lost.sum() == code.size
    assert table.decode(numbers[len(people.columns) :]).isna().sum().sum() == 0


def test_what_is_drawn_stays_within_the_reach_of_training_and_is_as_whole(
    people: pd.DataFrame,
) -> None:
    table = fit_table(people)
    numbers = table.encode(people) + 1e6 + 0.3
    drawn = table.decode(numbers, is_bounded=True)
    for name in ("age", "income", "visits", "score", "since", "zoned"):
        assert drawn[name].max() == people[name].max()
    before = table.decode(table.encode(people) + 7000.4)
    assert (before["age"] == people["age"] + 7000).all()
    assert (before["since"] == people["since"] + pd.Timedelta("7000s")).all()


def test_some_cells_of_a_row_can_be_known(people: pd.DataFrame) -> None:
    table = fit_table(people)
    cells = table.parsed({"city": "Rome", "age": "30", "since": "2023-11-15"})
    row = table.partial(cells | {"member": table.parsed({"member": "yes"})["member"]})
    known = {code.name for code, span in table.spans() if not np.isnan(row[:, span]).any()}
    assert known == {"city", "age", "since", "member"}
    with pytest.raises(InputError, match="unknown value of column 'city' 'Rom': did you mean 'Rom"):
        table.parsed({"city": "Rom"})
    with pytest.raises(InputError, match="unknown column 'town'"):
        table.parsed({"town": "Rome"})
    with pytest.raises(InputError, match="column 'since' holds dates, but 'soon' is none"):
        table.parsed({"since": "soon"})
    with pytest.raises(InputError, match="column 'age' holds whole numbers, but 'old' is none"):
        table.parsed({"age": "old"})
    with pytest.raises(InputError, match=r"column 'age' holds whole numbers, but 1\.5 is none"):
        table.parsed({"age": 1.5})
    with pytest.raises(InputError, match="column 'income' holds numbers, but nan is none"):
        table.parsed({"income": float("nan")})
    with pytest.raises(InputError, match=r"column 'zoned' has the type .* without a time zone"):
        table.parsed({"zoned": "2020-03-01"})


def test_a_new_category_is_said_and_counts_as_missing(people: pd.DataFrame) -> None:
    table = fit_table(people)
    other = people.head(3).copy()
    other.loc[1, "city"] = "Lima"
    with pytest.warns(DataWarning, match="'city' holds 'Lima', which training did not see"):
        numbers = table.encode(other)
    span = next(span for code, span in table.spans() if code.name == "city")
    assert np.isnan(numbers[1, span]).all()
    assert numbers[[0, 2], span].sum(1).tolist() == [1, 1]


def test_identifiers_and_empty_columns_are_left_out_and_said() -> None:
    frame = pd.DataFrame(
        {
            "id": range(1, 41),
            "name": [f"person {i}" for i in range(40)],
            "empty": [None] * 40,
            "constant": [3.5] * 40,
            "x": np.linspace(0, 1, 40),
        }
    )
    with pytest.warns(DataWarning) as said:
        table = fit_table(frame)
    texts = " ".join(str(warning.message) for warning in said)
    assert [code.name for code in table.codes] == ["constant", "x"]
    for part in (
        "column 'id' holds another whole number in each row, from 1 to 40",
        "column 'name' holds 40 values in 40 rows",
        "column 'empty' holds no value",
        "column 'constant' holds 3.5 throughout",
    ):
        assert part in texts
    back = table.decode(table.encode(frame), frame)
    pd.testing.assert_frame_equal(back, frame)
    assert table.decode(table.encode(frame))[["id", "name", "empty"]].isna().all(axis=None)


def test_kinds_can_be_said() -> None:
    frame = pd.DataFrame({"id": range(30), "code": np.arange(30) % 3, "note": ["a", "b", "c"] * 10})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = fit_table(frame, {"id": "number", "code": "category", "note": "skip"})
    assert kinds(table) == {"id": "number", "code": "category"}
    pd.testing.assert_frame_equal(table.decode(table.encode(frame), frame), frame)


def test_bad_columns_are_refused() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.5], "z": [1 + 2j, 3j]})
    with pytest.raises(InputError, match=r"column 'z' holds \(1\+2j\) \(type complex128"):
        fit_table(frame)
    with pytest.raises(InputError, match=r"unknown column 'y': .*Known: x, z"):
        fit_table(frame, {"y": "number"})
    with pytest.raises(InputError, match="unknown kind of column 'x' 'numbre': did you mean 'num"):
        fit_table(frame, {"x": "numbre", "z": "skip"})
    with pytest.raises(InputError, match="has the column 'x' twice"):
        fit_table(frame[["x", "x"]])
    with pytest.raises(InputError, match=r"column 'x' holds inf in row 1"):
        fit_table(frame[["x"]].replace(2.5, np.inf))


def test_cells_that_hold_several_values_are_refused() -> None:
    with pytest.raises(InputError, match=r"column 'z' holds \[1\] \(type object\), which ca"):
        fit_table(pd.DataFrame({"x": [1.0, 2.5], "z": [[1], [2, 3]]}))


def test_other_columns_than_those_of_training_are_refused() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.5, 4], "b": ["u", "v", "u"], "c": [0, 1, 0]})
    table = fit_table(frame)
    with pytest.raises(InputError, match="in another order"):
        table.encode(frame[["b", "a", "c"]])
    with pytest.raises(InputError, match="X lacks the columns 'c'"):
        table.encode(frame[["a", "b"]])
    with pytest.raises(InputError, match="X has the columns 'd', which training did not see"):
        table.encode(frame.assign(d=1))
    with pytest.raises(InputError, match="column 'a' is read as numbers, but holds 'x'"):
        table.encode(frame.assign(a=["x", "y", "z"]))
    with pytest.raises(InputError, match="column 'c' held 0 and 1 alone in training, but holds 2"):
        table.encode(frame.assign(c=2))
