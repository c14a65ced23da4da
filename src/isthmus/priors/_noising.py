"""How codes become noise over time, and the way back along the flow of probability."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]
"""From codes under noise ``(n, …)`` and times ``(n,)`` to their velocities, like the codes."""


class Noising(ABC):
    r"""A mixture of code x and standard normal noise ε over time t, from 0 (x) to 1 (ε).

    .. math:: z_t = \alpha_t x + \sigma_t \varepsilon, \quad
              v_t = \alpha'_t x + \sigma'_t \varepsilon

    The derivatives are by a time of its own for each schedule, in which
    :math:`\alpha \sigma' - \sigma \alpha' = 1`. So z and v give x and ε back without a division:

    .. math:: x = \sigma' z - \sigma v, \quad \varepsilon = \alpha v - \alpha' z
    """

    span: float
    """How much of its own time passes while t goes from 0 to 1."""

    @abstractmethod
    def weights(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ at times t."""

    @abstractmethod
    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """α′ and σ′ at times t."""

    @abstractmethod
    def time_of(self, log_snr: Tensor) -> Tensor:
        """The time at which log(α² / σ²) has a value."""

    def mixed(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """z of codes and noise ``(n, …)`` at times ``(n,)``."""
        return _sum(self.weights(t), x, noise)

    def velocity(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """v of codes and noise."""
        return _sum(self.slopes(t), x, noise)

    def code(self, z: Tensor, v: Tensor, t: Tensor) -> Tensor:
        """x of z and v; of an expected v, the expected x."""
        return _sum((self.slopes(t)[1], -self.weights(t)[1]), z, v)

    def noise(self, z: Tensor, v: Tensor, t: Tensor) -> Tensor:
        """ε of z and v; of an expected v, the expected ε."""
        return _sum((-self.slopes(t)[0], self.weights(t)[0]), z, v)


class CosineNoising(Noising):
    """α = cos φ and σ = sin φ, with φ = πt/2 as its own time: the variance stays that of the codes.

    Its velocity is the v of T. Salimans and J. Ho, ICLR 2022; the schedule is that of A. Nichol
    and P. Dhariwal, ICML 2021, without an offset.
    """

    span = math.pi / 2

    def weights(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return (self.span * t).cos(), (self.span * t).sin()

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -(self.span * t).sin(), (self.span * t).cos()

    def time_of(self, log_snr: Tensor) -> Tensor:
        return (-log_snr / 2).exp().atan() / self.span


class LinearNoising(Noising):
    """α = 1 − t and σ = t: straight lines from code to noise, along which flow matching learns."""

    span = 1.0

    def weights(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - t, t

    def slopes(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -torch.ones_like(t), torch.ones_like(t)

    def time_of(self, log_snr: Tensor) -> Tensor:
        return (-log_snr / 2).sigmoid()


NOISINGS: dict[str, type[Noising]] = {"v": CosineNoising, "flow": LinearNoising}


@dataclass(frozen=True)
class Waypoint:
    """A stop on the way from noise to a code.

    Attributes:
        time: 1 for noise alone, 0 for the code.
        code: what stands there, ``(n, …)``.
        guess: the code that the denoiser expects behind it, ``(n, …)``.
    """

    time: float
    code: Tensor
    guess: Tensor


def way(
    noising: Noising, velocity: Velocity, noise: Tensor, steps: int, *, is_heun: bool
) -> Iterator[Waypoint]:
    r"""From noise ``(n, …)`` to codes in equal steps of time, ``steps + 1`` waypoints.

    DDIM keeps the expected noise and mixes it with the expected code at the next time s:

    .. math:: z_s = \alpha_s \hat x + \sigma_s \hat\varepsilon

    Heun's method follows dz = v dτ in the schedule's own time τ with the mean of the velocities at
    both ends of a step, so it looks twice.
    """
    times = torch.linspace(1, 0, steps + 1).tolist()
    z = noise
    for t, s in pairwise(times):
        now, then = z.new_full((len(z),), t), z.new_full((len(z),), s)
        v = velocity(z, now)
        guess = noising.code(z, v, now)
        yield Waypoint(t, z, guess)
        if is_heun:
            step = noising.span * (s - t)
            z = z + step / 2 * (v + velocity(z + step * v, then))
        else:
            z = noising.mixed(guess, noising.noise(z, v, now), then)
    yield Waypoint(0.0, z, z)


def _sum(weights: tuple[Tensor, Tensor], a: Tensor, b: Tensor) -> Tensor:
    """The weighted sum of a and b ``(n, …)``, with weights ``(n,)``."""
    left, right = (weight.view(-1, *[1] * (a.ndim - 1)) for weight in weights)
    return left * a + right * b
