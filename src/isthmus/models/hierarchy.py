"""A hierarchy of Gaussian codes: a tower upwards that looks at the features, and one downwards that makes them again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.divergences import kl_between
from isthmus.likelihoods import full
from isthmus.models.variational import DrawnCode, Gaussian
from isthmus.module import Code
from isthmus.networks.cells import Double, Halve, generating, recognising

Shape = tuple[int, ...]
Pick = Callable[[int, Gaussian, Tensor], Tensor]
"""From the number of a group, its prior and the state ``(n, c, h, w)`` to the group's code ``(n, latent_dim, h, w)``."""

_BOUND = 10.0  # of a log-variance: beyond it lies nothing that trains


@dataclass(frozen=True)
class Plan:
    """How a hierarchy is laid out.

    Attributes:
        latent_dim: channels of the code of a group.
        groups: groups of codes at each scale, from the coarsest.
        width: channels of both towers at the finest scale; they double from scale to scale.
        cells: residual cells before each group, in either tower.
        expansion: how much wider the inside of a generative cell is.
    """

    latent_dim: int
    groups: tuple[int, ...]
    width: int
    cells: int
    expansion: int


class Floor(NamedTuple):
    """One scale: the size of its grid, its channels, and how many groups it has."""

    size: tuple[int, int]
    channels: int
    groups: int


class Hierarchical(NamedTuple):
    """What the encoder says of an example when every group gets its mean: each ``(n, code)``, from the coarsest group.

    Attributes:
        mu: the mean of each value of the code.
        sigma: its standard deviation.
        kl: its divergence from the prior that the groups above it make, in nats.
    """

    mu: Tensor
    sigma: Tensor
    kl: Tensor


class Choice(NamedTuple):
    """What happened at one group: each of ``(n, latent_dim, h, w)``."""

    prior: Gaussian
    posterior: Gaussian
    code: Tensor

    @property
    def kl(self) -> Tensor:
        """KL(posterior ‖ prior) of every value."""
        return kl_between(*self.posterior, *self.prior)


