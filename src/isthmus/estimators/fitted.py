"""What one does with a trained member: codes, reconstructions, samples, scores, a prior over its
codes.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.parts import Configurable
from isthmus.core.paths import as_path
from isthmus.core.reductions import squared_error
from isthmus.data._sequences import as_list, is_ragged, lacks_steps
from isthmus.data.batches import StoreBatches
from isthmus.data.conditions import LabelCondition
from isthmus.data.datasets import Part
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators._compressing import CompressionMixin
from isthmus.estimators._exporting import ExportingMixin
from isthmus.estimators._filling import FillingMixin
from isthmus.estimators._noise import shared_noise
from isthmus.estimators._results import collected, scores_of
from isthmus.estimators.inference import has_labels
from isthmus.io import runs
from isthmus.priors.base import Prior, fitted
from isthmus.training.settings import seed_of


class FittedEstimator(
    FillingMixin,
    ExportingMixin,
    CompressionMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    Configurable,
    ABC,
):
    """A member once it is trained: a scikit-learn transformer, and what an autoencoder offers
    beyond one.
    """

    learns_prior: ClassVar[bool] = False
    """Whether a prior over the codes is learnt in training, so that none can be fitted afterwards.
    """

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may hand in: where values have no order in time, sparse rows and rows
        that lack values too.
        """
        tags: Tags = super().__sklearn_tags__()
        is_row = self._kind(1) not in ("signal", "sequence")
        tags.input_tags.sparse = tags.input_tags.allow_nan = is_row
        return tags

    def transform(self, X: Any, condition: Any = None) -> np.ndarray:
        """The code of each example as a row, ``(n, features)``, the same at every call (a
        posterior's mean).

        ``condition``, here and below, is what a conditional member is told of each example: its
        label ``(n,)`` or its covariates ``(n, c)``, or one for all. A part of a data set brings its
        labels.
        """
        return self.codes(X, condition)

    def inverse_transform(self, X: Any, condition: Any = None) -> np.ndarray:
        """Decode codes ``(n, features)`` to examples in the layout and units of the data."""
        return self.decode(X, condition)

    def codes(self, X: Any, condition: Any = None) -> np.ndarray:
        """The code of each example as a row, ``(n, features)``; a code of several axes is laid out
        flat.
        """
        codes = self._posterior(X, condition)[0]
        return codes.reshape(len(codes), -1)

    def encode(self, X: Any, condition: Any = None) -> Any:
        """Encode examples: a named tuple of arrays for a posterior distribution, else the codes."""
        posterior = self._posterior(X, condition)
        return posterior[0] if len(posterior) == 1 else posterior

    def decode(self, Z: Any, condition: Any = None) -> Any:
        """Decode codes, flat or ``(n, *code_shape)``, to examples in the layout of the data."""
        Z = incoming(Z, "codes")
        return self._decoded(torch.from_numpy(self._checked_codes(Z)), Z, condition)

    def reconstruct(self, X: Any, y: Any = None, *, condition: Any = None) -> Any:
        """What comes back when examples are encoded and decoded, in the layout and units of the
        data: an array, NaN where X has no value; a list for a list.

        Args:
            X: examples.
            y: what a conditional member is told of them while it encodes; ``condition`` or the
                labels of a part of a data set where it is None.
            condition: what it is told while it decodes, ``y`` where it is None: another label than
                their own gives the same style under that label.
        """
        X = incoming(X)
        x = self._array(X)
        own = condition if y is None and not has_labels(X) else y
        restored = self._restored(x, X, own, condition)
        kind = self.preprocessor_.spec.kind
        if lacks_steps(x, kind):
            restored = np.where(np.isnan(x), np.nan, restored).astype(restored.dtype)
        return as_list(restored, kind) if is_ragged(X) else restored

    def _restored(self, x: Any, X: Any, own: Any = None, condition: Any = None) -> Any:
        """What comes back of checked examples, ``(n, *outer)``, in the form of X.

        ``own`` is what they are encoded under, ``condition`` what they are decoded under.
        """
        batches = self._batches(X, own, checked=x)
        wanted = self._condition(condition, len(batches)) if condition is not None else None
        with self._inference(batches.dtype) as module:
            decoded = collected(_restored(module, batches, wanted), len(batches))[0]
        return self._given_back(decoded, X)

    def terms(self, X: Any, condition: Any = None) -> dict[str, np.ndarray]:
        """The terms of the loss of each example, each ``(n,)``: ``"distortion"`` and, where there
        is one, ``"rate"``.

        A code that is drawn is drawn 16 times, with the same noise for every example. In nats, in
        the model's units; under ``likelihood="mse"`` the distortion is the squared error.
        """
        X = incoming(X)
        return scores_of(lambda is_wide: self._terms(X, condition, is_wide))

    def _terms(self, X: Any, condition: Any, is_wide: bool) -> dict[str, np.ndarray]:
        batches = self._batches(X, condition, charged=True, is_wide=is_wide)
        with self._inference(batches.dtype, charged=True) as module:
            noise = shared_noise(module.bottleneck, next(module.parameters()))
            rows = []
            for batch in batches.chunks():
                features = module.features(batch)
                rows.append([module.cost(features, batch, e).terms for e in noise])
        means = [
            {name: torch.stack([draw[name] for draw in row]).mean(0) for name in row[0]}
            for row in rows
        ]
        return {name: torch.cat([row[name] for row in means]).cpu().numpy() for name in means[0]}

    def squared_error(self, X: Any, condition: Any = None) -> np.ndarray:
        """The squared error of each reconstruction, summed over the values that were observed,
        ``(n,)``, in the model's units.

        Those are [0, 1] for pixels, and standard deviations for what is standardised.
        """
        X = incoming(X)

        def compute(is_wide: bool) -> dict[str, np.ndarray]:
            batches = self._batches(X, condition, is_wide=is_wide)
            with self._inference(batches.dtype) as module:
                errors = [observed_error(module(batch), batch) for batch in batches.chunks()]
            return {"squared error": torch.cat(errors).cpu().numpy()}

        return scores_of(compute)["squared error"]

    def score_samples(self, X: Any, condition: Any = None) -> np.ndarray:
        """How well the model explains each example, ``(n,)``, higher is better: −distortion − rate.

        For a VAE it is the evidence bound in nats, for an AE the log-likelihood of the
        reconstruction, and under ``likelihood="mse"`` minus the squared error.
        """
        terms = self.terms(X, condition)
        return -(terms["distortion"] + terms.get("rate", 0.0))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of :meth:`score_samples`; y holds the conditions of a conditional member."""
        is_conditional = self._fitted() and self.preprocessor_.condition is not None
        return float(self.score_samples(X, y if is_conditional else None).mean())

    def fit_prior(self, X: Any, y: Any = None, *, prior: str | Prior = "auto") -> Self:
        """Fit a distribution over the codes of examples; ``sample`` draws from it from then on, and
        it is saved with the run.

        Args:
            X: examples, as for :meth:`fit`; or a part of a data set, whose labels are used,
                by the names of its classes.
            y: labels ``(n,)``, for priors that can draw a class at a time; what a conditional
                member is told of each example.
            prior: a name in :data:`isthmus.registry.PRIORS`, a prior with settings of your own, or
                ``"auto"``: a Gaussian mixture for vectors, a gated PixelCNN for indices.

        Raises:
            InputError: for a prior that does not fit the codes, and for members whose prior is
                learnt in training.
        """
        if self.learns_prior:
            raise InputError(
                f"{type(self).__name__} learns the prior of its codes in training, so there is none"
                " to fit: call sample(n)."
            )
        known, X = self._fitted() and self.preprocessor_.condition, incoming(X)
        labels = X.labels if y is None and isinstance(X, Part) else y
        codes, levels = self._codes_for_prior(X, labels if known else None), self._levels
        seed = seed_of(self.random_state)
        by_class = labels if known is None or isinstance(known, LabelCondition) else None
        self.prior_: Prior | None = fitted(prior, codes, by_class, levels, seed=seed, settings=self)
        return self

    def score_prior(self, X: Any, y: Any = None) -> float:
        """The mean of log p of the codes of examples under the prior of :meth:`fit_prior`, in nats;
        given labels, log p(z | y).

        A code that has a distribution is drawn once.

        Raises:
            InputError: where no prior was fitted.
        """
        self._fitted()
        if self.prior_ is None:
            raise InputError(f"{type(self).__name__} has no fitted prior: call fit_prior(X) once.")
        known = self.preprocessor_.condition
        codes = self._codes_for_prior(X, y if known else None)
        by_class = y if known is None or isinstance(known, LabelCondition) else None
        return float(self.prior_.log_prob(codes, by_class).mean())

    def save(self, path: str | Path) -> Path:
        """Write the run to a folder: weights, configuration, history. See :func:`isthmus.load`."""
        return runs.save(self, as_path(path, "path"))


def _restored(
    module: Autoencoder, batches: StoreBatches, wanted: Tensor | None
) -> Iterator[tuple[Tensor]]:
    """Reconstructions chunk by chunk, decoded under their own condition or the ``wanted`` one."""
    start = 0
    for batch in batches.chunks():
        stop = start + batch.size
        given = batch.condition if wanted is None else wanted[start:stop].to(batch.x)
        yield (module(batch, given),)
        start = stop


def observed_error(restored: Tensor, batch: Batch) -> Tensor:
    """The squared error over the values that were observed, ``(n,)``."""
    return squared_error(batch.observed(restored), batch.x)
