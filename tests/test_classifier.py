"""The classifier on an autoencoder: scikit-learn's contract, and what pretraining does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist

_QUICK = {"epochs": 2, "random_state": 0}
# scikit-learn's checks use −1 as a class; here it means "no label", as in its own semi-supervised
# classifiers
_MINUS_ONE = {
    "check_classifiers_classes": "-1 marks an example without a label",
}


@parametrize_with_checks(
    [
        ist.AutoencoderClassifier(
            ist.AE(epochs=2, learning_rate=1e-2),
            epochs=15,
            learning_rate=1e-2,
            batch_size=16,
            random_state=0,
        )
    ],
    expected_failed_checks=lambda estimator: _MINUS_ONE,
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def half_labelled(digits: ist.data.Data, labelled: int = 100) -> np.ndarray:
    y = digits.train.y.copy()
    y[labelled:] = -1
    return y


def test_unlabelled_examples_help(digits: ist.data.Data) -> None:
    y = half_labelled(digits)
    values = {"epochs": 60, "batch_size": 32, "random_state": 0}
    member = ist.DenoisingAE(latent_dim=64, epochs=40, batch_size=64)
    with_all = ist.AutoencoderClassifier(member, **values).fit(digits.train.x, y)
    alone = ist.AutoencoderClassifier(member, **values).fit(digits.train.x[:100], y[:100])
    scores = [model.score(digits.test.x, digits.test.y) for model in (with_all, alone)]
    assert scores[0] > 0.75
    assert scores[0] > scores[1]
    assert with_all.history_[-1]["error"] < 0.05


def test_freezing_leaves_the_encoder_as_it_was(digits: ist.data.Data) -> None:
    y = half_labelled(digits, 300)
    for freeze in (True, False):
        model = ist.AutoencoderClassifier(
            ist.AE(latent_dim=16, epochs=3), freeze=freeze, **_QUICK
        ).fit(digits.train.x, y)
        pairs = zip(
            model.module_.encoder.parameters(),
            model.member_.module_.encoder.parameters(),
            strict=True,
        )
        assert all(torch.equal(a, b) for a, b in pairs) is freeze
        assert model.member_.reconstruct(digits.test.x).shape == digits.test.x.shape


def test_the_member_is_copied_and_its_name_will_do(few: np.ndarray, digits: ist.data.Data) -> None:
    member = ist.VAE(epochs=1)
    model = ist.AutoencoderClassifier(member, **_QUICK).fit(few, digits.train.y[:129])
    assert not hasattr(member, "module_")
    assert isinstance(model.member_, ist.VAE)
    named = ist.AutoencoderClassifier("sparse", **_QUICK)
    assert isinstance(named._prepared(0), ist.SparseAE)
    probabilities = model.predict_proba(few)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert np.array_equal(model.predict(few), model.classes_[probabilities.argmax(1)])
    logits = (
        torch.from_numpy(model.codes(few)) @ model.module_.head.weight.T + model.module_.head.bias
    )
    np.testing.assert_allclose(logits.softmax(1).detach().numpy(), probabilities, atol=1e-6)


def test_labels_of_any_kind(few: np.ndarray, digits: ist.data.Data) -> None:
    names = np.array(["even", "odd"])[digits.train.y[:129] % 2]
    model = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, names)
    assert set(model.predict(few)) <= {"even", "odd"}
    part = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(digits.train)
    assert list(part.classes_) == list(range(10))


def test_same_seed_same_numbers_and_a_grid_search(few: np.ndarray, digits: ist.data.Data) -> None:
    y = digits.train.y[:129]
    models = [ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, y) for _ in range(2)]
    assert np.array_equal(*(model.predict_proba(few) for model in models))
    x = few.reshape(129, -1)
    search = GridSearchCV(models[0], {"member__latent_dim": [2, 8]}, cv=2, error_score="raise").fit(
        x, y
    )
    assert search.best_params_["member__latent_dim"] in (2, 8)


def test_refusals(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError,
        match=r"y names 0 class\(es\), but .* at least 2 \(-1 means no label\): label more",
    ):
        ist.AutoencoderClassifier(**_QUICK).fit(few, np.full(129, -1))
    with pytest.raises(
        ist.InputError,
        match="y holds 3 labels, X 129 examples: give each example a label, −1 for none",
    ):
        ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, np.arange(3))
    with pytest.raises(
        ist.InputError,
        match=r"member=<class .*AE'> is not usable: give an estimator such as ist\.AE\(\)",
    ):
        ist.AutoencoderClassifier(ist.AE, **_QUICK).fit(few, np.arange(129) % 2)
    with pytest.raises(ist.InputError, match="unknown member 'vea': did you mean 'vae'"):
        ist.AutoencoderClassifier("vea", **_QUICK).fit(few, np.arange(129) % 2)


@pytest.mark.parametrize(
    "mark",
    [list, np.array, lambda y: np.array(y, dtype=object), pd.Series],
    ids=["list", "array", "objects", "series"],
)
def test_minus_one_marks_no_label_also_among_text(mark: Any, few: np.ndarray) -> None:
    names = np.array(["cat", "dog"])[(few[:, 0, 2, 2] > few[:, 0, 2, 2].mean()).astype(int)]
    y = mark([str(name) if row % 2 else -1 for row, name in enumerate(names)])
    model = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, y)
    assert model.classes_.tolist() == ["cat", "dog"]
    alone = np.where(np.arange(129) % 2, names, "-1")
    same = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, alone)
    np.testing.assert_array_equal(model.predict_proba(few), same.predict_proba(few))


def test_types_of_labels_come_back(few: np.ndarray) -> None:
    truth = few[:, 0, 2, 2] > few[:, 0, 2, 2].mean()
    y = [bool(value) if row % 2 else -1 for row, value in enumerate(truth)]
    model = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, y)
    assert model.classes_.dtype == bool and model.predict(few).dtype == bool


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_missing_labels_are_none_and_said(gap: Any, few: np.ndarray) -> None:
    y = pd.Series(["a" if row % 2 else "b" for row in range(129)], dtype=object)
    y[:29] = gap
    model = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK)
    with pytest.warns(ist.DataWarning, match=r"y has no label for 29 of 129 examples .*write -1"):
        model.fit(few, y)
    marked = y.where(y.notna(), -1)
    same = ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, marked)
    np.testing.assert_array_equal(model.predict_proba(few), same.predict_proba(few))


def test_mixed_labels_are_refused(few: np.ndarray) -> None:
    y = ["a", 7, "a"] * 43
    with pytest.raises(ist.InputError, match=r"y mixes labels of several types, such as .*-1 for"):
        ist.AutoencoderClassifier(ist.AE(epochs=1), **_QUICK).fit(few, y)


def test_a_trained_member_is_retrained_aloud_or_taken_as_it_is(
    few: np.ndarray, digits: ist.data.Data
) -> None:
    y, member = digits.train.y[:129], ist.AE(epochs=2, random_state=0).fit(few)
    with pytest.warns(UserWarning, match=r"this AE is trained already, but a copy of it"):
        ist.AutoencoderClassifier(member, **_QUICK).fit(few, y)
    frozen = ist.AutoencoderClassifier(FrozenEstimator(member), freeze=True, **_QUICK).fit(few, y)
    assert frozen.member_ is member
    np.testing.assert_array_equal(frozen.codes(few), member.transform(few))


def test_amounts_are_no_classes() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ist.InputError, match=r"1\.5.* are amounts and no classes: give"):
        ist.AutoencoderClassifier(ist.AE(epochs=1)).fit(x, [1.5, 2.5] * 10)
