"""Posteriors, priors and geometries in their slots: whatever one does with a member works."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.explorer._shown import Shown
from isthmus.geometries import Poincare
from isthmus.latent_priors import FlowPrior, VampPrior
from isthmus.posteriors import IAF

PARTS: dict[str, dict[str, Any]] = {
    "full": {"posterior": "full"},
    "planar": {"posterior": "planar"},
    "iaf": {"posterior": IAF(hidden=(8,), context=4)},
    "mixture": {"latent_prior": "mixture"},
    "vampprior": {"latent_prior": VampPrior(components=6)},
    "flow": {"latent_prior": FlowPrior(transforms=2, hidden=(8,))},
    "full vampprior": {"posterior": "full", "latent_prior": VampPrior(components=6)},
    "sphere": {"geometry": "sphere"},
    "poincare": {"geometry": Poincare(curvature=0.5)},
}
every_part = pytest.mark.parametrize("name", PARTS)


def make(member: str, name: str, **values: Any) -> Any:
    settings = {"latent_dim": 3, "hidden": (16,), "epochs": 2, "random_state": 0, "batch_size": 64}
    return ist.MEMBERS[member](**{**settings, **PARTS[name], **values})


@every_part
@pytest.mark.parametrize("member", ["vae", "iwae"])
def test_a_run_gives_the_same_numbers_once_it_is_loaded(
    member: str, name: str, few: np.ndarray, tmp_path: Any
) -> None:
    model = make(member, name).fit(few)
    again = ist.load(model.save(tmp_path / "run"))
    for use in ("transform", "reconstruct", "score_samples", "nll"):
        np.testing.assert_array_equal(getattr(model, use)(few[:9]), getattr(again, use)(few[:9]))
    drawn = [each.sample(3, random_state=1) for each in (model, again)]
    assert np.array_equal(*drawn)
    assert drawn[0].shape == (3, 1, 8, 8)
    # one draw gives the bound itself
    many = np.mean([model.nll(few, samples=1, random_state=seed).mean() for seed in range(30)])
    assert many == pytest.approx(-model.score(few), rel=0.01)


@every_part
def test_float64_and_single_rows_give_the_same(name: str, few: np.ndarray) -> None:
    model = make("vae", name).fit(few)
    narrow, wide = (model.nll(x, samples=20) for x in (few[:9], few[:9].astype(np.float64)))
    np.testing.assert_allclose(narrow, wide, rtol=1e-4)
    np.testing.assert_allclose(
        model.score_samples(few[:9]),
        np.concatenate([model.score_samples(few[row : row + 1]) for row in range(9)]),
        rtol=1e-4,
    )


@pytest.mark.parametrize("name", ["full", "planar", "iaf", "sphere", "poincare"])
def test_torch_can_export_it(name: str, few: np.ndarray) -> None:
    model = make("vae", name).fit(few)
    module = model.to_module("whole")
    traced = module.traced().module()
    for rows in (1, 5):
        with torch.no_grad():
            code, restored = traced(torch.from_numpy(few[:rows]))
        np.testing.assert_allclose(code, model.transform(few[:rows]), atol=1e-5)
        np.testing.assert_allclose(restored, model.reconstruct(few[:rows]), atol=1e-5)


@pytest.mark.parametrize("name", ["full", "iaf", "vampprior", "sphere", "poincare"])
def test_a_condition_is_told_to_all_of_it(name: str, digits: ist.data.Data) -> None:
    x, y = digits.train.x[:200], digits.train.y[:200]
    model = make("vae", name, condition="label").fit(x, y)
    assert model.sample(4, condition=3, random_state=0).shape == (4, 1, 8, 8)
    assert np.isfinite(model.nll(x[:5], samples=10, condition=y[:5])).all()


@pytest.mark.parametrize("name", ["full", "mixture", "sphere"])
def test_codes_go_into_files_under_a_fitted_mixture_alone(name: str, few: np.ndarray) -> None:
    model = make("vae", name, likelihood=ist.likelihoods.LogisticMixture(2, 17)).fit(few)
    with pytest.raises(ist.InputError, match=r"no prior, under which they cannot be coded"):
        model.compress(few)
    with pytest.raises(ist.InputError, match=r"bits back needs .*posterior='diagonal'"):
        model.compress(few, lossless=True)
    restored = model.fit_prior(few, prior="mixture").compress(few[:5])
    assert model.decompress(restored).shape == (5, 1, 8, 8)


@pytest.mark.parametrize("name", ["iaf", "vampprior", "sphere", "poincare"])
def test_a_page_can_answer_alone(name: str, digits: ist.data.Data) -> None:
    model = make("vae", name, epochs=1).fit(digits.train)
    assert Shown("it", model, digits.test.take(slice(20))).lack is None


def test_codes_lie_where_their_geometry_says(few: np.ndarray) -> None:
    sphere, ball = (make("vae", name).fit(few) for name in ("sphere", "poincare"))
    np.testing.assert_allclose(np.linalg.norm(sphere.transform(few), axis=1), 1, rtol=1e-5)
    assert np.linalg.norm(ball.transform(few), axis=1).max() < 1
    assert sphere.code_space == ball.code_space == "symmetric"
    # what lies beside the sphere is decoded at the nearest point of it
    z = sphere.transform(few[:4])
    np.testing.assert_allclose(sphere.decode(3 * z), sphere.decode(z), atol=1e-5)
    assert sphere.encode(few[:4])._fields == ("mu", "kappa")


def test_a_code_may_be_a_map_under_a_learnt_prior(few: np.ndarray) -> None:
    for name in ("mixture", "vampprior"):
        model = make("vae", name, code="map", channels=2, latent_dim=None, hidden=(8, 8)).fit(few)
        assert model.sample(3, random_state=0).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("name", ["full", "vampprior"])
def test_a_code_that_says_nothing_is_reported(name: str, few: np.ndarray) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        make("vae", name, beta=1000.0, epochs=30, learning_rate=1e-2).fit(few)
    assert any("posterior collapse" in str(each.message) for each in told)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        make("vae", name, beta=0.001, epochs=10, learning_rate=3e-3).fit(few)
    assert not any("posterior collapse" in str(each.message) for each in told)


def test_parts_are_chosen_in_python_and_in_a_shell(few: np.ndarray) -> None:
    model = ist.VAE(latent_prior="vampprior").set_params(latent_prior__components=3, epochs=1)
    assert model.fit(few).module_.bottleneck.prior.components == 3
    assert model.get_params()["latent_prior__start"] == "examples"


def test_a_better_prior_brings_a_lower_bound(digits: ist.data.Data) -> None:
    """Codes that lie in clusters: a learnt mixture gains on N(0, I), everything else alike."""
    common = {"latent_dim": 2, "epochs": 30, "learning_rate": 3e-3, "random_state": 0}
    bounds = [
        -ist.VAE(latent_prior=prior, **common).fit(digits.train).score(digits.test.x)
        for prior in ("standard", "mixture")
    ]
    assert bounds[1] < bounds[0] - 0.1
