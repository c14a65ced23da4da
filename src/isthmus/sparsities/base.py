"""What every sparsity offers: from the pre-activations of units to a code of which few are used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from isthmus.core.parts import SlotPart
from isthmus.errors import InputError


class SparseUnits(NamedTuple):
    """The units that examples use, and what is charged for them.

    Attributes:
        z: the activations, ``(n, units)``, at least 0, most of them 0.
        charge: what is made small beside the distortion, without its weight, ``(n,)``; None where
            nothing is.
        gate: activations of another kind, ``(n, units)``, which must reconstruct x too, by a
            decoder that does not learn from it; None where there are none.
    """

    z: Tensor
    charge: Tensor | None = None
    gate: Tensor | None = None


class Sparsity(nn.Module, ABC):
    """From pre-activations to the activations of units.

    Pre-activations are ``(n, units)``: a linear map of the features and a ``bias`` of ``(units,)``,
    which they contain already.
    """

    weight: float = 0.0
    """What the charge is multiplied by in the objective."""

    @abstractmethod
    def codes(self, pre: Tensor, bias: Tensor) -> Tensor:
        """The activations ``(n, units)`` of each example by itself, which ``transform`` gives."""

    def forward(self, pre: Tensor, bias: Tensor) -> SparseUnits:
        """The same for training, where examples of a batch may compete, with the charge."""
        return SparseUnits(self.codes(pre, bias))


@dataclass(repr=False)
class SparsityPart(SlotPart, ABC):
    """A sparsity as it is chosen: its settings, from which :meth:`build` makes the module."""

    def build(self, units: int) -> Sparsity:
        """The module for so many units.

        Raises:
            InputError: for fields that cannot be used.
        """
        self.validate()
        return self._module(units)

    @abstractmethod
    def _module(self, units: int) -> Sparsity:
        """What :meth:`build` gives, from fields that were checked."""


def require_fewer(k: int, units: int) -> None:
    """Refuse to keep more units than there are.

    Raises:
        InputError: where k is above the number of units.
    """
    if k > units:
        raise InputError(
            f"k={k} keeps more units than the {units} of the code, so that nothing would be sparse:"
            " give a smaller k, or a larger latent_dim."
        )


def keep_largest(z: Tensor, k: int) -> Tensor:
    """The k largest values of each row of ``(n, units)``; all others are 0."""
    kept = z.topk(k, dim=1)
    return torch.zeros_like(z).scatter(1, kept.indices, kept.values)
