"""Which values examples have inside a model: any, [0, 1], 0 and 1, or counts."""

from __future__ import annotations

import json

import numpy as np
import pytest

import isthmus as ist
from isthmus.core.example import ExampleSpec
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.settling import fit_preprocessor
from isthmus.likelihoods.base import that_fit

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, (20, 4))
COUNTS = RNG.poisson(3.0, (20, 4))


@pytest.mark.parametrize(
    ("x", "scaling", "support"),
    [
        (RNG.normal(size=(20, 4)), "auto", "real"),
        (RNG.random((20, 4)), "none", "unit"),
        (RNG.random((20, 4)), "auto", "real"),
        (RNG.random((20, 4, 4)), "auto", "intensity"),
        (BITS.astype(np.uint8), "auto", "binary"),
        (BITS[:, :, None] * BITS[:, None].astype(np.uint8), "auto", "binary"),
        (RNG.random((20, 4)), "minmax", "unit"),
        (RNG.normal(size=(20, 4)), "minmax", "unit"),
        (RNG.integers(0, 256, (20, 6, 6), dtype=np.uint8), "pixels", "intensity"),
        (255 * RNG.integers(0, 2, (20, 6, 6), dtype=np.uint8), "pixels", "binary"),
        (BITS.astype(np.float32), "none", "binary"),
        (BITS * 0.6 + 0.1, "minmax", "binary"),
        (BITS * 2, "standard", "real"),
        (COUNTS, "none", "count"),
        (COUNTS.astype(np.float64), "none", "count"),
        (COUNTS, "standard", "real"),
        (COUNTS, "minmax", "unit"),
        (COUNTS - 1, "none", "real"),
        (COUNTS + 0.5, "none", "real"),
    ],
)
def test_the_values_inside_are_settled_once(x: np.ndarray, scaling: str, support: str) -> None:
    preprocessor, _ = fit_preprocessor(x, scaling=scaling)
    assert preprocessor.spec.support == support
    assert preprocessor.spec.unit_range == (support in ("unit", "intensity", "binary"))
    again = Preprocessor.from_json(json.loads(json.dumps(preprocessor.to_json())))
    assert again.spec == preprocessor.spec


def test_a_value_far_behind_the_others_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data._statistics._VALUES", 8)
    for x, scaling, support in ((BITS, "none", "binary"), (COUNTS + 2, "none", "count")):
        changed = x.astype(np.float64)
        assert fit_preprocessor(changed, scaling=scaling)[0].spec.support == support
        changed[17, 2] = 0.25
        assert fit_preprocessor(changed, scaling=scaling)[0].spec.support != support


def test_padding_of_sequences_has_no_value() -> None:
    x = COUNTS[:, :, None].astype(np.float32)
    x[3, 2:] = np.nan
    preprocessor, _ = fit_preprocessor(x, scaling="none", kind="sequence")
    assert preprocessor.spec.support == "count"


@pytest.mark.parametrize(("offset", "support"), [(0.0, "intensity"), (3.0, "real")])
def test_runs_that_do_not_say_it_know_of_the_unit_range(offset: float, support: str) -> None:
    saved = fit_preprocessor(RNG.random((20, 4, 4)) + offset, scaling="auto")[0].to_json()
    del saved["support"]
    assert Preprocessor.from_json(saved).spec.support == support


def test_values_of_an_unknown_name_are_refused() -> None:
    saved = fit_preprocessor(RNG.random((10, 3)), scaling="auto")[0].to_json()
    assert saved["support"] == "real"
    with pytest.raises(ist.InputError, match=r"data.support='complex' is not usable: one of real"):
        Preprocessor.from_json(saved | {"support": "complex"})


def test_likelihoods_fit_by_the_values() -> None:
    assert "bernoulli" in that_fit(ExampleSpec.of((4,), "binary"))
    assert "bernoulli" in that_fit(ExampleSpec.of((4,), "unit"))
    assert "bernoulli" not in that_fit(ExampleSpec.of((4,), "count"))
    assert "logistic-mixture" not in that_fit(ExampleSpec.of((4,)))
    assert {"gaussian", "mse"} <= set(that_fit(ExampleSpec.of((4,))))


def test_build_takes_a_shape_or_the_whole_of_what_an_example_is() -> None:
    kinds = [
        type(ist.AE().build(shape).likelihood).__name__
        for shape in ((4,), ExampleSpec.of((4,), "binary"), ExampleSpec.of((4,)))
    ]
    assert kinds == ["BernoulliLikelihood", "BernoulliLikelihood", "SquaredErrorLikelihood"]
    real = ist.VAE().build((4,), unit_range=False)
    assert type(real.likelihood).__name__ == "GaussianLikelihood"
