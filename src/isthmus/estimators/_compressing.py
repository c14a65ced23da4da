"""Examples as few bytes, and back: what members offer, on top of :mod:`isthmus.compression`."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Writer
from isthmus.compression.container import Coded, Form, pack, unpack
from isthmus.compression.frequencies import proportional
from isthmus.compression.indices import Conditionals, IndexCoder
from isthmus.compression.matching import identity_of, require_same
from isthmus.compression.varints import damaged
from isthmus.data._sequences import as_list, lacks_steps
from isthmus.data.conditions import LabelCondition
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators._double import in_float64
from isthmus.estimators._sampling import SamplingMixin
from isthmus.estimators.inference import has_labels
from isthmus.estimators.precision import dtype_of
from isthmus.priors._trained import TrainedPrior


class CompressionMixin(SamplingMixin):
    """How a member turns examples into few bytes."""

    any_size: ClassVar[bool] = False
    """Whether images of any size are compressed, and not only those of the size of training."""

    def compress(self, X: Any, condition: Any = None) -> bytes:
        """Examples as few bytes, which :meth:`decompress` makes into reconstructions.

        The codes of quantised members are coded by the prior of :meth:`fit_prior`, in as many bits
        as it says, or all alike where none is fitted. The bytes hold what a conditional member was
        told, and no model: they need this one, whose checksum they name. Needs the extra ``files``.

        Raises:
            InputError: for members whose codes are real numbers, and for a prior that cannot say
                how likely a code is.
        """
        self._fitted()
        coded = self._coded(incoming(X), condition)
        return pack(coded, identity_of(cast(Any, self), with_prior=coded.by_prior))

    def decompress(self, data: bytes) -> Any:
        """What :meth:`compress` was given, as :meth:`reconstruct` gives it back.

        Raises:
            InputError: for data that are damaged, foreign, or of another model, which the message
                names.
        """
        self._fitted()
        coded, identity = unpack(data)
        require_same(identity, identity_of(cast(Any, self), with_prior=coded.by_prior))
        return self._uncoded(coded)

    def _coded(self, X: Any, condition: Any) -> Coded:
        """Examples as streams; a member with another way of its own gives that."""
        if not self._levels:
            raise InputError(
                f"the codes of {type(self).__name__} are real numbers, which no file holds exactly:"
                " train a member with whole ones, such as 'vqvae', and call fit_prior once."
            )
        x = self._array(X)
        if condition is None and self.preprocessor_.condition is not None and has_labels(X):
            condition = X.labels
        indices = self._posterior(X, condition).indices
        given = self._condition(condition, len(indices))
        coder = self._index_coder()
        streams = (
            self._condition_stream(given),
            self._steps_stream(x),
            *coder.encode(indices, self._likeliest(indices)),
        )
        form = Form(len(indices), self.preprocessor_.layout.outer, dtype_of(X))
        return Coded(form, streams, by_prior=self.prior_ is not None)

    def _uncoded(self, coded: Coded) -> Any:
        """The reconstructions of what :meth:`_coded` gave."""
        form = coded.form
        if len(coded.streams) < 3 or form.shape != self.preprocessor_.layout.outer:
            raise damaged()
        self._require_room(form.n)
        told, lengths, *groups = coded.streams
        indices = torch.from_numpy(self._index_coder().decode(groups, form.n))
        given = self._condition_of(told, form.n)
        found = self._decoded(indices, np.empty(0, form.dtype), given=given)
        return self._cut(found, lengths, form)

    def _index_coder(self) -> IndexCoder:
        """What codes indices by the fitted prior; all alike where there is none."""
        prior = self.prior_
        if prior is None:
            return IndexCoder(self._levels)
        assert isinstance(prior, TrainedPrior)
        shares = None if prior.classes_ is None else prior.classes_.shares
        return IndexCoder(
            self._levels, cast(Conditionals, in_float64(prior.module_.eval())), shares
        )

    def _likeliest(self, indices: np.ndarray) -> np.ndarray | None:
        """Under which class of the prior the indices of each example take the fewest bits."""
        prior = self.prior_
        if prior is None or prior.classes_ is None:
            return None
        names, codes = prior.classes_.names, torch.from_numpy(indices)
        shares = torch.tensor(prior.classes_.shares, dtype=torch.float64).log()
        each = [
            prior.log_prob(codes, [name] * len(codes)) + share
            for name, share in zip(names, shares, strict=True)
        ]
        return torch.stack(each).argmax(0).numpy()

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
                raise damaged()
            numbers = np.frombuffer(stream, "<f4").astype(np.float32)
            return torch.from_numpy(numbers.reshape(n, known.size))
        classes = Reader(stream).read(proportional(known.labels.shares), n)
        return torch.nn.functional.one_hot(torch.from_numpy(classes), known.size).float()

    def _steps_stream(self, x: Any) -> bytes:
        """How many steps each signal or sequence has; nothing where all have as many."""
        kind = self.preprocessor_.spec.kind
        if not isinstance(x, np.ndarray) or not lacks_steps(x, kind):
            return b""
        lengths = [row.shape[-1 if kind == "signal" else 0] for row in as_list(x, kind)]
        return np.array(lengths, "<u4").tobytes()

    def _cut(self, found: Any, stream: bytes, form: Form) -> Any:
        """Examples as long as they were: NaN behind the end of each, or, of a list, a list."""
        kind = self.preprocessor_.spec.kind
        if stream:
            if len(stream) != 4 * form.n or kind not in ("signal", "sequence"):
                raise damaged()
            lengths = np.frombuffer(stream, "<u4").reshape(-1, *[1] * (found.ndim - 1))
            axis = found.ndim - 1 if kind == "signal" else 1
            places = np.arange(found.shape[axis]).reshape(-1, *[1] * (found.ndim - 1 - axis))
            found = np.where(places < lengths, found, np.nan).astype(found.dtype)
        is_list = form.dtype == object and kind in ("signal", "sequence")
        return as_list(found, kind) if is_list else found
