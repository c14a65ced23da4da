"""What every space of codes offers: a posterior and a prior that live there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from isthmus.core.example import Shape
from isthmus.core.parts import SlotPart
from isthmus.latent_priors.base import LatentPrior
from isthmus.posteriors.base import Posterior


@dataclass(repr=False)
class Geometry(SlotPart, ABC):
    """A space as it is chosen: its settings, from which :meth:`build` makes what lives there.

    Codes are numbers in the box [-1, 1], ``(n, latent_dim)``.
    """

    def build(self, features: Shape, latent_dim: int) -> tuple[Posterior, LatentPrior]:
        """A posterior for features of a shape, and a prior, both over the same codes.

        Raises:
            InputError: for fields that cannot be used, and for codes that are too small.
        """
        self.validate()
        return self._modules(features, latent_dim)

    @abstractmethod
    def _modules(self, features: Shape, latent_dim: int) -> tuple[Posterior, LatentPrior]:
        """What :meth:`build` gives, from fields that were checked."""
