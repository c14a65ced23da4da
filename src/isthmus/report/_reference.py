"""Principal component analysis with a member's face: the best linear code, for comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.data.batches import StoreBatches
from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame, numbers_of
from isthmus.data.incoming import incoming
from isthmus.data.series import Cut
from isthmus.data.settling import fit_preprocessor
from isthmus.data.sounds import Sounds
from isthmus.data.stores import Store
from isthmus.errors import InputError
from isthmus.likelihoods import SquaredError
from isthmus.training.callbacks.snapshots import Snapshot

_VALUES = 1 << 28  # what is fitted at once: a gigabyte


class LinearMap(nn.Module):
    """The projection on principal components with the face of an autoencoder's module.

    Args:
        pca: fitted to examples in the model's units, ``(n, dimensions)``.
        shape: of an example.
    """

    def __init__(self, pca: PCA, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.mean = nn.Buffer(torch.as_tensor(pca.mean_, dtype=torch.float32))
        # (components, dimensions)
        self.components = nn.Buffer(torch.as_tensor(pca.components_, dtype=torch.float32))
        self.bottleneck = SimpleNamespace(
            code_shape=(len(pca.components_),), levels=(), is_random=False
        )

    def encode(self, batch: Batch) -> tuple[Tensor]:
        """Examples ``(n, *shape)`` to coordinates along the components, ``(n, components)``."""
        return ((batch.x.flatten(1) - self.mean) @ self.components.T,)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Coordinates ``(n, components)`` to what they stand for, ``(n, *shape)``."""
        return (z @ self.components + self.mean).reshape(len(z), *self.shape)


@dataclass(repr=False, eq=False, kw_only=True)
class PCAReference(TransformerMixin, BaseEstimator):
    r"""PCA, with the layout and the scaling that the members get.

    .. math:: \min_{W^\top W = I} \; \sum_i \lVert x_i - \bar x - W W^\top (x_i - \bar x) \rVert^2

    ``x: (n, *shape)``, ``z: (n, latent_dim)``; no more components than there are dimensions or
    examples. It is not trained step by step, so its ``history_`` and ``snapshots_`` are empty.
    """

    latent_dim: int = 2
    scaling: str = "auto"
    channels: str = "auto"
    image_shape: tuple[int, ...] | None = None

    code_space = "data"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the principal components of an array ``(n, *shape)``, or of a part of a data set."""
        self.preprocessor_, inside = fit_preprocessor(
            _array(X),
            scaling=self.scaling,
            likelihood=SquaredError(),
            channels=self.channels,
            image_shape=self.image_shape,
            kind=X.kind if isinstance(X, Cut) else None,
            sample_rate=X.sample_rate if isinstance(X, Sounds) else None,
        )
        count = min(len(inside), max(2, _VALUES // math.prod(inside.shape)))
        rows = np.linspace(0, len(inside) - 1, count).astype(int)
        x = self._rows(inside if len(rows) == len(inside) else inside.take(rows))
        components = min(self.latent_dim, *x.shape)
        self.pca_ = PCA(components, random_state=0).set_output(transform="default").fit(x)
        self.module_ = LinearMap(self.pca_, self.preprocessor_.layout.shape)
        self.history_: list[dict[str, float]] = []
        self.snapshots_: list[Snapshot] = []
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The coordinates of each example along the principal components, ``(n, latent_dim)``."""
        return self._components(X)

    def inverse_transform(self, X: Any) -> Any:
        """What codes ``(n, latent_dim)`` stand for, in the layout and units of the data."""
        check_is_fitted(self)
        x = self.pca_.inverse_transform(np.asarray(X, dtype=np.float32)).astype(np.float32)
        # (n, dimensions) -> (n, *shape)
        x = x.reshape(len(x), *self.preprocessor_.layout.shape)
        found, table = self.preprocessor_.inverse_transform(x), self.preprocessor_.table
        return found if table is None else table.decode(found)

    def _components(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self.pca_.transform(self._inside(X)), dtype=np.float32)

    encode = codes = _components
    decode = inverse_transform

    def reconstruct(self, X: Any) -> Any:
        """Examples projected on the principal components, in the layout and units of the data."""
        return self.inverse_transform(self.codes(X))

    def squared_error(self, X: Any) -> np.ndarray:
        """The squared error of each projection, ``(n,)``, summed over the scaled dimensions."""
        check_is_fitted(self)
        x = self._inside(X)
        residual = x - self.pca_.inverse_transform(self.pca_.transform(x))
        return np.asarray(np.square(residual).sum(1))

    def sample(self, n: int = 16, *, random_state: int | None = None) -> np.ndarray:
        """Refused: PCA has no prior."""
        raise InputError("PCA has no prior over its codes, so there is nothing to sample from.")

    def _inside(self, X: Any) -> np.ndarray:
        return self._rows(self.preprocessor_.transform(_array(X)))

    def _batches(self, X: Any) -> StoreBatches:
        inside = self.preprocessor_.transform(_array(X))
        return self.preprocessor_.batches(inside, torch.device("cpu"))

    def _rows(self, inside: Store) -> np.ndarray:
        """Admitted examples in the model's units, ``(n, dimensions)``."""
        chunks = self.preprocessor_.batches(inside, torch.device("cpu")).chunks()
        return torch.cat([chunk.x.flatten(1) for chunk in chunks]).numpy()


def _array(X: Any) -> Any:
    """Examples as an array, or as a frame."""
    given = incoming(X)
    x = given.x if isinstance(given, Part) else given
    return x if is_frame(x) else numbers_of(x)