class Hierarchy(DrawnCode):
    r"""Codes in L groups, each drawn given those above it; the final state of the generative tower goes to the decoder.

    .. math:: p(z) = \prod_l \mathcal{N}(z_l; \mu_l(z_{<l}), \sigma_l(z_{<l})), \quad
              q(z \mid x) = \prod_l \mathcal{N}(z_l; \mu_l + \Delta\mu_l(z_{<l}, x), \sigma_l \cdot \Delta\sigma_l(z_{<l}, x))

    Features ``(n, c, h, w)`` give states ``(n, width, h, w)``; anything else is a grid of one place, and gives
    ``(n, width)``. A code is flat: the groups one after another, from the coarsest.

    Args:
        features: the shape of the features of one example.
        plan: how it is laid out.
        beta: weight of the rate.
        kl_warmup: epochs over which that weight grows from 0.
        balanced: whether the groups are balanced while it grows, see :func:`balance`.
    """

    def __init__(self, features: Shape, plan: Plan, beta: float = 1.0, kl_warmup: float = 0.0, balanced: bool = True) -> None:
        super().__init__()
        is_grid = len(features) == 3
        self.grid = features if is_grid else (math.prod(features), 1, 1)
        floors = _floors((self.grid[1], self.grid[2]), plan)
        self.shapes = [(plan.latent_dim, *floor.size) for floor in floors[::-1] for _ in range(floor.groups)]
        self.code_shape = (sum(map(math.prod, self.shapes)),)
        self._passed: Shape = (plan.width, *floors[0].size) if is_grid else (plan.width,)
        self.stem = nn.Conv2d(self.grid[0], plan.width, 1)
        self.ascent = nn.ModuleList(_ascent(floors, plan))
        self.start = nn.Parameter(torch.zeros(floors[-1].channels, *floors[-1].size))
        self.descent = nn.ModuleList(_descent(floors, plan))
        self.finish = generating(plan.width, floors[0].size, plan.expansion)
        self.beta, self.kl_warmup, self.balanced = beta, kl_warmup, balanced
        self.is_balancing = False
        self.register_buffer("weight", torch.tensor(beta), persistent=False)
        self.weight: Tensor

    @property
    def passed_shape(self) -> Shape:
        return self._passed

    def posterior(self, features: Tensor) -> Hierarchical:
        still = [torch.zeros(1, *shape, device=features.device, dtype=features.dtype) for shape in self.shapes]
        _, choices = self._follow(self._look(features), still)
        mu, log_var, kl = (
            torch.cat([values.flatten(1) for values in column], 1)
            for column in zip(*((choice.posterior.mu, choice.posterior.log_var, choice.kl) for choice in choices), strict=True)
        )
        return Hierarchical(mu, (0.5 * log_var).exp(), kl)

    def expand(self, code: Tensor) -> Tensor:
        given = self._apart(code)
        return self._descend(len(code), lambda number, prior, state: given[number])

    def sample(self, n: int, temperature: float = 1.0) -> Tensor:
        """n codes from the learnt priors, ``(n, *code_shape)``, by torch's random state; their scales times temperature."""
        codes: list[Tensor] = []

        def pick(number: int, prior: Gaussian, state: Tensor) -> Tensor:
            codes.append(prior.mu + temperature * (0.5 * prior.log_var).exp() * torch.randn_like(prior.mu))
            return codes[-1]

        self._descend(n, pick)
        return torch.cat([code.flatten(1) for code in codes], 1)

    def draw(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        seen = [level.expand(len(noise), *level.shape).flatten(0, 1) for level in self._look(features)]
        parts = self._apart(noise.flatten(0, 1))
        state, choices = self._follow(seen, parts)
        ratios = [_log_ratio(choice, part) for choice, part in zip(choices, parts, strict=True)]
        return state, torch.stack(ratios).sum(0).view(noise.shape[:2])

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        if noise is None:
            noise = torch.randn(len(features), *self.code_shape, device=features.device, dtype=full(features).dtype)
        state, choices = self._follow(self._look(features), self._apart(noise))
        rates = torch.stack([choice.kl.flatten(1).sum(1) for choice in choices], 1)  # (n, groups)
        charge = rates @ balance(rates, self.shapes) if self.is_balancing else rates.sum(1)
        return Code(state, self.weight * charge, {"rate": rates.sum(1)})

    def anneal(self, epoch: float) -> None:
        if self.kl_warmup > 0:
            self.weight.fill_(self.beta * min(1.0, epoch / self.kl_warmup))
            self.is_balancing = self.balanced and epoch < self.kl_warmup

    def complaints(self, posterior: Sequence[Tensor]) -> list[str]:
        sizes = [math.prod(shape) for shape in self.shapes]
        dead = sum(bool(kl.sum(1).mean() < 0.01) for kl in posterior[2].split(sizes, 1))
        if dead == 0:
            return []
        return [
            f"{dead} of {len(sizes)} groups of the code carry less than 0.01 nats (posterior collapse), so they add nothing: "
            f"lower beta (it is {self.beta:g}), set kl_warmup to a third of the epochs, or take fewer groups."
        ]

    @property
    def _groups(self) -> list[Group]:
        return [group for group in self.descent if isinstance(group, Group)]

    def _look(self, features: Tensor) -> list[Tensor]:
        """What the upward tower shows to each group, from the coarsest."""
        state, seen = self.stem(_laid_out(features.reshape(-1, *self.grid))), []
        for step in self.ascent:
            state = step(state)
            seen.append(state)
        return seen[::-1]

    def _descend(self, n: int, pick: Pick) -> Tensor:
        """The downward tower, with codes as they are picked; its final state, ``(n, *passed_shape)``."""
        state = _laid_out(self.start.expand(n, *self.start.shape))
        for number, group in enumerate(self._groups):
            state = group.approach(state)
            state = group(state, pick(number, group.prior(state), state))
        return self.finish(state).reshape(n, *self._passed)

    def _follow(self, seen: Sequence[Tensor], noise: Sequence[Tensor]) -> tuple[Tensor, list[Choice]]:
        """The downward tower with codes from the posterior: the final state, and what happened at each group."""
        choices: list[Choice] = []

        def pick(number: int, prior: Gaussian, state: Tensor) -> Tensor:
            posterior = self._groups[number].posterior(prior, state, seen[number])
            code = posterior.mu + (0.5 * posterior.log_var).exp() * noise[number]
            choices.append(Choice(prior, posterior, code))
            return code

        return self._descend(len(seen[0]), pick), choices

    def _apart(self, code: Tensor) -> list[Tensor]:
        """A flat code ``(n, *code_shape)`` as one ``(n, latent_dim, h, w)`` a group."""
        sizes = [math.prod(shape) for shape in self.shapes]
        return [part.reshape(-1, *shape) for part, shape in zip(code.split(sizes, -1), self.shapes, strict=True)]


class Group(nn.Module):
    """One group of the downward tower: how the state comes to it, what is said of its code, and what the code changes.

    Args:
        approach: from the state that the group above left to the state of this one.
        floor: the scale it belongs to.
        latent_dim: channels of its code.
        is_first: whether its prior is the standard normal.
    """

    def __init__(self, approach: nn.Module, floor: Floor, latent_dim: int, is_first: bool) -> None:
        super().__init__()
        channels = floor.channels
        self.approach = approach
        self.latent_dim = latent_dim
        self.foresee = None if is_first else nn.Sequential(nn.SiLU(), nn.Conv2d(channels, 2 * latent_dim, 1))
        self.join = nn.Conv2d(channels, channels, 1)
        self.infer = nn.Sequential(nn.SiLU(), nn.Conv2d(channels, 2 * latent_dim, 1))
        self.mix = nn.Conv2d(latent_dim, channels, 1)

    def forward(self, state: Tensor, code: Tensor) -> Tensor:
        return state + self.mix(code)

    def prior(self, state: Tensor) -> Gaussian:
        """p of this group's code, given the state that the groups above it made."""
        if self.foresee is None:
            zeros = full(state).new_zeros(len(state), self.latent_dim, *state.shape[2:])
            return Gaussian(zeros, zeros)
        mu, log_var = full(self.foresee(state)).chunk(2, 1)
        return Gaussian(mu, _bounded(log_var))

    def posterior(self, prior: Gaussian, state: Tensor, seen: Tensor) -> Gaussian:
        """q of this group's code: the prior, moved and stretched by what the upward tower saw."""
        shift, stretch = full(self.infer(state + self.join(F.silu(seen)))).chunk(2, 1)
        return Gaussian(prior.mu + shift, prior.log_var + _bounded(stretch))


def balance(rates: Tensor, shapes: Sequence[Shape]) -> Tensor:
    r"""Weights of the groups that keep any of them from carrying everything, or nothing: ``(n, groups)`` to ``(groups,)``.

    .. math:: \gamma_l \propto s_l \, \mathbb{E}_x[\mathrm{KL}_l], \quad \tfrac1L \sum_l \gamma_l = 1

    with the size :math:`s_l` of a group, and the mean over the batch. No gradient flows through them.

    Reference:
        A. Vahdat et al., DVAE++, ICML 2018; the size was added by NVAE, appendix A.
    """
    sizes = torch.tensor([math.prod(shape) for shape in shapes], device=rates.device, dtype=rates.dtype)
    raw = sizes * rates.detach().mean(0)
    return raw / raw.mean().clamp(min=torch.finfo(raw.dtype).tiny)


def _floors(size: tuple[int, int], plan: Plan) -> list[Floor]:
    """The scales, from the finest."""
    floors = []
    for number, groups in enumerate(reversed(plan.groups)):
        floors.append(Floor(size, plan.width << number, groups))
        size = (math.ceil(size[0] / 2), math.ceil(size[1] / 2))
    return floors


def _ascent(floors: Sequence[Floor], plan: Plan) -> list[nn.Module]:
    """The steps of the upward tower, one a group, from the finest."""
    halvings = [[], *([Halve(above.channels, above.size)] for above in floors[:-1])]
    return [
        nn.Sequential(*(halving if group == 0 else []), *(recognising(floor.channels, floor.size) for _ in range(plan.cells)))
        for floor, halving in zip(floors, halvings, strict=True)
        for group in range(floor.groups)
    ]


def _descent(floors: Sequence[Floor], plan: Plan) -> list[Group]:
    """The groups of the downward tower, from the coarsest."""
    order = [floor for floor in floors[::-1] for _ in range(floor.groups)]
    groups = [Group(nn.Identity(), order[0], plan.latent_dim, is_first=True)]
    for above, floor in pairwise(order):
        doubling = [] if above == floor else [Double(above.channels, floor.size)]
        cells = [generating(floor.channels, floor.size, plan.expansion) for _ in range(plan.cells)]
        groups.append(Group(nn.Sequential(*doubling, *cells), floor, plan.latent_dim, is_first=False))
    return groups


def _laid_out(state: Tensor) -> Tensor:
    """Channel beside channel in memory: convolutions of single channels then take a third of the time on a processor."""
    return state.contiguous(memory_format=torch.channels_last)


def _bounded(log_var: Tensor) -> Tensor:
    """Softly kept within the bound, so that a gradient remains everywhere."""
    return _BOUND * (log_var / _BOUND).tanh()


def _log_ratio(choice: Choice, noise: Tensor) -> Tensor:
    """log p(z) - log q(z | x) of a code ``q.mu + q.sigma * noise``, ``(n,)``."""
    prior, posterior = choice.prior, choice.posterior
    distance = (choice.code - prior.mu).square() * (-prior.log_var).exp()
    return 0.5 * (noise.square() + posterior.log_var - prior.log_var - distance).flatten(1).sum(1)
