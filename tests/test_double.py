"""The copy of a network that answers float64: never older than the weights, and no part of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.estimators._double import in_float64

X = np.random.default_rng(0).normal(size=(60, 6))


def exact(model: Any, x: np.ndarray) -> np.ndarray:
    """The codes by a copy that is made now."""
    module = copy.deepcopy(model.module_).double()
    batch = next(model._batches(x).chunks())
    with torch.inference_mode():
        codes: np.ndarray = module.encode(batch)[0].numpy()
    return codes


def weight(model: Any) -> torch.nn.Parameter:
    return next(p for p in model.module_.encoder.parameters() if p.dim() == 2)


def through_data(model: Any) -> None:
    weight(model).data[0, 0] += 1e-3


def swapped_through_data(model: Any) -> None:
    weight(model).data = weight(model).data  # the same memory
    weight(model).data[:] = weight(model).data.flip(0)


def loaded(model: Any) -> None:
    state = {name: value + 0.1 for name, value in model.module_.state_dict().items()}
    model.module_.load_state_dict(state)


def in_place(model: Any) -> None:
    with torch.no_grad():
        weight(model).mul_(2)


def replaced(model: Any) -> None:
    weight(model).data = weight(model).data * 3


def portion(model: Any) -> None:
    model.partial_fit(X)


def goes_on(model: Any) -> None:
    model.set_params(warm_start=True).fit(X)


@pytest.mark.parametrize(
    "change", [through_data, swapped_through_data, loaded, in_place, replaced, portion, goes_on]
)
def test_the_copy_follows_every_change(change: Callable[[Any], None]) -> None:
    model = ist.AE(epochs=1, random_state=0).fit(X)
    before = model.transform(X)
    change(model)
    after = model.transform(X)
    assert not np.allclose(before, after, rtol=1e-6, atol=0)
    np.testing.assert_allclose(after, exact(model, X), rtol=1e-12)


def test_the_copy_is_made_once_and_goes_nowhere() -> None:
    model = ist.AE(epochs=1, random_state=0).fit(X)
    size = len(pickle.dumps(model))
    codes = model.transform(X)
    assert in_float64(model.module_) is in_float64(model.module_)
    assert len(pickle.dumps(model)) == size
    other = copy.deepcopy(model)
    assert in_float64(other.module_) is not in_float64(model.module_)
    through_data(other)
    assert np.array_equal(model.transform(X), codes)
    assert not np.array_equal(other.transform(X), codes)


def test_the_classifier_follows_its_weights_too() -> None:
    y = (X[:, 0] > 0).astype(int)
    model = ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=2, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    assert before.dtype == np.float64
    model.module_.head.bias.data[0] += 5
    after = model.predict_proba(X)
    np.testing.assert_allclose(
        np.log(after[:, 0] / after[:, 1]), np.log(before[:, 0] / before[:, 1]) + 5, rtol=1e-6
    )
