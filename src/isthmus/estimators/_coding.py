"""Codes and conditions as streams of bytes: what lossy and lossless compression share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Writer
from isthmus.compression.frequencies import proportional
from isthmus.compression.indices import GROUP, IndexCoder
from isthmus.compression.mixtures import ClassMixture
from isthmus.compression.varints import damaged_data
from isthmus.data.conditions import LabelCondition
from isthmus.data.labels import LabelSet
from isthmus.errors import InputError
from isthmus.estimators._double import in_float64
from isthmus.estimators._sampling import SamplingMixin
from isthmus.estimators.inference import has_labels
from isthmus.priors._autoregressive import Autoregressive
from isthmus.priors._trained import TrainedPrior
from isthmus.priors.base import fitting


class CodingMixin(SamplingMixin):
    """How whole codes, and what a conditional member is told, become bytes."""

    def _told(self, X: Any, condition: Any, n: int) -> Tensor | None:
        """What a conditional member is told of examples ``(n, c)``: said, or brought by them."""
        if condition is None and self.preprocessor_.condition is not None and has_labels(X):
            condition = X.labels
        return self._condition(condition, n)

    def _index_streams(self, indices: np.ndarray, given: Tensor | None) -> list[bytes]:
        """Indices ``(n, total)`` of examples of which the member was told ``given``."""
        by_prior = self.prior_ is not None
        return self._index_coder(by_prior).encode(indices, self._classes(by_prior, given))

    def _indices_of(
        self, streams: tuple[bytes, ...], n: int, given: Tensor | None, by_prior: bool
    ) -> Tensor:
        """The inverse of :meth:`_index_streams`."""
        coder = self._index_coder(by_prior)
        return torch.from_numpy(coder.decode(streams, n, self._classes(by_prior, given)))

    def _index_coder(self, by_prior: bool) -> IndexCoder:
        """What codes indices by the fitted prior; all alike where that is not wanted."""
        prior = self.prior_
        if not by_prior or prior is None:
            return IndexCoder(self._levels)
        density = prior.module_ if isinstance(prior, TrainedPrior) else None
        if not isinstance(density, Autoregressive):
            raise InputError(
                f"prior {type(prior).__name__} does not say how likely an index is after the ones"
                " before it, so that nothing can be coded by it: call fit_prior with one of"
                f" {', '.join(fitting(self._levels, has_log_prob=True))}."
            )
        device = next(density.parameters()).device
        wide = in_float64(density)
        if prior.classes_ is None or self._told_classes is not None:
            return IndexCoder(self._levels, wide, device=device)
        shares = prior.classes_.shares
        mixture = ClassMixture(wide, shares, device)
        return IndexCoder(self._levels, mixture, device=device, rows=GROUP // len(shares))

    @property
    def _told_classes(self) -> LabelSet | None:
        """The classes of a conditional member whose prior is told them too."""
        known, prior = self.preprocessor_.condition, self.prior_
        knows = prior is not None and prior.classes_ is not None
        return known.labels if knows and isinstance(known, LabelCondition) else None

    def _classes(self, by_prior: bool, given: Tensor | None) -> Tensor | None:
        """What the prior is told of each example, ``(n, c)``, by what the member is told of it."""
        told, prior = self._told_classes, self.prior_
        if not by_prior or told is None or given is None or prior is None:
            return None
        assert prior.classes_ is not None
        names = [told.names[place] for place in given.argmax(1).tolist()]
        places = prior.classes_.indices(names, len(names))
        return torch.nn.functional.one_hot(places, len(prior.classes_.names)).double()

    def _condition_stream(self, given: Tensor | None) -> bytes:
        """What a conditional member was told of each example ``(n, c)``."""
        known = self.preprocessor_.condition
        if given is None:
            return b""
        if not isinstance(known, LabelCondition):
            return given.numpy().astype("<f4").tobytes()
        writer = Writer()
        writer.write(given.argmax(1).numpy(), proportional(known.labels.shares))
        return writer.content()

    def _condition_of(self, stream: bytes, n: int) -> Tensor | None:
        """The inverse of :meth:`_condition_stream`."""
        known = self.preprocessor_.condition
        if known is None:
            return None
        if not isinstance(known, LabelCondition):
            if len(stream) != 4 * n * known.size:
                raise damaged_data()
            numbers = np.frombuffer(stream, "<f4").astype(np.float32)
            return torch.from_numpy(numbers.reshape(n, known.size))
        classes = Reader(stream).read(proportional(known.labels.shares), n)
        return torch.nn.functional.one_hot(torch.from_numpy(classes), known.size).float()
