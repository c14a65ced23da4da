"""Clusters of codes as ellipses: a Gaussian mixture with full covariances."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

_STARTS = 5  # of either scale, of which the likeliest is kept
_LEAST_VARIANCE = 1e-4  # of a cluster, as a share of that of all codes
_LEAST = 1e-12  # of what is divided by


def shares_in_ellipses(codes: Tensor, count: int, seed: int) -> Tensor:
    """The share of every cluster in each code, ``(n, count)``, by expectation maximisation.

    Reconstruction says nothing of the scale of codes. A mixture with full covariances does not
    depend on it, but k-means does, which it starts from: codes as they are and whitened codes are
    both tried, and the likelier mixture is kept.

    Args:
        codes: ``(n, latent_dim)``.
        count: how many clusters.
        seed: of k-means.
    """
    z = codes.double().cpu().numpy()
    z = (z - z.mean(0)) / max(z.std(), _LEAST)
    white = PCA(whiten=True).fit_transform(z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be a maximum
        found = [_fitted(x, count, seed) for x in (z, white)]
    _, shares = max(found, key=lambda each: each[0])
    return torch.from_numpy(shares).to(codes)


def means_of_clusters(values: Tensor, shares: Tensor) -> Tensor:
    """The mean of values ``(n, d)`` in every cluster, ``(n_clusters, d)``, by shares
    ``(n, n_clusters)``.
    """
    return shares.T @ values / shares.sum(0)[:, None].clamp(min=_LEAST)


def _fitted(x: np.ndarray, count: int, seed: int) -> tuple[float, np.ndarray]:
    """The log likelihood of an example, were all examples white, and shares ``(n, count)``."""
    mixture = GaussianMixture(
        count, n_init=_STARTS, reg_covar=_LEAST_VARIANCE, random_state=seed
    ).fit(x)
    volume = np.linalg.slogdet(np.atleast_2d(np.cov(x.T)))[1] / 2
    return mixture.score(x) + volume, mixture.predict_proba(x)
