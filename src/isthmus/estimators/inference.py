"""From the user's arrays to a trained module and back: floating types, noise for a bound, codes and
conditions that are checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from typing import Any, ClassVar, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.example import Kind
from isthmus.core.forward import Level
from isthmus.core.randomness import are_own, may_draw, own_draws
from isthmus.data._layout import extent, warn_of_large
from isthmus.data._sequences import is_ragged, padded
from isthmus.data.batches import StoreBatches
from isthmus.data.conditions import LabelCondition
from isthmus.data.datasets import Part
from isthmus.data.frames import is_frame, numbers_of
from isthmus.data.incoming import codes_array, incoming, require_rows
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.rows import with_columns
from isthmus.data.series import Cut
from isthmus.data.sounds import Sounds
from isthmus.data.stores import Store, inference_rows
from isthmus.data.streams import Stream
from isthmus.errors import InputError, InputTypeError
from isthmus.estimators._double import in_evaluation, in_float64
from isthmus.estimators._results import collected, require_finite
from isthmus.estimators.precision import dtype_of, like, outside, precision_for
from isthmus.estimators.settings import Settings
from isthmus.training.runtimes import multiplying, prepare_thread


def has_labels(X: Any) -> bool:
    """Whether X is a part of a data set that brings its labels."""
    return isinstance(X, Part) and X.y is not None


class InferenceMixin(Settings):
    """What a trained member does between an array and its module."""

    preprocessor_: Preprocessor
    module_: Autoencoder

    default_kind: ClassVar[Kind | None] = None
    """What arrays of one or two axes an example are, where neither user nor data say it."""

    def _kind(self, axes: int, X: Any = None) -> Kind | None:
        """What examples of so many axes are by what the user, the member and windows say; None: as
        usual.
        """
        said = None if self.kind == "auto" else cast("Kind", self.kind)
        wanted = said or (self.default_kind if axes <= 2 else None)
        if not isinstance(X, Cut):
            return wanted
        if isinstance(X, Sounds) and wanted not in (None, X.kind):
            raise InputError(
                f"X holds sounds, which are signals, but {type(self).__name__} reads"
                f" kind={wanted!r}: pass kind='signal', or take another member."
            )
        if wanted not in (None, X.kind):
            raise InputError(
                f"X holds windows that were cut for kind={X.kind!r}, but {type(self).__name__}"
                f" reads kind={wanted!r}: cut them by ist.data.windows(..., kind={wanted!r})."
            )
        return X.kind

    def _array(self, X: Any, reset: bool = False, settled: Preprocessor | None = None) -> Any:
        """A table through scikit-learn's own checks (names, types), as an array or, where it is
        sparse, as sparse rows; anything with more axes as it is.

        ``reset`` where X settles what examples are; else that is what ``settled`` says, or the last
        training.
        """
        given = incoming(X)
        x = given.x if isinstance(given, Part) else given
        if isinstance(given, Cut) and not reset:
            (settled or self._settled).check_channels(given.channel_names)
        if isinstance(given, Sounds) and not reset:
            (settled or self._settled).check_rate(given.sample_rate)
        if isinstance(x, Stream):
            return self._checked_stream(x, reset)
        if is_ragged(x):
            known = None if reset else settled or self._settled
            x = self._padded(x, known)
        require_rows(x)
        is_table = is_frame(x) and self._reads_tables(reset, settled)
        if not is_table:
            warn_of_large(x)
        elif not reset and (settled or self._settled).knows(x):
            return x  # what scikit-learn would say of these names, it said at fit
        if getattr(x, "ndim", 2) > 2:
            return np.asanyarray(x)
        kinds = [np.float64, np.float32, np.uint8]
        if is_frame(x) and not is_table:
            numbers_of(x)  # refuses what is no number, with the name of its column
        try:
            if is_table:  # its names alone: what its cells are is seen column by column
                return validate_data(self, x, reset=reset, skip_check_array=True)
            return validate_data(
                self, x, reset=reset, accept_sparse="csr", dtype=kinds, ensure_all_finite=False
            )
        except TypeError as error:
            raise InputTypeError(
                f"X is a {type(x).__name__} of which no array of numbers can be made"
                f" ({str(error).split('.')[0]}): give an array, a pandas.DataFrame or sparse rows."
            ) from error
        except ValueError as error:  # the same words on one line, as an error of ours
            raise InputError(" ".join(str(error).split())) from error

    def _padded(self, x: Any, known: Preprocessor | None) -> np.ndarray:
        """A list of sequences or of signals as an array, NaN behind the end of each."""
        kind = self._kind(2) if known is None else known.spec.kind
        if kind not in ("signal", "sequence"):
            with suppress(ValueError):  # rows that are uneven themselves
                if len({np.shape(example) for example in x}) == 1:
                    return cast(np.ndarray, incoming(np.asarray(x)))
            raise InputError(
                "X is a list of examples of unequal length: pass kind='signal' for (channels,"
                " time), kind='sequence' for (time, features), or an array."
            )
        place = -1 if kind == "signal" else 0
        longest = None if known is None else known.layout.outer[place]
        return padded(x, longest, kind)

    def _reads_tables(self, reset: bool, settled: Preprocessor | None) -> bool:
        """Whether a frame is read as a table of columns of several kinds."""
        if reset:
            return self.image_shape is None and self._kind(1) in (None, "table")
        return (settled or self._settled).table is not None

    @property
    def _settled(self) -> Preprocessor:
        """What the last training settled."""
        self._fitted()
        return self.preprocessor_

    def _given_back(self, decoded: np.ndarray, X: Any = None, *, is_bounded: bool = False) -> Any:
        """Decoded examples ``(n, *shape)`` in the layout and units of the data, and in the form of
        X: a frame for a frame, an array for an array, in its floating type.

        Without X, rows of a table are a frame where the model was trained on one. Where it
        ``is_bounded``, numbers stay within the reach of the training examples.
        """
        preprocessor = self.preprocessor_
        x: Any = X.x if isinstance(X, Part) else X
        if preprocessor.table is None:
            with np.errstate(over="ignore", invalid="ignore"):
                found = preprocessor.inverse_transform(outside(decoded, dtype_of(x)))
            return require_finite(found, "reconstruction")
        numbers = preprocessor.inverse_transform(decoded.astype(np.float64))
        require_finite(numbers, "reconstruction")
        if is_frame(x):
            return preprocessor.table.decode(numbers, x, is_bounded=is_bounded)
        frame = preprocessor.table.decode(numbers, is_bounded=is_bounded)
        if isinstance(x, np.ndarray) or not preprocessor.table.from_frame:
            return like(numbers_of(frame), dtype_of(x))
        return frame

    def _checked_stream(self, stream: Stream, reset: bool) -> Stream:
        """A stream whose columns, if it is a table, are those of the training examples."""
        if stream.ndim > 2:
            return stream
        head = with_columns(stream[:1], stream.columns)
        try:
            validate_data(self, head, reset=reset, ensure_all_finite=False)
        except ValueError as error:
            raise InputError(" ".join(str(error).split())) from error
        return stream

    def _checked_codes(self, Z: Any) -> np.ndarray:
        self._fitted()
        shape = self.module_.bottleneck.code_shape
        z = np.ascontiguousarray(codes_array(Z), dtype=np.float32)
        if z.shape[1:] not in (shape, (math.prod(shape),)) or len(z) == 0:
            raise InputError(
                f"codes have the shape {z.shape}, but this model takes (n,"
                f" {', '.join(map(str, shape))})."
            )
        extent(z, "codes")
        return z.reshape(len(z), *shape)

    def _decoded(
        self,
        z: Tensor,
        Z: Any = None,
        condition: Any = None,
        *,
        given: Tensor | None = None,
        drawn: bool = False,
    ) -> Any:
        """Examples of codes ``(n, *code_shape)``, in the floating type of what was handed in.

        Under a condition: of what the user says, or ``given`` as numbers ``(n, c)``. Those of a
        table may be ``drawn`` from p(x | z), by torch's random state; others are expected ones.
        """
        given = self._condition(condition, len(z)) if given is None else given
        dtype = dtype_of(Z)
        floating = precision_for(dtype, self._device)
        with self._inference(floating) as module:
            size = inference_rows(self.preprocessor_.spec.shape)
            chunks = z.to(self._device, floating if z.is_floating_point() else z.dtype).split(size)
            known = [None] * len(chunks) if given is None else given.to(self._device).split(size)
            decoded = (
                (self._examples_of(module, chunk, None if at is None else at.to(floating), drawn),)
                for chunk, at in zip(chunks, known, strict=True)
            )
            examples = collected(decoded, len(z))[0]
        if self.preprocessor_.table is not None:
            require_finite(examples, "example", "the codes")
            return self._given_back(examples, is_bounded=drawn)
        with np.errstate(over="ignore", invalid="ignore"):
            found = like(self.preprocessor_.inverse_transform(examples), dtype)
        return require_finite(found, "example", "the codes")

    def _examples_of(
        self, module: Autoencoder, z: Tensor, condition: Tensor | None, drawn: bool
    ) -> Tensor:
        """What codes become inside, ``(n, *shape)``."""
        if drawn:
            return module.likelihood.draw(module.parameters_at(z, condition))
        return module.decode(z, condition)

    def _condition(self, condition: Any, n: int) -> Tensor | None:
        """What the user says of n examples, as the numbers that a conditional member sees."""
        known = self.preprocessor_.condition
        if known is None:
            if condition is not None:
                raise self._unconditional(condition)
            return None
        if condition is None:
            kind = "label" if isinstance(known, LabelCondition) else "covariates"
            raise InputError(
                f"{type(self).__name__} was trained with condition={kind!r}: pass condition=..."
                " with what is known of each example, or a part of a data set that has labels."
            )
        return known.transform(condition, n)

    def _unconditional(self, condition: Any) -> InputError:
        shape = np.shape(condition)
        given = f"condition of shape {shape}" if shape else f"condition={condition!r}"
        return InputError(
            f"{given} means nothing to this {type(self).__name__}, which was trained without one:"
            " leave it out, or train with condition='label' and fit(X, y), where the member has it."
        )

    def _preprocessed(self, X: Any) -> Store:
        """Examples as they are kept inside, ``(n, *shape)``."""
        self._fitted()
        return self.preprocessor_.transform(self._array(X))

    def _batches(
        self,
        X: Any,
        condition: Any = None,
        *,
        charged: bool = False,
        gaps: bool = False,
        checked: Any = None,
        dtype: np.dtype[Any] | None = None,
        is_wide: bool = False,
    ) -> StoreBatches:
        """Examples ready for the module; ``charged`` where the likelihood will be asked about them,
        which may know some values only; ``gaps`` where NaN marks what is to be filled in, in
        examples of any kind; ``checked``, what :meth:`_array` made of X, and ``dtype``, the type
        of X, if they were asked already; ``is_wide``, in float64 whatever X is.
        """
        self._fitted()
        x = self.preprocessor_.transform(self._array(X) if checked is None else checked, gaps=gaps)
        if charged:
            self.preprocessor_.require_grid(x)
        if condition is None and self.preprocessor_.condition is not None and has_labels(X):
            condition = X.labels
        return self.preprocessor_.batches(
            x,
            self._device,
            precision_for(dtype or dtype_of(X), self._device, is_wide=is_wide),
            condition=self._condition(condition, len(x)),
        )

    @property
    def _levels(self) -> tuple[Level, ...]:
        return self._fitted().bottleneck.levels

    def _fitted(self) -> Autoencoder:
        """The trained module.

        Raises:
            NotFittedError: where there is none, as scikit-learn says it, which is slow to ask.
        """
        if not hasattr(self, "module_"):
            check_is_fitted(self, "module_")
        return self.module_

    def _codes_for_prior(self, X: Any, condition: Any = None) -> Tensor:
        """The codes that a prior is fitted on, ``(n, *code_shape)``: drawn once where the posterior
        is a distribution.
        """
        X = incoming(X)
        batches = self._batches(X, condition)
        with self._inference(batches.dtype) as module, own_draws(0):
            is_drawn = module.bottleneck.is_random and not module.bottleneck.levels
            found = [
                (
                    module.code(module.features(batch), batch.condition).z
                    if is_drawn
                    else module.encode(batch)[0]
                ).cpu()
                for batch in batches.chunks()
            ]
        codes = torch.cat(found)
        return codes.float() if codes.is_floating_point() else codes

    @property
    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device

    @property
    def _n_features_out(self) -> int:
        return int(np.prod(self.module_.bottleneck.code_shape))

    @contextmanager
    def _inference(
        self, floating: torch.dtype = torch.float32, *, charged: bool = False
    ) -> Iterator[Autoencoder]:
        """The trained module, ready for examples of a floating type, without gradients; ``charged``
        where it is asked for its loss. What it draws nobody else sees, the same at every call.
        """
        self._fitted()
        prepare_thread()
        is_exact = floating == torch.float64
        module = in_float64(self.module_) if is_exact else in_evaluation(self.module_)
        draws = may_draw(module, charged=charged) and not are_own()
        with torch.inference_mode(), own_draws(0) if draws else nullcontext(), multiplying():
            yield module

    def _posterior(self, X: Any, condition: Any = None) -> Any:
        """The posterior of each example, as the bottleneck's own named tuple, of arrays."""
        X = incoming(X)
        dtype = dtype_of(X)
        batches = self._batches(X, condition, dtype=dtype)
        with self._inference(batches.dtype) as module:
            chunks = map(module.encode, batches.chunks())
            first = next(chunks)
            arrays = collected(chain([first], chunks), len(batches))
        return type(first)(*(require_finite(like(array, dtype), "code") for array in arrays))
