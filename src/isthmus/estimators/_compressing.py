"""Examples as few bytes, and back: what members offer, on top of :mod:`isthmus.compression`."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from isthmus.compression.coder import Reader, Writer
from isthmus.compression.container import Coded, Form, pack, unpack
from isthmus.compression.frequencies import proportional
from isthmus.compression.indices import GROUP, IndexCoder
from isthmus.compression.matching import identity_of, require_same
from isthmus.compression.mixtures import ClassMixture
from isthmus.compression.varints import damaged
from isthmus.data._sequences import as_list, lacks_steps
from isthmus.data.conditions import LabelCondition
from isthmus.data.incoming import incoming
from isthmus.data.labels import LabelSet
from isthmus.errors import InputError
from isthmus.estimators._double import in_float64
from isthmus.estimators._sampling import SamplingMixin
from isthmus.estimators.inference import has_labels
from isthmus.estimators.precision import dtype_of
from isthmus.priors._autoregressive import Autoregressive
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
        by_prior = self.prior_ is not None
        streams = (
            self._condition_stream(given),
            self._steps_stream(x),
            *self._index_coder(by_prior).encode(indices, self._classes(by_prior, given)),
        )
        form = Form(len(indices), self.preprocessor_.layout.outer, dtype_of(X))
        return Coded(form, streams, by_prior=by_prior)

    def _uncoded(self, coded: Coded) -> Any:
        """The reconstructions of what :meth:`_coded` gave."""
        form = coded.form
        if len(coded.streams) < 3 or form.shape != self.preprocessor_.layout.outer:
            raise damaged()
        self._require_room(form.n)
        told, lengths, *groups = coded.streams
        given = self._condition_of(told, form.n)
        classes = self._classes(coded.by_prior, given)
        coder = self._index_coder(coded.by_prior)
        indices = torch.from_numpy(coder.decode(groups, form.n, classes))
        found = self._decoded(indices, np.empty(0, form.dtype), given=given)
        return self._cut(found, lengths, form)

    def _index_coder(self, by_prior: bool) -> IndexCoder:
        """What codes indices by the fitted prior; all alike where that is not wanted."""
        prior = self.prior_
        if not by_prior or prior is None:
            return IndexCoder(self._levels)
        density = prior.module_ if isinstance(prior, TrainedPrior) else None
        if not isinstance(density, Autoregressive):
            raise InputError(
                f"prior {type(prior).__name__} does not say how likely an index is after the ones"
                " before it, so that nothing can be coded by it: call fit_prior with 'pixelcnn'."
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
