"""What a file says of data is asked for by type: every other value is refused in our words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus.core.files import reading
from isthmus.core.records import Record
from isthmus.data.conditions import fit_condition
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.settling import fit_preprocessor
from isthmus.errors import InputError, RunError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(30, 3))
FRAME = pd.DataFrame(
    {
        "n": ROWS[:, 0],
        "c": RNG.choice(list("xyz"), 30),
        "d": pd.date_range("2020-01-01", periods=30),
        "b": RNG.integers(0, 2, 30).astype(bool),
        "k": pd.Categorical(RNG.choice(list("pq"), 30)),
    }
)
GIVEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "rows": (ROWS, {"scaling": "standard"}),
    "quantile": (ROWS[:6], {"scaling": "quantile"}),
    "robust": (ROWS, {"scaling": "robust"}),
    "signals": (RNG.normal(size=(8, 2, 5)), {"scaling": "standard", "kind": "signal"}),
    "sequences": (RNG.normal(size=(8, 5, 2)), {"scaling": "standard", "kind": "sequence"}),
    "pixels": (RNG.integers(0, 256, (9, 5, 4, 3), dtype=np.uint8), {"scaling": "auto"}),
    "table": (FRAME, {"scaling": "standard"}),
}
ODD = [
    *(None, True, 0, -1, 3, 10**30, 1.5, float("nan"), float("inf"), 10**400),
    *("", "x", "\ud800", "\0", [], [[]], [1], [None], ["a"], {}, {"a": 1}, {"name": "x"}),
]


def said(name: str) -> dict[str, Any]:
    x, settings = GIVEN[name]
    values: dict[str, Any] = json.loads(
        json.dumps(fit_preprocessor(x, **settings)[0].to_json(), default=list)
    )
    return values


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every entry of nested tables and lists."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inside:
        yield (*place, key)
        if isinstance(item, dict | list):
            yield from places(item, (*place, key))


def changed(values: Any, place: tuple[Any, ...], value: Any) -> Any:
    again = json.loads(json.dumps(values))
    inner = again
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return again


@pytest.mark.parametrize("name", GIVEN)
def test_every_odd_value_is_refused_or_is_a_preprocessor_that_works(name: str) -> None:
    values = said(name)
    refused = 0
    for place in places(values):
        for odd in ODD:
            try:
                with reading(Path("config.json"), "restore it"):
                    made = Preprocessor.from_json(changed(values, place, odd))
            except RunError as error:
                assert str(error).startswith("config.json")
                assert "\n" not in str(error)
                refused += 1
            else:
                back = made.inverse_transform(np.zeros((1, *made.spec.shape), np.float32))
                assert np.isfinite(back).all()
    assert refused > 5 * len(values)


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_whole_comes_back(name: str) -> None:
    values = said(name)
    again = json.loads(json.dumps(Preprocessor.from_json(values).to_json(), default=list))
    assert again == values


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("scaling", "scale"), [1.0, 2.0], r"data\.scaling\.scale of shape=\(2,\) is not usable"),
        (
            ("scaling", "offset"),
            [1.0],
            r"data\.scaling\.offset of shape=\(1,\) .*that of the scale",
        ),
        (("scaling", "scale", 1), 0.0, r"data\.scaling\.scale=0\.0 is not usable: a number above"),
        (("scaling", "offset", 0), float("nan"), r"scaling\.offset=.* all finite is expected"),
        (("scaling", "kind"), "log", r"data\.scaling\.kind='log' is not usable: one of none, pix"),
        (("layout", "shape"), [4], r"data\.layout\.shape=\[4\] is not usable: a shape that holds"),
        (("layout", "outer"), [-3], r"data\.layout\.outer=-3 is not usable: a whole number from 1"),
        (("strict",), 1, r"data\.strict=1 is not usable: true or false is expected"),
        (("kind",), "image", r"data\.layout\.shape=\[3\] is not usable: 3 sizes, as of image"),
        (("bins",), 1, r"data\.bins=1 is not usable: a whole number from 2 on"),
        (("stride",), 0, r"data\.stride=0 is not usable: a whole number from 1 on"),
    ],
)
def test_the_message_names_the_entry(place: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Preprocessor.from_json(changed(said("rows"), place, value))


@pytest.mark.parametrize(
    ("kind", "given", "place", "value", "message"),
    [
        ("label", list("abab"), ("label", "shares"), [0.5, 0.6], r"2 shares that sum to 1"),
        ("label", list("abab"), ("label", "names"), ["a", "a"], r"texts, each of them once"),
        ("covariates", ROWS[:4], ("covariates", "mean"), [0.0], r"as many means as scales"),
    ],
)
def test_conditions_that_do_not_fit_are_refused(
    kind: Any, given: Any, place: tuple[Any, ...], value: Any, message: str
) -> None:
    condition = json.loads(json.dumps(fit_condition(kind, given, 4).to_json()))
    values = said("rows") | {"condition": condition}
    assert Preprocessor.from_json(values).condition is not None
    with pytest.raises(InputError, match=message):
        Preprocessor.from_json(changed(values, ("condition", *place), value))


def test_a_record_says_what_it_lacks() -> None:
    record = Record({"a": None}, "it")
    assert record.optional("a", record.whole) is None
    assert record.optional("b", record.whole) is None
    with pytest.raises(InputError, match=r"it lacks b: restore the file"):
        record.whole("b")
    with pytest.raises(InputError, match=r"it\.a=None is not usable: a text is expected"):
        record.text("a")
