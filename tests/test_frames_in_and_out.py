"""Frames at every way in and out: names are checked once, and scikit-learn's output setting breaks
nothing inside.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import isthmus as ist
from isthmus.data import Data, Part

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(60, 4)), columns=list("abcd"))
Y = RNG.integers(2, size=60)
DATA = Data(
    "table", Part(FRAME.to_numpy()[:40], Y[:40]), Part(FRAME.to_numpy()[40:], Y[40:]),
    columns=tuple("abcd"),
)  # fmt: skip
USES: dict[str, Callable[[Any, Any], Any]] = {
    name: (lambda model, x, name=name: getattr(model, name)(x))
    for name in (
        "transform", "codes", "encode", "reconstruct", "denoise", "impute", "terms",
        "squared_error", "score_samples", "score", "fit_prior", "score_prior", "partial_fit",
    )
} | {
    "validation_data": lambda model, x: model.fit(FRAME, validation_data=x),
    "probes": lambda model, x: model.fit(FRAME, probes=x, validation_data=FRAME),
    "detector": lambda model, x: ist.OutlierDetector.from_run(model).fit(FRAME).predict(x),
    "classifier": lambda model, x: CLASSIFIER.predict(x),
}  # fmt: skip


def trained() -> ist.DenoisingAE:
    return ist.DenoisingAE(epochs=1, latent_dim=2, random_state=0).fit(FRAME).fit_prior(FRAME)


CLASSIFIER = ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=1, random_state=0).fit(FRAME, Y)


@pytest.fixture
def model() -> ist.DenoisingAE:
    return trained()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.filterwarnings("ignore:DenoisingAE. training goes on")
def test_every_way_in_checks_the_names_of_columns(
    use: Callable[[Any, Any], Any], model: ist.DenoisingAE
) -> None:
    use(model, FRAME)
    for wrong in (FRAME[list("bacd")], FRAME.rename(columns={"a": "z"}), FRAME[list("abc")]):
        with pytest.raises(ist.InputError, match=r"feature names should match|names .*missing"):
            use(model, wrong)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_a_call_asks_a_frame_for_its_types_once(
    dtype: Any, model: ist.DenoisingAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made anew at every asking, which takes as long as the network."""
    row, types, asked = FRAME[:1].astype(dtype), pd.DataFrame.dtypes.fget, []
    monkeypatch.setattr(
        pd.DataFrame, "dtypes", property(lambda frame: (asked.append(1), types(frame))[1])
    )
    codes = model.transform(row)
    assert len(asked) == 1
    assert codes.dtype == (np.float64 if dtype is np.float64 else np.float32)


def test_what_is_measured_beside_a_first_training_may_be_a_frame() -> None:
    model = ist.AE(epochs=1, random_state=0, snapshots=1)
    model.fit(FRAME[:40], validation_data=FRAME[40:], probes=FRAME[:5])
    expected = -model.score_samples(FRAME[40:]).mean()
    assert model.history_[0]["val_objective"] == pytest.approx(expected, rel=1e-5)
    assert len(model.snapshots_[-1].codes) == 5


