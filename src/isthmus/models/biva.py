"""The BIVA: codes that are drawn on the way up and on the way down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.reductions import full
from isthmus.models._hierarchy import GroupSample, Propose, repeated
from isthmus.models._tower_members import TowerVAE
from isthmus.models._towers import Scale, TowerBottleneck, TowerGroup, softly_bounded
from isthmus.networks._cells import normalised
from isthmus.posteriors.gaussian import DiagonalGaussian


@dataclass(repr=False, eq=False, kw_only=True)
class BIVA(TowerVAE):
    r"""Bidirectional-inference variational autoencoder: half of each group is drawn on the way up.

    .. math:: q(z \mid x) = q(z_L \mid x, z^{\mathrm{BU}}_{<L}) \prod_{i=1}^{L-1}
              q(z^{\mathrm{BU}}_i \mid x, z^{\mathrm{BU}}_{<i}) \,
              q(z^{\mathrm{TD}}_i \mid x, z^{\mathrm{BU}}_{<i}, z_{>i}), \quad
              p(z) = p(z_L) \prod_{i=1}^{L-1} p(z^{\mathrm{BU}}_i \mid z_{>i}) \,
              p(z^{\mathrm{TD}}_i \mid z_{>i})

    Group 1 is the finest here, L the coarsest, and :math:`z_i = (z^{\mathrm{BU}}_i,
    z^{\mathrm{TD}}_i)`. The bottom-up codes are drawn one after another on the way up, so that the
    posterior of the coarse groups knows what the fine ones said; the top-down codes are drawn on
    the way back, relative to their prior. The generative tower keeps a state that all groups above
    a group have changed, its skip connection.

    The divergence of top-down codes has its formula. A bottom-up code has an influence on its own
    prior, through the groups above it: its rate is log q − log p of the draw, which may be
    negative. ``encode`` gives the formula for it too, at the means of all codes.

    Towers, sizes and ``x`` are those of :class:`~isthmus.models.nvae.NVAE`: a group at the finest
    scale has ``(2 · latent_dim, h, w)`` values, the coarsest of all ``(latent_dim, …)``, each with
    its bottom-up codes first. The first three tenths of training are a warm-up. In the paper a
    separate deterministic pass carries x up to the top-down posteriors, codes of small images are
    vectors, and the rate has free bits; here one tower carries both, and codes are grids.

    Raises:
        InputError: at ``fit``, for data outside [0, 1] under a Bernoulli likelihood, for fewer than
            two groups, and for unusable fields; at ``fit_prior``, because the prior is learnt
            already.

    Reference:
        L. Maaløe, M. Fraccaro, V. Liévin and O. Winther, BIVA: a very deep hierarchy of latent
        variables for generative modeling, NeurIPS 2019.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> biva = ist.BIVA(epochs=1, random_state=0).fit(data.train)
        >>> biva.transform(data.test.x).shape  # groups of 2 and 4 values, and two of 4 × 2 × 2
        (359, 38)
    """

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return BidirectionalBottleneck(features, self._towers(2), self.beta, self.warm_epoch)


class BidirectionalGroup(TowerGroup):
    """A group of twice ``latent_dim`` channels: first those of the way up, then of the way down."""

    def __init__(self, approach: nn.Module, floor: Scale, latent_dim: int, is_first: bool) -> None:
        super().__init__(approach, floor, 2 * latent_dim, is_first)
        channels = floor.channels
        # the posterior on the way down is that of one half
        self.posterior_net = nn.Sequential(nn.SiLU(), nn.Conv2d(channels, 2 * latent_dim, 1))
        self.rising_net = nn.Sequential(
            normalised(channels), nn.SiLU(), nn.Conv2d(channels, 2 * latent_dim, 1)
        )
        self.lift = nn.Conv2d(latent_dim, channels, 1)

    def rising(self, seen: Tensor) -> DiagonalGaussian:
        """q of the codes of the way up, of what was seen and of the codes below."""
        mu, log_var = full(self.rising_net(seen)).chunk(2, 1)
        return DiagonalGaussian(mu, softly_bounded(log_var))

    def joint(
        self, prior: DiagonalGaussian, state: Tensor, seen: Tensor, rising: DiagonalGaussian
    ) -> DiagonalGaussian:
        """q of both halves, where that of the way up is known."""
        own = DiagonalGaussian(*(values.chunk(2, 1)[1] for values in prior))
        falling = self.posterior(own, state, seen)
        return DiagonalGaussian(
            *(torch.cat(halves, 1) for halves in zip(rising, falling, strict=True))
        )


class BidirectionalBottleneck(TowerBottleneck):
    """Two towers, of which each draws half of the codes of every group but the uppermost."""

    kind = BidirectionalGroup

    def ascend(self, features: Tensor, noise: Sequence[Tensor], times: int) -> list[Propose]:
        state, proposals = repeated(self.entry(features), times), list[Propose]()
        groups, parts = list(self.top_down)[::-1], noise[::-1]
        for step, group, part in zip(self.bottom_up, groups, parts, strict=True):
            state = step(state)
            if isinstance(group, BidirectionalGroup):
                rising = group.rising(state)
                code = rising.mu + (0.5 * rising.log_var).exp() * part.chunk(2, 1)[0]
                proposals.append(partial(group.joint, seen=state, rising=rising))
                state = state + group.lift(code)
            else:
                proposals.append(partial(cast(TowerGroup, group).posterior, seen=state))
        return proposals[::-1]

    def _rate_of(self, number: int, choice: GroupSample, noise: Tensor) -> Tensor:
        if number == 0:
            return choice.kl
        # the prior of a code of the way up hangs on its draw: no formula is its expectation
        drawn = -choice.log_ratio(noise)
        return torch.cat([drawn.chunk(2, 1)[0], choice.kl.chunk(2, 1)[1]], 1)
