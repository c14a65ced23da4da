"""What every family of posteriors offers: from features to a distribution over codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.parts import SlotPart


class Posterior(nn.Module, ABC):
    """A family of distributions q(z | x), of which the features of an example choose one.

    What they choose is a named tuple of tensors, each ``(n, ...)``: first the code that
    ``transform`` gives, then the parameters of q.
    """

    code_shape: Shape
    """The shape of the code of one example."""
    has_density: bool = True
    """Whether :meth:`log_prob` is known of any code, and not only of those that were drawn."""

    @abstractmethod
    def forward(self, features: Tensor) -> Any:
        """The parameters of q for features ``(n, *features)``, a named tuple."""

    @abstractmethod
    def draw(self, chosen: Any, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Codes ``(s, n, *code_shape)`` of standard normal noise of that shape, and log q of each,
        ``(s, n)``, in nats; gradients flow through both.
        """

    def log_prob(self, chosen: Any, z: Tensor) -> Tensor:
        """log q of any codes ``(..., n, *code_shape)``, ``(..., n)``, in nats.

        Raises:
            NotImplementedError: where :attr:`has_density` is false.
        """
        raise NotImplementedError

    def log_prob_pairs(self, chosen: Any, z: Tensor) -> Tensor:
        """log q of codes ``(..., *code_shape)`` under each of K posteriors, ``(..., K)``, in nats.

        Raises:
            NotImplementedError: where :attr:`has_density` is false.
        """
        return self.log_prob(chosen, z.unsqueeze(-len(self.code_shape) - 1))

    def projected(self, z: Tensor) -> Tensor:
        """The codes nearest to some numbers ``(n, *code_shape)``, which may lie beside them."""
        return z


@dataclass(repr=False)
class PosteriorPart(SlotPart, ABC):
    """A family as it is chosen: its settings, from which :meth:`build` makes the module."""

    def build(self, features: Shape, latent_dim: int, *, is_map: bool = False) -> Posterior:
        """The module for features of a shape.

        Raises:
            InputError: for fields that cannot be used, and for maps where the family has none.
        """
        self.validate()
        return self._module(features, latent_dim, is_map)

    @abstractmethod
    def _module(self, features: Shape, latent_dim: int, is_map: bool) -> Posterior:
        """What :meth:`build` gives, from fields that were checked."""
