"""The denoising autoencoder: it sees damaged examples and must give back the clean ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from isthmus.core.example import ExampleSpec
from isthmus.core.fields import field, slot
from isthmus.corruptions import Corruption, corruption_of
from isthmus.data._statistics import is_sparse
from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.models.ae import AE
from isthmus.registry import CORRUPTIONS


@dataclass(repr=False, eq=False, kw_only=True)
class DenoisingAE(AE):
    r"""Denoising autoencoder: x is corrupted before it is encoded, and the target is the clean x.

    .. math:: \min_{f, g} \; \mathbb{E}_{x, \, \tilde x \sim c(\tilde x \mid x)}
              \left[ -\log p(x \mid z = f(\tilde x)) \right]

    Every step draws fresh damage; evaluation sees examples as they are. ``x: (n, *shape)``,
    ``z: (n, latent_dim)``.

    Reference:
        P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, Stacked denoising
        autoencoders, JMLR 2010.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> masking = ist.corruptions.Masking(0.25)
        >>> model = ist.DenoisingAE(corruption=masking, epochs=1, random_state=0)
        >>> model = model.fit(data.train)
        >>> model.denoise(data.test.x).shape
        (359, 1, 8, 8)
    """

    latent_dim: int = field(32, "size of the code", low=1)
    corruption: str | Corruption | Callable[[Tensor], Tensor] = slot(
        "gaussian",
        CORRUPTIONS,
        "how examples are damaged; or, in Python, a function of your own from a batch (n, *shape)"
        " to a damaged one",
    )

    def denoise(self, X: Any, missing: Any = None) -> Any:
        """Clean examples, in the layout and units of the data (pixels in [0, 1]).

        Values that are NaN, or that ``missing`` (booleans of X's shape) marks, are filled in as by
        :meth:`impute`, and all others are given back as they were. Without missing values the whole
        example is cleaned. Noise may carry pixels beyond [0, 1]: they are brought back to it first.
        """
        self._fitted()
        X = incoming(X)
        x: Any = X.x if isinstance(X, Part) else X
        if is_frame(x):
            x = x if missing is None else x.mask(_marks(missing, x.shape))
            return self.impute(x) if x.isna().any(axis=None) else self.reconstruct(x)
        given = self._array(X)
        if missing is not None:
            given = self._without(given, _marks(missing, given.shape))
        if is_sparse(given) or given.dtype.kind != "f":
            return self._restored(given, X)
        if self.preprocessor_.strict:
            given = given.clip(0, 1)
        return self._imputed(given, X) if np.isnan(given).any() else self._restored(given, X)

    def _corruption(self, spec: ExampleSpec) -> Callable[[Tensor], Tensor]:
        return corruption_of(self.corruption, spec)


def _marks(missing: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What is marked as missing, as booleans of the shape of X."""
    if np.shape(missing) != shape:
        raise InputError(
            f"missing has the shape {np.shape(missing)}, X has {shape}: mark every value of X."
        )
    return np.asarray(missing, dtype=bool)
