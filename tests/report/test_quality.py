"""The report on a synthetic table: what it says, and that it stays whole for odd tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.metrics import table_quality
from isthmus.report import write_quality

pd = pytest.importorskip("pandas")


def _table(n: int, seed: int):
    random = np.random.default_rng(seed)
    size = random.normal(50, 10, n)
    kind = np.where(size + random.normal(0, 5, n) > 50, "<b>large", "small & neat")
    return pd.DataFrame({"size": size, "a <kind>": kind, "count": random.integers(0, 4, n)})


def test_the_page_holds_every_measure_column_and_target(tmp_path: Path) -> None:
    real, made, test = _table(80, 0), _table(60, 1), _table(40, 2)
    quality = write_quality(tmp_path / "report.html", real, made, test, name="boxes.csv")
    page = (tmp_path / "report.html").read_text()
    assert "Synthetic rows of boxes.csv" in page
    assert "60 rows that a model made, beside the 80 real rows" in page
    for name, measure in quality.measures.items():
        row = page.split(f'data-measure="{name}"')[1].split("</tr>")[0]
        assert measure.help.split(":")[0] in row
        assert f"{measure.value:.3f}" in row
    assert len(re.findall("<figcaption>", page)) == 3
    assert page.count("data:image/png") == 3 + 2  # a picture a column, the pairs, the targets
    assert "a &lt;kind&gt;" in page
    assert "<kind>" not in page
    assert "<b>large" not in page


def test_json_holds_the_numbers_of_the_measures(tmp_path: Path) -> None:
    real, made = _table(80, 0), _table(60, 1).assign(count=2)
    write_quality(tmp_path / "report.json", real.assign(count=1), made, target="size")
    record = json.loads((tmp_path / "report.json").read_text())
    quality = table_quality(real.assign(count=1), made, target="size")
    assert record["measures"]["marginals"]["value"] == quality.measures["marginals"].value
    assert [column["name"] for column in record["columns"]] == ["size", "a <kind>", "count"]
    assert record["columns"][2]["similarity"] == 0  # 2 where all were 1
    assert record["pairs"][0][2] is None  # a constant has no correlation
    assert [score["name"] for score in record["targets"]] == ["size"]


def test_odd_tables_have_a_page_too(tmp_path: Path) -> None:
    many = [f"category {i}" for i in range(30)]
    real = pd.DataFrame(
        {"many": many, "constant": 1.0, "empty": np.nan, "flag": [True, False] * 15}
    )
    quality = write_quality(tmp_path / "report.html", real, real[::-1])
    assert quality.measures["copies"].value == 1
    page = (tmp_path / "report.html").read_text()
    assert "100.0% are copies" in page
    assert "missing: 100.0% of real rows, 100.0% of synthetic" in page
    write_quality(tmp_path / "one.html", real[["many"]], real[["many"]])
    assert "Pairs of columns" not in (tmp_path / "one.html").read_text()


def test_another_ending_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"report\.pdf cannot be written: give a name that ends in"
    ):
        write_quality(tmp_path / "report.pdf", None, None)
