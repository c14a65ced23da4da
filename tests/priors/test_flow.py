"""The flow: a density that is one, and that a Gaussian cannot be."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.priors import Flow, Mixture

SMALL = {
    "transforms": 2,
    "hidden": (24,),
    "batch_size": 64,
    "learning_rate": 1e-2,
    "random_state": 0,
    "verbose": 0,
}


def ring(n: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    angle, radius = (
        2 * math.pi * torch.rand(n, generator=random),
        2 + 0.1 * torch.randn(n, generator=random),
    )
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


def integral(prior: Flow, reach: float) -> float:
    line = torch.linspace(-reach, reach, 121)
    density = prior.log_prob(torch.cartesian_prod(line, line)).double().exp()
    return float(density.sum()) * float(line[1] - line[0]) ** 2


def test_a_ring_is_learnt_and_the_density_integrates_to_one() -> None:
    prior = Flow(**SMALL, epochs=12).fit(ring(1000, 0))
    held_out = ring(500, 1)
    gaussian = Mixture(components=1).fit(ring(1000, 0)).log_prob(held_out).mean()
    assert float(prior.log_prob(held_out).mean()) > float(gaussian) + 0.5
    assert integral(prior, 4.0) == pytest.approx(1.0, abs=0.01)
    torch.manual_seed(0)
    radii = prior.sample(500).norm(dim=1)
    assert float(((radii - 2).abs() < 0.5).float().mean()) > 0.8
    assert len(prior.history_) == 12
    assert prior.history_[-1]["objective"] < prior.history_[0]["objective"]


def test_the_affine_flow_integrates_to_one_and_is_a_gaussian_where_that_is_right() -> None:
    codes = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor(
        [[1.0, 0.8], [0.0, 0.3]]
    )
    prior = Flow(**SMALL, kind="affine", epochs=10).fit(codes)
    assert integral(prior, 6.0) == pytest.approx(1.0, abs=0.01)
    gaussian = Mixture(components=1).fit(codes).log_prob(codes).mean()
    assert float(prior.log_prob(codes).mean()) == pytest.approx(float(gaussian), abs=0.05)


def test_units_of_the_codes_are_counted() -> None:
    codes = ring(200, 0)
    log_prob = [
        Flow(**SMALL, epochs=2).fit(scale * codes + 3).log_prob(scale * codes + 3)
        for scale in (1.0, 50.0)
    ]
    torch.testing.assert_close(log_prob[1], log_prob[0] - 2 * math.log(50), atol=2e-3, rtol=1e-3)


def test_a_code_of_one_dimension_and_one_of_two_axes() -> None:
    random = torch.Generator().manual_seed(0)
    one = torch.randn(400, 1, generator=random).sign() * 3 + 0.3 * torch.randn(
        400, 1, generator=random
    )
    prior = Flow(**SMALL, epochs=10).fit(one)
    line = torch.linspace(-20, 20, 8001)[:, None]
    assert float(torch.trapezoid(prior.log_prob(line).exp(), line[:, 0])) == pytest.approx(
        1.0, abs=0.01
    )
    torch.manual_seed(0)
    assert float((prior.sample(300).abs() > 1.5).float().mean()) > 0.85
    grid = torch.randn(50, 2, 3, generator=random)
    assert Flow(**SMALL, epochs=1).fit(grid).sample(4).shape == (4, 2, 3)


def test_a_class_is_drawn_where_it_lies() -> None:
    random = torch.Generator().manual_seed(0)
    labels = np.arange(400) % 2
    codes = (
        torch.randn(400, 2, generator=random) + torch.from_numpy(6.0 * labels[:, None] - 3).float()
    )
    prior = Flow(**SMALL, epochs=12).fit(codes, labels)
    torch.manual_seed(0)
    means = [float(prior.sample(400, label=label).mean()) for label in (0, 1)]
    assert means == [pytest.approx(-3, abs=0.5), pytest.approx(3, abs=0.5)]
    assert float(prior.sample(10, label=1, temperature=0.0).std(0).max()) < 1e-5


def test_bfloat16_trains() -> None:
    prior = Flow(**SMALL, epochs=2, precision="bfloat16").fit(ring(100, 0))
    assert bool(prior.log_prob(ring(10, 1)).isfinite().all())


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zuko.flows", None)
    with pytest.raises(
        ist.InputError,
        match=r"the prior Flow needs the package 'zuko': pip install 'isthmus\[flows\]'",
    ):
        Flow(epochs=1).fit(ring(10, 0))


def test_training_is_shown_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    Flow(**{**SMALL, "verbose": 2}, epochs=2).fit(ring(100, 0))
    assert "Flow prior epoch 2/2: objective" in capsys.readouterr().err
