"""The regularised autoencoder: what its decoder is charged for, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.likelihoods import SquaredError
from isthmus.models.rae import DecoderPenalty


def test_the_objective_is_that_of_its_equation() -> None:
    torch.manual_seed(0)
    module = ist.RAE(
        latent_dim=3, hidden=(16,), likelihood="mse", code_weight=0.5, decoder_norm_weight=0.1
    ).build((1, 8, 8))
    x = torch.rand(5, 1, 8, 8)
    z = module.encode(Batch(x))[0]
    wanted = (x - module.decode(z)).square().flatten(1).sum(1) + 0.25 * z.square().sum(1)
    weights = [layer.weight for layer in module.decoder.modules() if isinstance(layer, nn.Linear)]
    assert len(weights) == 2
    wanted = wanted + 0.1 * sum(weight.square().sum() for weight in weights)
    torch.testing.assert_close(module.loss(Batch(x)).objective, wanted)


def test_the_gradient_of_a_linear_decoder_is_its_weights() -> None:
    torch.manual_seed(0)
    module = ist.RAE(
        latent_dim=3, hidden=(), likelihood=SquaredError(output="linear"), gradient_weight=2.0
    ).build((6,))
    weight = next(part.weight for part in module.decoder.modules() if isinstance(part, nn.Linear))
    x = torch.rand(20_000, 6)
    found = module.loss(Batch(x)).terms["gradient"].mean()
    torch.testing.assert_close(found, weight.square().sum(), rtol=0.02, atol=0)


def test_the_gradient_of_any_decoder_is_the_norm_of_its_jacobian() -> None:
    torch.manual_seed(0)
    module = ist.RAE(latent_dim=2, hidden=(16,), gradient_weight=1.0).build((1, 4, 4))
    x = torch.rand(1, 1, 4, 4)
    z = module.encode(Batch(x))[0]
    jacobian = torch.autograd.functional.jacobian(lambda z: module.decode(z).flatten(1), z)
    many = Batch(x.expand(20_000, -1, -1, -1))
    found = DecoderPenalty(0, 1).squared_gradient(module, module.seen(many)).mean()
    torch.testing.assert_close(found, jacobian.square().sum(), rtol=0.03, atol=0)


def test_a_spectral_norm_bounds_every_layer_and_survives_a_run(
    few: np.ndarray, tmp_path: Path
) -> None:
    model = ist.RAE(
        latent_dim=3,
        spectral_norm=True,
        decoder_norm_weight=0,
        hidden=(16,),
        epochs=20,
        learning_rate=3e-3,
        random_state=0,
    ).fit(few)
    layers = [part for part in model.module_.decoder.modules() if isinstance(part, nn.Linear)]
    greatest = [np.linalg.norm(layer.weight.detach().numpy(), 2) for layer in layers]
    np.testing.assert_allclose(greatest, 1, atol=0.1)
    again = ist.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.reconstruct(few), model.reconstruct(few))
    wide = model.reconstruct(few.astype(np.float64))
    np.testing.assert_allclose(wide, model.reconstruct(few), atol=1e-5)


def test_ten_gaussians_are_fitted_afterwards(few: np.ndarray) -> None:
    model = ist.RAE(latent_dim=3, epochs=2, random_state=0).fit(few)
    with pytest.raises(ist.InputError, match="RAE has no prior over its codes"):
        model.sample(3)
    model.fit_prior(few)
    assert model.prior_.components == 10
    assert model.sample(3, random_state=0).shape == (3, 1, 8, 8)
