"""A fitted member on a data set: what the checks look at, each computed at its first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.objectives import Adversary
from isthmus.core.randomness import own_draws
from isthmus.data.batches import StoreBatches
from isthmus.data.datasets import Data, Part, condition_of, known_of, named_for
from isthmus.diagnosis._rebuilt import Rebuilt, rebuilt
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator

_TRAIN, _TEST, _SAMPLES = 5_000, 2_000, 1_000
_VALUES = 1 << 25  # of all examples that are held at once


class Examination:
    """A fitted member, its training, and what it makes of examples that it knows and does not know.

    Args:
        model: a fitted member.
        data: its training part is what the member was trained on.
        random_state: picks examples where there are many, and draws new ones.
    """

    def __init__(self, model: Estimator, data: Data, random_state: int = 0) -> None:
        self.model, self.data, self.seed = model, data, random_state
        self.module: Autoencoder = model.module_
        self.history: Sequence[Mapping[str, float]] = model.history_
        values = int(np.prod(model.preprocessor_.spec.shape))
        self._most = max(2, _VALUES // values)

    @property
    def bottleneck(self) -> Bottleneck:
        """Where features become codes."""
        return self.module.bottleneck

    @cached_property
    def train(self) -> Rebuilt:
        """Up to 5,000 training examples."""
        return self._rebuilt(self._batches(self.data.train, _TRAIN))

    @cached_property
    def test_batches(self) -> StoreBatches:
        """Up to 2,000 test examples, ready for the module."""
        return self._batches(self.data.test, _TEST)

    @cached_property
    def test(self) -> Rebuilt:
        """The same, with their codes and reconstructions."""
        return self._rebuilt(self.test_batches)

    @cached_property
    def terms(self) -> dict[str, float]:
        """The mean terms of the loss of the test examples."""
        batches = self.test_batches
        with own_draws(self.seed), self.model._inference(batches.dtype, charged=True) as module:
            rows = [(chunk.size, module.loss(chunk).terms) for chunk in batches.chunks()]
        total = sum(size for size, _ in rows)
        return {
            name: sum(size * float(terms[name].mean()) for size, terms in rows) / total
            for name in rows[0][1]
        }

    @cached_property
    def critics(self) -> dict[str, tuple[float, float]]:
        """The mean loss of each adversary that plays on test examples, in nats, and what it is
        where its two sides cannot be told apart.
        """
        batches = self.test_batches
        found: dict[str, tuple[float, float]] = {}
        with own_draws(self.seed), self.model._inference(batches.dtype, charged=True) as module:
            sides = [side for side in module.objectives() if isinstance(side, Adversary)]
            made = module.loss(batches.spread()).made if sides else None
            if made is None:
                return found
            for side in sides:
                loss = side.loss(made)
                if loss.objective.any():  # else it has not begun to play
                    terms = loss.terms.items()
                    found |= {name: (float(term.mean()), side.chance) for name, term in terms}
        return found

    @cached_property
    def samples(self) -> Tensor | None:
        """Up to 1,000 new examples in the model's units, ``(n, values)``; None without a prior."""
        model, count = self.model, min(_SAMPLES, self._most)
        known, is_table = condition_of(model), model.preprocessor_.table is not None
        batches = self.test_batches
        with own_draws(self.seed), model._inference(batches.dtype) as module:
            given = None if known is None else known.draw(count)
            try:
                codes = model._new_codes(count, None, given, 1.0)
            except InputError:  # there is nothing to draw from
                return None
            place = next(module.parameters())
            found = []
            for rows in torch.arange(count).split(batches.rows):
                at = None if given is None else given[rows].to(place)
                z = codes[rows].to(place.device)
                z = z.to(place) if z.is_floating_point() else z
                found.append(model._examples_of(module, z, at, is_table).flatten(1).cpu())
        return torch.cat(found)

    def _batches(self, part: Part, most: int) -> StoreBatches:
        """Examples of a part, some of them where there are more."""
        count = min(most, self._most)
        if len(part) > count:
            rows = np.random.default_rng(self.seed).choice(len(part), count, replace=False)
            part = part.take(np.sort(rows))
        x = named_for(self.model, part.x, self.data)
        return self.model._batches(x, **known_of(self.model, part))

    def _rebuilt(self, batches: StoreBatches) -> Rebuilt:
        with self.model._inference(batches.dtype, charged=True) as module:
            return rebuilt(module, batches)
