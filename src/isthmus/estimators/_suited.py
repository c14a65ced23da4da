"""Members that suit data which nobody chose a member for: what ``"auto"`` of a detector trains."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from isthmus.corruptions import GaussianNoise
from isthmus.data._sequences import is_ragged
from isthmus.data._statistics import is_sparse
from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame, numbers_of, numeric_type
from isthmus.estimators.base import Estimator
from isthmus.registry import MEMBERS

_NOISE = 0.5  # standard deviations: the residual then leads back to where examples are dense
_EXPLAINED = 0.7  # of the variance, by as many principal components as the code has numbers
_WIDEST = 32  # code
_TABLE_STEPS, _PICTURE_STEPS = 600, 2000  # of training
_TABLE_ENTRANTS = 3  # whose scores are averaged
_ROWS = 1000  # whose principal components are counted


def suited_members(X: Any, seed: int) -> list[Estimator]:
    """Untrained members for examples as they are given: three denoising autoencoders of different
    starts for rows of numbers, one autoencoder for pictures, a recurrent one for a list of
    sequences.

    Codes are as wide as the principal components that explain seven tenths of the variance.
    """
    if is_ragged(X):
        return [MEMBERS["recurrent"](random_state=seed, verbose=0)]
    some, n = _some_rows(X.x if isinstance(X, Part) else X)
    shared = {"latent_dim": explaining(some), "random_state": seed, "verbose": 0}
    if some.ndim != 2:
        return [MEMBERS["ae"](epochs=_epochs(n, _PICTURE_STEPS), **shared)]
    settings = {"hidden": (64, 32), "scaling": "standard", "epochs": _epochs(n, _TABLE_STEPS)}
    return [
        MEMBERS["denoising"](
            **shared | settings | {"random_state": seed + entrant},
            corruption=GaussianNoise(_NOISE),
        )
        for entrant in range(_TABLE_ENTRANTS)
    ]


def explaining(x: np.ndarray) -> int:
    """How many principal components of examples ``(n, ...)`` explain the share of the variance that
    a code shall hold; of rows, with their columns standardised.
    """
    flat = np.nan_to_num(x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float64))
    spread = flat.std(0) if x.ndim == 2 else np.ones(flat.shape[1])
    flat = (flat - flat.mean(0)) / np.where(spread > 0, spread, 1.0)
    gram = flat @ flat.T if len(flat) < flat.shape[1] else flat.T @ flat
    variances = np.linalg.eigvalsh(gram)[::-1].clip(min=0.0)
    if not 0 < (total := variances.sum()) < math.inf:
        return 1
    needed = int(np.searchsorted(variances.cumsum() / total, _EXPLAINED)) + 1
    return min(needed, _WIDEST)


def _some_rows(x: Any) -> tuple[np.ndarray, int]:
    """A number of examples that are spread over all, as numbers, and how many there are in all."""
    n = int(x.shape[0]) if hasattr(x, "shape") else len(x)
    rows = np.linspace(0, max(n - 1, 0), min(_ROWS, n)).astype(int)
    if is_frame(x):
        places = [place for place, dtype in enumerate(x.dtypes) if numeric_type(dtype) is not None]
        return numbers_of(x.iloc[rows, places]).reshape(len(rows), -1), n
    some = x[rows] if hasattr(x, "shape") else np.asarray(x)[rows]
    return np.asarray(some.toarray() if is_sparse(some) else some), n


def _epochs(n: int, steps: int) -> int:
    """How many epochs make about so many steps, at the usual size of a batch."""
    return int(np.clip(round(steps * 128 / max(n, 1)), 5, 100))
