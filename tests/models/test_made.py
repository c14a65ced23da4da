"""MADE: no value sees itself or a later one, and the probabilities of all examples sum to one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import Column, ExampleSpec
from isthmus.models.made import parameters_under, under
from isthmus.networks.masked import MaskedLinear, Orderings

BITS = 6
EVERY = np.array(list(itertools.product([0, 1], repeat=BITS)), dtype=np.float32)  # (64, 6)
# a few rectified units that see one value may all be dead
SMALL: dict[str, Any] = {"hidden": (24,), "latent_dim": 24, "activation": "tanh"}


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """A module whose biases are not 0."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.double().eval().requires_grad_(False)


@pytest.mark.parametrize("orderings", [1, 3])
def test_a_value_depends_on_those_before_it_alone_and_on_all_of_them(orderings: int) -> None:
    torch.manual_seed(0)
    module = shaken(ist.MADE(orderings=orderings, **SMALL).build((BITS,)))
    x = torch.rand(1, BITS, dtype=torch.float64)
    for k in range(orderings):

        def logits(x: Tensor, k: int = k) -> Tensor:
            return parameters_under(module, Batch(x), k)[0]

        jacobian = torch.autograd.functional.jacobian(logits, x)[:, 0]  # (of, by)
        place = Orderings(ExampleSpec("vector", (BITS,)), orderings).places[k]
        assert torch.equal(jacobian != 0, place[:, None] > place[None, :])
    assert torch.equal(place, torch.arange(1, BITS + 1)) is (orderings == 1)


@pytest.mark.parametrize("orderings", [1, 4])
def test_the_probabilities_of_all_examples_sum_to_one(orderings: int) -> None:
    torch.manual_seed(0)
    module = shaken(ist.MADE(orderings=orderings, **SMALL).build((BITS,), unit_range=True))
    x = torch.from_numpy(EVERY).double()
    cost = module.cost(module.features(Batch(x)), Batch(x)).terms["distortion"]
    assert float((-cost).exp().sum()) == pytest.approx(1, abs=1e-12)
    each = torch.stack([under(module, Batch(x), k) for k in range(orderings)])
    torch.testing.assert_close((-cost).exp(), (-each).exp().mean(0))
    assert orderings == 1 or float((each[0] - each[1]).abs().max()) > 0.1


def test_the_likelihood_is_the_product_of_conditionals_by_hand() -> None:
    torch.manual_seed(0)
    module = shaken(ist.MADE(hidden=(), latent_dim=4).build((3,), unit_range=True))
    (inward,), (outward,) = (
        [layer for layer in part.modules() if isinstance(layer, MaskedLinear)]
        for part in (module.encoder, module.decoder)
    )
    # units 0 and 1 have degree 1, units 2 and 3 degree 2
    W, V = inward.weight.detach().clone(), outward.weight.detach().clone()
    W[:2, 1:], W[2:, 2:] = 0, 0
    V[0], V[1, 2:] = 0, 0
    x = torch.tensor([[1.0, 0.0, 1.0]]).double()
    h = torch.relu(W @ x[0] + inward.bias)
    p = torch.sigmoid(V @ h + outward.bias)
    expected = -(p[0].log() + (1 - p[1]).log() + p[2].log())
    torch.testing.assert_close(module.loss(Batch(x)).objective[0], expected)


def chain(n: int, seed: int) -> np.ndarray:
    """Bits of which each is the one before with probability 0.9."""
    rng = np.random.default_rng(seed)
    flips = rng.random((n, BITS)) < np.array([0.5, *[0.1] * (BITS - 1)])
    return (flips.cumsum(1) % 2).astype(np.float32)


def test_it_learns_a_markov_chain_and_draws_it_again(tmp_path: Path) -> None:
    entropy = np.log(2) - (BITS - 1) * (0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    model = ist.MADE(
        epochs=12, batch_size=100, learning_rate=0.01, schedule="cosine", random_state=0, **SMALL
    ).fit(chain(4000, 0))
    assert model.nll(chain(4000, 1)).mean() == pytest.approx(entropy, abs=0.06)
    found = model.sample(4000, random_state=0)
    assert set(np.unique(found)) == {0, 1}
    counts = (found @ 2 ** np.arange(BITS)[::-1]).astype(int)
    shares = np.bincount(counts, minlength=64) / 4000
    np.testing.assert_allclose(shares, np.exp(-model.nll(EVERY)), atol=0.025)
    again = ist.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.nll(EVERY), model.nll(EVERY))
    assert np.array_equal(again.sample(5, random_state=1), model.sample(5, random_state=1))


