"""Outliers: scikit-learn's contract, and examples that do not belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import mahalanobis
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import isthmus as ist
from isthmus.data.rows import Rows
from isthmus.estimators._suited import explaining, suited_members
from isthmus.estimators._views import View, robust_units, student_t
from isthmus.estimators.criteria import JointDensity, passes
from isthmus.estimators.outliers import table
from isthmus.io import runs

SMALL: dict[str, Any] = {"epochs": 2, "random_state": 0, "verbose": 0}


@pytest.mark.parametrize(
    "detector",
    [
        ist.OutlierDetector(ist.AE(hidden=(8,), **SMALL)),
        ist.OutlierDetector(ist.VAE(hidden=(8,), **SMALL), criterion="score"),
    ],
    ids=["error", "score"],
)
def test_scikit_learn_contract(detector: ist.OutlierDetector) -> None:
    found = check_estimator(detector, on_fail=None, on_skip=None)
    assert [
        f"{each['check_name']}: {each['exception']}" for each in found if each["status"] == "failed"
    ] == []
    assert sum(each["status"] == "passed" for each in found) > 40


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
    found = table(detector, rows, detector.scores_)
    assert list(found) == ["row", "file", "score", "probability", "rank", "outlier"]
    np.testing.assert_array_equal(found["probability"] > 0.5, found["outlier"])
    assert found["rank"].tolist() == (np.argsort(np.argsort(found["score"])) + 1).tolist()
    assert (found["rank"][found["outlier"]] <= 2).all() and found["outlier"].sum() == 2
    bare = table(detector, Rows(few[:8]), detector.scores_)
    assert list(bare) == ["row", "score", "probability", "rank", "outlier"]


# ---------------------------------------------------------------- what examples are judged by


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """300 rows of four columns, of which the last is the sum of the first two."""
    x = np.random.default_rng(0).normal(size=(300, 4))
    x[:, 3] = x[:, 0] + x[:, 1] + 0.1 * x[:, 3]
    return x


@pytest.fixture(scope="module")
def of_rows(rows: np.ndarray) -> ist.OutlierDetector:
    return ist.OutlierDetector(random_state=0).fit(rows)


def test_a_view_measures_the_mahalanobis_distance_in_medians(rows: np.ndarray) -> None:
    view = View.fit(rows, np.full(4, 0.01))
    scatter = np.linalg.inv(view.whitening @ view.whitening)
    distances = [
        mahalanobis(row / view.scale, view.centre, np.linalg.inv(scatter)) ** 2 for row in rows
    ]
    np.testing.assert_allclose(view.squares(rows).sum(1), distances / np.median(distances))
    np.testing.assert_allclose(view.whitening, view.whitening.T, atol=1e-12)


def test_outliers_hardly_move_the_estimates() -> None:
    random = np.random.default_rng(1)
    x = random.multivariate_normal([0, 0], [[1.0, 0.8], [0.8, 1.0]], size=1000)
    x[:100] = [8, -8]
    centre, whitening = student_t(x)
    scatter = np.linalg.inv(whitening @ whitening)
    assert np.abs(centre).max() < 0.4 * np.abs(x.mean(0)).max()
    correlations = [
        found[0, 1] / np.sqrt(found[0, 0] * found[1, 1]) for found in (scatter, np.cov(x.T))
    ]
    assert correlations[0] > 0.2 > -0.6 > correlations[1]
    _, clean = student_t(x[100:])
    shape = np.linalg.inv(clean @ clean)
    # a fiftieth of the way to a sphere
    assert shape[0, 1] / shape[0, 0] == pytest.approx(0.98 * 0.8, abs=0.04)


def test_robust_units_are_those_of_a_normal_distribution() -> None:
    x = stats.norm(5, 2).ppf(np.linspace(0.0005, 0.9995, 1000))
    wild = np.where(x > 10, 1e6, x)
    rare = np.r_[np.zeros(990), np.ones(10)]
    middle, unit = robust_units(np.column_stack([x, wild, rare, np.full(1000, 7.0)]))
    np.testing.assert_allclose(middle[:2], 5, atol=1e-9)
    np.testing.assert_allclose(unit[0], 2, rtol=1e-2)
    assert unit[1] == unit[2] * 0 + wild.std()  # 1e6 has made the quartiles next to nothing
    assert unit[2] == rare.std() and unit[3] == 1


def test_the_density_is_that_of_residual_and_code_beside_the_values(rows: np.ndarray) -> None:
    member = ist.AE(latent_dim=2, scaling="standard", **SMALL).fit(rows)
    density = JointDensity()
    density.settle(member, rows)
    (seen,) = passes(member, rows)
    made = np.hstack([seen.residual.numpy(), member.codes(rows)])
    inside = (rows - rows.mean(0)) / rows.std(0)
    v = (inside - np.median(inside, 0)) / robust_units(inside)[1]
    given = v / np.sqrt(1 + (v / 3) ** 2)
    expected = [
        view.squares(u).sum(1) for view, u in zip(density.views, (made, given), strict=True)
    ]
    np.testing.assert_allclose(density.costs(member, rows), np.mean(expected, 0), rtol=1e-4)
    assert [np.median(part) for part in expected] == pytest.approx([1, 1], rel=1e-4)


def test_the_criterion_goes_by_the_data_and_the_member(
    of_rows: ist.OutlierDetector, few: np.ndarray
) -> None:
    assert of_rows.criterion_ == "density"
    assert ist.OutlierDetector(ist.AE(**SMALL)).fit(few).criterion_ == "error"
    closing = ist.DeepSVDD(pretrain_epochs=1, **SMALL)
    detector = ist.OutlierDetector(closing).fit(few)
    assert detector.criterion_ == "distance"
    distance = detector.member_.terms(few)["distance"]
    np.testing.assert_allclose(detector.scores_, -distance, rtol=1e-5)
    plain = ist.OutlierDetector(ist.AE(**SMALL), criterion="distance").fit(few)
    codes = plain.member_.codes(few).astype(np.float64)
    np.testing.assert_allclose(plain.scores_, -np.square(codes - codes.mean(0)).sum(1), rtol=1e-6)


def test_a_row_that_breaks_the_sum_stands_out_by_default(
    of_rows: ist.OutlierDetector, rows: np.ndarray
) -> None:
    odd = rows[:50].copy()
    odd[:, 3] *= -1  # every column by itself is as it always was
    scores = of_rows.score_samples(np.vstack([rows[50:], odd]))
    wrong = np.abs(odd[:, 3]) > 1
    assert roc_auc_score(np.r_[np.zeros(250), wrong], -scores) > 0.9
    assert len(of_rows.members_) == 3
    assert np.median(of_rows.scores_) == pytest.approx(-1, abs=0.1)


def test_a_seed_gives_the_same_scores(of_rows: ist.OutlierDetector, rows: np.ndarray) -> None:
    again = ist.OutlierDetector(random_state=0).fit(rows)
    np.testing.assert_array_equal(again.scores_, of_rows.scores_)


def test_a_name_stands_for_standardised_columns() -> None:
    x = np.random.default_rng(0).random((60, 3))
    detector = ist.OutlierDetector("ae", random_state=0).fit(x)
    assert detector.predict(np.array([[9.0, 0.5, 0.5]])).tolist() == [-1]


def test_members_suit_the_data(rows: np.ndarray, few: np.ndarray) -> None:
    assert [type(member).__name__ for member in suited_members(rows, 0)] == ["DenoisingAE"] * 3
    (picture,) = suited_members(few, 0)
    (sequence,) = suited_members([np.zeros(5), np.zeros(3)], 0)
    assert isinstance(picture, ist.AE) and isinstance(sequence, ist.RecurrentAE)
    line = np.outer(np.arange(50.0), [1.0, -2.0, 30.0])
    assert explaining(line) == 1
    assert explaining(np.eye(10)[np.arange(100) % 10]) == 7  # 9 equal parts, of which 0.7 are 6.3
    assert explaining(np.zeros((5, 3))) == 1


def test_length_does_not_decide_over_sequences() -> None:
    random = np.random.default_rng(0)
    waves = [np.sin(np.arange(n) / 2 + random.uniform(0, 6)) for n in random.integers(15, 60, 150)]
    for wave in waves[:12]:
        wave[random.integers(3, len(wave) - 3)] += 2.5
    member = ist.RecurrentAE(latent_dim=4, **SMALL)
    detector = ist.OutlierDetector(member).fit(waves)
    lengths = np.array([len(wave) for wave in waves])
    np.testing.assert_allclose(
        detector.scores_, -detector.member_.squared_error(waves) / lengths, rtol=1e-5
    )
    is_odd = np.arange(150) < 12
    assert roc_auc_score(is_odd, -detector.scores_) > 0.9
    assert roc_auc_score(is_odd, detector.member_.squared_error(waves)) < 0.8
    shares = detector.explain(waves)
    assert [share.shape for share in shares] == [wave.shape for wave in waves]
    np.testing.assert_allclose([share.sum() for share in shares], -detector.scores_, rtol=1e-5)


# ---------------------------------------------------------------- explaining


def test_shares_sum_to_the_cost_and_name_the_column(
    of_rows: ist.OutlierDetector, rows: np.ndarray
) -> None:
    odd = rows[:5].copy()
    odd[:, 2] += 12
    shares = of_rows.explain(odd)
    assert shares.shape == odd.shape and (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(1), -of_rows.score_samples(odd), rtol=1e-9)
    assert (shares.argmax(1) == 2).all()


@pytest.mark.parametrize("criterion", ["error", "score", "density"])
def test_shares_have_the_layout_of_the_examples(criterion: Any, few: np.ndarray) -> None:
    x = few[:, 0, :, :, None].repeat(3, axis=3)  # colours last
    detector = ist.OutlierDetector(ist.AE(**SMALL), criterion=criterion).fit(x)
    shares = detector.explain(x[:4])
    assert shares.shape == (4, 8, 8, 3)
    np.testing.assert_allclose(
        shares.reshape(4, -1).sum(1), -detector.score_samples(x[:4]), rtol=1e-4
    )
    if criterion == "error":
        expected = np.square(x[:4] - detector.member_.reconstruct(x[:4]))
        np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-7)


def test_a_distance_of_codes_has_no_shares(few: np.ndarray) -> None:
    detector = ist.OutlierDetector(ist.AE(**SMALL), criterion="distance").fit(few)
    with pytest.raises(
        ist.InputError, match="criterion='distance' judges the code, of which no value"
    ):
        detector.explain(few)


# ---------------------------------------------------------------- probabilities, saving


def test_a_probability_is_a_half_at_the_threshold(of_rows: ist.OutlierDetector) -> None:
    lower, median = np.quantile(of_rows.scores_, [0.25, 0.5])
    quartile = median - lower
    scores = of_rows.offset_ + quartile * np.array([-1, 0, 1])
    np.testing.assert_allclose(
        of_rows.probability_of(scores), [[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]]
    )


def test_probabilities_agree_with_predictions(
    of_rows: ist.OutlierDetector, rows: np.ndarray
) -> None:
    x = rows * np.linspace(0, 4, len(rows))[:, None]
    probability = of_rows.predict_proba(x)
    assert probability.shape == (len(x), 2)
    np.testing.assert_allclose(probability.sum(1), 1)
    assert set(of_rows.predict(x)) == {1, -1}
    np.testing.assert_array_equal(of_rows.classes_[probability.argmax(1)], of_rows.predict(x))


def test_a_saved_detector_says_the_same(
    of_rows: ist.OutlierDetector, rows: np.ndarray, tmp_path: Path
) -> None:
    of_rows.save(tmp_path / "detector")
    for again in (ist.OutlierDetector.load(tmp_path / "detector"), ist.load(tmp_path / "detector")):
        assert isinstance(again, ist.OutlierDetector)
        assert again.get_params() == of_rows.get_params()
        np.testing.assert_array_equal(again.score_samples(rows), of_rows.score_samples(rows))
        np.testing.assert_array_equal(again.explain(rows[:3]), of_rows.explain(rows[:3]))
        np.testing.assert_array_equal(again.predict_proba(rows), of_rows.predict_proba(rows))
        assert again.offset_ == of_rows.offset_
    names = {path.suffix for path in (tmp_path / "detector").rglob("*") if path.is_file()}
    assert names == {".json", ".jsonl", ".safetensors"}


@pytest.mark.parametrize("criterion", ["error", "score", "distance"])
def test_every_criterion_is_saved(
    criterion: Any, model: ist.Estimator, few: np.ndarray, tmp_path: Path
) -> None:
    detector = ist.OutlierDetector.from_run(model, criterion=criterion, contamination=0.1).fit(few)
    again = ist.OutlierDetector.load(detector.save(tmp_path / "detector"))
    np.testing.assert_array_equal(again.decision_function(few), detector.decision_function(few))


def test_a_folder_that_is_something_else_is_named(
    of_rows: ist.OutlierDetector, model: ist.Estimator, tmp_path: Path
) -> None:
    run = model.save(tmp_path / "run")
    with pytest.raises(
        ist.RunError, match="holds no detector but a ae: give it to OutlierDetector"
    ):
        ist.OutlierDetector.load(run)
    detector = of_rows.save(tmp_path / "detector")
    with pytest.raises(ist.RunError, match="holds a detector, which is no member: load it with"):
        ist.OutlierDetector.from_run(ist.load(detector / "member-0")) and runs.info(detector)
    (detector / "detector.safetensors").write_bytes(b"")
    with pytest.raises(ist.RunError, match="does not match its checksum"):
        ist.load(detector)


@pytest.mark.filterwarnings("ignore:column 'same' holds 'x' throughout")
def test_shares_of_a_frame_are_those_of_its_columns() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "city": random.choice(["Paris", "Rome", "Oslo"], 90),
            "age": random.normal(40, 5, 90),
            "same": "x",
            "gap": random.normal(size=90),
        }
    )
    frame.loc[3, "age"] = 400
    frame.loc[5, "gap"] = np.nan
    detector = ist.OutlierDetector(ist.AE(epochs=20), random_state=0).fit(frame)
    shares = detector.explain(frame)
    assert shares.shape == (90, 4) and detector.scores_.argmin() == 3
    assert shares[3].argmax() == 1 and shares[:, 2].max() < 1e-9 and np.isnan(shares[5, 3])
    np.testing.assert_allclose(np.nansum(shares, axis=1), -detector.scores_, rtol=1e-6)


def test_a_list_of_signals_is_explained_step_by_step() -> None:
    random = np.random.default_rng(0)
    signals = [random.normal(size=(2, length)) for length in (8, 9, 12, 16) * 5]
    detector = ist.OutlierDetector(ist.AE(kind="signal", **SMALL)).fit(signals)
    shares = detector.explain(signals)
    assert [one.shape for one in shares] == [one.shape for one in signals]
    totals = [one.sum() for one in shares]
    np.testing.assert_allclose(totals, -detector.score_samples(signals), rtol=1e-4)


@pytest.mark.parametrize("criterion", ["error", "score"])
def test_gaps_make_no_row_typical(criterion: Any) -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(60, 3)), columns=["a", "b", "c"])
    rows["kind"] = random.choice(["x", "y", "z"], 60)
    rows.loc[::4, "a"] = np.nan
    detector = ist.OutlierDetector(ist.AE(**SMALL), criterion=criterion).fit(rows)
    member = detector.member_
    whole = member.squared_error(rows) if criterion == "error" else -member.score_samples(rows)
    share = rows.notna().to_numpy().mean(1)  # 3/4 where a cell of four is missing
    np.testing.assert_allclose(detector.score_samples(rows), -whole / share, rtol=1e-5)
    shares = np.nansum(np.asarray(detector.explain(rows)), axis=1)
    np.testing.assert_allclose(shares, whole / share, rtol=1e-4)


@pytest.mark.parametrize(
    ("owner", "values"),
    [
        (ist.OutlierDetector, {}),
        (ist.AutoencoderClassifier, {"epochs": 1}),
        (ist.ManifoldClustering, {"n_clusters": 2, "manifold": "isomap", "neighbours": 5}),
    ],
)
@pytest.mark.parametrize("own", [None, 3])
def test_a_member_without_a_seed_takes_that_of_its_owner(
    owner: Any, values: dict[str, Any], own: int | None
) -> None:
    x = np.random.default_rng(0).normal(size=(40, 5))
    member = ist.AE(epochs=1, random_state=own)
    made, again, other = (
        owner(member, random_state=seed, **values).fit(x, x[:, 0] > 0).member_ for seed in (7, 7, 8)
    )
    assert member.random_state == own
    np.testing.assert_array_equal(made.transform(x), again.transform(x))
    if own is None:
        assert made.random_state == again.random_state != other.random_state
    else:
        assert made.random_state == other.random_state == own
