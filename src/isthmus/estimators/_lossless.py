"""Examples as few bytes without any loss: every value is coded under the likelihood."""

from __future__ import annotations

import math
import zlib
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.bits_back import BitsBack
from isthmus.compression.container import Coded, ExampleForm
from isthmus.compression.values import ValueCoder, value_coder
from isthmus.compression.varints import damaged_data, read_varint, varint
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.errors import InputError
from isthmus.estimators._coding import CodingMixin

_SLACK = 0.01  # of a step: what float32 may be off
_ROUNDING = 1e-4  # the same, where few values could seem to lie on a grid by chance
_MOST_BINS = 256
_WHITES = (1, 255, 65535)  # what 1 inside a model may be in whole numbers outside


class WholeValues(NamedTuple):
    """Examples as numbers of steps of a grid.

    Attributes:
        x: the numbers, ``(n, m)``.
        white: what 1 inside the model is outside.
        dtype: the type of the examples.
    """

    x: np.ndarray
    white: int
    dtype: np.dtype[Any]


class LosslessMixin(CodingMixin):
    """How a member codes every value of examples."""

    def _coded_whole(self, X: Any, condition: Any) -> Coded:
        """Examples as streams that hold every value of them."""
        values = value_coder(self.module_.likelihood)
        is_gaussian = self.module_.bottleneck.is_gaussian
        if self.module_.bottleneck.is_random and not (is_gaussian or self._levels):
            raise InputError(
                f"lossless=True codes by bits back, and bits back needs codes that are Gaussians"
                f" beside N(0, I), which those of this {type(self).__name__} are not: train 'vae'"
                " with posterior='diagonal', latent_prior='standard' and geometry='euclidean', or"
                " 'vqvae'."
            )
        if not (is_gaussian or self._levels):
            raise InputError(
                f"{type(self).__name__} has no prior that says how likely its codes are, which"
                " lossless=True needs: train 'vae' or 'vqvae'."
            )
        x, white, dtype = self._whole_values(X, condition, values.size)
        n, given = len(x), self._told(X, condition, len(x))
        with self._inference(torch.float64) as module:
            ways = Networks(module, given, self.preprocessor_.spec.shape, values.size)
            if is_gaussian:
                notes, content, _ = ways.bits_back(values).encode(x)
                indices: list[bytes] = []
            else:
                codes = self._posterior(X, condition).indices
                indices = self._index_streams(codes, given)
                known = torch.from_numpy(codes)
                notes, content = values.encode(x, lambda rows: ways.at(known[rows], rows))
        streams = (self._condition_stream(given), varint(white), _checksum(x), notes, content)
        form = ExampleForm(n, self.preprocessor_.layout.outer, dtype)
        by_prior = self.prior_ is not None and not is_gaussian
        return Coded(form, (*streams, *indices), "everything", by_prior)

    def _whole_of(self, coded: Coded) -> np.ndarray:
        """The examples of what :meth:`_coded_whole` gave."""
        form, values = coded.form, value_coder(self.module_.likelihood)
        if len(coded.streams) < 5 or form.shape != self.preprocessor_.layout.outer:
            raise damaged_data()
        self._require_room(2 * form.n)  # whole numbers take twice as many bytes
        told, white, checksum, notes, content, *indices = coded.streams
        given = self._condition_of(told, form.n)
        size = math.prod(self.preprocessor_.spec.shape)
        with self._inference(torch.float64) as module:
            ways = Networks(module, given, self.preprocessor_.spec.shape, values.size)
            if module.bottleneck.is_gaussian:
                x = ways.bits_back(values).decode(notes, content, form.n, size)
            else:
                known = self._indices_of(tuple(indices), form.n, given, coded.by_prior)
                x = values.decode(notes, content, form.n, lambda rows: ways.at(known[rows], rows))
        if _checksum(x) != checksum:
            raise InputError(
                "the values come out otherwise here than they went in, so the data were changed or"
                " this machine computes too differently: decompress them where they were made."
            )
        return self._outside(x, read_varint(white, 0)[0], values.size, form.dtype)

    def _whole_values(self, X: Any, condition: Any, bins: int) -> WholeValues:
        """Examples as whole numbers, from which they can be made again.

        Raises:
            InputError: for what would not come back exactly.
        """
        given = self._array(X)
        batches = self._batches(X, condition, checked=given, is_wide=True)
        found = []
        for batch in batches.chunks():
            steps = batch.x.flatten(1).double().cpu().numpy() * (bins - 1)
            if batch.mask is not None or not isinstance(given, np.ndarray):
                raise InputError(
                    "X lacks values, or holds columns of its own kinds, which do not come back"
                    " exactly: give an array without NaN, or leave lossless=True out."
                )
            found.append(steps)
        steps = np.concatenate(found)
        x = np.rint(steps).astype(np.int64)
        if (np.abs(steps - x) > _SLACK).any() or x.min() < 0 or x.max() >= bins:
            raise self._off_grid(given, steps / (bins - 1), bins)
        for white in _WHITES:
            if np.array_equal(self._outside(x, white, bins, given.dtype), given):
                return WholeValues(x, white, given.dtype)
        raise InputError(
            f"X of {given.dtype} lies on the grid of {bins} values that the likelihood of this"
            f" {type(self).__name__} knows only up to rounding: give whole numbers, as uint8, or"
            " leave lossless=True out."
        )

    def _off_grid(self, given: np.ndarray, inside: np.ndarray, bins: int) -> InputError:
        """The error for examples whose values inside the likelihood does not know."""
        values, known = np.unique(inside), np.unique(given)
        needed = fewest_bins(values)
        ways = ["give such values in the units of training"] if len(known) <= bins else []
        if needed is not None:
            likelihood = f"ist.likelihoods.LogisticMixture(bins={needed})"
            named = "'bernoulli'" if needed == 2 else likelihood
            ways.append(f"train with likelihood={named}")
        ways.append("leave lossless=True out")
        return InputError(
            f"X of {given.dtype} holds {len(known)} different value{'s' * (len(known) != 1)} in"
            f" [{known[0]:g}, {known[-1]:g}], and not all are among the {bins} evenly spaced ones"
            f" that the likelihood of this {type(self).__name__} knows: {', or '.join(ways)}."
        )

    def _outside(self, x: np.ndarray, white: int, bins: int, dtype: np.dtype[Any]) -> np.ndarray:
        """Numbers of steps ``(n, m)`` in the layout, units and type of the data."""
        preprocessor = self.preprocessor_
        inside = (x / (bins - 1)).reshape(len(x), *preprocessor.spec.shape)
        outside = preprocessor.inverse_transform(inside) * white
        return (outside if dtype.kind == "f" else np.rint(outside)).astype(dtype)


