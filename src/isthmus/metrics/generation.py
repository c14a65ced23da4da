"""How close samples come to data, in a space of features."""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""The squared Fréchet distance of Gaussians fitted to features ``(n, d)`` and ``(m, d)``.

    .. math:: \lVert m_a - m_b \rVert^2 + \mathrm{tr}\left(S_a + S_b - 2 (S_a S_b)^{1/2}\right)

    It is biased upwards by small sets: compare sets of one size alone.

    Reference:
        M. Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium, NeurIPS 2017.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    means, covariances = (
        (a.mean(0), b.mean(0)),
        [np.atleast_2d(np.cov(values, rowvar=False)) for values in (a, b)],
    )
    root = sqrtm(covariances[0] @ covariances[1])
    return float(
        np.square(means[0] - means[1]).sum()
        + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    )
