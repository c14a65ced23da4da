"""How an encoder tells of codes; :data:`isthmus.registry.POSTERIORS` lists the families."""

from __future__ import annotations

from isthmus.posteriors.base import Posterior, PosteriorPart
from isthmus.posteriors.flows import IAF, Planar
from isthmus.posteriors.gaussian import Diagonal, Full

__all__ = ["IAF", "Diagonal", "Full", "Planar", "Posterior", "PosteriorPart"]
