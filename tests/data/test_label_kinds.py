"""Labels of every type that people have, wherever labels are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.data.labels import LabelSet
from isthmus.data.rows import read_labels

RNG = np.random.default_rng(0)
Y = RNG.integers(2, size=60)
X = (RNG.normal(size=(60, 3)) + 4 * Y[:, None]).astype(np.float32)
WORDS = np.where(Y == 1, "dog", "cat")
KINDS: dict[str, Any] = {
    "list": WORDS.tolist(),
    "objects": WORDS.astype(object),
    "series": pd.Series(WORDS),
    "objects of pandas": pd.Series(WORDS, dtype=object),
    "categories": pd.Categorical(WORDS),
    "series of categories": pd.Series(WORDS, dtype="category"),
}


@pytest.fixture(scope="module")
def model() -> ist.AE:
    return ist.AE(epochs=2, random_state=0).fit(X)


@pytest.mark.parametrize("y", KINDS.values(), ids=KINDS)
def test_text_of_any_kind_is_the_same_everywhere(y: Any, model: ist.AE) -> None:
    expected = model.fit_prior(X, WORDS).score_prior(X, WORDS)
    assert model.fit_prior(X, y).score_prior(X, y) == pytest.approx(expected)
    assert model.prior_.classes_.names == ("cat", "dog")
    one = model.sample(3, label=y[0] if isinstance(y, list) else "cat", random_state=0)
    each = model.sample(60, label=y, random_state=0)
    assert one.shape == (3, 3) and each.shape == (60, 3)
    told = ist.VAE(condition="label", epochs=1, random_state=0).fit(X, y)
    np.testing.assert_array_equal(told.transform(X, y), told.transform(X, WORDS))
    assert told.sample(60, condition=y, random_state=0).shape == (60, 3)
    found = ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=20, random_state=0).fit(X, y)
    assert found.classes_.tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y == 1, ("False", "True")),
        (pd.Series(Y == 1, dtype="boolean"), ("False", "True")),
        (torch.from_numpy(Y), ("0", "1")),
        (pd.Series(Y, dtype="Int64"), ("0", "1")),
        (Y.astype(float), ("0", "1")),
        ([int(y) if row % 2 else str(y) for row, y in enumerate(Y)], ("0", "1")),
        (["cat" if y else 7 for y in Y], ("7", "cat")),
    ],
)
def test_the_names_of_classes(y: Any, names: tuple[str, ...]) -> None:
    classes, indices = LabelSet.of(y, 60)
    assert classes.names == names
    share = ((1 if names[1] != "cat" else 0) == Y).mean()
    assert indices.float().mean() == pytest.approx(share if names[1] != "cat" else Y.mean())


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", None], r"^y: row 2 has no label \(None\): fill it in, or take the row out"),
        (pd.Series(["a", pd.NA]), r"^y: row 2 has no label"),
        (np.array(["a", np.nan], dtype=object), r"^y: row 2 has no label \(nan\)"),
        (pd.Series([1, pd.NA], dtype="Int64"), r"^y: the label of row 2 is nan"),
        ([("a", 1), "b"], r"labels of type tuple cannot be used: give whole numbers or text"),
        ([0.5, "b"], r"^y: the label of row 1 is 0.5"),
    ],
)
def test_what_is_no_label_is_named(y: Any, message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        LabelSet.of(y, 2)


def test_each_label_keeps_its_type() -> None:
    assert read_labels(["cat", -1]).tolist() == ["cat", -1]
    assert read_labels([True, -1]).tolist() == [True, -1]
    assert read_labels([1, 2]).dtype == np.int64 and read_labels([1, 2.5]).dtype == np.float64
    assert read_labels([True, np.True_]).dtype == bool and read_labels(["a"]).dtype.kind == "U"


def test_a_data_set_numbers_labels_of_both_parts_alike() -> None:
    data = Data("pets", Part(X, pd.Series(WORDS)), Part(X[:3], np.array(["dog", "cat", "ape"])))
    assert data.classes == data.train.classes == ("ape", "cat", "dog")
    assert data.test.y.tolist() == [2, 1, 0]
    np.testing.assert_array_equal(data.train.labels, WORDS)
    ordered = Data("pets", Part(X, WORDS), Part(X[:1], WORDS[:1]), ("dog", "cat"))
    assert ordered.train.y.tolist() == (1 - Y).tolist()
    assert Data("plain", Part(X, Y), Part(X, Y)).classes is None
    covariates = Data("plain", Part(X, X[:, 0]), Part(X)).train.y
    np.testing.assert_array_equal(covariates, X[:, 0])
    with pytest.raises(ist.InputError, match=r"unknown class 'cat': .*Known: dog, fox"):
        Data("pets", Part(X, WORDS), Part(X), ("dog", "fox"))


def test_measures_take_labels_that_are_text(model: ist.AE) -> None:
    named, numbered = (ist.evaluate(model, Data("d", Part(X, y), Part(X, y))) for y in (WORDS, Y))
    for name in ("linear_probe", "knn5", "kmeans_nmi"):
        assert named[name].value == numbered[name].value
    with pytest.raises(ist.InputError, match=r"^data is a ndarray, but a data set with its parts"):
        ist.evaluate(model, X)


def test_an_example_without_a_class_is_not_named_after_the_last_one() -> None:
    part = ist.data.Part(np.zeros((3, 2)), np.array([1, -1, 0]), classes=("three", "other"))
    assert part.labels is not None
    assert list(part.labels) == ["other", "-1", "three"]
