"""Missing values, filled in with what a trained member expects of them given the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.hiding import GapEncoder
from isthmus.core.reductions import beside
from isthmus.data._scaling import PIXELS
from isthmus.data._statistics import is_sparse
from isthmus.data.batches import StoreBatches
from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame
from isthmus.data.incoming import incoming
from isthmus.data.tables import filled_cells
from isthmus.estimators.inference import InferenceMixin

_ROUNDS = 5


class FillingMixin(InferenceMixin):
    """How a member fills in what is missing."""

    def impute(self, X: Any, *, condition: Any = None) -> Any:
        r"""Examples with their missing values filled in; all others are given back as they were.

        A value that is NaN, or a cell without a value, becomes what the member rebuilds from those
        that are there:

        .. math:: x_{\text{mis}} \leftarrow g(f(x_{\text{obs}}))_{\text{mis}}

        A variational member gives the expectation under all its codes, by importance weighting
        (Mattei and Frellsen 2019), the same at every call:

        .. math:: x_{\text{mis}} \leftarrow \mathbb{E}[x_{\text{mis}} \mid x_{\text{obs}}]
                  \approx \sum_s w_s \, \mathbb{E}[x_{\text{mis}} \mid z_s], \quad
                  w_s \propto
                  \frac{p(x_{\text{obs}} \mid z_s) \, p(z_s)}{q(z_s \mid x_{\text{obs}})}

        It is the better the more the member has learnt of how columns depend on each other. Train
        on rows with gaps, or with ``hide=0.3`` on rows without.

        Args:
            X: examples with NaN, of any kind but sequences, whose NaN is padding.
            condition: as for :meth:`transform`.

        Reference:
            P.-A. Mattei and J. Frellsen, MIWAE: deep generative modelling and imputation of
            incomplete data sets, ICML 2019.
        """
        X = incoming(X)
        return self._imputed(self._array(X), X, condition)

    def _imputed(self, x: Any, X: Any, condition: Any = None) -> Any:
        """Checked examples with their missing values filled in, in the form of X."""
        batches = self._batches(X, condition, gaps=True, checked=x)
        with self._inference(batches.dtype) as module:
            filled = [
                batch.filled(means).cpu().numpy()
                for batch, means in self._expected(module, batches)
            ]
        found = self._given_back(np.concatenate(filled), X, is_bounded=True)
        given: Any = X.x if isinstance(X, Part) else X
        if is_frame(given) and is_frame(found):
            return filled_cells(given, found)
        return np.where(np.isnan(x), found, x).astype(found.dtype) if x.dtype.kind == "f" else found

    def _without(self, x: Any, gone: np.ndarray) -> np.ndarray:
        """Checked examples with NaN in place of what is marked as missing."""
        x = x.toarray() if is_sparse(x) else x
        if x.dtype in PIXELS and self.preprocessor_.spec.unit_range:
            x = x / np.float32(PIXELS[x.dtype])
        return np.where(gone, np.nan, x).astype(np.float32 if x.dtype == np.float32 else np.float64)

    def _expected(
        self, module: Autoencoder, batches: StoreBatches
    ) -> Iterator[tuple[Batch, Tensor]]:
        """Examples, and what is expected of all their values given those that are observed."""
        for batch in batches.chunks():
            yield batch, restored(module, batch, rounds_of(module))


def rounds_of(module: Autoencoder) -> int:
    """How many times over missing values are looked at: once by an encoder that knows of them."""
    return 1 if isinstance(module.encoder, GapEncoder) else _ROUNDS


def restored(module: Autoencoder, batch: Batch, rounds: int) -> Tensor:
    """What a module rebuilds of examples, ``(n, *shape)``, from what was observed of them.

    Each round starts from what the one before it made of the missing values. That is kept of each
    example under which its observed values are likeliest, so that no round does harm.
    """
    seen, best, least = batch, batch.x, None
    for _ in range(rounds):
        z = module.encode(seen)[0]
        parameters = module.parameters_at(z, batch.condition, batch)
        cost = module.likelihood.nll(parameters, batch.x, batch.mask)  # (n,)
        means = module.likelihood.mean(parameters)
        is_better = cost.isfinite() if least is None else cost < least
        best = means.where(beside(is_better, means), best)
        least = cost if least is None else torch.minimum(cost, least)
        seen = batch._replace(x=batch.filled(means))
    return best