class Networks:
    """What the networks of a member say of some examples, in float64.

    Args:
        module: the member.
        given: what a conditional one is told of each example, ``(n, c)``.
        shape: of an example inside the model.
        bins: the values of the grid on which examples lie.
    """

    def __init__(self, module: Autoencoder, given: Tensor | None, shape: Shape, bins: int) -> None:
        self.module, self.shape, self.bins = module, shape, bins
        self.device = next(module.parameters()).device
        self.given = None if given is None else given.double().to(self.device)

    def posterior(self, x: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """μ and log σ² of the codes of values ``(b, m)`` on the grid, each ``(b, d)``."""
        inside = torch.from_numpy(x / (self.bins - 1)).reshape(-1, *self.shape).to(self.device)
        mu, log_var = self.module.encode(Batch(inside, self._told(rows)))[:2]
        return mu.flatten(1).cpu().numpy(), log_var.flatten(1).cpu().numpy()

    def at(self, z: Tensor, rows: slice) -> Tensor:
        """A decoder's parameters, of codes of some rows."""
        return self.module.parameters_at(z.to(self.device), self._told(rows))

    def bits_back(self, values: ValueCoder) -> BitsBack:
        """What codes values under the member's posterior, likelihood and prior."""
        code_shape = self.module.bottleneck.code_shape

        def parameters(z: np.ndarray, rows: slice) -> Tensor:
            return self.at(torch.from_numpy(z).reshape(-1, *code_shape), rows)

        return BitsBack(self.posterior, parameters, values, math.prod(code_shape))

    def _told(self, rows: slice) -> Tensor | None:
        return None if self.given is None else self.given[rows]


def fewest_bins(values: np.ndarray) -> int | None:
    """How many evenly spaced values from 0 to 1 hold all of some; None for more than 256.

    Example:
        >>> fewest_bins(np.array([0, 0.25, 0.5])), fewest_bins(np.array([0.5, 0.123456]))
        (5, None)
    """
    if values.min() < -_ROUNDING or values.max() > 1 + _ROUNDING:
        return None
    for bins in range(2, _MOST_BINS + 1):
        steps = values * (bins - 1)
        if (np.abs(steps - np.rint(steps)) <= _ROUNDING).all():
            return bins
    return None


def _checksum(x: np.ndarray) -> bytes:
    return zlib.crc32(np.ascontiguousarray(x, dtype="<i4").tobytes()).to_bytes(4, "little")
