"""What one does with a trained member: codes, reconstructions, samples, scores, a prior over its
codes.
"""

from __future__ import annotations

import copy
import math
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.inference import like, precision_for, shared_noise
from isthmus.core.reductions import squared_error
from isthmus.data._layout import extent
from isthmus.data.batches import ArrayBatches, inference_rows
from isthmus.data.datasets import Part
from isthmus.errors import InputError
from isthmus.estimators.settings import Settings
from isthmus.training.settings import seed_of

if TYPE_CHECKING:
    from isthmus.priors.base import Prior


class FittedEstimator(
    Settings, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC
):
    """A member once it is trained: a scikit-learn transformer, and what an autoencoder offers
    beyond one.
    """

    learns_prior: ClassVar[bool] = False
    """Whether a prior over the codes is learnt in training, so that none can be fitted afterwards.
    """

    @property
    def code_space(self) -> str:
        """Where codes live: ``"data"`` (anywhere), ``"normal"`` (around N(0, I)), ``"unit"`` or
        ``"symmetric"`` (a box).
        """
        return "data"

    def _prior(self, n: int, temperature: float) -> Tensor:
        """n codes drawn from the member's own prior, ``(n, *code_shape)``."""
        raise InputError(
            f"{type(self).__name__} has no prior over its codes, so there is nothing to sample"
            " from: call fit_prior(X) once (isthmus fit-prior RUN on the command line), then"
            " sample again."
        )

    def transform(self, X: Any) -> np.ndarray:
        """The code of each example as a row, ``(n, features)``, the same at every call (a
        posterior's mean).
        """
        return self.codes(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """What the decoder says of codes ``(n, features)``: examples in the layout and units of the
        data.
        """
        return self.decode(X)

    def codes(self, X: Any) -> np.ndarray:
        """The code of each example as a row, ``(n, features)``; a code of several axes is laid out
        flat.
        """
        codes = self._posterior(X)[0]
        return codes.reshape(len(codes), -1)

    def encode(self, X: Any) -> Any:
        """What the encoder says of each example: a named tuple of arrays where it is a
        distribution, else the codes.
        """
        posterior = self._posterior(X)
        return posterior[0] if len(posterior) == 1 else posterior

    def decode(self, Z: Any) -> np.ndarray:
        """What the decoder says of codes, flat or ``(n, *code_shape)``: examples in the layout and
        units of the data.
        """
        return self._decoded(torch.from_numpy(self._checked_codes(Z)), Z)

    def reconstruct(self, X: Any) -> np.ndarray:
        """What comes back when examples are encoded and decoded, in the layout and units of the
        data.
        """
        batches = self._batches(X)
        with self._inference(X) as module:
            decoded = np.concatenate([module(x).cpu().numpy() for x in batches.chunks()])
        return like(self.preprocessor_.inverse_transform(decoded), X)

    def sample(
        self,
        n: int = 16,
        *,
        label: Any = None,
        temperature: float = 1.0,
        random_state: int | None = None,
    ) -> np.ndarray:
        """n new examples: codes drawn from the prior, decoded. The expected x is given, not a draw
        of its noise.

        Args:
            n: how many.
            label: the class to draw, or one for each example ``(n,)``, of a prior that was fitted
                with labels.
            temperature: below 1 draws closer to what is most likely, at 1 from the prior as it is.
            random_state: the same seed gives the same samples.

        Raises:
            InputError: where the codes have no prior, or one that knows no labels; the message
                names the missing call.
        """
        check_is_fitted(self, "module_")
        numbers = isinstance(n, int | np.integer) and isinstance(
            temperature, float | int | np.number
        )
        if not numbers or isinstance(n, bool) or n < 1 or not 0 <= temperature < math.inf:
            raise InputError(
                f"n={n!r}, temperature={temperature!r}: give at least 1 example and a temperature"
                " of at least 0."
            )
        with torch.random.fork_rng():
            torch.manual_seed(seed_of(random_state))
            if self.prior_ is not None:
                codes = self.prior_.sample(n, label=label, temperature=temperature)
            elif label is None:
                codes = self._prior(n, temperature)
            else:
                raise InputError(
                    f"label={label!r} needs a prior that knows labels: call fit_prior(X, y) once,"
                    " then sample again."
                )
        return self._decoded(codes)

    def terms(self, X: Any) -> dict[str, np.ndarray]:
        """The terms of the loss of each example, each ``(n,)``: ``"distortion"`` and, where there
        is one, ``"rate"``.

        A code that is drawn is drawn 16 times, with the same noise for every example. In nats, in
        the model's units; under ``likelihood="mse"`` the distortion is the squared error.
        """
        batches = self._batches(X)
        with self._inference(X) as module:
            noise = shared_noise(module.bottleneck, next(module.parameters()))
            pairs = ((module.encoder(x), x) for x in batches.chunks())
            rows = [[module.cost(features, x, e).terms for e in noise] for features, x in pairs]
        means = [
            {name: torch.stack([draw[name] for draw in row]).mean(0) for name in row[0]}
            for row in rows
        ]
        return {name: torch.cat([row[name] for row in means]).cpu().numpy() for name in means[0]}

    def squared_error(self, X: Any) -> np.ndarray:
        """The squared error of each reconstruction, summed over the dimensions, ``(n,)``, in the
        model's units.

        Those are [0, 1] for pixels, and standard deviations for what is standardised.
        """
        batches = self._batches(X)
        with self._inference(X) as module:
            return torch.cat([squared_error(module(x), x) for x in batches.chunks()]).cpu().numpy()

    def score_samples(self, X: Any) -> np.ndarray:
        """How well the model explains each example, ``(n,)``, higher is better: −distortion − rate.

        For a VAE it is the evidence bound in nats, for an AE the log-likelihood of the
        reconstruction, and under ``likelihood="mse"`` minus the squared error.
        """
        terms = self.terms(X)
        return -(terms["distortion"] + terms.get("rate", 0.0))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of :meth:`score_samples`."""
        return float(self.score_samples(X).mean())

    def fit_prior(self, X: Any, y: Any = None, *, prior: str | Prior = "auto") -> Self:
        """Fit a distribution over the codes of examples; ``sample`` draws from it from then on, and
        it is saved with the run.

        Args:
            X: examples, as for :meth:`fit`; or a part of a data set, whose labels are used.
            y: labels ``(n,)``, for priors that can draw a class at a time.
            prior: a name in :data:`isthmus.registry.PRIORS`, a prior with settings of your own, or
                ``"auto"``: a Gaussian mixture for vectors, a gated PixelCNN for indices.

        Raises:
            InputError: for a prior that does not fit the codes, and for members whose prior is
                learnt in training.
        """
        from isthmus.priors.base import (
            fitted,
        )  # priors are trained by the loop that this module uses

        if self.learns_prior:
            raise InputError(
                f"{type(self).__name__} learns the prior of its codes in training, so there is none"
                " to fit: call sample(n)."
            )
        labels = X.y if y is None and isinstance(X, Part) else y
        codes, levels = self._codes_for_prior(X), self.module_.bottleneck.levels
        seed = seed_of(self.random_state)
        self.prior_: Prior | None = fitted(prior, codes, labels, levels, seed=seed, settings=self)
        return self

    def score_prior(self, X: Any, y: Any = None) -> float:
        """The mean of log p of the codes of examples under the prior of :meth:`fit_prior`, in nats;
        given labels, log p(z | y).

        A code that has a distribution is drawn once.

        Raises:
            InputError: where no prior was fitted.
        """
        check_is_fitted(self, "module_")
        if self.prior_ is None:
            raise InputError(f"{type(self).__name__} has no fitted prior: call fit_prior(X) once.")
        return float(self.prior_.log_prob(self._codes_for_prior(X), y).mean())

    def save(self, path: str | Path) -> Path:
        """Write the run to a folder: weights, configuration, history. See :func:`isthmus.load`."""
        from isthmus.io import runs  # it builds members by name, so it lies above them

        return runs.save(self, Path(path))

    # ------------------------------------------------------------------ what the above is made of

    def _array(self, X: Any, reset: bool = False) -> np.ndarray:
        """A table through scikit-learn's own preprocessor (names, types, sparse matrices); anything
        with more axes as it is.
        """
        x = X.x if isinstance(X, Part) else X.detach().cpu().numpy() if isinstance(X, Tensor) else X
        x = np.asarray(x) if isinstance(x, list) else x
        if getattr(x, "ndim", 2) > 2:
            return np.asanyarray(x)
        kinds = [np.float64, np.float32, np.uint8]
        try:
            checked: np.ndarray = validate_data(
                self, x, reset=reset, dtype=kinds, ensure_all_finite=False
            )
        except ValueError as error:  # the same words on one line, as an error of ours
            raise InputError(" ".join(str(error).split())) from error
        return checked

    def _checked_codes(self, Z: Any) -> np.ndarray:
        check_is_fitted(self, "module_")
        shape = self.module_.bottleneck.code_shape
        z = np.ascontiguousarray(Z, dtype=np.float32)
        if z.shape[1:] not in (shape, (math.prod(shape),)) or len(z) == 0:
            raise InputError(
                f"codes have the shape {z.shape}, but this model takes (n,"
                f" {', '.join(map(str, shape))})."
            )
        extent(z, "codes")
        return z.reshape(len(z), *shape)

    def _decoded(self, z: Tensor, Z: Any = None) -> np.ndarray:
        """Examples of codes ``(n, *code_shape)``, in the floating type of what was handed in."""
        with self._inference(Z) as module:
            rows = inference_rows(self.preprocessor_.layout.shape)
            dtype = precision_for(Z, self._device) if z.is_floating_point() else z.dtype
            chunks = z.to(self._device, dtype).split(rows)
            decoded = np.concatenate([module.decode(chunk).cpu().numpy() for chunk in chunks])
        return like(self.preprocessor_.inverse_transform(decoded), Z)

    def _preprocessed(self, X: Any) -> np.ndarray:
        """Examples as they are kept inside, ``(n, *shape)``."""
        check_is_fitted(self, "module_")
        return self.preprocessor_.transform(self._array(X))

    def _batches(self, X: Any) -> ArrayBatches:
        x = self._preprocessed(X)
        return self.preprocessor_.batches(x, self._device, precision_for(X, self._device))

    def _fitted(self) -> Autoencoder:
        check_is_fitted(self, "module_")
        return self.module_

    def _codes_for_prior(self, X: Any) -> Tensor:
        """The codes that a prior is fitted on, ``(n, *code_shape)``: drawn once where the posterior
        is a distribution.
        """
        batches = self._batches(X)
        with self._inference(X) as module, torch.random.fork_rng():
            torch.manual_seed(0)
            if module.bottleneck.is_random and not module.bottleneck.levels:
                codes = torch.cat(
                    [module.bottleneck(module.encoder(x)).z.cpu() for x in batches.chunks()]
                )
            else:
                codes = torch.cat([module.encode(x)[0].cpu() for x in batches.chunks()])
        return codes.float() if codes.is_floating_point() else codes

    @property
    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device

    @property
    def _n_features_out(self) -> int:
        return int(np.prod(self.module_.bottleneck.code_shape))

    @contextmanager
    def _inference(self, X: Any = None) -> Iterator[Autoencoder]:
        check_is_fitted(self, "module_")
        module = self.module_.eval()
        if precision_for(X, self._device) == torch.float64:
            module = copy.deepcopy(module).double()
        with torch.inference_mode():
            yield module

    def _posterior(self, X: Any) -> Any:
        """The posterior of each example, as the bottleneck's own named tuple, of arrays."""
        batches = self._batches(X)
        with self._inference(X) as module:
            chunks = [module.encode(x) for x in batches.chunks()]
        arrays = (like(torch.cat(parts).cpu().numpy(), X) for parts in zip(*chunks, strict=True))
        return type(chunks[0])(*arrays)
