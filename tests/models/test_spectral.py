"""Spectral regularisation, against the singular values themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.models._spectral import SpectralPenalty, stacked


def settled(module: torch.nn.Module) -> SpectralPenalty:
    """The penalty of a module, after enough steps that its directions stand still."""
    penalty = module.penalty
    assert isinstance(penalty, SpectralPenalty)
    for _ in range(100):
        penalty.norms(module)
    return penalty


def convolutions(module: nn.Module) -> list[nn.Module]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [layer for layer in module.modules() if isinstance(layer, kinds)]


@pytest.fixture
def module() -> torch.nn.Module:
    torch.manual_seed(0)
    return ist.NVAE(groups=(1, 1), width=8, hidden=(4, 8), spectral_weight=0.5).build((1, 8, 8))


def test_the_norms_are_the_largest_singular_values(module: torch.nn.Module) -> None:
    expected = sorted(
        np.linalg.svd(
            np.moveaxis(layer.weight.detach().numpy(), int(layer.transposed), 0).reshape(
                layer.weight.shape[int(layer.transposed)], -1
            ),
            compute_uv=False,
        )[0]
        for layer in convolutions(module)
    )
    found = sorted(settled(module).norms(module).tolist())
    assert len(found) == len(convolutions(module)) > 20
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_first_step_knows_them_well(module: torch.nn.Module) -> None:
    penalty = module.penalty
    assert isinstance(penalty, SpectralPenalty)
    parts = (module.encoder, module.bottleneck, module.decoder)
    expected = torch.cat([torch.linalg.matrix_norm(each, 2) for each in stacked(parts).values()])
    found = penalty.norms(module)
    assert bool((found <= expected * 1.0001).all())  # a Rayleigh quotient is never above
    assert bool((found > 0.95 * expected).all())


def test_the_gradient_is_that_of_the_norm(module: torch.nn.Module) -> None:
    layer = module.bottleneck.stem
    settled(module).norms(module).sum().backward()
    own = layer.weight.detach().clone().requires_grad_()
    torch.linalg.matrix_norm(own.flatten(1), 2).backward()
    torch.testing.assert_close(layer.weight.grad, own.grad, rtol=1e-3, atol=1e-3)


def test_it_is_charged_and_told(module: torch.nn.Module) -> None:
    x, noise = torch.rand(4, 1, 8, 8), torch.zeros(1, *module.bottleneck.code_shape)
    with torch.no_grad():
        loss = module.eval().loss(Batch(x), noise)
        plain = module.cost(module.features(Batch(x)), Batch(x), noise)
    assert loss.terms["spectral"].unique().shape == (1,)
    torch.testing.assert_close(loss.objective - plain.objective, 0.5 * loss.terms["spectral"])


def test_only_training_turns_the_directions(module: torch.nn.Module) -> None:
    penalty = module.penalty
    assert isinstance(penalty, SpectralPenalty)
    module.bottleneck.stem.weight.data.normal_()
    kept = [buffer.clone() for buffer in penalty.buffers()]
    penalty.eval().norms(module)
    assert all(map(torch.equal, kept, penalty.buffers()))
    penalty.train().norms(module)
    assert not all(map(torch.equal, kept, penalty.buffers()))


def test_the_weight_falls_evenly_in_its_logarithm(module: torch.nn.Module) -> None:
    penalty = SpectralPenalty([module.encoder], weight=0.01, start=1.0, warmup=10.0)
    for epoch, expected in ((0.0, 1.0), (5.0, 0.1), (10.0, 0.01), (math.inf, 0.01)):
        penalty.anneal(epoch)
        assert float(penalty.weight) == pytest.approx(expected)


def test_a_training_that_is_charged_has_smaller_norms(few: np.ndarray) -> None:
    small: dict[str, Any] = {"groups": (1, 1), "width": 8, "hidden": (4, 8)}
    small |= {"epochs": 4, "batch_size": 32, "learning_rate": 5e-3}
    norms = []
    for weight in (1e-6, 1.0):
        model = ist.NVAE(**small, spectral_weight=weight, random_state=0).fit(few)
        norms.append(model.history_[-1]["spectral"])
    assert norms[1] < 0.9 * norms[0]
    again = ist.NVAE(**small, random_state=0).fit(few)
    assert "spectral" not in again.history_[-1]


def test_a_start_without_a_fall_is_refused() -> None:
    with pytest.raises(
        ist.InputError,
        match="spectral_start=1 falls to spectral_weight while kl_warmup lasts, but"
        " spectral_weight=0 and kl_warmup=6: give both above 0",
    ):
        ist.NVAE(epochs=20, spectral_start=1.0).build((1, 8, 8))


def test_presets_are_the_published_settings() -> None:
    nvae = ist.NVAE.preset("mnist", epochs=3)
    assert (nvae.groups, nvae.latent_dim, nvae.width, nvae.epochs) == ((5, 10), 20, 128, 3)
    assert nvae.spectral_weight == 0.01
    coloured = ist.NVAE.preset("cifar10")
    assert (coloured.groups, coloured.width, coloured.epochs) == ((30,), 256, 400)
    with pytest.raises(
        ist.InputError, match="unknown preset 'mnits' of NVAE: did you mean 'mnist'"
    ):
        ist.NVAE.preset("mnits")
    with pytest.raises(ist.InputError, match="preset='mnist': no setting of AE was published"):
        ist.AE.preset("mnist")
