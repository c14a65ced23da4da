"""Values that are hidden in training, and what is put in place of missing ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import Column, ExampleSpec
from isthmus.core.hiding import GapEncoder, Hiding
from isthmus.errors import InputError
from isthmus.models._variational import expected


def correlated(rows: int) -> np.ndarray:
    """Four columns that follow one number, each with a little noise of its own."""
    random = np.random.default_rng(0)
    z = random.normal(size=(rows, 1))
    return z * np.array([1.0, -2.0, 0.5, 3.0]) + 0.1 * random.normal(size=(rows, 4))


def test_cells_are_hidden_whole_and_as_often_as_asked() -> None:
    columns = (Column("a", "number"), Column("b", "category", 3), Column("c", "number"))
    hiding = Hiding(0.3, ExampleSpec("table", (5,), columns))
    torch.manual_seed(0)
    observed = torch.ones(20_000, 5, dtype=torch.bool)
    observed[:, 4] = False
    seen = hiding(Batch(torch.ones(20_000, 5), mask=observed))
    assert seen.mask is not None
    shown = seen.mask.float()
    assert torch.equal(shown[:, 1], shown[:, 2])
    assert torch.equal(shown[:, 1], shown[:, 3])
    assert not shown[:, 4].any()
    torch.testing.assert_close(shown[:, :2].mean(0), torch.full((2,), 0.7), atol=0.015, rtol=0)
    assert torch.equal(seen.x, shown)  # 0 in place of what is hidden
    assert abs(float((shown[:, 0] * shown[:, 1]).mean()) - 0.49) < 0.015


def test_an_encoder_is_told_what_was_observed() -> None:
    linear = torch.nn.Linear(4, 8, bias=False)
    encoder = GapEncoder(linear)
    x, mask = torch.tensor([[3.0, 7.0]]), torch.tensor([[True, False]])
    weight = linear.weight
    torch.testing.assert_close(encoder(x, mask), (3 * weight[:, 0] + weight[:, 2])[None])
    right = 3 * weight[:, 0] + 7 * weight[:, 1] + weight[:, 2] + weight[:, 3]
    torch.testing.assert_close(encoder(x), right[None])


def test_hidden_values_are_still_asked_for() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    model = ist.AE(hide=0.9, latent_dim=2, likelihood="mse", epochs=1, random_state=0).fit(x)
    module, batch = model.module_, Batch(torch.from_numpy(x))
    torch.manual_seed(0)
    assert module.hiding is not None
    seen = module.hiding(batch)
    restored = module(seen)
    torch.manual_seed(0)
    right = (restored - batch.x).square().sum(1)
    torch.testing.assert_close(module.loss(batch).objective, right)


def test_values_are_hidden_where_the_data_have_gaps() -> None:
    x = correlated(200)
    lost = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)

    def share(model: Any) -> float | None:
        hiding = model.fit(lost).module_.hiding
        return None if hiding is None else hiding.share

    assert share(ist.AE(epochs=1)) == 0.3
    assert share(ist.AE(epochs=1, hide=0.1)) == 0.1
    assert share(ist.AE(epochs=1, hide=0.0)) is None
    assert share(ist.VAE(epochs=1)) is None
    assert ist.AE(epochs=1).fit(x).module_.hiding is None
    assert share(ist.StackedAE(epochs=1, pretrain_epochs=0, tied=True)) is None
    with pytest.raises(InputError, match=r"hide=0.2 puts the mask beside x, which the decoder"):
        ist.StackedAE(epochs=1, tied=True, hide=0.2).fit(x)
    with pytest.raises(InputError, match=r"hide=0.2 hides values, but X is read as sequences"):
        ist.RecurrentAE(epochs=1, hide=0.2).fit(np.zeros((4, 5, 2), dtype=np.float32))


@pytest.mark.parametrize("values", [{}, {"hide": 0.3}])
@pytest.mark.parametrize("name", ["ae", "vae"])
def test_what_is_missing_follows_from_the_rest(name: str, values: dict[str, float]) -> None:
    x = correlated(400)
    model = ist.MEMBERS[name](latent_dim=1, epochs=60, learning_rate=5e-3, random_state=0, **values)
    lost = x.copy()
    lost[:, 1] = np.nan
    filled = model.fit(x).impute(lost)
    np.testing.assert_array_equal(filled[:, [0, 2, 3]], x[:, [0, 2, 3]])
    assert np.corrcoef(filled[:, 1], x[:, 1])[0, 1] > 0.97
    np.testing.assert_array_equal(model.impute(lost), filled)


def test_expectations_are_those_of_the_model() -> None:
    """Of a linear decoder the posterior is Gaussian, so that E[x₂ | x₁] is known."""
    module = ist.VAE(latent_dim=1, hidden=(), likelihood=ist.likelihoods.Gaussian(scale=0.5)).build(
        (2,), unit_range=False
    )
    weight = torch.tensor([[1.0], [2.0]])
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.zero_()  # the encoder proposes N(0, I)
            if name.startswith("decoder") and parameter.shape == weight.shape:
                parameter.copy_(weight)
    batch = Batch(torch.tensor([[0.8, 0.0]]), mask=torch.tensor([[True, False]]))
    torch.manual_seed(0)
    with torch.no_grad():
        means = expected(module, batch, 40_000, rows=10_000, rounds=2)
    right = 0.8 / (1 + 0.5**2)  # E[z | x₁]
    assert math.isclose(float(means[0, 1]), 2 * right, rel_tol=0.02)
