"""Examples as few bytes, and back: what members offer, on top of :mod:`isthmus.compression`."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np

from isthmus.compression.container import Coded, ExampleForm, coded_bytes, read_coded
from isthmus.compression.matching import identity_of, require_same
from isthmus.compression.varints import damaged_data
from isthmus.core.flags import require_flags
from isthmus.data._sequences import as_list, lacks_steps
from isthmus.data.incoming import incoming
from isthmus.estimators._lossless import LosslessMixin
from isthmus.estimators._vectors import VectorCodingMixin
from isthmus.estimators.precision import dtype_of


class CompressionMixin(VectorCodingMixin, LosslessMixin):
    """How a member turns examples into few bytes."""

    any_size: ClassVar[bool] = False
    """Whether images of any size are compressed, and not only those of the size of training."""

    def compress(self, X: Any, condition: Any = None, *, lossless: bool = False) -> bytes:
        """Examples as few bytes, which :meth:`decompress` makes into reconstructions.

        The codes of quantised members are coded by the prior of :meth:`fit_prior`, in as many bits
        as it says, or all alike where none is fitted. Codes that are vectors are rounded, so that
        reconstructions err by one per cent more at the most, and coded under a fitted mixture, or
        under the standard normal prior of drawn codes. The bytes hold what a conditional member was
        told, and no model: they need this one, whose checksum they name. Needs the extra ``files``.

        Args:
            X: examples, as for :meth:`reconstruct`.
            condition: what a conditional member is told of them.
            lossless: whether every value is to come back as it was. Then X holds whole numbers, or
                values on a grid, and they are coded under the member's likelihood, in as many bits
                as its evidence bound says: by bits back where codes are drawn.

        Raises:
            InputError: for a prior under which codes cannot be coded, for vectors without a prior,
                and, where it is lossless, for a likelihood without masses, or for values that it
                does not know.
        """
        self._fitted()
        require_flags(lossless=lossless)
        X = incoming(X)
        coded = self._coded_whole(X, condition) if lossless else self._coded(X, condition)
        return coded_bytes(coded, identity_of(cast(Any, self), with_prior=coded.by_prior))

    def decompress(self, data: bytes) -> Any:
        """What :meth:`compress` was given, as :meth:`reconstruct` gives it back, or as it was.

        Raises:
            InputError: for data that are damaged, foreign, or of another model, which the message
                names.
        """
        self._fitted()
        coded, identity = read_coded(data)
        require_same(identity, identity_of(cast(Any, self), with_prior=coded.by_prior))
        return self._whole_of(coded) if coded.method == "everything" else self._uncoded(coded)

    def _coded(self, X: Any, condition: Any) -> Coded:
        """Examples as streams; a member with another way of its own gives that."""
        x = self._array(X)
        if self._levels:
            indices = self._posterior(X, condition).indices
            n, given = len(indices), self._told(X, condition, len(indices))
            codes = self._index_streams(indices, given)
        else:
            codes, n = self._vector_streams(X, condition)
            given = self._told(X, condition, n)
        streams = (self._condition_stream(given), self._steps_stream(x), *codes)
        form = ExampleForm(n, self.preprocessor_.layout.outer, dtype_of(X))
        return Coded(form, streams, by_prior=self.prior_ is not None)

    def _uncoded(self, coded: Coded) -> Any:
        """The reconstructions of what :meth:`_coded` gave."""
        form = coded.form
        if len(coded.streams) < 3 or form.shape != self.preprocessor_.layout.outer:
            raise damaged_data()
        self._require_room(form.n)
        told, lengths, *groups = coded.streams
        given = self._condition_of(told, form.n)
        if self._levels:
            codes = self._indices_of(tuple(groups), form.n, given, coded.by_prior)
        else:
            codes = self._vectors_of(tuple(groups), form.n)
        found = self._decoded(codes, np.empty(0, form.dtype), given=given)
        return self._cut(found, lengths, form)

    def _steps_stream(self, x: Any) -> bytes:
        """How many steps each signal or sequence has; nothing where all have as many."""
        kind = self.preprocessor_.spec.kind
        if not isinstance(x, np.ndarray) or not lacks_steps(x, kind):
            return b""
        lengths = [row.shape[-1 if kind == "signal" else 0] for row in as_list(x, kind)]
        return np.array(lengths, "<u4").tobytes()

    def _cut(self, found: Any, stream: bytes, form: ExampleForm) -> Any:
        """Examples as long as they were: NaN behind the end of each, or, of a list, a list."""
        kind = self.preprocessor_.spec.kind
        if stream:
            if len(stream) != 4 * form.n or kind not in ("signal", "sequence"):
                raise damaged_data()
            lengths = np.frombuffer(stream, "<u4").reshape(-1, *[1] * (found.ndim - 1))
            axis = found.ndim - 1 if kind == "signal" else 1
            places = np.arange(found.shape[axis]).reshape(-1, *[1] * (found.ndim - 1 - axis))
            found = np.where(places < lengths, found, np.nan).astype(found.dtype)
        is_list = form.dtype == object and kind in ("signal", "sequence")
        return as_list(found, kind) if is_list else found
