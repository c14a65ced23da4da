"""The diffusion prior: a code comes out of noise in a dozen steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.fields import Field, field
from isthmus.core.forward import Level
from isthmus.core.objectives import Loss
from isthmus.core.randomness import drawing_nothing
from isthmus.errors import InputError
from isthmus.priors._denoisers import denoiser
from isthmus.priors._noising import NOISINGS, Noising, Waypoint, way
from isthmus.priors._standardised import StandardisedDensity
from isthmus.priors._trained import Density, TrainedPrior
from isthmus.training.runtimes import multiplying

_REACH = 10.0  # the greatest |log(α² / σ²)| that the bound looks at
_LEVELS = 64  # of noise at which it looks, each somewhere in its own stretch
_MOST_AXES = 3
_STEPS = 3000  # of training, at the least


@dataclass(repr=False, eq=False, kw_only=True)
class Diffusion(TrainedPrior):
    r"""Diffusion over codes: a network learns to take noise away, and draws by doing so in steps.

    .. math:: z_t = \alpha_t z + \sigma_t \varepsilon, \quad
              \min_\theta \; \mathbb E_{z, \varepsilon, t}
              \left\lVert v_\theta(z_t, t, y) - v_t \right\rVert^2, \quad
              v_t = \alpha'_t z + \sigma'_t \varepsilon

    With ``objective="v"`` α and σ are cosine and sine of πt/2, with ``"flow"`` they are 1 − t and t
    (flow matching). A draw starts from noise at t = 1 and goes to t = 0 in ``steps`` equal steps.
    Codes are standardised first, vectors number by number, maps channel by channel. A vector
    ``(d,)`` gets residual layers, a map ``(c, h, w)`` or ``(c, t)`` a U-Net with attention on its
    coarsest grid.

    With labels, a share of them is left out in training, so that one network knows codes with and
    without their class; ``guidance`` w then draws by

    .. math:: v_\theta(z_t, t, y) + w \left(v_\theta(z_t, t, y) - v_\theta(z_t, t)\right)

    ``sampler``, ``steps`` and ``guidance`` may be set anew at any time. ``sample(temperature=τ)``
    scales the noise that it starts from. :meth:`log_prob` estimates a lower bound in continuous
    time, by fixed noise: that of the diffusion which the network reverses at random, without
    guidance; with :math:`\lambda = \log(\alpha^2 / \sigma^2)`,

    .. math:: -\log p(z) \le \mathrm{KL}(q(z_1 \mid z) \,\Vert\, \mathcal N(0, I))
              + \tfrac12 \int \mathbb E \lVert \varepsilon - \hat\varepsilon_\lambda \rVert^2
              \, d\lambda - \mathbb E \log p(z \mid z_0)

    Reference:
        J. Ho, A. Jain and P. Abbeel, Denoising diffusion probabilistic models, NeurIPS 2020; v: T.
        Salimans and J. Ho, Progressive distillation, ICLR 2022; flow matching: Y. Lipman et al.,
        ICLR 2023; drawing: J. Song, C. Meng and S. Ermon, Denoising diffusion implicit models, ICLR
        2021, and T. Karras et al., NeurIPS 2022; guidance: J. Ho and T. Salimans, NeurIPS 2021
        workshop; the bound: D. Kingma et al., Variational diffusion models, NeurIPS 2021; over
        codes: R. Rombach et al., CVPR 2022.

    Example:
        >>> import isthmus as ist, torch
        >>> codes = torch.randn(256, 2) * torch.tensor([1.0, 5.0])
        >>> prior = ist.priors.Diffusion(epochs=2, width=16, random_state=0, verbose=0).fit(codes)
        >>> prior.sample(3).shape
        torch.Size([3, 2])
    """

    is_bounded = True

    objective: Literal["v", "flow"] = field(
        "v", "what is learnt: v-prediction under a cosine schedule, or flow matching"
    )
    width: int = field(128, "units, or channels on the finest grid, of every layer", low=1)
    blocks: int = field(3, "residual blocks; of a map on each grid, both down and up", low=1)
    label_dropout: float = field(
        0.1, "share of the labels that is left out in training, which guidance needs", low=0, high=1
    )
    sampler: Literal["ddim", "heun"] = field(
        "ddim",
        "how a step is made; heun looks twice, and is nearer to the limit of many steps",
        afterwards=True,
    )
    steps: int = field(25, "steps from noise to a code", low=1, afterwards=True)
    guidance: float = field(
        0.0,
        "how strongly draws of a class avoid what other classes would draw too",
        low=0,
        afterwards=True,
    )
    epochs: int | None = field(
        None,
        "how often training goes through the codes; none: 30, and more where these are fewer than"
        " 3,000 steps",
        low=1,
    )
    learning_rate: float = field(1e-3, "step size of the optimiser", above=0)
    ema_decay: float | None = field(
        0.999,
        "share of the past in a moving average of the weights, which is what is kept in the end;"
        " none: the last weights",
        above=0,
        below=1,
    )

    def path(self, n: int, *, label: Any = None, temperature: float = 1.0) -> list[Waypoint]:
        """The way of n draws from noise to codes, by torch's random state: ``steps + 1`` stops.

        Labels and temperature are as for :meth:`sample`, which gives the code of the last one.
        """
        check_is_fitted(self, "code_shape_")
        classes, density = self._classes_of(n, label), self._set_anew()
        with torch.inference_mode(), multiplying():
            return list(density.path(n, self._one_hot(classes), temperature))

    def _density(self) -> Density:
        return DiffusionDensity(
            self.code_shape_,
            self.condition_size,
            NOISINGS[self.objective](),
            width=self.width,
            blocks=self.blocks,
            label_dropout=self.label_dropout,
        )

    def _epochs_for(self, n: int) -> int:
        if self.epochs is not None:
            return self.epochs
        return max(self._epochs, math.ceil(_STEPS / math.ceil(n / self.batch_size)))

    def _admit(self, codes: Tensor, levels: Sequence[Level]) -> None:
        super()._admit(codes, levels)
        if codes.ndim - 1 > _MOST_AXES:
            raise InputError(
                f"codes of the shape {tuple(codes.shape)} are not usable by Diffusion: give vectors"
                " (n, d) or maps (n, c, h, w)."
            )

    def _draw(self, n: int, classes: Tensor | None, temperature: float) -> Tensor:
        self._set_anew()
        return super()._draw(n, classes, temperature)

    def _set_anew(self) -> DiffusionDensity:
        """The fitted density, which draws as the fields say now."""
        self.validate()
        self._require_guidable(self.guidance)
        assert isinstance(self.module_, DiffusionDensity)
        self.module_.drawing = Drawing(self.steps, self.sampler == "heun", self.guidance)
        return self.module_

    def _check_anew(self, declaration: Field, value: Any) -> None:
        super()._check_anew(declaration, value)
        if declaration.name == "guidance":
            self._require_guidable(value)

    def _require_guidable(self, guidance: float) -> None:
        """Refuse to lead draws away from what the network has not learnt."""
        if guidance > 0 and self.classes_ is not None and self.label_dropout == 0:
            raise InputError(
                f"guidance={guidance!r} needs a network that has seen codes without labels:"
                " fit the prior with label_dropout=0.1."
            )


@dataclass(frozen=True)
class Drawing:
    """How codes are drawn: in how many steps, by which of two methods, how far from other classes.

    The values are those of the fields of :class:`Diffusion`.
    """

    steps: int
    is_heun: bool
    guidance: float


class DiffusionDensity(StandardisedDensity):
    """A network that takes noise away from standardised codes.

    Args:
        shape: of a code.
        condition_size: numbers of a condition, one for each class; 0 without.
        noising: how codes become noise.
        width, blocks, label_dropout: as the fields of :class:`Diffusion`.
    """

    drawing: Drawing

    def __init__(
        self,
        shape: Shape,
        condition_size: int,
        noising: Noising,
        *,
        width: int,
        blocks: int,
        label_dropout: float,
    ) -> None:
        super().__init__((shape[0], *[1] * (len(shape) - 1)))
        self.shape, self.noising, self.label_dropout = shape, noising, label_dropout
        self.network: nn.Module = denoiser(shape, condition_size, width, blocks)

    def loss(self, batch: Batch) -> Loss:
        """The squared error of the velocity, the mean over the numbers of a code."""
        x, condition = self.standardised(batch.x), batch.condition
        t = sharding.rand_like(x.flatten(1)[:, 0])  # (n,)
        if condition is not None:
            is_kept = sharding.rand_like(t) >= self.label_dropout
            condition = condition * is_kept[:, None]
        noise = sharding.randn_like(x)
        error = self.velocity(self.noising.mixed(x, noise, t), t, condition)
        error = error - self.noising.velocity(x, noise, t)
        return Loss(error.square().flatten(1).mean(1), {})

    def velocity(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """The expected velocity of codes under noise ``(n, *shape)`` at times ``(n,)``."""
        found: Tensor = self.network(z, t, condition)
        return found

    def log_prob(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        """A lower bound, estimated by the same noise at every call."""
        x = self.standardised(codes)
        random = torch.Generator().manual_seed(0)
        width = 2 * _REACH / _LEVELS
        cost = torch.zeros(len(x), device=x.device)
        for level in range(_LEVELS):
            where = torch.rand(len(x), generator=random).to(x)
            cost += width / 2 * self._error(x, width * (level + where) - _REACH, random, condition)
        # z given the least noise: a normal around the guess, as wide as that noise
        least = x.new_full((len(x),), _REACH)
        size = math.prod(self.shape)
        cost += 0.5 * self._error(x, least, random, condition)
        cost += 0.5 * size * (math.log(2 * math.pi) - _REACH)
        # what is left of z under the most noise
        kept, lost = (1 / (1 + math.exp(sign * _REACH)) for sign in (1, -1))  # α² and σ²
        cost += 0.5 * (kept * x.square() + lost - 1 - math.log(lost)).flatten(1).sum(1)
        return -cost - self.log_scale(x)

    def _error(
        self, x: Tensor, log_snr: Tensor, random: torch.Generator, condition: Tensor | None
    ) -> Tensor:
        """An estimate of E ‖ε − ε̂‖² of each code under noise of a level, ``(n,)``.

        Where the noise is weak ε̂ hardly follows it, and the error is near ‖ε‖², whose mean is
        known: what differs from that mean is taken off.
        """
        noise = torch.randn(x.shape, generator=random).to(x)
        t = self.noising.time_of(log_snr)
        z = self.noising.mixed(x, noise, t)
        guess = self.noising.noise(z, self.velocity(z, t, condition), t)
        off = noise.square().flatten(1).sum(1) - math.prod(self.shape)
        share = log_snr.sigmoid().square()  # α⁴: right for a normal code
        return (noise - guess).square().flatten(1).sum(1) - share * off

    def draw(self, n: int, condition: Tensor | None, temperature: float) -> Tensor:
        *_, last = self.path(n, condition, temperature)
        return last.code

    def path(self, n: int, condition: Tensor | None, temperature: float) -> Iterator[Waypoint]:
        """The way from noise to n codes ``(n, *shape)``."""
        noise = temperature * torch.randn(n, *self.shape, device=self.mean.device)
        if condition is not None:
            condition = condition.to(noise)
        with drawing_nothing():
            stops = list(
                way(
                    self.noising,
                    lambda z, t: self._guided(z, t, condition),
                    noise,
                    self.drawing.steps,
                    is_heun=self.drawing.is_heun,
                )
            )
        for stop in stops:
            yield Waypoint(stop.time, self.restored(stop.code), self.restored(stop.guess))

    def _guided(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """The velocity under a condition, led away from that without one."""
        guidance = self.drawing.guidance
        if condition is None or guidance == 0:
            return self.velocity(z, t, condition)
        both = torch.cat([condition, torch.zeros_like(condition)])
        own, plain = self.velocity(z.repeat(2, *[1] * (z.ndim - 1)), t.repeat(2), both).chunk(2)
        return own + guidance * (own - plain)
