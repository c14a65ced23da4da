"""What the codes are good for, once the decoder is put aside."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn import manifold
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus.metrics._measure import Measure, average

NEIGHBOURS = 5
_ACTIVE = 0.01
_DRAWS, _PARTS = 100, 10  # for standard errors: resamples of the test examples, and parts of them
_SHARE = "share, 0 to 1"


@dataclass(frozen=True)
class LabelledCodes:
    """Codes ``z: (n, latent_dim)`` and their classes ``y: (n,)``."""

    z: np.ndarray
    y: np.ndarray


def linear_probe(train: LabelledCodes, test: LabelledCodes) -> Measure:
    """The accuracy of a logistic regression on standardised codes."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    # after 1,000 steps the accuracy moves by far less than its standard error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train.z, train.y)
    return average(
        "Linear probe",
        probe.predict(test.z) == test.y,
        _SHARE,
        "higher",
        "The share of test examples whose class a linear classifier, trained on the codes, names"
        " correctly.",
    )


def knn5(train: LabelledCodes, test: LabelledCodes) -> Measure:
    """The accuracy of the vote of the five nearest training codes, by their plain distance."""
    classifier = KNeighborsClassifier(min(NEIGHBOURS, len(train.z))).fit(train.z, train.y)
    return average(
        "5 nearest neighbours",
        classifier.predict(test.z) == test.y,
        _SHARE,
        "higher",
        "The share of test examples whose class the five training examples with the nearest codes"
        " name by majority.",
    )


def kmeans_nmi(train: LabelledCodes, test: LabelledCodes, random_state: int = 0) -> Measure:
    """The normalised mutual information of classes and as many k-means clusters.

    The standard error is that of 100 resamples of the test examples (bootstrap).
    """
    clusters = min(len(np.unique(train.y)), len(np.unique(train.z, axis=0)))
    found = KMeans(clusters, n_init=10, random_state=random_state).fit(train.z).predict(test.z)
    draws = np.random.default_rng(random_state).integers(len(found), size=(_DRAWS, len(found)))
    error = np.std(
        [normalized_mutual_info_score(test.y[rows], found[rows]) for rows in draws], ddof=1
    )
    return Measure(
        "k-means agreement",
        float(normalized_mutual_info_score(test.y, found)),
        "NMI, 0 to 1",
        float(error),
        "higher",
        "How well clusters found in the codes without labels agree with the classes: 0 by chance, 1"
        " the same groups.",
    )


def trustworthiness(x: np.ndarray, z: np.ndarray) -> Measure:
    """Whether neighbours among codes are neighbours among examples ``(n, dimensions)``, n > 10.

    The standard error comes from measuring up to ten parts of the examples, each by itself.
    """
    value, count = (
        float(manifold.trustworthiness(x, z, n_neighbors=NEIGHBOURS)),
        min(_PARTS, len(x) // (2 * NEIGHBOURS + 2)),
    )
    parts = [
        manifold.trustworthiness(x[i::count], z[i::count], n_neighbors=NEIGHBOURS)
        for i in range(count)
    ]
    return Measure(
        "Trustworthiness",
        value,
        "0 to 1",
        float(np.std(parts, ddof=1) / math.sqrt(count)) if count > 1 else None,
        "higher",
        "Whether the five nearest neighbours of a code are also near in the data: 1 if no false"
        " neighbours were made.",
    )


def prior_gap(mu: np.ndarray, var: np.ndarray) -> Measure:
    r"""KL(N(m, S) ‖ N(0, I)), with m and S the mean and covariance of all examples' codes.

    .. math:: \tfrac12 \left( \mathrm{tr} S + m^\top m - d - \log \det S \right)
              = \tfrac12 m^\top m + \tfrac12 \sum_i (\lambda_i - 1 - \log \lambda_i)

    with the eigenvalues λ of S: no term of the second form is below 0. It is infinite where codes
    leave a direction empty.

    Args:
        mu, var: mean and variance of each posterior, ``(n, latent_dim)``; a variance of 0 for a
            code that is not drawn.
    """
    mean = mu.mean(0)
    spread = np.atleast_2d(np.cov(mu, rowvar=False, bias=True)) + np.diag(var.mean(0))
    beyond = np.linalg.eigvalsh(spread) - 1
    is_empty = bool((1 + beyond <= len(mean) * np.finfo(np.float64).eps * spread.max()).any())
    gap = math.inf if is_empty else 0.5 * (mean @ mean + (beyond - np.log1p(beyond)).sum())
    return Measure(
        "Gap to the prior",
        float(gap),
        "nats",
        None,
        "lower",
        "How far the codes of all examples together are from the prior that samples are drawn from"
        " (as if both were Gaussian).",
    )


def active_units(mu: np.ndarray) -> Measure:
    """How many dimensions of the posterior mean vary by more than 0.01 (Burda et al., 2016)."""
    return Measure(
        "Active units",
        float((mu.var(axis=0) > _ACTIVE).sum()),
        "dimensions",
        None,
        None,
        "How many dimensions of the code are in use: those whose posterior mean varies over the"
        " data by more than 0.01.",
    )
