"""Fully connected networks, for data of any shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.networks.base import Features, Network, activation


@dataclass(repr=False)
class MLP(Network):
    """Fully connected layers: flatten, then a linear map and an activation for each width.

    With ``widths=()`` there is no hidden layer: encoder and decoder are then linear.
    """

    def encoder(self, spec: ExampleSpec) -> Features:
        sizes = [math.prod(spec.shape), *self.layer_widths]
        layers = [
            layer for inputs, outputs in pairwise(sizes) for layer in self._layer(inputs, outputs)
        ]
        return Features(nn.Sequential(nn.Flatten(), *layers), (sizes[-1],))

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        sizes = [math.prod(code_shape), *reversed(self.layer_widths)]
        layers = [
            layer for inputs, outputs in pairwise(sizes) for layer in self._layer(inputs, outputs)
        ]
        last = nn.Linear(sizes[-1], math.prod(spec.shape))
        return nn.Sequential(nn.Flatten(), *layers, last, nn.Unflatten(1, spec.shape))

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """The units of the encoder's hidden layers."""
        return (256, 128) if self.widths is None else self.widths

    def _layer(self, inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
        return nn.Linear(inputs, outputs), activation(self.activation)
