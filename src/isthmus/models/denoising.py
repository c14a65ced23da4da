"""The denoising autoencoder: it sees damaged examples and must give back the clean ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.fields import field, slot
from isthmus.core.parts import part_of
from isthmus.corruptions import Corruption
from isthmus.data._statistics import is_sparse
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators.inference import outside
from isthmus.likelihoods import Likelihood
from isthmus.models.ae import AE
from isthmus.registry import CORRUPTIONS

_ROUNDS = 5  # of filling in: each starts from what the one before it made of the missing values


@dataclass(repr=False, eq=False, kw_only=True)
class DenoisingAE(AE):
    r"""Denoising autoencoder: x is damaged before it is encoded, and the clean x is asked for.

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

    def denoise(self, X: Any, missing: Any = None) -> np.ndarray:
        """Clean examples, in the layout and units of the data (pixels in [0, 1]).

        Values that are NaN, or that ``missing`` (booleans of X's shape) marks, are filled in, and
        all others are given back as they were. Without missing values the whole example is cleaned.
        Noise may carry pixels beyond [0, 1]: they are brought back to it first.
        """
        self._fitted()
        X = incoming(X)
        given = self._array(X)
        x: np.ndarray = given.toarray() if is_sparse(given) else np.array(given)
        unknown = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, dtype=bool)
        if missing is not None:
            if np.shape(missing) != x.shape:
                raise InputError(
                    f"missing has the shape {np.shape(missing)}, X has {x.shape}: mark every value"
                    " of X."
                )
            unknown |= np.asarray(missing, dtype=bool)
        if (
            x.dtype.kind == "f"
            and self.preprocessor_.scaling.kind in ("none", "pixels")
            and self.preprocessor_.strict
        ):
            x = x.clip(0, 1)
        return self._filled(x, X, unknown) if unknown.any() else self._restored(x, X)

    def _filled(self, x: np.ndarray, X: Any, unknown: np.ndarray) -> np.ndarray:
        """Put in the zero that masking leaves, then what the model says, a few times over."""
        known = outside(x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x, X)
        blank = self.preprocessor_.inverse_transform(
            np.zeros((1, *self.preprocessor_.layout.shape), dtype=known.dtype)
        )
        filled = np.where(unknown, blank, known)
        for _ in range(_ROUNDS):
            filled = np.where(unknown, self._restored(filled, X), known)
        return filled

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        corruption: Callable[[Tensor], Tensor] = part_of(self.corruption, CORRUPTIONS)
        return Autoencoder(encoder, bottleneck, decoder, likelihood, corruption=corruption)
