"""The mutual information gap and the factor score, against quadrature and codes made on purpose."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import mutual_info_score

import isthmus as ist
from isthmus.metrics.disentangling import (
    factor_score,
    mutual_information,
    mutual_information_gap,
)


@pytest.fixture(scope="module")
def factors() -> np.ndarray:
    return np.indices((3, 4, 5, 6)).reshape(4, -1).T


def test_information_of_two_posteriors_is_that_of_quadrature() -> None:
    """A fair coin v, and z | v ~ N(±1, 0.7²)."""
    mu, var = np.array([[-1.0], [1.0]]), np.full((2, 1), 0.49)

    def density(z: float) -> float:
        return 0.5 * (norm.pdf(z, -1, 0.7) + norm.pdf(z, 1, 0.7))

    entropy = quad(lambda z: -density(z) * np.log(density(z)), -9, 9)[0]
    wanted = entropy - 0.5 * np.log(2 * np.pi * np.e * 0.49)
    found = mutual_information(mu, var, np.array([[0], [1]]))
    assert found[0, 0] == pytest.approx(wanted, abs=1e-3)


def test_information_of_points_is_that_of_bins() -> None:
    random = np.random.default_rng(0)
    v = random.integers(4, size=500)
    z = v + random.normal(size=500)
    bins = np.digitize(z, np.linspace(z.min(), z.max(), 21)[1:-1])
    found = mutual_information(z[:, None], np.zeros((500, 1)), v[:, None])
    assert found[0, 0] == pytest.approx(mutual_info_score(v, bins))


def test_a_dimension_for_each_factor_is_a_gap_of_one(factors: np.ndarray) -> None:
    z = factors[:, ::-1] * np.array([1.0, -2.0, 3.0, 0.1])
    var = np.full(z.shape, 1e-4) * z.std(0) ** 2
    assert mutual_information_gap(z, var, factors).value == pytest.approx(1, abs=1e-3)
    assert mutual_information_gap(z, np.zeros_like(z), factors).value == pytest.approx(1)
    assert factor_score(z, var, factors, 0).value == 1
    silent = np.hstack([z, 0.05 * np.random.default_rng(0).normal(size=(len(z), 1))])
    noise = np.hstack([var, np.ones((len(z), 1))])  # a posterior that ignores x
    assert factor_score(silent, noise, factors, 0).value == 1


def test_a_factor_that_is_the_same_everywhere_is_left_out(factors: np.ndarray) -> None:
    z, still = factors.astype(float), np.zeros_like(factors)
    more = np.hstack([factors[:, :2], still[:, :1], factors[:, 2:]])
    assert mutual_information_gap(z, still.astype(float), more).value == pytest.approx(1)
    assert factor_score(z, still.astype(float), more, 0).value == 1
    for measure in (mutual_information_gap, lambda *given: factor_score(*given, 0)):
        with pytest.raises(ist.InputError, match="no factor takes two values"):
            measure(z, still.astype(float), still)
    data = ist.data.load("shapes")
    one = [
        part.take(np.flatnonzero(part.factors["shape"] == 0)[:60])
        for part in (data.train, data.test)
    ]
    few = dataclasses.replace(data, train=one[0], test=one[1])
    model = ist.VAE(latent_dim=3, epochs=1, hidden=(16,), random_state=0).fit(few.train)
    assert np.isfinite(ist.evaluate(model, few)["mig"].value)


def test_two_dimensions_that_say_the_same_have_no_gap(factors: np.ndarray) -> None:
    z = np.concatenate([factors, factors], axis=1).astype(float)
    assert mutual_information_gap(z, np.zeros_like(z), factors).value == pytest.approx(0)


def test_mixed_dimensions_score_lower(factors: np.ndarray) -> None:
    halves = np.kron(np.eye(2), [[1.0, 1.0], [1.0, -1.0]])  # each factor in two dimensions alike
    z = (factors / factors.std(0)) @ halves
    assert mutual_information_gap(z, np.zeros_like(z), factors).value < 0.4
    assert factor_score(z, np.zeros_like(z), factors, 0).value < 0.75


def test_codes_that_say_nothing_name_no_factor(factors: np.ndarray) -> None:
    still = np.zeros((len(factors), 3))
    assert mutual_information_gap(still, still, factors).value == 0
    assert factor_score(still, still, factors, 0).value == pytest.approx(0.25, abs=0.05)
    one = factors[:, :1].astype(float)
    assert mutual_information_gap(one, np.zeros_like(one), factors).value == pytest.approx(0.25)


def test_evaluations_of_shapes_say_how_codes_follow_their_factors() -> None:
    data = ist.data.load("shapes")
    few = ist.data.Data("few", data.train.take(slice(300)), data.test.take(slice(60)), data.classes)
    vae = ist.VAE(latent_dim=3, epochs=1, hidden=(16,), random_state=0, verbose=0).fit(few.train)
    found = ist.metrics.evaluate(vae, few)
    assert 0 <= found["mig"].value <= 1
    assert 0.1 < found["factor_score"].value <= 1
    bare = ist.data.Part(few.test.x, few.test.y)
    assert "mig" not in ist.metrics.evaluate(vae, ist.data.Data("bare", few.train, bare))
    indices = ist.VQVAE(epochs=1, hidden=(8,), random_state=0, verbose=0).fit(few.train)
    assert "mig" not in ist.metrics.evaluate(indices, few)


def test_shapes_are_all_there_once_and_are_the_factors_that_they_say() -> None:
    data = ist.data.load("shapes")
    assert (len(data.train), len(data.test), data.shape) == (7680, 1920, (1, 32, 32))
    x = np.concatenate([data.train.x, data.test.x])[:, 0].astype(float)
    names = list(data.test.factors or {})
    factors = np.stack(
        [np.concatenate([part.factors[name] for part in (data.train, data.test)]) for name in names]
    )
    assert names == ["shape", "scale", "orientation", "across", "down"]
    assert len(np.unique(factors, axis=1).T) == 9600
    assert np.array_equal(data.train.y, data.train.factors["shape"])
    mass = x.sum((1, 2))
    ticks = np.arange(32)
    centre = (x.sum(1) @ ticks) / mass, (x.sum(2) @ ticks) / mass
    is_round = factors[0] < 2  # the heart's centre of mass turns with it
    for place, value in zip(centre, factors[3:], strict=True):
        np.testing.assert_allclose(place[is_round], value[is_round] + 11, atol=0.05)
    area = [mass[(factors[0] == 0) & (factors[1] == k)].mean() / 255 for k in range(4)]
    np.testing.assert_allclose(area, [(1.6 * r) ** 2 for r in (5, 6.5, 8, 9.5)], rtol=0.03)
