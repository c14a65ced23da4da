"""How alike two tables are, column by column and pair by pair; defined as in SDMetrics."""

from __future__ import annotations

import numpy as np

BINS = 10
"""Into how many bins of equal width a number is put beside a category."""


def ks_complement(real: np.ndarray, synthetic: np.ndarray) -> float:
    r"""One less the Kolmogorov-Smirnov distance of two columns of numbers, ``(n,)`` and ``(m,)``.

    .. math:: 1 - \sup_x \lvert F_{real}(x) - F_{synthetic}(x) \rvert

    1 is the same distribution, 0 are two without overlap. Missing values are left out; NaN where
    nothing is left.

    >>> ks_complement(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]))
    0.5
    """
    real, synthetic = (np.sort(values[~np.isnan(values)]) for values in (real, synthetic))
    if len(real) == 0 or len(synthetic) == 0:
        return np.nan
    places = np.concatenate([real, synthetic])
    below = [np.searchsorted(v, places, side="right") / len(v) for v in (real, synthetic)]
    return float(1 - np.abs(below[0] - below[1]).max())


def tv_complement(real: np.ndarray, synthetic: np.ndarray) -> float:
    r"""One less the total variation distance of two columns of codes, ``(n,)`` and ``(m,)``.

    .. math:: 1 - \tfrac12 \sum_k \lvert p_{real}(k) - p_{synthetic}(k) \rvert

    Missing values are left out; NaN where nothing is left.

    >>> tv_complement(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 2]))
    0.75
    """
    real, synthetic = real[~np.isnan(real)], synthetic[~np.isnan(synthetic)]
    if len(real) == 0 or len(synthetic) == 0:
        return np.nan
    return _overlap(real, synthetic)


def missing_similarity(real: np.ndarray, synthetic: np.ndarray) -> float:
    """One less the difference of the shares of missing values in two columns."""
    return float(1 - abs(np.isnan(real).mean() - np.isnan(synthetic).mean()))


def correlation_similarity(real: np.ndarray, synthetic: np.ndarray) -> float:
    r"""How alike the correlations of two numbers are, ``(n, 2)`` and ``(m, 2)``.

    .. math:: 1 - \tfrac12 \lvert \rho_{real} - \rho_{synthetic} \rvert

    with Pearson's ρ over the rows that miss neither. NaN where a real number is constant, which
    has no correlation; a constant synthetic one has lost its correlation, so ρ is 0.
    """
    wanted, found = _correlation(real), _correlation(synthetic)
    return float(1 - abs(wanted - (0.0 if np.isnan(found) else found)) / 2)


def contingency_similarity(real: np.ndarray, synthetic: np.ndarray) -> float:
    r"""One less the total variation distance of two tables of codes, ``(n, 2)`` and ``(m, 2)``.

    .. math:: 1 - \tfrac12 \sum_{k, l} \lvert p_{real}(k, l) - p_{synthetic}(k, l) \rvert

    What is missing is a category of its own.
    """
    first, second = (np.nan_to_num(np.concatenate([real, synthetic]), nan=-1.0) + 1).T
    codes = first * (second.max() + 1) + second
    return _overlap(codes[: len(real)], codes[len(real) :])


def binned(real: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two columns of numbers in ten bins of equal width over the range of the real one.

    What lies outside falls into the outermost bins. Missing stays NaN.
    """
    known = real[~np.isnan(real)]
    edges = np.histogram_bin_edges(known if len(known) else [0.0], bins=BINS)[1:-1]
    first, second = (
        np.where(np.isnan(values), np.nan, np.digitize(values, edges).astype(np.float64))
        for values in (real, synthetic)
    )
    return first, second


def _overlap(real: np.ndarray, synthetic: np.ndarray) -> float:
    """The mass that two empirical distributions of codes share."""
    _, codes = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
    count = int(codes.max()) + 1
    shares = [
        np.bincount(part, minlength=count) / len(part)
        for part in (codes[: len(real)], codes[len(real) :])
    ]
    return float(1 - np.abs(shares[0] - shares[1]).sum() / 2)


def _correlation(pair: np.ndarray) -> float:
    known = pair[~np.isnan(pair).any(axis=1)]
    spread = known - known.mean(axis=0) if len(known) else known
    lengths = np.sqrt(np.square(spread).sum(axis=0))
    if len(known) < 2 or not (lengths > 1e-12 * np.abs(known).max(axis=0)).all():
        return np.nan
    return float((spread / lengths).prod(axis=1).sum())
