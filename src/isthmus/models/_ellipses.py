"""Clusters of codes as ellipses: a Gaussian mixture with full covariances."""

from __future__ import annotations

import warnings

import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

_STARTS = 5  # of which the likeliest is kept
_LEAST_VARIANCE = 1e-4  # of a cluster, as a share of that of all codes
_LEAST_GAIN = 1e-5  # of the log likelihood of a code, in nats, for which a step is taken
_MOST_STEPS = 500
_LEAST = 1e-12  # of what is divided by


def shares_in_ellipses(codes: Tensor, count: int, seed: int) -> Tensor:
    """The share of every cluster in each code, ``(n, count)``, by expectation maximisation.

    The mixture does not depend on the scale of codes, of which reconstruction says nothing, but
    k-means, which it starts from, does: codes are whitened before.

    Args:
        codes: ``(n, latent_dim)``.
        count: how many clusters.
        seed: of k-means.
    """
    white = PCA(whiten=True).fit_transform(codes.double().cpu().numpy())
    mixture = GaussianMixture(
        count,
        tol=_LEAST_GAIN,
        reg_covar=_LEAST_VARIANCE,
        max_iter=_MOST_STEPS,
        n_init=_STARTS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be a maximum
        shares = mixture.fit(white).predict_proba(white)
    return torch.from_numpy(shares).to(codes)


def means_of_clusters(values: Tensor, shares: Tensor) -> Tensor:
    """The mean of values ``(n, d)`` in every cluster, ``(n_clusters, d)``, by shares
    ``(n, n_clusters)``.
    """
    return shares.T @ values / shares.sum(0)[:, None].clamp(min=_LEAST)
