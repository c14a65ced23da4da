"""p(x | z), what a decoder says about data; :data:`isthmus.registry.LIKELIHOODS` lists them.

``Bernoulli``, ``Columns``, ``Gaussian``, ``LogisticMixture``, ``NegativeBinomial``, ``Poisson``,
``Spectral`` and ``SquaredError`` are the parts that a member's ``likelihood`` takes; each builds
the torch module of its name, such as ``GaussianLikelihood``.
"""

from __future__ import annotations

from isthmus.likelihoods.base import Likelihood, LikelihoodPart
from isthmus.likelihoods.bernoulli import Bernoulli, BernoulliLikelihood
from isthmus.likelihoods.categorical import CategoricalLikelihood
from isthmus.likelihoods.columns import Columns, ColumnsLikelihood
from isthmus.likelihoods.gaussian import (
    Gaussian,
    GaussianLikelihood,
    SquaredError,
    SquaredErrorLikelihood,
)
from isthmus.likelihoods.logistic_mixture import LogisticMixture, LogisticMixtureLikelihood
from isthmus.likelihoods.negative_binomial import NegativeBinomial, NegativeBinomialLikelihood
from isthmus.likelihoods.poisson import Poisson, PoissonLikelihood
from isthmus.likelihoods.spectral import Spectral, SpectralLikelihood

__all__ = [
    "Bernoulli",
    "BernoulliLikelihood",
    "CategoricalLikelihood",
    "Columns",
    "ColumnsLikelihood",
    "Gaussian",
    "GaussianLikelihood",
    "Likelihood",
    "LikelihoodPart",
    "LogisticMixture",
    "LogisticMixtureLikelihood",
    "NegativeBinomial",
    "NegativeBinomialLikelihood",
    "Poisson",
    "PoissonLikelihood",
    "Spectral",
    "SpectralLikelihood",
    "SquaredError",
    "SquaredErrorLikelihood",
]