@pytest.mark.parametrize("name", [name for name in USES if "fit" not in name])
def test_an_array_without_names_is_noticed_once(name: str, model: ist.DenoisingAE) -> None:
    holey = FRAME.to_numpy(copy=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        USES[name](model, holey)
    unnamed = [w for w in caught if "does not have valid feature names" in str(w.message)]
    assert len(unnamed) == 1


def test_denoise_fills_in_under_the_names_of_the_columns(model: ist.DenoisingAE) -> None:
    missing = np.zeros(FRAME.shape, dtype=bool)
    missing[3, 1] = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filled = np.asarray(model.denoise(FRAME, missing))
    np.testing.assert_allclose(filled[~missing], FRAME.to_numpy()[~missing])
    with pytest.warns(UserWarning, match="valid feature names"):
        bare = model.denoise(FRAME.to_numpy(), missing)
    np.testing.assert_allclose(filled, np.asarray(bare))


@pytest.fixture(params=["set_output", "set_config"])
def given_out(request: Any) -> Iterator[Callable[[Any], Any]]:
    """Asks an estimator, or all of scikit-learn, to give frames out."""
    if request.param == "set_output":
        yield lambda estimator: estimator.set_output(transform="pandas")
        return
    with sklearn.config_context(transform_output="pandas"):
        yield lambda estimator: estimator


@pytest.mark.parametrize("name", ["ae", "clustering", "vae", "vqvae"])
def test_frames_as_output_break_nothing_inside(name: str, given_out: Callable[[Any], Any]) -> None:
    brief = {"pretrain_epochs": 1} if name == "clustering" else {}
    member = ist.MEMBERS[name](epochs=1, random_state=0, **brief)
    with sklearn.config_context(transform_output="default"):
        plain = ist.MEMBERS[name](epochs=1, random_state=0, **brief).fit(FRAME)
        expected, measured = plain.transform(FRAME), ist.evaluate(plain, DATA)
    model = given_out(member).fit(FRAME)
    found = model.transform(FRAME)
    assert list(found.columns) == list(model.get_feature_names_out())
    np.testing.assert_array_equal(found.to_numpy(), expected)
    measures = ist.evaluate(model, DATA)
    assert {name: m.value for name, m in measures.items()} == pytest.approx(
        {name: m.value for name, m in measured.items()}, nan_ok=True
    )
    if name == "clustering":
        np.testing.assert_array_equal(model.predict(FRAME), plain.predict(FRAME))
    pipeline = given_out(make_pipeline(StandardScaler(), member)).fit(FRAME)
    assert list(pipeline.transform(FRAME).index) == list(FRAME.index)
    ist.figures.plane(model, DATA)
    ist.figures.grid(model, DATA)


def test_a_comparison_under_frames_as_output(tmp_path: Any) -> None:
    with sklearn.config_context(transform_output="pandas"):
        found = ist.compare(["ae"], DATA, tmp_path / "out", overrides={"epochs": 1})
    assert [row.member for row in found.rows] == ["ae", "pca"]


def test_a_row_far_outside_costs_what_it_costs_in_float64() -> None:
    x = FRAME.to_numpy().astype(np.float32)
    model = ist.VAE(epochs=1, random_state=0).fit(x)
    detector = ist.OutlierDetector.from_run(model).fit(x)
    x[7, 2] = 3e38  # its square is no float32
    for score in (model.score_samples, model.squared_error, model.nll, detector.score_samples):
        np.testing.assert_allclose(score(x), score(x.astype(np.float64)), rtol=1e-4)
    assert detector.predict(x)[7] == -1
    x = x.astype(np.float64)
    x[7, 2] = 1e200  # no float32 itself
    with pytest.raises(ist.InputError, match=r"row 7|row and column from 0: row 7"):
        model.score_samples(x)


def test_a_row_whose_code_is_no_number_is_named() -> None:
    x = FRAME.to_numpy().astype(np.float32)
    model = ist.AE(epochs=1, random_state=0, scaling="none").fit(x)
    x[7] = 3e38
    with torch.no_grad():
        next(model.module_.encoder.parameters()).fill_(1.0)
    with pytest.raises(ist.InputError, match=r"the code of row 7 of X \(counted from 0\) is not"):
        model.transform(x)
    with pytest.raises(ist.InputError, match=r"the reconstruction of row 7 of X .*: leave it out"):
        model.reconstruct(x)


def test_a_prior_that_further_training_leaves_behind_is_dropped_aloud(
    model: ist.DenoisingAE,
) -> None:
    with pytest.warns(UserWarning, match=r"the prior that fit_prior fitted to them is dropped"):
        model.partial_fit(FRAME)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ist.LearningWarning)
        model.partial_fit(FRAME)  # it is gone
    warm = trained().set_params(warm_start=True)
    with pytest.warns(UserWarning, match=r"call fit_prior again afterwards"):
        warm.fit(FRAME)


def test_a_detector_says_that_it_trains_a_trained_member_again(model: ist.DenoisingAE) -> None:
    with pytest.warns(UserWarning, match=r"OutlierDetector: this DenoisingAE is trained already"):
        ist.OutlierDetector(model).fit(FRAME)
