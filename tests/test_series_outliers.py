"""Which steps of a long series a member finds unusual."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.data.steps import step_table, stretches
from isthmus.estimators.series import step_errors


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    wave = np.sin(np.arange(400) / 3) + 5
    wave[250:254] = 5
    return wave


@pytest.fixture(scope="module")
def member(wave: np.ndarray) -> ist.Estimator:
    cut = ist.data.windows(wave, 16, 4)
    return ist.AE(latent_dim=2, network="mlp", epochs=60, random_state=0).fit(cut)


def test_a_step_has_the_mean_of_its_errors_in_all_windows(
    member: ist.Estimator, wave: np.ndarray
) -> None:
    cut = ist.windows_for(member, wave)
    assert (cut.length, cut.stride, cut.kind) == (16, 4, "signal")
    scale = member.preprocessor_.scaling.scale
    errors = np.square((cut.x - member.reconstruct(cut)) / scale)[:, 0]
    np.testing.assert_allclose(step_errors(member, cut), errors, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        step_errors(member, cut).sum(1), member.squared_error(cut), rtol=1e-4
    )
    covering = [(w, 101 - s) for w, s in enumerate(cut.starts) if s <= 101 < s + 16]
    assert len(covering) == 4
    expected = -np.mean([errors[place] for place in covering])
    assert ist.score_steps(member, cut).scores[101] == pytest.approx(expected, rel=1e-4)


def test_what_is_unlike_the_rest_is_marked(member: ist.Estimator, wave: np.ndarray) -> None:
    found = ist.score_steps(member, ist.windows_for(member, wave))
    assert 250 <= found.scores.argmin() < 254
    assert found.outliers[250:254].any() and not found.outliers[:230].any()
    root = np.sqrt(-found.scores)
    lower, upper = np.quantile(root, [0.25, 0.75])
    assert found.threshold == pytest.approx(-((upper + 3 * (upper - lower)) ** 2))
    share = ist.score_steps(member, ist.windows_for(member, wave), contamination=0.05)
    assert share.outliers.sum() == 20
    with pytest.raises(ist.InputError, match=r"contamination=0.7 is not usable: give a share"):
        ist.score_steps(member, ist.windows_for(member, wave), contamination=0.7)


def test_the_score_of_a_member_counts_at_every_step_of_a_window(wave: np.ndarray) -> None:
    cut = ist.data.windows(wave, 16, 16)
    member = ist.VAE(network="mlp", epochs=2, random_state=0).fit(cut)
    found = ist.score_steps(member, cut, criterion="score")
    np.testing.assert_allclose(found.scores, cut.fold(member.score_samples(cut)))
    assert found.member == "VAE"


def test_several_series_are_judged_by_one_threshold(
    member: ist.Estimator, wave: np.ndarray
) -> None:
    found = ist.score_steps(member, ist.windows_for(member, [wave[:100], wave[100:]]))
    assert [len(scores) for scores in found.scores] == [100, 300]
    assert [int(marked.sum()) > 0 for marked in found.outliers] == [False, True]


def test_sequences_are_judged_like_signals(wave: np.ndarray) -> None:
    series = pd.DataFrame({"a": wave, "b": wave[::-1]})
    cut = ist.data.windows(series, 16, 8, kind="sequence")
    member = ist.RecurrentAE(epochs=1, random_state=0).fit(cut)
    errors = step_errors(member, ist.windows_for(member, series))
    np.testing.assert_allclose(errors.sum(1), member.squared_error(cut), rtol=1e-4)


def test_the_table_has_a_line_a_step(member: ist.Estimator, wave: np.ndarray) -> None:
    days = pd.date_range("2026-01-01", periods=400, name="day")
    frame = pd.DataFrame({"load": wave}, index=days)
    table = step_table(ist.score_steps(member, ist.windows_for(member, frame)))
    assert list(table) == ["day", "load", "score", "outlier"]
    np.testing.assert_array_equal(table["load"], wave)
    plain = step_table(ist.score_steps(member, ist.windows_for(member, wave)))
    assert list(plain) == ["step", "value", "score", "outlier"]
    np.testing.assert_array_equal(plain["score"], table["score"])


def test_stretches_are_steps_one_after_another() -> None:
    marks = np.array([1, 1, 0, 0, 1, 0, 1, 1, 1], dtype=bool)
    assert stretches(marks).tolist() == [[0, 2], [4, 5], [6, 9]]
    assert stretches(np.zeros(4, dtype=bool)).shape == (0, 2)


def test_what_does_not_fit_the_member_is_refused(member: ist.Estimator, wave: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match="the series has 2 channels, but AE was trained on 1"):
        ist.windows_for(member, np.stack([wave, wave], axis=1))
    with pytest.raises(ist.InputError, match="PCA does not judge steps: give a fitted member"):
        ist.score_steps(PCA(2), ist.data.windows(wave, 16))
    table = ist.AE(epochs=1).fit(np.random.default_rng(0).standard_normal((20, 3)))
    with pytest.raises(ist.InputError, match="trained on vectors of 3, which no series can be"):
        ist.windows_for(table, wave)
