"""What members with two towers of residual cells share: their sizes, and their price."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from torch import nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.likelihoods import Likelihood
from isthmus.models._hierarchical import HierarchicalVAE
from isthmus.models._spectral import SpectralPenalty
from isthmus.models._towers import TowerConfig


@dataclass(repr=False, eq=False, kw_only=True)
class TowerVAE(HierarchicalVAE, ABC):
    """A member whose groups of codes stand on grids, between two towers."""

    grid_network = "conv"

    groups: tuple[int, ...] = field(
        (2, 2), "groups of codes at each scale, from the coarsest", low=1, high=1000
    )
    width: int = field(
        32, "channels of both towers at the finest scale; they double from scale to scale", low=8
    )
    cells: int = field(1, "residual cells before each group, in either tower", low=1)
    expansion: int = field(3, "how much wider the inside of a generative cell is", low=1)
    spectral_weight: float = field(
        0.0,
        "weight of the largest singular value of every convolution, summed (lambda); 0.01 as"
        " published",
        low=0,
    )
    spectral_start: float | None = field(
        None,
        "that weight at the start, from which it falls while kl_warmup lasts; 1 as published of"
        " large images; none: spectral_weight throughout",
        above=0,
    )

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        module = super()._assembled(encoder, bottleneck, decoder, likelihood)
        if self.spectral_start is not None and (self.spectral_weight == 0 or self.warm_epoch == 0):
            raise InputError(
                f"spectral_start={self.spectral_start:g} falls to spectral_weight while kl_warmup"
                f" lasts, but spectral_weight={self.spectral_weight:g} and"
                f" kl_warmup={self.warm_epoch:g}: give both above 0, or leave spectral_start out."
            )
        if self.spectral_weight > 0:
            parts = (encoder, bottleneck, decoder)
            module.penalty = SpectralPenalty(
                parts, self.spectral_weight, self.spectral_start, self.warm_epoch
            )
        return module

    def _towers(self, least: int) -> TowerConfig:
        """How the towers are laid out, of so many groups at the least."""
        if sum(self.groups) < least:
            enough = "(2, 2)" if least == 1 else "(1, 1)"
            what = "no code" if not self.groups else f"a code of {sum(self.groups)} group"
            raise InputError(
                f"groups={self.groups!r} makes {what}: give the groups of at least one scale,"
                f" {least} or more of them, such as {enough}."
            )
        return TowerConfig(
            self._code_size, tuple(self.groups), self.width, self.cells, self.expansion
        )
