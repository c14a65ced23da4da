"""The code of the scale hyperprior: whole numbers, and the numbers that say how far they spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.compression.frequencies import PER_OCTAVE, SCALES, scale_steps
from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.bounds import bounded
from isthmus.core.example import Shape
from isthmus.core.findings import Finding
from isthmus.core.forward import Code, Pass
from isthmus.core.objectives import Loss
from isthmus.core.reductions import full
from isthmus.models._factorised import FactorisedDensity

STEP = math.log(2) / PER_OCTAVE
"""The logarithm of the ratio of two neighbours in the table of scales."""
LOG_LOWEST = -float(scale_steps(np.zeros(()))) * STEP
"""The logarithm of the least of them, 0.105 steps of rounding; the greatest is 256."""
_LOG_BOUNDS = LOG_LOWEST, LOG_LOWEST + (SCALES - 1) * STEP
_LEAST = 1e-9  # of a mass: its logarithm stays finite


class Hyper(NamedTuple):
    """What the encoder says of an example: whole numbers on both levels, and what they cost.

    Attributes:
        y: the code that the decoder takes, ``(n, channels, h, w)``.
        z: the code of its scales, ``(n, hyper_channels, h / 4, w / 4)``, rounded up.
        scale: the standard deviation under which each number of y is written, like y.
    """

    y: Tensor
    z: Tensor
    scale: Tensor


@dataclass(frozen=True, kw_only=True)
class RatedCode(Code):
    """A code that says how much distortion counts beside its rate, ``weight: (n,)``."""

    weight: Tensor


class HyperpriorBottleneck(Bottleneck):
    r"""Codes y that are rounded, each under a Gaussian whose scale a second code z says.

    .. math:: P(y \mid z) = \prod_i \Phi\!\left(\tfrac{y_i + 1/2}{\sigma_i}\right)
              - \Phi\!\left(\tfrac{y_i - 1/2}{\sigma_i}\right), \quad \sigma = h_s(z), \quad
              z = h_a(|y|)

    In training uniform noise in [-½, ½) takes the place of rounding, and every example is given one
    of the weights of the distortion by chance; outside of training the codes are whole numbers, the
    scales those of a table, and all examples have the weight that was chosen. For each
    weight y is multiplied by a gain a channel before rounding, and divided afterwards.

    Features ``(n, c, h, w)``; those of a signal, ``(n, c, w)``, are a grid of height 1, and a
    vector is a grid of one place. ``code_shape`` is ``(channels, *sides)``.
    """

    def __init__(
        self, features: Shape, channels: int, hyper_channels: int, weights: Sequence[float]
    ) -> None:
        super().__init__()
        self._sides = features[1:]
        self.code_shape = (channels, *self._sides)
        self.grid = tuple([1, 1, *self._sides][-2:])
        self.project = nn.Conv2d(features[0], channels, 1)
        self.analysis = hyper_analysis(channels, hyper_channels)
        self.synthesis = hyper_synthesis(hyper_channels, channels)
        self.density = FactorisedDensity(hyper_channels)
        spread = torch.tensor([float(weight) for weight in weights]).log()
        # the step of the rounding of a good code falls as the root of its weight
        gains = (spread - spread.mean())[:, None].expand(-1, channels) / 2
        self.log_gains = nn.Parameter(gains.clone())
        self.log_inverse_gains = nn.Parameter(-gains.clone())
        self.register_buffer("weights", spread.exp(), persistent=False)
        self.weights: Tensor
        self.quality = len(weights) - 1
        """Which of the weights codes are made for outside of training, counted from 0."""

    def posterior(self, features: Tensor) -> Hyper:
        y = self._scaled(features, self.log_gains[self.quality])
        z = self.analysis(y.abs()).round()
        scale = on_table(self._log_scale(z, y)).exp()
        return Hyper(self._flat(y.round()), z, self._flat(scale))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> RatedCode:
        if not self.training:
            return self._rounded(features)
        drawn = sharding.rand_like(features.flatten(1)[:, 0])  # (n,)
        chosen = (drawn * len(self.weights)).long()
        y = self._scaled(features, self.log_gains[chosen])
        z = self.analysis(y.abs())
        noisy_z = z + sharding.rand_like(z) - 0.5
        noisy_y = y + sharding.rand_like(y) - 0.5
        masses = gaussian_mass(noisy_y, bounded(self._log_scale(noisy_z, y), *_LOG_BOUNDS))
        z_nats = _nats(self.density.mass(noisy_z))
        passed = self._unscaled(noisy_y, self.log_inverse_gains[chosen])
        return rated(passed, _nats(masses), z_nats, self.weights[chosen])

    def expand(self, code: Tensor) -> Tensor:
        return self._unscaled(self._grid_of(code), self.log_inverse_gains[self.quality])

    def table_places(self, z: Tensor) -> Tensor:
        """Where the scales of y lie on the table, not yet rounded, ``(n, channels, h, w)``."""
        return (self._log_scale(z) - LOG_LOWEST) / STEP

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        """n codes ``(n, *code_shape)`` from the prior: z by its density, y by the scales it says.

        ``temperature`` multiplies the spread of both.
        """
        weight = self.project.weight
        shares = torch.rand(self.hyper_shape(n), device=weight.device).to(weight)
        z = self.density.quantile(shares)
        middle = self.density.quantile(torch.full_like(z[:1], 0.5))
        z = (middle + temperature * (z - middle)).round()
        scale = on_table(self._log_scale(z)).exp()
        return self._flat((temperature * scale * torch.randn_like(scale)).round())

    def hyper_shape(self, n: int) -> Shape:
        """The shape of z of n examples: its sides are a quarter of y's, rounded up."""
        height, width = (math.ceil(side / 4) for side in self.grid)
        return n, self.density.channels, height, width

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        if bool((posterior[0] != 0).any()):
            return []
        return [
            Finding(
                "constant-code",
                "all numbers of the code are rounded to 0, so nothing is told apart",
                "raise distortion_weights, or train longer",
                "share of numbers of the code that are not 0",
                0.0,
                0.0,
                "fault",
            )
        ]

    # ------------------------------------------------------------------ what the above is made of

    def _rounded(self, features: Tensor) -> RatedCode:
        y, z, scale = self.posterior(features)
        y_nats = _nats(gaussian_mass(y, scale.log()))
        weights = self.weights[self.quality].expand(y.shape[0])
        return rated(self.expand(y), y_nats, _nats(self.density.mass(z)), weights)

    def _scaled(self, features: Tensor, log_gains: Tensor) -> Tensor:
        """y before it is rounded, ``(n, channels, h, w)``."""
        y = full(self.project(features.reshape(features.shape[0], -1, *self._grid_sides(features))))
        return y * log_gains.exp()[..., None, None]

    def _unscaled(self, y: Tensor, log_gains: Tensor) -> Tensor:
        """What the decoder gets, ``(n, *passed_shape)``."""
        return self._flat(y * log_gains.exp()[..., None, None])

    def _log_scale(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """log σ of each number of y, not yet bounded."""
        height, width = self.grid if y is None else y.shape[2:]
        return full(self.synthesis(z))[..., :height, :width]

    def _grid_sides(self, features: Tensor) -> tuple[int, ...]:
        return tuple([1, 1, *features.shape[2:]][-2:])

    def _grid_of(self, code: Tensor) -> Tensor:
        return code.reshape(*code.shape[:2], *self._grid_sides(code))

    def _flat(self, grid: Tensor) -> Tensor:
        """``(n, channels, h, w)`` as the code of one example is laid out."""
        return grid.reshape(*grid.shape[:2], *grid.shape[4 - len(self._sides) :])


class RateDistortion(nn.Module):
    r"""λ · distortion + rate, in nats: the loss of a member that will be compressed.

    λ is that of each example, as the bottleneck says it.
    """

    def forward(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        code = module.code(features, batch.condition, noise)
        parameters = module.parameters_of(code.z, batch.condition, batch)
        distortion = module.likelihood.nll(parameters, batch.x, batch.mask)
        assert isinstance(code, RatedCode)
        objective = code.weight * distortion + code.terms["rate"]
        made = Pass(batch, features, code, parameters)
        return Loss(objective, {"distortion": distortion, **code.terms}, made)


def rated(passed: Tensor, y_nats: Tensor, z_nats: Tensor, weights: Tensor) -> RatedCode:
    """A code that is charged for both of its levels, each ``(n,)``, in nats."""
    rate = y_nats + z_nats
    terms = {"rate": rate, "hyper_rate": z_nats}
    return RatedCode(passed, rate, terms, weight=weights.to(rate))


def hyper_analysis(channels: int, hyper_channels: int) -> nn.Sequential:
    """From |y| to z before rounding: three convolutions, of which two halve the sides."""
    return nn.Sequential(
        nn.Conv2d(channels, hyper_channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(hyper_channels, hyper_channels, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(hyper_channels, hyper_channels, 5, stride=2, padding=2),
    )


def hyper_synthesis(hyper_channels: int, channels: int) -> nn.Sequential:
    """From z to the logarithms of scales: the mirror of :func:`hyper_analysis`."""
    return nn.Sequential(
        nn.ConvTranspose2d(hyper_channels, hyper_channels, 5, 2, padding=2, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(hyper_channels, hyper_channels, 5, 2, padding=2, output_padding=1),
        nn.ReLU(),
        nn.Conv2d(hyper_channels, channels, 3, padding=1),
    )


def gaussian_mass(y: Tensor, log_scale: Tensor) -> Tensor:
    """The mass of (y − ½, y + ½) under N(0, σ²), never 0; from the tail, where it is exact."""
    far, inverse = y.abs(), (-log_scale).exp()
    upper = torch.special.ndtr((0.5 - far) * inverse)
    return bounded(upper - torch.special.ndtr((-0.5 - far) * inverse), _LEAST)


def on_table(log_scale: Tensor) -> Tensor:
    """The logarithm of the scale of the table that is nearest to each."""
    places = ((log_scale - LOG_LOWEST) / STEP).round().clamp(0, SCALES - 1)
    return places * STEP + LOG_LOWEST


def _nats(masses: Tensor) -> Tensor:
    """−log of all masses of each example together, ``(n,)``."""
    return -masses.log().flatten(1).sum(1)
