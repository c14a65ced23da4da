"""Missing values, filled in with what a trained member makes of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame
from isthmus.data.incoming import incoming
from isthmus.data.tables import filled_cells
from isthmus.estimators.inference import InferenceMixin

_ROUNDS = 20


class FillingMixin(InferenceMixin):
    """How a member fills in what is missing."""

    def impute(self, X: Any, *, condition: Any = None, rounds: int = _ROUNDS) -> Any:
        r"""Examples with their missing values filled in; all others are given back as they were.

        A value that is NaN, or a cell without a value, starts from what stands for it in training
        (the mean of a scaled column) and is replaced, a few times over, by what the member
        rebuilds:

        .. math:: x_{\text{mis}} \leftarrow g(f(x_{\text{obs}}, x_{\text{mis}}))_{\text{mis}}

        It is the better the more the member has learnt of how columns depend on each other, and
        the less its code can hold of a single one of them. Such a step makes examples more likely
        under the model (Rezende et al. 2014, appendix F); the mean of the posterior is taken here
        in place of a draw, so that the same values come at every call.

        Args:
            X: examples with NaN, of any kind but sequences, whose NaN is padding.
            condition: as for :meth:`transform`.
            rounds: how many times the missing values are replaced.

        Reference:
            D. J. Rezende, S. Mohamed and D. Wierstra, Stochastic backpropagation and approximate
            inference in deep generative models, ICML 2014.
        """
        X = incoming(X)
        return self._imputed(self._array(X), X, condition, rounds)

    def _imputed(self, x: Any, X: Any, condition: Any = None, rounds: int = _ROUNDS) -> Any:
        """Checked examples with their missing values filled in, in the form of X."""
        batches = self._batches(X, condition, gaps=True, checked=x)
        with self._inference(X) as module:
            filled = [filled_in(module, batch, rounds).cpu().numpy() for batch in batches.chunks()]
        found = self._given_back(np.concatenate(filled), X, is_bounded=True)
        given: Any = X.x if isinstance(X, Part) else X
        if is_frame(given) and is_frame(found):
            return filled_cells(given, found)
        return np.where(np.isnan(x), found, x).astype(found.dtype) if x.dtype.kind == "f" else found


def filled_in(module: Autoencoder, batch: Batch, rounds: int) -> Tensor:
    """x of a batch, ``(n, *shape)``, with what was not observed put in by a trained module."""
    if batch.mask is None or bool(batch.mask.all()):
        return batch.x
    x = batch.x
    for _ in range(rounds):
        restored = module(batch._replace(x=x))
        better = torch.where(batch.mask, batch.x, restored)
        if not bool(better.isfinite().all()):  # it leads away, and nowhere
            break
        x = better
    return x
