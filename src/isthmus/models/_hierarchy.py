"""A hierarchy of Gaussian codes: a tower looks at the features, another makes them again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.example import Shape
from isthmus.core.findings import Finding
from isthmus.core.forward import Code
from isthmus.core.randomness import drawing_nothing
from isthmus.core.reductions import full
from isthmus.divergences import kl_between
from isthmus.models._ladder import Group, LadderConfig, bottom_up, scales, top_down
from isthmus.models._variational import COLLAPSED, DiagonalGaussian, StochasticBottleneck
from isthmus.networks._cells import top_down_cell

Pick = Callable[[int, DiagonalGaussian, Tensor], Tensor]
"""From the number of a group, its prior and the state ``(n, c, h, w)`` to the group's code
``(n, latent_dim, h, w)``.
"""


class Hierarchical(NamedTuple):
    """What the encoder says of an example when every group gets its mean, coarsest group first.

    Each is ``(n, code)``.

    Attributes:
        mu: the mean of each value of the code.
        sigma: its standard deviation.
        kl: its divergence from the prior that the groups above it make, in nats.
    """

    mu: Tensor
    sigma: Tensor
    kl: Tensor


class GroupSample(NamedTuple):
    """What happened at one group: each of ``(n, latent_dim, h, w)``."""

    prior: DiagonalGaussian
    posterior: DiagonalGaussian
    code: Tensor

    @property
    def kl(self) -> Tensor:
        """KL(posterior ‖ prior) of every value."""
        return kl_between(*self.posterior, *self.prior)


class HierarchicalBottleneck(StochasticBottleneck):
    r"""Codes in L groups, each drawn given those above it; the decoder gets the last state.

    .. math:: p(z) = \prod_l \mathcal{N}(z_l; \mu_l(z_{<l}), \sigma_l(z_{<l})), \quad
              q(z \mid x) = \prod_l \mathcal{N}(z_l; \mu_l + \Delta\mu_l(z_{<l}, x),
              \sigma_l \cdot \Delta\sigma_l(z_{<l}, x))

    Features ``(n, c, h, w)`` give states ``(n, width, h, w)``; those of a signal, ``(n, c, w)``,
    are a grid of height 1, and a vector is a grid of one place, which gives ``(n, width)``. A code
    is flat: the groups one after another, from the coarsest.

    Args:
        features: the shape of the features of one example.
        plan: how it is laid out.
        beta: weight of the rate.
        kl_warmup: epochs over which that weight grows from 0.
        balanced: whether the groups are balanced while it grows, see :func:`balance`.
    """

    reads_condition = True

    def __init__(
        self,
        features: Shape,
        plan: LadderConfig,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        balanced: bool = True,
    ) -> None:
        super().__init__()
        channels, *sides = features
        height, width = [1, 1, *sides][-2:]
        self.grid = (channels, height, width)
        floors = scales((height, width), plan)
        self.shapes = [
            (plan.latent_dim, *floor.size) for floor in floors[::-1] for _ in range(floor.groups)
        ]
        self.code_shape = (sum(map(math.prod, self.shapes)),)
        self._passed: Shape = (plan.width, *sides)
        self.stem = nn.Conv2d(self.grid[0], plan.width, 1)
        self.bottom_up = nn.ModuleList(bottom_up(floors, plan))
        self.context: nn.Linear | None = None  # how a condition enters the top of the ladder
        self.start = nn.Parameter(torch.zeros(floors[-1].channels, *floors[-1].size))
        self.top_down = nn.ModuleList(top_down(floors, plan))
        self.finish = top_down_cell(plan.width, floors[0].size, plan.expansion)
        self.beta, self.kl_warmup, self.balanced = beta, kl_warmup, balanced
        self.register_buffer("is_balancing", torch.tensor(False), persistent=False)
        self.is_balancing: Tensor
        self.register_buffer("weight", torch.tensor(beta), persistent=False)
        self.weight: Tensor

    def add_condition(self, size: int) -> None:
        channels = self.start.shape[0]
        self.context = nn.Linear(size, channels, bias=False, device=self.start.device)
        nn.init.zeros_(self.context.weight)  # at first, a condition changes no prior

    @property
    def passed_shape(self) -> Shape:
        return self._passed

    def posterior(self, features: Tensor, condition: Tensor | None = None) -> Hierarchical:
        still = [
            torch.zeros(1, *shape, device=features.device, dtype=features.dtype)
            for shape in self.shapes
        ]
        _, choices = self._follow(self._look(features), still, condition)
        mu, log_var, kl = (
            torch.cat([values.flatten(1) for values in column], 1)
            for column in zip(
                *((choice.posterior.mu, choice.posterior.log_var, choice.kl) for choice in choices),
                strict=True,
            )
        )
        return Hierarchical(mu, (0.5 * log_var).exp(), kl)

    def expand(self, code: Tensor, condition: Tensor | None = None) -> Tensor:
        given = self._apart(code)
        return self.descend(code.shape[0], lambda number, prior, state: given[number], condition)

    def sample(self, n: int, temperature: float = 1.0, condition: Tensor | None = None) -> Tensor:
        """n codes from the learnt priors, ``(n, *code_shape)``; their scales times temperature.

        They are drawn by torch's random state.
        """
        codes: list[Tensor] = []
        noise = [torch.randn(n, *shape, device=self.start.device) for shape in self.shapes]

        def pick(number: int, prior: DiagonalGaussian, state: Tensor) -> Tensor:
            scale = temperature * (0.5 * prior.log_var).exp()
            codes.append(prior.mu + scale * noise[number])
            return codes[-1]

        with drawing_nothing():
            self.descend(n, pick, condition)
        return torch.cat([code.flatten(1) for code in codes], 1)

    def draw(
        self, features: Tensor, noise: Tensor, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        seen = [
            level.expand(len(noise), *level.shape).flatten(0, 1) for level in self._look(features)
        ]
        parts = self._apart(noise.flatten(0, 1))
        every = None if condition is None else condition.repeat(len(noise), 1)
        state, choices = self._follow(seen, parts, every)
        ratios = [_log_ratio(choice, part) for choice, part in zip(choices, parts, strict=True)]
        return state, torch.stack(ratios).sum(0).view(noise.shape[:2])

    def forward(
        self, features: Tensor, noise: Tensor | None = None, condition: Tensor | None = None
    ) -> Code:
        if noise is None:
            noise = sharding.randn(len(features), *self.code_shape, like=full(features))
        state, choices = self._follow(self._look(features), self._apart(noise), condition)
        rates = torch.stack([choice.kl.flatten(1).sum(1) for choice in choices], 1)  # (n, groups)
        shares = torch.where(self.is_balancing, balance(rates, self.shapes), 1.0)
        return Code(state, self.weight * (rates @ shares), {"rate": rates.sum(1)})

    def anneal(self, epoch: float) -> None:
        if self.kl_warmup > 0:
            self.weight.fill_(self.beta * min(1.0, epoch / self.kl_warmup))
            self.is_balancing.fill_(self.balanced and epoch < self.kl_warmup)

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        sizes = [math.prod(shape) for shape in self.shapes]
        rates = [float(kl.sum(1).mean()) for kl in posterior[2].detach().split(sizes, 1)]
        dead = sum(rate < COLLAPSED for rate in rates)
        if dead == 0:
            return []
        return [
            Finding(
                "posterior-collapse",
                f"{dead} of {len(sizes)} groups of the code carry less than {COLLAPSED} nats"
                " (posterior collapse), so they add nothing",
                f"lower beta (it is {self.beta:g}), set kl_warmup to a third of the epochs, or take"
                " fewer groups",
                "rate of the group that carries least, nats",
                min(rates),
                COLLAPSED,
                "fault" if dead == len(sizes) else "warning",
            )
        ]

    @property
    def _groups(self) -> list[Group]:
        return [group for group in self.top_down if isinstance(group, Group)]

    def _look(self, features: Tensor) -> list[Tensor]:
        """What the bottom_up tower shows to each group, from the coarsest."""
        state, seen = self.stem(_contiguous(features.reshape(-1, *self.grid))), []
        for step in self.bottom_up:
            state = step(state)
            seen.append(state)
        return seen[::-1]

    def descend(self, n: int, pick: Pick, condition: Tensor | None = None) -> Tensor:
        """The top_down tower's last state, ``(n, *passed_shape)``, with codes as picked."""
        state = self.start.expand(n, *self.start.shape)
        if self.context is not None and condition is not None:
            state = state + self.context(condition)[..., None, None]
        state = _contiguous(state)
        for number, group in enumerate(self._groups):
            state = group.approach(state)
            state = group(state, pick(number, group.prior(state), state))
        return self.finish(state).reshape(n, *self._passed)

    def _follow(
        self,
        seen: Sequence[Tensor],
        noise: Sequence[Tensor],
        condition: Tensor | None = None,
    ) -> tuple[Tensor, list[GroupSample]]:
        """The final state of the top_down tower with posterior codes, and what each group did."""
        choices: list[GroupSample] = []

        def pick(number: int, prior: DiagonalGaussian, state: Tensor) -> Tensor:
            posterior = self._groups[number].posterior(prior, state, seen[number])
            code = posterior.mu + (0.5 * posterior.log_var).exp() * noise[number]
            choices.append(GroupSample(prior, posterior, code))
            return code

        return self.descend(seen[0].shape[0], pick, condition), choices

    def _apart(self, code: Tensor) -> list[Tensor]:
        """A flat code ``(n, *code_shape)`` as one ``(n, latent_dim, h, w)`` a group."""
        sizes = [math.prod(shape) for shape in self.shapes]
        return [
            part.reshape(-1, *shape)
            for part, shape in zip(code.split(sizes, -1), self.shapes, strict=True)
        ]


