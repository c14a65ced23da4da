"""The masked transformer: indices are drawn in a few steps, many of them at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core.batch import Batch
from isthmus.core.fields import field
from isthmus.core.forward import Level
from isthmus.core.objectives import Loss
from isthmus.core.randomness import drawing_nothing
from isthmus.networks.attention import everywhere
from isthmus.priors._attending import AttentionNetwork, AttentionPrior, AttentionSize
from isthmus.priors._indices import chosen, places, split_levels
from isthmus.priors._trained import Sampler

_UNTOLD = 0.1  # share of the examples that are learnt without their class, for guidance


@dataclass(repr=False, eq=False, kw_only=True)
class Masked(AttentionPrior):
    r"""Masked transformer over a quantised member's indices, drawn in parallel (MaskGIT).

    A transformer that attends everywhere learns indices that are hidden, from those that are not:

    .. math:: L = \frac{\pi}{2} \; \mathbb{E}_{u \sim U(0, 1)} \sum_{i \in M(u)}
              -\log p(z_i \mid z_{\setminus M}, y), \quad
              |M(u)| = \lceil n \cos(\tfrac{\pi}{2} u) \rceil

    in nats; M are places chosen at random, and the factor counts every place once on the average.
    A draw begins with all hidden. In step t of T every hidden index is drawn, and the surest are
    kept, so that :math:`\lfloor n \cos(\tfrac{\pi}{2} \tfrac{t}{T}) \rfloor` stay hidden. How sure
    one is is the log-probability of what was drawn, plus Gumbel noise times ``choice_temperature``,
    which falls to 0 over the steps: without it draws are all alike. There is a network for each
    level, from the coarsest, as in :class:`~isthmus.priors.transformer.Transformer`.

    Indices of one step are drawn as if they did not depend on each other, so there is no density of
    a draw: ``log_prob`` is refused. What is learnt bounds one, see :meth:`MaskedSampler.bound`.
    ``sample(temperature=t)`` divides the logits by t; 0 takes the likeliest index everywhere. With
    labels, a tenth of the examples are learnt without theirs, and ``guidance`` w draws by the
    logits :math:`\ell(y) + w \, (\ell(y) - \ell)`.

    Raises:
        InputError: at ``fit``, for channels that the heads cannot share; at ``log_prob``.

    Reference:
        H. Chang, H. Zhang, L. Jiang, C. Liu and W. T. Freeman, MaskGIT: masked generative image
        transformer, CVPR 2022; guidance: J. Ho and T. Salimans, Classifier-free diffusion guidance,
        NeurIPS 2021 workshop.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.VQVAE(epochs=1, random_state=0).fit(data.train)
        >>> prior = ist.priors.Masked(channels=32, layers=2, epochs=1, steps=4)
        >>> model = model.fit_prior(data.train, prior=prior)
        >>> model.sample(5, label=3, random_state=0).shape
        (5, 1, 8, 8)
    """

    has_log_prob = False

    steps: int = field(
        12, "steps in which the indices of a level are drawn", low=1, afterwards=True
    )
    choice_temperature: float = field(
        4.5,
        "noise in the choice of the indices that a step keeps; it falls to 0",
        low=0,
        afterwards=True,
    )
    guidance: float = field(
        0.0,
        "how strongly draws of a class avoid what would be drawn without it",
        low=0,
        afterwards=True,
    )

    def _density(self) -> MaskedSampler:
        networks = [
            HiddenTransformer(self._size, level, self.levels_[:i])
            for i, level in enumerate(self.levels_)
        ]
        return MaskedSampler(
            networks,
            steps=self.steps,
            choice_temperature=self.choice_temperature,
            guidance=self.guidance,
            top_p=self.top_p,
        )


class HiddenTransformer(AttentionNetwork):
    """The transformer of one level: what hidden indices may be, given those that are not.

    Args:
        size: how large it is.
        level: its grid and the number of its entries.
        above: the levels that it may see as a whole.
    """

    def __init__(self, size: AttentionSize, level: Level, above: Sequence[Level]) -> None:
        super().__init__(size, level, above)
        self.hidden = nn.Parameter(torch.zeros(size.channels))

    def forward(
        self,
        indices: Tensor,
        is_hidden: Tensor,
        above: Sequence[Tensor],
        condition: Tensor | None,
    ) -> Tensor:
        """Logits ``(n, places, size)`` from the indices ``(n, places)`` that are not hidden."""
        seen = self.entries(indices).where(~is_hidden[..., None], self.hidden)
        told = self.context(above, condition).flatten(2).mT  # (n or 1, places, channels)
        return self.attended(seen + told, everywhere)


class MaskedSampler(Sampler):
    """One network per level, from coarse to fine, which draws many indices at once.

    Args:
        networks: that of each level.
        steps, choice_temperature, guidance, top_p: as the fields of :class:`Masked`.
    """

    def __init__(
        self,
        networks: Sequence[HiddenTransformer],
        *,
        steps: int,
        choice_temperature: float,
        guidance: float,
        top_p: float,
    ) -> None:
        super().__init__()
        self.levels = tuple(network.level for network in networks)
        self.networks = nn.ModuleList(networks)
        self.steps, self.choice_temperature = steps, choice_temperature
        self.guidance, self.top_p = guidance, top_p

    def loss(self, batch: Batch) -> Loss:
        shares = [
            (math.pi / 2 * torch.rand(len(batch.x), device=batch.x.device)).cos()
            for _ in self.levels
        ]
        counts = [
            (share * places(level)).ceil() for share, level in zip(shares, self.levels, strict=True)
        ]
        costs = self._costs(batch.x, self._told(batch.condition), counts)
        levels = [math.pi / 2 * cost for cost in costs]
        terms = {f"level_{i}": cost for i, cost in enumerate(levels, 1)} if len(levels) > 1 else {}
        return Loss(torch.stack(levels).sum(0), terms)

    def bound(self, codes: Tensor, condition: Tensor | None = None) -> Tensor:
        r"""An estimate of a bound on −log p of codes ``(n, total)`` in nats, ``(n,)``.

        p draws one index after another, in an order that is drawn first:

        .. math:: -\log p(z) \le \sum_l n_l \; \mathbb{E}_{m \sim U\{1, \dots, n_l\}} \frac1m
                  \sum_{i \in M, |M| = m} -\log p(z_{l,i} \mid z_{l,\setminus M}, y)

        Every call draws m and M anew, by torch's random state.

        Reference:
            B. Uria, I. Murray and H. Larochelle, A deep and tractable density estimator, ICML 2014.
        """
        sizes = [places(level) for level in self.levels]
        counts = [
            torch.randint(1, size + 1, (len(codes),), device=codes.device).float() for size in sizes
        ]
        costs = self._costs(codes, condition, counts)
        parts = zip(costs, sizes, counts, strict=True)
        return torch.stack([cost * size / count for cost, size, count in parts]).sum(0)

    def draw(self, n: int, condition: Tensor | None, temperature: float) -> Tensor:
        grids: list[Tensor] = []
        for network in self.networks:
            assert isinstance(network, HiddenTransformer)
            grids.append(self._drawn(network, n, grids, condition, temperature))
        return torch.cat(grids, 1)  # (n, total)

    def _told(self, condition: Tensor | None) -> Tensor | None:
        """The classes, without those of a tenth of the examples in training."""
        if condition is None or not self.training:
            return condition
        is_told = torch.rand(len(condition), 1, device=condition.device) >= _UNTOLD
        return condition * is_told

    def _costs(
        self, codes: Tensor, condition: Tensor | None, counts: Sequence[Tensor]
    ) -> list[Tensor]:
        """−log p of the hidden indices of each level, ``(n,)``; ``counts`` ``(n,)`` are hidden."""
        grids, found = split_levels(codes, self.levels), []
        for i, (network, grid, count) in enumerate(zip(self.networks, grids, counts, strict=True)):
            ranks = torch.rand(grid.shape, device=grid.device).argsort(1).argsort(1)
            is_hidden = ranks < count[:, None]
            logits = network(grid, is_hidden, grids[:i], condition)
            each = functional.cross_entropy(logits.mT, grid, reduction="none")  # (n, places)
            found.append((each * is_hidden).sum(1))
        return found

    def _drawn(
        self,
        network: HiddenTransformer,
        n: int,
        above: Sequence[Tensor],
        condition: Tensor | None,
        temperature: float,
    ) -> Tensor:
        """n levels ``(n, places)``, given those above."""
        count = places(network.level)
        indices = torch.zeros(n, count, dtype=torch.int64, device=network.hidden.device)
        is_hidden = torch.ones_like(indices, dtype=torch.bool)
        steps = min(self.steps, count)
        for step in range(1, steps + 1):
            with drawing_nothing():
                logits = self._guided(network, indices, is_hidden, above, condition)
            drawn = chosen(logits.flatten(0, 1), temperature, self.top_p).view(n, count)
            indices = drawn.where(is_hidden, indices)
            sure = logits.log_softmax(2).gather(2, drawn[..., None])[..., 0]
            if temperature > 0:
                noise = -torch.empty_like(sure).exponential_().log()  # Gumbel's
                sure = sure + self.choice_temperature * (1 - step / steps) * noise
            # At least one more is kept in every step.
            left = min(int(count * math.cos(math.pi / 2 * step / steps)), count - step)
            sure = sure.masked_fill(~is_hidden, math.inf)
            is_hidden = sure.argsort(1, descending=True).argsort(1) >= count - left
        return indices

    def _guided(
        self,
        network: HiddenTransformer,
        indices: Tensor,
        is_hidden: Tensor,
        above: Sequence[Tensor],
        condition: Tensor | None,
    ) -> Tensor:
        """The logits of every place, ``(n, places, size)``."""
        logits: Tensor = network(indices, is_hidden, above, condition)
        if condition is None or self.guidance == 0:
            return logits
        plain = network(indices, is_hidden, above, torch.zeros_like(condition))
        under, mixed = logits.log_softmax(2), plain.log_softmax(2)
        return under + self.guidance * (under - mixed)
