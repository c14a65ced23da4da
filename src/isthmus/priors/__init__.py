"""Distributions over codes, fitted after training; :data:`isthmus.registry.PRIORS` lists them."""

from isthmus.priors.base import Prior, fitted

__all__ = ["Prior", "fitted"]
