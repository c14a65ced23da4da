"""Distributions over codes, fitted after training; :data:`isthmus.registry.PRIORS` lists them."""

from isthmus.priors.base import Prior, fitted, resolved
from isthmus.priors.flow import Flow
from isthmus.priors.mixture import Mixture
from isthmus.priors.pixelcnn import PixelCNN

__all__ = ["Flow", "Mixture", "PixelCNN", "Prior", "fitted", "resolved"]
