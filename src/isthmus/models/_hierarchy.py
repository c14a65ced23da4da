"""A hierarchy of Gaussian codes: one pass looks at the features, another makes them again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.example import Shape
from isthmus.core.findings import Finding
from isthmus.core.forward import Code
from isthmus.core.randomness import drawing_nothing
from isthmus.core.reductions import full
from isthmus.divergences import kl_between
from isthmus.models._variational import COLLAPSED, DiagonalGaussian, StochasticBottleneck

Pick = Callable[[int, DiagonalGaussian, Tensor], Tensor]
"""From the number of a group, its prior and the state to the group's code, ``(n, *shape)``."""

Propose = Callable[[DiagonalGaussian, Tensor], DiagonalGaussian]
"""From the prior of a group and the state to its posterior, given an example."""


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
    """What happened at one group: each of the shape of its code, ``(n, *shape)``."""

    prior: DiagonalGaussian
    posterior: DiagonalGaussian
    code: Tensor

    @property
    def kl(self) -> Tensor:
        """KL(posterior ‖ prior) of every value."""
        return kl_between(*self.posterior, *self.prior)

    def log_ratio(self, noise: Tensor) -> Tensor:
        """log p(z) − log q(z | x) of every value of a code that was drawn by ``noise``."""
        prior, posterior = self.prior, self.posterior
        distance = (self.code - prior.mu).square() * (-prior.log_var).exp()
        return 0.5 * (noise.square() + posterior.log_var - prior.log_var - distance)


class LatentGroup(nn.Module, ABC):
    """One group of the top-down pass: what is said of its code, and what the code changes.

    ``forward`` makes the state that the next group starts from, of its own state and its code.
    """

    approach: nn.Module
    """From the state that the group above left to the state of this one."""

    @abstractmethod
    def prior(self, state: Tensor) -> DiagonalGaussian:
        """p of this group's code, given the state that the groups above it made."""


class HierarchicalBottleneck(StochasticBottleneck, ABC):
    r"""Codes in L groups, each drawn given those above it; the decoder gets the last state.

    .. math:: p(z) = \prod_l \mathcal{N}(z_l; \mu_l(z_{<l}), \sigma_l(z_{<l})), \quad
              q(z \mid x) = \prod_l q(z_l \mid z_{<l}, x)

    A code is flat: the groups one after another, from the coarsest. A subclass makes ``top_down``,
    the groups, and ``finish``, from the last group's state to what is passed on.

    Args:
        shapes: those of the groups' codes, from the coarsest.
        passed: the shape of what the decoder gets.
        beta: weight of the rate.
        kl_warmup: epochs over which that weight grows from 0.
        balanced: whether the groups are balanced while it grows, see :func:`balance`.
    """

    top_down: nn.ModuleList
    finish: nn.Module

    def __init__(
        self,
        shapes: Sequence[Shape],
        passed: Shape,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        balanced: bool = False,
    ) -> None:
        super().__init__()
        self.shapes, self._passed = list(shapes), passed
        self.code_shape = (sum(map(math.prod, self.shapes)),)
        self.beta, self.kl_warmup, self.balanced = beta, kl_warmup, balanced
        self.register_buffer("is_balancing", torch.tensor(False), persistent=False)
        self.is_balancing: Tensor
        self.register_buffer("weight", torch.tensor(beta), persistent=False)
        self.weight: Tensor

    @abstractmethod
    def ascend(self, features: Tensor, noise: Sequence[Tensor], times: int) -> list[Propose]:
        """How each group's posterior is made, of features ``(n, *features)``, coarsest first.

        Every example counts so many ``times``, one after another: states are ``(times * n, …)``.
        ``noise`` is that of each group, for those that are drawn on the way up.
        """

    @abstractmethod
    def top(self, n: int, condition: Tensor | None) -> Tensor:
        """The state above the first group, ``(n, …)``."""

    @property
    def passed_shape(self) -> Shape:
        return self._passed

    def posterior(self, features: Tensor, condition: Tensor | None = None) -> Hierarchical:
        still = [full(features).new_zeros(1, *shape) for shape in self.shapes]
        _, choices = self._follow(features, still, condition)
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
        device = next(self.parameters()).device
        noise = [torch.randn(n, *shape, device=device) for shape in self.shapes]

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
        parts = self._apart(noise.flatten(0, 1))
        every = None if condition is None else condition.repeat(len(noise), 1)
        state, choices = self._follow(features, parts, every, times=len(noise))
        ratios = [
            choice.log_ratio(part).flatten(1).sum(1)
            for choice, part in zip(choices, parts, strict=True)
        ]
        return state, torch.stack(ratios).sum(0).view(noise.shape[:2])

    def forward(
        self, features: Tensor, noise: Tensor | None = None, condition: Tensor | None = None
    ) -> Code:
        if noise is None:
            noise = sharding.randn(len(features), *self.code_shape, like=full(features))
        parts = self._apart(noise)
        state, choices = self._follow(features, parts, condition)
        rates = torch.stack(
            [
                self._rate_of(number, choice, part).flatten(1).sum(1)
                for number, (choice, part) in enumerate(zip(choices, parts, strict=True))
            ],
            1,
        )  # (n, groups)
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

    def descend(self, n: int, pick: Pick, condition: Tensor | None = None) -> Tensor:
        """The top-down pass's last state, ``(n, *passed_shape)``, with codes as picked."""
        state = self.top(n, condition)
        for number, group in enumerate(cast("Iterable[LatentGroup]", self.top_down)):
            state = group.approach(state)
            state = group(state, pick(number, group.prior(state), state))
        return cast(Tensor, self.finish(state)).reshape(n, *self._passed)

    def _rate_of(self, number: int, choice: GroupSample, noise: Tensor) -> Tensor:
        """The rate of every value of a group, whose expectation over draws is that of the bound."""
        return choice.kl

    def _follow(
        self,
        features: Tensor,
        noise: Sequence[Tensor],
        condition: Tensor | None = None,
        times: int = 1,
    ) -> tuple[Tensor, list[GroupSample]]:
        """The final state of the top-down pass with posterior codes, and what each group did."""
        proposals, choices = self.ascend(features, noise, times), list[GroupSample]()

        def pick(number: int, prior: DiagonalGaussian, state: Tensor) -> Tensor:
            posterior = proposals[number](prior, state)
            code = posterior.mu + (0.5 * posterior.log_var).exp() * noise[number]
            choices.append(GroupSample(prior, posterior, code))
            return code

        return self.descend(times * features.shape[0], pick, condition), choices

    def _apart(self, code: Tensor) -> list[Tensor]:
        """A flat code ``(n, *code_shape)`` as one ``(n, *shape)`` a group."""
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


def repeated(states: Tensor, times: int) -> Tensor:
    """States ``(n, …)`` so many times, one after another: ``(times * n, …)``."""
    if times == 1:
        return states
    return states.expand(times, *states.shape).flatten(0, 1)
