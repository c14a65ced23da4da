"""Whether dimensions of a code follow the factors that examples were made by."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from isthmus.errors import InputError
from isthmus.metrics._measure import Measure

_FINE, _COARSE = 400, 20  # bins of a dimension: of codes that are drawn, and of points
_REACH = 4.0  # standard deviations of a posterior beyond which nothing is counted
_VOTES, _GROUP = 800, 64  # of the factor score: votes in each half, and examples behind a vote
_ACTIVE = 0.01  # of the variance of codes: means that vary by less say nothing


def mutual_information_gap(mu: np.ndarray, var: np.ndarray, factors: np.ndarray) -> Measure:
    r"""How much more one dimension tells of a factor than the next best, of its entropy.

    .. math:: \frac1K \sum_{k=1}^K \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    with the two dimensions that tell most of :math:`v_k`. It is 1 where each factor has a dimension
    of its own that says all of it, and 0 where two say the same. q(z_j) and q(z_j | v_k) are the
    means of the posteriors, brought into 400 narrow bins; deterministic codes, which have no
    density, into 20.

    Args:
        mu, var: mean and variance of each posterior, ``(n, latent_dim)``; a variance of 0 for a
            code that is not drawn.
        factors: whole numbers, ``(n, K)``; one that is the same everywhere is left out.

    Raises:
        InputError: where no factor takes two values.

    Reference:
        R. T. Q. Chen, X. Li, R. Grosse and D. Duvenaud, Isolating sources of disentanglement in
        variational autoencoders, NeurIPS 2018.
    """
    factors = varied(factors)
    told = mutual_information(mu, var, factors)  # (latent_dim, K)
    told = np.vstack([np.zeros_like(told[:1]), told])  # of one dimension alone the next says 0
    second, first = np.sort(told, axis=0)[-2:]
    entropies = np.array([_entropy(np.bincount(values) / len(values)) for values in factors.T])
    return Measure(
        "Mutual information gap",
        float(((first - second) / entropies).mean()),
        "share, 0 to 1",
        None,
        "higher",
        "How much more one dimension of the code tells of a factor that examples were made by than"
        " any other dimension does (MIG), over training and test examples.",
    )


def mutual_information(mu: np.ndarray, var: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """I(z_j; v_k) in nats of every dimension and factor, ``(latent_dim, K)``."""
    found = np.zeros((mu.shape[1], factors.shape[1]))
    for j, (mean, deviation) in enumerate(zip(mu.T, np.sqrt(var.T), strict=True)):
        shares = _shares(mean, deviation)  # (n, bins)
        whole = _entropy(shares.mean(0))
        for k, values in enumerate(factors.T):
            kinds, places = np.unique(values, return_inverse=True)
            given = np.zeros((len(kinds), shares.shape[1]))
            np.add.at(given, places, shares)
            counts = np.bincount(places)
            each = np.array([_entropy(row) for row in given / counts[:, None]])
            found[j, k] = whole - (counts / len(values)) @ each
    return found


def factor_score(
    mu: np.ndarray, var: np.ndarray, factors: np.ndarray, random_state: int
) -> Measure:
    """How often the dimension that stays put names the factor that was held.

    For a vote, 64 examples that have one factor in common are drawn, and the dimension is noted
    whose means vary the least among them, in units of their deviation over all examples. Half of
    the votes say of which factor each dimension is typical; the accuracy is that of the other half.
    Dimensions whose means hardly vary beside the noise of the code are left out.

    Args:
        mu, var: mean and variance of each posterior, ``(n, latent_dim)``.
        factors: whole numbers, ``(n, K)``; one that is the same everywhere is left out.
        random_state: draws the examples.

    Raises:
        InputError: where no factor takes two values.

    Reference:
        H. Kim and A. Mnih, Disentangling by factorising, ICML 2018.
    """
    factors = varied(factors)
    moved = mu.var(axis=0)
    is_active = moved > _ACTIVE * (moved + var.mean(axis=0))
    z = mu[:, is_active] / np.sqrt(moved[is_active])
    random = np.random.default_rng(random_state)
    groups = [_by_value(values) for values in factors.T]
    votes = np.array([_vote(z, groups, random) for _ in range(2 * _VOTES)])
    counts = np.zeros((max(1, z.shape[1]), factors.shape[1]), dtype=np.int64)
    np.add.at(counts, tuple(votes[:_VOTES].T), 1)
    right = counts.argmax(axis=1)[votes[_VOTES:, 0]] == votes[_VOTES:, 1]
    return Measure(
        "Factor score",
        float(right.mean()),
        "share, 0 to 1",
        float(right.std(ddof=1) / np.sqrt(len(right))),
        "higher",
        "How often the dimension of the code that stays put among examples names the factor that"
        " they share.",
    )


def varied(factors: np.ndarray) -> np.ndarray:
    """The factors ``(n, K)`` that take two values or more: any other tells nothing of a code.

    Raises:
        InputError: where there is none.
    """
    kept = factors[:, (factors != factors[:1]).any(axis=0)]
    if kept.shape[1] == 0:
        raise InputError(
            "no factor takes two values, so there is nothing that a code could tell: give examples"
            " that differ in one."
        )
    return kept


def _vote(
    z: np.ndarray, groups: list[list[np.ndarray]], random: np.random.Generator
) -> tuple[int, int]:
    """The dimension that varies least among examples with a factor in common, and that factor."""
    factor = int(random.integers(len(groups)))
    rows = groups[factor][int(random.integers(len(groups[factor])))]
    drawn = z[random.choice(rows, _GROUP)]
    return (int(drawn.var(axis=0).argmin()) if z.shape[1] else 0), factor


def _by_value(values: np.ndarray) -> list[np.ndarray]:
    """The rows of each value of a factor."""
    return [np.flatnonzero(values == value) for value in np.unique(values)]


def _shares(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """How much of each posterior of a dimension lies in each bin, ``(n, bins)``."""
    low, high = (mean - _REACH * deviation).min(), (mean + _REACH * deviation).max()
    if high == low:  # a dimension that never moves tells nothing
        return np.ones((len(mean), 1))
    if deviation.max() == 0:
        places = np.minimum((_COARSE * (mean - low) / (high - low)).astype(int), _COARSE - 1)
        return np.eye(_COARSE)[places]
    edges = np.linspace(low, high, _FINE + 1)
    shares = np.diff(ndtr((edges - mean[:, None]) / deviation[:, None]), axis=1)
    return shares / shares.sum(1, keepdims=True)


def _entropy(shares: np.ndarray) -> float:
    """The entropy of shares that sum to 1, in nats."""
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())
