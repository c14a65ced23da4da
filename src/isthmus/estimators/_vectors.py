"""Codes that are vectors as few bytes: rounded as coarsely as reconstructions allow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.indices import IndexCoder
from isthmus.compression.varints import damaged_data
from isthmus.compression.vectors import FINEST, MixtureGrid
from isthmus.core.reductions import squared_error
from isthmus.errors import InputError
from isthmus.estimators._coding import CodingMixin
from isthmus.priors.mixture import Mixture

_LOSS = 0.01  # by how much more rounded codes may err, as a share


class VectorCodingMixin(CodingMixin):
    """How a member codes vectors under a Gaussian mixture."""

    def _vector_streams(self, X: Any, condition: Any) -> tuple[list[bytes], int]:
        """Streams of the codes of examples, the first of which says how fine their grid is; and how
        many examples there are.
        """
        codes = torch.from_numpy(self._posterior(X, condition)[0])
        batches, fineness = self._batches(X, condition), 0
        with self._inference(batches.dtype) as module:

            def error(z: Tensor) -> float:
                """The squared error of what codes are decoded to, in the model's units."""
                total, start = 0.0, 0
                for batch in batches.chunks():
                    some = z[start : start + batch.size].to(batch.x)
                    made = batch.observed(module.decode(some, batch.condition, batch))
                    total += float(squared_error(made, batch.x).double().sum())
                    start += batch.size
                return total

            allowed = (1 + _LOSS) * error(codes)
            while True:
                grid = self._grid(fineness)
                indices = grid.indices(codes.flatten(1))
                if fineness == FINEST or error(self._on_grid(grid, indices)) <= allowed:
                    break
                fineness += 1
        streams = IndexCoder(grid.levels, grid).encode(indices)
        return [bytes([fineness]), *streams], len(codes)

    def _vectors_of(self, streams: tuple[bytes, ...], n: int) -> Tensor:
        """The codes ``(n, *code_shape)`` of what :meth:`_vector_streams` gave."""
        if len(streams) < 2 or len(streams[0]) != 1 or streams[0][0] > FINEST:
            raise damaged_data()
        grid = self._grid(streams[0][0])
        return self._on_grid(grid, IndexCoder(grid.levels, grid).decode(streams[1:], n))

    def _on_grid(self, grid: MixtureGrid, indices: np.ndarray) -> Tensor:
        """Codes ``(n, *code_shape)``, of numbers of the grid."""
        shape = self.module_.bottleneck.code_shape
        return grid.codes(indices).float().reshape(-1, *shape)

    def _grid(self, fineness: int) -> MixtureGrid:
        """The grid of the fitted mixture, or of the standard normal prior of drawn codes.

        Raises:
            InputError: for a member without either.
        """
        prior, bottleneck = self.prior_, self.module_.bottleneck
        if prior is None and bottleneck.is_gaussian:
            zeros = torch.zeros(1, math.prod(bottleneck.code_shape), dtype=torch.float64)
            return MixtureGrid(torch.ones(1, dtype=torch.float64), zeros, zeros + 1, fineness)
        if not isinstance(prior, Mixture):
            has = "no prior" if prior is None else f"the prior {type(prior).__name__}"
            raise InputError(
                f"{type(self).__name__} has codes of real numbers and {has}, under which they"
                " cannot be coded: call fit_prior with 'mixture', or train 'vqvae'."
            )
        shares = torch.ones(1) if prior.classes_ is None else torch.tensor(prior.classes_.shares)
        weights = prior.weights_ * shares.double()[prior.owners_]
        return MixtureGrid(weights / weights.sum(), prior.means_, prior.factors_, fineness)
