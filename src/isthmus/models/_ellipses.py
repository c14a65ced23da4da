"""Clusters of codes as ellipses: a Gaussian mixture with full covariances."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

_STARTS = 5  # at either scale
_LEAST_VARIANCE = 1e-4  # of a cluster, as a share of that of all codes
_LEAST_GAIN = 1e-5  # of the log likelihood of a code, in nats, for which a step is taken
_MOST_STEPS = 500
_LEAST = 1e-12  # of what is divided by


def shares_in_ellipses(codes: Tensor, count: int, seed: int) -> Tensor:
    """The share of every cluster in each code, ``(n, count)``, by expectation maximisation.

    The mixture does not depend on the scale of codes, of which reconstruction says nothing, but
    k-means, which it starts from, does: it starts from codes as they are and from whitened ones,
    and the likeliest of these mixtures is fitted to its end.

    Args:
        codes: ``(n, latent_dim)``.
        count: how many clusters.
        seed: of k-means.
    """
    z = codes.double().cpu().numpy()
    z = (z - z.mean(0)) / max(z.std(), _LEAST)
    with warnings.catch_warnings():
        # A start need not be a maximum; that codes are too few for the clusters is still said.
        warnings.filterwarnings("ignore", ".*did not converge", ConvergenceWarning)
        begun = [_begun(x, count, seed) for x in (z, PCA(whiten=True).fit_transform(z))]
        _, x, mixture = max(begun, key=lambda each: each[0])
        mixture.set_params(tol=_LEAST_GAIN, max_iter=_MOST_STEPS).fit(x)  # goes on
    return torch.from_numpy(mixture.predict_proba(x)).to(codes)


def _begun(x: np.ndarray, count: int, seed: int) -> tuple[float, np.ndarray, GaussianMixture]:
    """The log likelihood of an example, were all examples white, the examples, and the mixture."""
    mixture = GaussianMixture(
        count, n_init=_STARTS, reg_covar=_LEAST_VARIANCE, random_state=seed, warm_start=True
    ).fit(x)
    volume = np.linalg.slogdet(np.atleast_2d(np.cov(x.T)))[1] / 2
    return mixture.score(x) + volume, x, mixture


def means_of_clusters(values: Tensor, shares: Tensor) -> Tensor:
    """The mean of values ``(n, d)`` in every cluster, ``(n_clusters, d)``, by shares
    ``(n, n_clusters)``.
    """
    return shares.T @ values / shares.sum(0)[:, None].clamp(min=_LEAST)