def balance(rates: Tensor, shapes: Sequence[Shape]) -> Tensor:
    r"""Weights ``(groups,)`` of groups, ``(n, groups)``, that let none carry everything or nothing.

    .. math:: \gamma_l \propto s_l \, \mathbb{E}_x[\mathrm{KL}_l], \quad
              \tfrac1L \sum_l \gamma_l = 1

    with the size :math:`s_l` of a group, and the mean over the batch. No gradient flows through
    them.

    Reference:
        A. Vahdat et al., DVAE++, ICML 2018; the size was added by NVAE, appendix A.
    """
    sizes = torch.tensor(
        [math.prod(shape) for shape in shapes], device=rates.device, dtype=rates.dtype
    )
    raw = sizes * sharding.batch_mean(rates.detach())
    return raw / raw.mean().clamp(min=torch.finfo(raw.dtype).tiny)


def _contiguous(state: Tensor) -> Tensor:
    """Channel beside channel in memory.

    Convolutions of single channels then take a third of the time on a processor.
    """
    return state.contiguous(memory_format=torch.channels_last)


def _log_ratio(choice: GroupSample, noise: Tensor) -> Tensor:
    """log p(z) - log q(z | x) of a code ``q.mu + q.sigma * noise``, ``(n,)``."""
    prior, posterior = choice.prior, choice.posterior
    distance = (choice.code - prior.mu).square() * (-prior.log_var).exp()
    return 0.5 * (noise.square() + posterior.log_var - prior.log_var - distance).flatten(1).sum(1)