def test_several_orderings_train_and_draw() -> None:
    model = ist.MADE(
        orderings=3, epochs=12, batch_size=100, learning_rate=0.01, random_state=0, **SMALL
    ).fit(chain(4000, 0))
    assert np.exp(-model.nll(EVERY)).sum() == pytest.approx(1, abs=1e-5)
    stays = np.mean(np.diff(model.sample(1000, random_state=0)) == 0)
    assert stays == pytest.approx(0.9, abs=0.05)


def test_parameters_of_a_value_are_its_own() -> None:
    torch.manual_seed(0)
    mixture = ist.likelihoods.LogisticMixture(components=2, bins=17)
    module = shaken(ist.MADE(likelihood=mixture, **SMALL).build((2, 2, 3)))
    x = torch.rand(1, 2, 2, 3, dtype=torch.float64)

    def each(x: Tensor) -> Tensor:
        return module.likelihood.mean(parameters_under(module, Batch(x), 0)).flatten()

    jacobian = torch.autograd.functional.jacobian(each, x).flatten(1)
    assert not jacobian.triu().any()
    assert jacobian.tril(-1).count_nonzero() == 12 * 11 / 2


def test_a_category_is_predicted_as_one() -> None:
    columns = (Column("a", "number"), Column("b", "category", 3), Column("c", "number"))
    orderings = Orderings(ExampleSpec("table", (5,), columns=columns), 1)
    assert orderings.places.tolist() == [[1, 2, 2, 2, 3]]


def test_columns_of_a_table_are_drawn_one_after_another() -> None:
    rng = np.random.default_rng(0)
    city = rng.choice(["Paris", "Rome"], 600)
    frame = pd.DataFrame({"city": city, "sun": np.where(city == "Rome", 8.0, 2.0)})
    frame["sun"] += rng.normal(size=600)
    model = ist.MADE(epochs=60, learning_rate=0.01, random_state=0, **SMALL).fit(frame)
    rows = model.sample(400, random_state=0)
    means = rows.groupby("city")["sun"].mean()
    assert means["Rome"] == pytest.approx(8, abs=0.7)
    assert means["Paris"] == pytest.approx(2, abs=0.7)
    with pytest.raises(ist.InputError, match="MADE draws columns in their order"):
        model.sample(3, condition={"city": "Rome"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": "conv"}, "network='conv' has no weights that MADE can mask"),
        ({"hide": 0.2}, "hide=0.2 hides values that MADE must see"),
        (
            {"encoder": torch.nn.Flatten()},
            "which networks of your own do not have: leave encoder and decoder out",
        ),
        (
            {"likelihood": ist.likelihoods.Poisson(library=True)},
            r"looks at all values of an example at once.*library=False",
        ),
    ],
)
def test_what_cannot_be_masked_is_refused(values: dict[str, Any], message: str) -> None:
    x = np.random.default_rng(0).integers(0, 5, (20, 1, 16, 16)).astype(np.float32)
    with pytest.raises(ist.InputError, match=message):
        ist.MADE(epochs=1, **values).fit(x)


def test_what_means_nothing_is_refused(few: np.ndarray) -> None:
    model = ist.MADE(epochs=1, random_state=0, **SMALL).fit(few)
    for wrong in ({"temperature": 0.5}, {"label": 3}):
        with pytest.raises(ist.InputError, match="means nothing to MADE"):
            model.sample(2, **wrong)
    squared = ist.MADE(likelihood="mse", epochs=1, random_state=0, **SMALL).fit(few)
    with pytest.raises(ist.InputError, match=r"no density.*train with 'gaussian'"):
        squared.nll(few)


def test_a_drawn_ordering_can_be_traced_for_a_compiled_step() -> None:
    torch.manual_seed(0)
    module = shaken(ist.MADE(orderings=3, **SMALL).build((BITS,)))
    x = torch.from_numpy(EVERY).double()

    def cost(ordering: Tensor) -> Tensor:
        return under(module, Batch(x), ordering)

    traced = make_fx(cost)(torch.tensor([0]))
    for k in range(3):
        torch.testing.assert_close(traced(torch.tensor([k])), under(module, Batch(x), k))
