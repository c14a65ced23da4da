"""The NVAE: a deep hierarchy of codes, from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.models._hierarchy import HierarchicalBottleneck
from isthmus.models._ladder import LadderConfig
from isthmus.models._variational import Variational

_ROWS = 1024  # codes that are drawn at once
_WARM_SHARE = 0.3  # of the epochs; as published


@dataclass(repr=False, eq=False, kw_only=True)
class NVAE(Variational):
    r"""Nouveau variational autoencoder: Gaussian codes at several scales, each given coarser ones.

    .. math:: -\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]
              + \sum_{l=1}^L \mathbb{E}_{q(z_{<l} \mid x)}
              \left[ \mathrm{KL}\left(
              q(z_l \mid x, z_{<l}) \,\Vert\, p(z_l \mid z_{<l}) \right) \right]

    The prior of a group is made by the groups above it, and its posterior is told relative to that
    prior (residual normal distributions). Residual cells, with depthwise-separable convolutions in
    the generative tower, stand between the groups. ``x: (n, *shape)``; with features ``(c, h, w)``
    of the encoder, a group at the finest scale has ``(latent_dim, h, w)`` values, at the next
    ``(latent_dim, ⌈h/2⌉, ⌈w/2⌉)``. ``transform`` lays all of them out flat, from the coarsest
    group, each at its mean; ``encode`` gives means, standard deviations and divergences in nats.
    Features of a signal count as a grid of height 1, and those that are a vector (tables,
    ``network="mlp"``) as one of a single place.

    The first three tenths of training are a warm-up, in which the weight of the rate grows and
    groups are kept at similar rates: without it the codes collapse before the towers have learnt to
    use them.

    The setting published for MNIST takes images padded to 32×32 and
    ``latent_dim=20, groups=(5, 10), width=128, cells=2, expansion=6, hidden=(64, 128),
    activation="silu", epochs=400, batch_size=400, schedule="cosine"``: 31 million parameters, and
    21 hours on two V100 in the paper. What differs here: channels are normalised by groups and not
    by batches, so that an example's results never depend on its neighbours; there is no spectral
    regularisation (``clip_norm`` is there against the same instability), no normalising flow in the
    posterior, and the optimiser is Adam and not Adamax.

    Raises:
        InputError: at ``fit``, for data outside [0, 1] under a Bernoulli likelihood, and for
            unusable fields; at ``fit_prior``, because the prior is learnt already.

    Reference:
        A. Vahdat and J. Kautz, NVAE: a deep hierarchical variational autoencoder, NeurIPS 2020.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> nvae = ist.NVAE(epochs=1, random_state=0).fit(data.train)
        >>> nvae.transform(data.test.x).shape  # two groups of 2 values, and two of 2 × 2 × 2
        (359, 20)
    """

    grid_network = "conv"
    learns_prior = True

    groups: tuple[int, ...] = field(
        (2, 2), "groups of codes at each scale, from the coarsest", low=1, high=1000
    )
    width: int = field(
        32, "channels of both towers at the finest scale; they double from scale to scale", low=8
    )
    cells: int = field(1, "residual cells before each group, in either tower", low=1)
    expansion: int = field(3, "how much wider the inside of a generative cell is", low=1)
    beta: float = field(
        1.0, "weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound", low=0
    )
    kl_warmup: float | None = field(
        None,
        "epochs over which the weight of the rate grows from 0 to beta; none: three tenths of all",
        low=0,
    )
    balanced: bool = field(True, "whether groups are kept at similar rates while kl_warmup lasts")

    @property
    def code_space(self) -> str:
        return "data"

    @property
    def warm_epoch(self) -> float:
        return _WARM_SHARE * self._epochs if self.kl_warmup is None else self.kl_warmup

    def _bottleneck(self, features: Shape) -> Bottleneck:
        if not self.groups:
            raise InputError(
                f"groups={self.groups!r} makes no code: give the groups of at least one scale, such"
                " as (2, 2)."
            )
        plan = LadderConfig(
            self._code_size, tuple(self.groups), self.width, self.cells, self.expansion
        )
        return HierarchicalBottleneck(features, plan, self.beta, self.warm_epoch, self.balanced)

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        with self._inference() as module:
            assert isinstance(module.bottleneck, HierarchicalBottleneck)
            device = self._device
            drawn = []
            for rows in torch.arange(n).split(_ROWS):
                given = None if condition is None else condition[rows].to(device)
                drawn.append(module.bottleneck.sample(len(rows), temperature, given).cpu())
            return torch.cat(drawn)
