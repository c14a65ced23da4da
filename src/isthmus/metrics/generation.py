"""How close samples come to data, in a space of features."""

from __future__ import annotations

import numpy as np

from isthmus.data.incoming import incoming
from isthmus.errors import InputError


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""The squared Fréchet distance of Gaussians fitted to features ``(n, d)`` and ``(m, d)``.

    .. math:: \lVert m_a - m_b \rVert^2 + \mathrm{tr}\left(S_a + S_b - 2 (S_a S_b)^{1/2}\right)
              = \lVert m_a - m_b \rVert^2
              + \min_{U^\top U = I} \lVert R_a - U R_b \rVert^2, \quad R^\top R = S

    The second form is computed: it is a sum of squares, at least 0, also where covariances are
    singular. It is biased upwards by small sets: compare sets of one size alone.

    Raises:
        InputError: for features of different sizes, fewer than two examples, and values that are
            not finite.

    References:
        M. Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium, NeurIPS 2017. R. Bhatia, T. Jain and Y. Lim, On the Bures–Wasserstein distance
        between positive definite matrices, Expositiones Mathematicae 2019 (the second form).

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 3))
        >>> round(frechet_distance(x, x + 1), 6)  # a shift of 1 along three axes
        3.0
    """
    a, b = _features(a, "a"), _features(b, "b")
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"a has {a.shape[1]} features, b {b.shape[1]}: give features of one kind of both."
        )
    roots = [_root(values) for values in (a, b)]
    left, _, right = np.linalg.svd(roots[0] @ roots[1].T)
    spread = np.square(roots[0] - left @ right @ roots[1]).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + spread)


def _features(values: np.ndarray, name: str) -> np.ndarray:
    found = np.asarray(incoming(values, name), dtype=np.float64)
    if found.ndim != 2 or len(found) < 2:
        raise InputError(
            f"{name} has the shape {found.shape}, of which no covariance can be estimated: give"
            " features (n, d) of at least 2 examples."
        )
    if not np.isfinite(found).all():
        raise InputError(f"{name} holds NaN or inf: leave those rows out.")
    return found


def _root(values: np.ndarray) -> np.ndarray:
    """R ``(d, d)`` with RᵀR the covariance of features ``(n, d)``, without the product itself."""
    deviations = (values - values.mean(0)) / np.sqrt(len(values) - 1)
    found = np.asarray(np.linalg.qr(deviations, mode="r"))
    return np.pad(found, ((0, found.shape[1] - len(found)), (0, 0)))
