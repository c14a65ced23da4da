"""The NVAE: a deep hierarchy of codes, from coarse to fine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.models._tower_members import TowerVAE
from isthmus.models._towers import TowerBottleneck

_PUBLISHED = {  # for both data sets
    "latent_dim": 20,
    "cells": 2,
    "expansion": 6,
    "activation": "silu",
    "epochs": 400,
    "schedule": "cosine",
    "spectral_weight": 0.01,
}


@dataclass(repr=False, eq=False, kw_only=True)
class NVAE(TowerVAE):
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

    :meth:`preset` gives the published settings: ``"mnist"``, for images padded to 32×32, has 31
    million parameters, and took 21 hours on two V100 in the paper; ``"cifar10"`` took 55 hours on
    eight. ``spectral_weight`` adds λ times the largest singular value of every convolution, which
    the history shows as ``spectral``, against towers that blow up. What differs here: channels are
    normalised by groups and not by batches, so that an example's results never depend on its
    neighbours, and no statistics need to be taken anew before sampling; there is no normalising
    flow in the posterior, and the optimiser is Adam and not Adamax.

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

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "mnist": {**_PUBLISHED, "groups": (5, 10), "width": 128, "hidden": (64, 128)}
        | {"batch_size": 400, "binarize": "dynamic"},
        "cifar10": {**_PUBLISHED, "groups": (30,), "width": 256, "hidden": (256,)}
        | {"batch_size": 256, "likelihood": "logistic-mixture"},
    }

    balanced: bool = field(True, "whether groups are kept at similar rates while kl_warmup lasts")

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return TowerBottleneck(features, self._towers(1), self.beta, self.warm_epoch, self.balanced)
