"""Noise schedules and the way back: coefficients against derivatives, steps against solutions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from isthmus.priors._noising import NOISINGS, CosineNoising, Noising, way

every_noising = pytest.mark.parametrize("name", list(NOISINGS))
TIMES = torch.linspace(0.01, 0.99, 15, dtype=torch.float64)


def noising_of(name: str) -> Noising:
    return NOISINGS[name]()


@every_noising
def test_slopes_are_the_derivatives_of_the_weights_in_the_own_time(name: str) -> None:
    noising, t = noising_of(name), TIMES.clone().requires_grad_()
    for weight, slope in zip(noising.weights(t), noising.slopes(t), strict=True):
        (derivative,) = torch.autograd.grad(weight.sum(), t)
        torch.testing.assert_close(derivative / noising.span, slope.detach())


@every_noising
def test_z_and_v_give_code_and_noise_back(name: str) -> None:
    noising, random = noising_of(name), torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 15, 3, 2, dtype=torch.float64, generator=random)
    z, v = noising.mixed(x, noise, TIMES), noising.velocity(x, noise, TIMES)
    torch.testing.assert_close(noising.code(z, v, TIMES), x)
    torch.testing.assert_close(noising.noise(z, v, TIMES), noise)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    two, other = x[:2], noise[:2]
    torch.testing.assert_close(
        noising.mixed(two, other, ends), torch.stack([two[0], other[1]]), atol=1e-15, rtol=0
    )


@every_noising
def test_the_time_of_a_ratio_of_signal_to_noise(name: str) -> None:
    noising, wanted = noising_of(name), torch.linspace(-9, 9, 13, dtype=torch.float64)
    signal, noise = noising.weights(noising.time_of(wanted))
    torch.testing.assert_close(2 * (signal / noise).log(), wanted)


def test_the_cosine_schedule_keeps_the_variance() -> None:
    signal, noise = CosineNoising().weights(torch.tensor([0.0, 1 / 3, 0.5, 1.0]))
    torch.testing.assert_close(signal.square() + noise.square(), torch.ones(4))
    torch.testing.assert_close(noise[1:3], torch.tensor([0.5, math.sqrt(0.5)]))


def exact_velocity(noising: Noising, mean: float, deviation: float) -> object:
    """E[v | z] where codes are N(mean, deviation²): a regression of two normal variables."""

    def velocity(z: Tensor, t: Tensor) -> Tensor:
        (signal, noise), (up, down) = noising.weights(t), noising.slopes(t)
        variance = (signal * deviation).square() + noise.square()
        share = (up * signal * deviation**2 + down * noise) / variance
        return up[:, None] * mean + share[:, None] * (z - signal[:, None] * mean)

    return velocity


@every_noising
@pytest.mark.parametrize("is_heun", [False, True])
def test_the_way_of_a_normal_code_ends_where_it_must(name: str, is_heun: bool) -> None:
    """The flow of probability maps N(0, 1) to N(m, s²) by m + s ε; steps come near to it."""
    noising = noising_of(name)
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    wanted, velocity = 3 + 0.5 * noise, exact_velocity(noising, 3.0, 0.5)
    errors = []
    for steps in (10, 20, 40):
        *_, last = way(noising, velocity, noise, steps, is_heun=is_heun)  # type: ignore[arg-type]
        errors.append(float((last.code - wanted).abs().max()))
    order = 2 if is_heun else 1
    assert errors[2] < (0.003 if is_heun else 0.05)
    assert math.log2(errors[1] / errors[2]) == pytest.approx(order, abs=0.35)


@every_noising
def test_stops_on_the_way(name: str) -> None:
    noise = torch.ones(2, 3)
    velocity = exact_velocity(noising_of(name), 3.0, 0.0)
    stops = list(way(noising_of(name), velocity, noise, 4, is_heun=False))  # type: ignore[arg-type]
    assert [stop.time for stop in stops] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert torch.equal(stops[0].code, noise)
    for stop in stops:  # codes that are all the same are known from the start
        torch.testing.assert_close(stop.guess, torch.full((2, 3), 3.0))
