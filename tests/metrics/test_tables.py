"""The quality of synthetic tables: numbers of SDMetrics 0.25, and what can be derived."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.metrics._encoding import encode_tables
from isthmus.metrics.efficacy import TargetScore, efficacy
from isthmus.metrics.privacy import closest_record
from isthmus.metrics.similarity import (
    contingency_similarity,
    correlation_similarity,
    ks_complement,
    missing_similarity,
    tv_complement,
)
from isthmus.metrics.tables import TableQuality, table_quality

pd = pytest.importorskip("pandas")


def _table(n: int, shift: float, seed: int):
    """People of a mixed table; the larger the shift, the less they are like those without."""
    random = np.random.default_rng(seed)
    age = np.round(random.gamma(4, 10, n) + shift)
    city = np.array(["Lyon", "Nice", "Paris"])[
        (random.random(n) * 3 * (1 - shift / 40)).astype(int)
    ]
    income = 20 + 0.7 * age + random.normal(0, 8, n) + 5 * (city == "Paris")
    income[random.random(n) < 0.1 + shift / 100] = np.nan
    member = random.random(n) < 0.3 + shift / 50
    return pd.DataFrame({"age": age, "city": city, "income": income, "member": member})


@pytest.fixture(scope="module")
def quality() -> TableQuality:
    return table_quality(_table(200, 0, 0), _table(150, 5, 1), _table(100, 0, 2))


def test_columns_are_measured_as_by_sdmetrics(quality: TableQuality) -> None:
    found = {column.name: column.similarity for column in quality.columns}
    assert found == pytest.approx(
        {"age": 0.825, "city": 0.8866666667, "income": 0.8776145203, "member": 0.89}
    )
    assert [column.kind for column in quality.columns] == [
        "number",
        "category",
        "number",
        "category",
    ]
    assert quality.measures["marginals"].value == pytest.approx(np.mean([*found.values()]))
    assert quality.measures["missing"].value == pytest.approx(0.9766666667)


def test_pairs_are_measured_as_by_sdmetrics(quality: TableQuality) -> None:
    age, city, income, member = range(4)
    assert quality.pairs[age, income] == pytest.approx(0.9895640080)
    assert quality.pairs[city, member] == pytest.approx(0.88)
    assert quality.pairs[age, city] == pytest.approx(0.715)
    assert quality.pairs[member, age] == pytest.approx(0.7666666667)
    assert np.isnan(quality.pairs.diagonal()).all()


def test_closest_records_are_those_of_sdmetrics() -> None:
    encoding, (training, rows) = encode_tables({"a": _table(200, 0, 0), "b": _table(150, 5, 1)})
    distances = closest_record(encoding, rows, training)
    assert distances[:3] == pytest.approx([0.0092846282, 0.0150638812, 0.0165480462])
    assert distances.mean() == pytest.approx(0.0204791586)


def test_similarities_at_their_ends() -> None:
    values = np.array([0.0, 1, 1, 2])
    assert ks_complement(values, values) == tv_complement(values, values) == 1
    assert ks_complement(values, values + 3) == tv_complement(values, values + 3) == 0
    pair = np.stack([values, values], axis=1)
    mirrored = np.stack([values, -values], axis=1)
    assert correlation_similarity(pair, mirrored) == pytest.approx(0)  # correlations of 1 and −1
    assert contingency_similarity(pair, pair) == 1


def test_missing_values_are_left_out_of_columns_and_count_by_themselves() -> None:
    gaps = np.array([1.0, np.nan, 2, np.nan])
    assert ks_complement(gaps, np.array([1.0, 2])) == tv_complement(gaps, np.array([2.0, 1])) == 1
    assert missing_similarity(gaps, np.array([1.0, 2, 3, np.nan])) == 0.75
    assert np.isnan(ks_complement(gaps, np.array([np.nan])))
    # a missing category is one of its own: shares ½, ½ against 0, 1
    one, other = np.stack([gaps, gaps > 0], axis=1), np.array([[2.0, 1], [2.0, 1]])
    assert contingency_similarity(one, other) == pytest.approx(0.25)


def test_constant_columns_have_no_correlation_to_lose() -> None:
    values = np.arange(5.0)
    pair, flat = np.stack([values, values], axis=1), np.stack([values, 0 * values], axis=1)
    assert np.isnan(correlation_similarity(flat, pair))
    assert correlation_similarity(pair, flat) == pytest.approx(0.5)  # 1 was lost: 1 − |1 − 0| / 2


def test_real_rows_are_as_good_as_real_rows() -> None:
    quality = table_quality(_table(600, 0, 0), _table(600, 0, 1), _table(600, 0, 2))
    found = {name: measure.value for name, measure in quality.measures.items()}
    assert found["marginals"] > 0.94
    assert found["pairs"] > 0.93
    assert found["efficacy"] == pytest.approx(1, abs=0.15)
    assert found["detection"] == pytest.approx(0.5, abs=0.06)
    assert found["closest_record"] == pytest.approx(1, abs=0.15)
    assert found["nearer_to_training"] == pytest.approx(0.5, abs=0.06)


def test_copies_are_seen() -> None:
    real, test = _table(300, 0, 0), _table(100, 0, 1)
    quality = table_quality(real, real.sample(frac=1, random_state=0), test, target="income")
    found = {name: measure.value for name, measure in quality.measures.items()}
    assert found["marginals"] == found["pairs"] == found["copies"] == 1
    assert found["closest_record"] == 0
    # nearer to one of 100 training rows than to one of 100 test rows: all that are among the 100,
    # and half of the others
    assert found["nearer_to_training"] == pytest.approx(2 / 3, abs=0.08)


def test_independent_columns_teach_nothing() -> None:
    real, random = _table(600, 0, 0), np.random.default_rng(0)
    shuffled = real.apply(lambda column: random.permutation(column))
    quality = table_quality(real, shuffled, _table(600, 0, 1), target="income")
    assert quality.measures["marginals"].value == 1
    assert [score.name for score in quality.targets] == ["income"]
    assert quality.targets[0].real > 0.6
    assert quality.measures["efficacy"].value < 0.1
    assert quality.measures["detection"].value > 0.6


def test_efficacy_is_the_share_of_what_is_better_than_guessing() -> None:
    scores = [
        TargetScore("a", "AUROC", 0.9, 0.7),  # 0.8 and 0.4
        TargetScore("b", "R²", 0.4, 0.5),
        TargetScore("c", "R²", -0.1, -3.0),  # neither is better than the mean
    ]
    measure = efficacy(scores)
    assert measure is not None
    assert measure.value == pytest.approx((0.4 + 0.5) / (0.8 + 0.4))
    assert efficacy(scores[2:]) is None


def test_tables_without_test_rows_have_no_distance_to_judge_by() -> None:
    real = _table(200, 0, 0)
    quality = table_quality(real, _table(100, 0, 1), target="member")
    assert "copies" in quality.measures
    assert "closest_record" not in quality.measures
    assert [score.name for score in quality.targets] == ["member"]


def test_a_table_from_a_file_compares_with_the_one_in_memory(tmp_path) -> None:
    real = _table(100, 0, 0).assign(
        city=lambda frame: frame.city.astype("category"),
        day=pd.date_range("2020-01-01", periods=100),
    )
    real.to_csv(tmp_path / "real.csv", index=False)
    read = pd.read_csv(tmp_path / "real.csv", parse_dates=["day"])
    quality = table_quality(real, read[read.columns[::-1]], target="age")
    assert [column.similarity for column in quality.columns] == [1] * 5
    assert [column.kind for column in quality.columns][-1] == "number"
    assert quality.measures["copies"].value == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.to_numpy(), "synthetic is of type ndarray: give a pandas DataFrame"),
        (lambda frame: frame[:0], "synthetic has no rows or no columns"),
        (lambda frame: frame.drop(columns="age"), "not the same columns: 'age' stand in one"),
        (
            lambda frame: frame.assign(age=frame.age.astype(str)),
            "column 'age' holds numbers in real_train and categories in synthetic",
        ),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(change, said: str) -> None:
    with pytest.raises(InputError, match=said):
        table_quality(_table(50, 0, 0), change(_table(50, 0, 1)))


def test_an_unknown_target_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown target 'incom': did you mean 'income'"):
        table_quality(_table(50, 0, 0), _table(50, 0, 1), target="incom")
