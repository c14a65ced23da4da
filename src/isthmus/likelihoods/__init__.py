"""p(x | z): what a decoder's parameters say about the data; :data:`isthmus.registry.LIKELIHOODS`
lists them.
"""

from __future__ import annotations

from isthmus.likelihoods.base import Likelihood
from isthmus.likelihoods.bernoulli import Bernoulli
from isthmus.likelihoods.gaussian import Gaussian, SquaredError

__all__ = ["Bernoulli", "Gaussian", "Likelihood", "SquaredError"]
