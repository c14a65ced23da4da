"""Members whose decoder may use the weights of its encoder."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from torch import nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import field
from isthmus.core.hiding import Hiding
from isthmus.errors import InputError
from isthmus.estimators.building import BuildingMixin
from isthmus.likelihoods import Likelihood
from isthmus.networks.tied import tie


@dataclass(repr=False, eq=False, kw_only=True)
class TiedWeights(BuildingMixin, ABC):
    r"""The field of members whose decoder may use the encoder's weights.

    Where :math:`h = s(W x + b)` is a layer of the encoder, its mirror in the decoder is
    :math:`s(W^\top h + c)`. A contraction, say, cannot be escaped then by an encoder that shrinks
    while its decoder grows.
    """

    tied: bool = field(False, "whether the decoder uses the encoder's weights, transposed")

    def _hiding(self, spec: ExampleSpec) -> Hiding | None:
        if not self.tied:
            return super()._hiding(spec)
        if self.hide:
            raise InputError(
                f"hide={self.hide:g} puts the mask beside x, which the decoder of tied=True cannot"
                " mirror: pass tied=False, or leave hide out."
            )
        return None

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        if self.tied:
            if not self._own_is_absent():
                raise InputError(
                    "tied=True needs the networks of isthmus, whose decoder mirrors the encoder:"
                    " pass tied=False."
                )
            tie(encoder, bottleneck, decoder)
        return super()._assembled(encoder, bottleneck, decoder, likelihood)

    def _own_is_absent(self) -> bool:
        """Whether all networks are those of isthmus."""
        return self.encoder is None and self.decoder is None
