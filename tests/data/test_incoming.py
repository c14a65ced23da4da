"""What users hand over: each form is read as the array that it stands for, or refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.data.incoming import incoming, require_rows

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
MASK = np.random.default_rng(1).random(X.shape) < 0.2


@pytest.fixture(scope="module")
def model() -> ist.AE:
    return ist.AE(epochs=1, random_state=0).fit(X)


class Polars:
    """A frame of another package, which can become one of pandas."""

    columns = ("a", "b", "c")

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame(X, columns=list(self.columns))


def backwards(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "x.npy", X[::-1])
    return np.load(tmp_path / "x.npy", mmap_mode="r")[::-1]


@pytest.mark.parametrize(
    "given",
    [
        torch.from_numpy(X).requires_grad_(),
        torch.from_numpy(X).to_sparse(),
        X[::-1].copy()[::-1],
        X.astype(">f4"),
        X.astype(object),
        X.astype(str),
        X.tolist(),
        list(torch.from_numpy(X)),
        np.ma.masked_array(X, mask=False),
        sparse.coo_array(X),
        sparse.dok_array(X),
        Polars(),
        Part(torch.from_numpy(X)),  # type: ignore[arg-type]
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_form_gives_the_codes_of_the_array(given: Any, model: ist.AE) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has feature names")  # the frame's
        found = model.transform(given)
    np.testing.assert_allclose(found, model.transform(X), rtol=1e-5, atol=1e-6)


def test_a_memory_map_that_is_read_backwards(model: ist.AE, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((12, 6, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    turned = np.load(tmp_path / "x.npy", mmap_mode="r")[::-1]
    trained = ist.AE(epochs=1, random_state=0).fit(turned)
    expected = ist.AE(epochs=1, random_state=0).fit(images[::-1].copy())
    np.testing.assert_array_equal(trained.transform(turned), expected.transform(images[::-1]))
    np.testing.assert_array_equal(model.transform(backwards(tmp_path)), model.transform(X))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_as_the_numbers_that_it_holds(
    dtype: torch.dtype, model: ist.AE
) -> None:
    half = torch.from_numpy(X).to(dtype)
    np.testing.assert_allclose(
        model.transform(half), model.transform(half.float().numpy()), atol=1e-6
    )


def test_a_double_tensor_is_answered_in_double(model: ist.AE) -> None:
    assert model.transform(torch.from_numpy(X).double()).dtype == np.float64


def test_masked_and_absent_values_become_nan() -> None:
    expected = np.where(MASK, np.nan, X)
    np.testing.assert_array_equal(incoming(np.ma.masked_array(X, mask=MASK)), expected)
    whole = np.ma.masked_array(np.full((2, 2), 7, np.uint8), mask=[[1, 0], [0, 0]])
    np.testing.assert_array_equal(incoming(whole), [[np.nan, 7], [7, 7]])
    assert incoming(np.ma.masked_array(np.full((2, 2), 7, np.uint8))).dtype == np.uint8
    mixed = np.array([[1, None], [pd.NA, "2.5"], [pd.NaT, 3.5]], dtype=object)
    np.testing.assert_array_equal(incoming(mixed), [[1, np.nan], [np.nan, 2.5], [np.nan, 3.5]])


def test_a_masked_image_is_refused_with_the_remedy() -> None:
    images = np.ma.masked_array(np.zeros((4, 5, 5)), mask=False)
    images[2, 1, 3] = np.ma.masked
    with pytest.raises(ist.InputError, match=r"column 0, 1, 3\): remove .* missing or masked"):
        ist.AE(epochs=1).fit(images)


def test_of_a_whole_data_set_the_training_part_is_taken_and_said_once() -> None:
    data = Data("mine", Part(X, np.arange(40) % 2), Part(X[:5], np.arange(5) % 2))
    with pytest.warns(ist.DataWarning, match=r"X is the whole data set 'mine'"):
        model = ist.AE(epochs=1, random_state=0).fit(data)
    with pytest.warns(ist.DataWarning):
        codes = model.transform(data)
    np.testing.assert_array_equal(codes, model.transform(X))
    for use in (
        lambda: ist.ClusteringAE(epochs=1, pretrain_epochs=1, random_state=0).fit(data),
        lambda: ist.OutlierDetector(ist.AE(epochs=1)).fit(data),
        lambda: ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=1).fit(data),
        lambda: model.reconstruct(data),
        lambda: model.fit_prior(data),
        lambda: ist.VAE(condition="label", epochs=1).fit(data),
    ):
        with pytest.warns(ist.DataWarning) as caught:
            use()
        assert [warning.category for warning in caught].count(ist.DataWarning) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            X[0],
            r"^X has the shape \(3,\), but examples have two axes or more. Reshape your data wi",
        ),
        (pd.Series(X[0]), r"Reshape your data with X\.to_frame\(\) if it is one column, or with X"),
        (np.float32(3), r"^X=np\.float32\(3\.0\) holds no examples"),
        (np.array(3.0), r"^X is a single ndarray, no examples: Reshape your data into an array"),
        (
            X.astype(np.complex64),
            r"^Complex data not supported: X has the type complex64; give rea",
        ),
        (torch.complex(*2 * [torch.ones(2, 2)]), r"^Complex data not supported: X has the type"),
        (sparse.csr_array(X.astype(complex)), r"^Complex data not supported: X has the type"),
        (
            np.zeros((4, 2), "M8[s]"),
            r"^X holds dates \(datetime64\[s\]\), whose unit and origin an",
        ),
        (np.zeros((4, 2), "m8[D]"), r"^X holds spans of time \(timedelta64\[D\]\), .* a pandas\.D"),
        ([[1, "cat"], [2, "dog"]], r"^X holds .*cat.* \(row and column from 0: row 0, column 1\)"),
        (["a.png", "b.png"], r"^X is a list of text, such as 'a\.png': give numbers"),
        (
            pd.DataFrame(X.astype(complex)),
            r"^column 0 holds .* \(type complex128\), which cannot be",
        ),
        ([["1", "a"]], r"^X holds 'a' \(row and column from 0: row 0, column 1\)"),
        ([[1, [2]], [3, 4]], r"^X is a list of which no array can be made"),
        ({1, 2, 3}, r"^X=\{1, 2, 3\} holds no examples"),
        ((row for row in X), r"^X is a generator, which has no length or can be gone through only"),
        ("x.csv", r"^X='x\.csv' holds no examples: give an array, or read a file with isthmus\.d"),
        (None, r"^X=None holds no examples"),
        ({"a": [1]}, r"^X is a dict, whose order .* give pandas\.DataFrame\(X\)\.$"),
        ([{"a": 1}, {"a": 2}], r"^X is a list of dicts, whose order"),
        (np.zeros(3, "f4,f4"), r"^X is a structured array, whose order"),
        ([], r"^X holds 0 examples"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(given: Any, message: str) -> None:
    with pytest.raises(ist.InputError, match=message) as error:
        ist.AE(epochs=1).fit(given)
    assert len(str(error.value)) < 300  # and never the array itself


def test_a_frame_of_complex_numbers_that_is_no_table() -> None:
    with pytest.raises(
        ist.InputError, match=r"^X: column 0 holds .*complex128.*, which is no number"
    ):
        ist.AE(kind="vector").fit(pd.DataFrame(X.astype(complex)))


def test_a_value_of_a_strange_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"^X holds \{'a': 1\} .* each value of this argument must"):
        incoming(np.array([[{"a": 1}, 2]], dtype=object))


def test_what_is_known_already_is_passed_on_untouched() -> None:
    part, frame = Part(X), pd.DataFrame(X)
    assert incoming(X) is X and incoming(part) is part and incoming(frame) is frame
    ragged = [X[:3], X[:2]]
    assert incoming(ragged) is ragged
    require_rows(X)


def test_codes_and_what_stands_beside_examples_may_be_tensors() -> None:
    model = ist.VAE(epochs=1, condition="covariates", random_state=0).fit(
        torch.from_numpy(X),
        torch.from_numpy(X[:, :2]).requires_grad_(),
        sample_weight=torch.ones(40, dtype=torch.bfloat16),
    )
    codes = torch.zeros(2, 2, requires_grad=True)
    given = torch.zeros(2, 2, requires_grad=True)
    expected = model.decode(np.zeros((2, 2)), np.zeros((2, 2)))
    np.testing.assert_allclose(model.decode(codes, given), expected, rtol=1e-5)
    one = ist.VAE(epochs=1, condition="covariates", random_state=0).fit(X, X[:, 0])
    assert one.sample(2, condition=0.5).shape == (2, 3)


def test_a_list_of_images_of_one_size_is_read_as_their_array() -> None:
    images = np.random.default_rng(0).random((20, 8, 8))
    model = ist.AE(epochs=1, random_state=0).fit(list(images))
    np.testing.assert_allclose(
        model.transform(images.tolist()), model.transform(images), rtol=1e-4, atol=1e-6
    )
    assert [one.shape for one in model.reconstruct(images.tolist())] == [(8, 8)] * 20
