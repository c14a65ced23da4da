"""Priors that are learnt with the weights; :data:`isthmus.registry.LATENT_PRIORS` lists them."""

from __future__ import annotations

from isthmus.latent_priors.base import LatentPrior, LatentPriorPart
from isthmus.latent_priors.flow import FlowPrior
from isthmus.latent_priors.gaussian import GaussianMixture, StandardNormal
from isthmus.latent_priors.vampprior import VampPrior

__all__ = [
    "FlowPrior",
    "GaussianMixture",
    "LatentPrior",
    "LatentPriorPart",
    "StandardNormal",
    "VampPrior",
]
