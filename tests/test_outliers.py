"""Outliers: scikit-learn's contract, and examples that do not belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.data.rows import Rows
from isthmus.estimators.outliers import table

SMALL: dict[str, Any] = {"epochs": 2, "random_state": 0, "verbose": 0}


@parametrize_with_checks(
    [ist.OutlierDetector(ist.AE(**SMALL)), ist.OutlierDetector(ist.VAE(**SMALL), criterion="score")]
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def model(few: np.ndarray) -> ist.Estimator:
    return ist.AE(latent_dim=4, **SMALL).fit(few)


def test_a_digit_that_was_never_seen_stands_out(digits: ist.data.Data) -> None:
    x, y = digits.train.x, digits.train.y
    detector = ist.OutlierDetector(ist.AE(latent_dim=8, epochs=40, random_state=0)).fit(x[y != 0])
    found = detector.decision_function(digits.test.x)
    assert roc_auc_score(digits.test.y == 0, -found) > 0.97
    flagged = detector.predict(digits.test.x) == -1
    assert flagged[digits.test.y == 0].mean() > 0.9 > 0.1 > flagged[digits.test.y != 0].mean()


def test_the_score_is_minus_the_error_or_the_members_own(
    model: ist.Estimator, few: np.ndarray
) -> None:
    error, own = (
        ist.OutlierDetector.from_run(model, criterion=name).fit(few) for name in ("error", "score")
    )
    np.testing.assert_allclose(error.score_samples(few), -model.squared_error(few), rtol=1e-6)
    np.testing.assert_allclose(own.score_samples(few), model.score_samples(few), rtol=1e-6)
    assert error.score_samples(few).dtype == np.float64


def test_the_threshold_is_a_quantile_or_the_lower_fence(
    model: ist.Estimator, few: np.ndarray
) -> None:
    scores = -model.squared_error(few).astype(np.float64)
    share = ist.OutlierDetector.from_run(model, contamination=0.1).fit(few)
    assert share.offset_ == pytest.approx(np.quantile(scores, 0.1))
    assert (share.predict(few) == -1).sum() == 13  # of 129
    lower, upper = np.quantile(scores, [0.25, 0.75])
    assert ist.OutlierDetector.from_run(model).fit(few).offset_ == pytest.approx(
        lower - 1.5 * (upper - lower)
    )


def test_a_trained_member_is_taken_as_it_is(
    model: ist.Estimator, few: np.ndarray, tmp_path: Path
) -> None:
    before = model.transform(few)
    detector = ist.OutlierDetector.from_run(model).fit(few[:50])
    assert detector.member_ is model
    assert np.array_equal(model.transform(few), before)
    again = ist.OutlierDetector.from_run(model.save(tmp_path / "run")).fit(few[:50])
    assert np.array_equal(again.score_samples(few), detector.score_samples(few))
    with pytest.raises(NotFittedError):
        ist.OutlierDetector.from_run(ist.AE())


def test_an_estimator_is_copied_and_a_name_means_its_defaults(few: np.ndarray) -> None:
    member = ist.AE(latent_dim=3, **SMALL)
    detector = ist.OutlierDetector(member).fit(few)
    assert not hasattr(member, "module_")
    assert detector.member_.get_params() == member.get_params()
    assert detector.n_features_in_ == 64
    named = ist.OutlierDetector("wae").fit(few[:20, 0, :2, 0])
    assert isinstance(named.member_, ist.WAE) and named.member_.latent_dim == ist.WAE().latent_dim


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"member": "aee"}, "unknown member 'aee': did you mean 'ae'"),
        (
            {"member": StandardScaler()},
            r"member=StandardScaler\(\) is not usable: give a member such as AE\(latent_dim=8\)",
        ),
        (
            {"contamination": 0.6},
            r"contamination=0\.6 is not usable: give a number or 'auto', above 0 and at most 0\.5",
        ),
        ({"contamination": 0}, r"contamination=0 is not usable"),
        ({"contamination": "many"}, "unknown value of contamination 'many'"),
        ({"criterion": "eror"}, "unknown value of criterion 'eror': did you mean 'error'"),
    ],
)
def test_what_cannot_be_used_is_named(
    values: dict[str, Any], message: str, few: np.ndarray
) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.OutlierDetector(**values).fit(few)


def test_it_ends_a_pipeline_and_knows_its_columns() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(200, 3)), columns=["a", "b", "c"])
    frame["c"] = frame["a"] + frame["b"]
    detector = ist.OutlierDetector(
        ist.AE(latent_dim=2, epochs=30, learning_rate=0.01, random_state=0), contamination=0.05
    )
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), detector).fit(frame)
    odd = pd.DataFrame({"a": [3.0], "b": [3.0], "c": [-6.0]})
    assert pipeline.predict(odd).tolist() == [-1]
    assert (pipeline.predict(frame) == -1).sum() == 10
    assert detector.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ist.InputError, match="feature names should match"):
        detector.predict(odd.rename(columns={"a": "z"}))


def test_the_table_ranks_the_least_typical_first(model: ist.Estimator, few: np.ndarray) -> None:
    detector = ist.OutlierDetector.from_run(model, contamination=0.25).fit(few[:8])
    rows = Rows(few[:8], files=tuple(f"{i}.png" for i in range(8)))
    found = table(detector, rows)
    assert list(found) == ["row", "file", "score", "rank", "outlier"]
    assert found["rank"].tolist() == (np.argsort(np.argsort(found["score"])) + 1).tolist()
    assert (found["rank"][found["outlier"]] <= 2).all() and found["outlier"].sum() == 2
    assert list(table(detector, Rows(few[:8]))) == ["row", "score", "rank", "outlier"]
