"""Examples with their codes and reconstructions, in the model's units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.reductions import squared_error
from isthmus.data.batches import StoreBatches


class Rebuilt(NamedTuple):
    """Examples and what a member makes of them, in the model's units.

    Attributes:
        x: the examples, ``(n, values)``; what was not observed is 0.
        known: 1 where a value was observed, ``(n, values)``.
        restored: the reconstructions, ``(n, values)``; 0 where nothing was observed.
        swapped: the reconstructions from the code of another example, the same way.
        posterior: what the encoder says of each, ``(n, …)``, as the bottleneck's named tuple.
        drawn: two draws of the code of each, ``(2, n, code)``; empty where codes are not drawn.
    """

    x: Tensor
    known: Tensor
    restored: Tensor
    swapped: Tensor
    posterior: tuple[Tensor, ...]
    drawn: Tensor

    @property
    def errors(self) -> Tensor:
        """The squared error of each example over what was observed, ``(n,)``."""
        return squared_error(self.restored, self.x)

    @property
    def is_whole(self) -> bool:
        """Whether every value was observed."""
        return bool(self.known.all())

    @property
    def variance(self) -> Tensor:
        """The variance of each value over the examples, ``(values,)``."""
        return self.variance_of(self.x)

    def variance_of(self, values: Tensor) -> Tensor:
        """That of other values of the same examples, ``(n, values)``, where they were observed."""
        count = self.known.sum(0).clamp(min=1)
        mean = values.sum(0) / count
        return ((values - mean).square() * self.known).sum(0) / count


def rebuilt(module: Autoencoder, batches: StoreBatches) -> Rebuilt:
    """What a module makes of examples: nothing is corrupted, and the posterior's mean decoded."""
    x, known, restored, swapped, posterior, drawn = zip(
        *(_rebuilt(module, chunk) for chunk in batches.chunks()), strict=True
    )
    return Rebuilt(
        torch.cat(x),
        torch.cat(known),
        torch.cat(restored),
        torch.cat(swapped),
        like_posterior(posterior[0], [torch.cat(part) for part in zip(*posterior, strict=True)]),
        torch.cat(drawn, dim=1),
    )


def _others(n: int) -> Tensor:
    """The place of another example for each of n, ``(n,)``, by chance: neighbours may be alike."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    places = torch.empty_like(order)
    places[order] = order.roll(1)  # a single ring, in which nobody stays where it is
    return places


def _rebuilt(module: Autoencoder, batch: Batch) -> Rebuilt:
    posterior, condition = module.encode(batch), batch.condition
    code = posterior[0]
    known = torch.ones_like(batch.x) if batch.mask is None else batch.mask.to(batch.x)
    examples = (
        batch.x,
        module.decode(code, condition, batch),
        module.decode(code[_others(len(code)).to(code.device)], condition, batch),
    )
    x, restored, swapped = ((values * known).flatten(1).cpu() for values in examples)
    return Rebuilt(
        x,
        known.flatten(1).cpu(),
        restored,
        swapped,
        like_posterior(posterior, [part.cpu() for part in posterior]),
        _drawn(module, batch).cpu(),
    )


def like_posterior(posterior: tuple[Tensor, ...], parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Parts as the named tuple that a posterior is."""
    return type(posterior)(*parts) if hasattr(posterior, "_fields") else tuple(parts)


def _drawn(module: Autoencoder, batch: Batch) -> Tensor:
    """Two draws of each code, ``(2, n, code)``; of those that the decoder gets as they are."""
    bottleneck = module.bottleneck
    if not bottleneck.is_random or bottleneck.passed_shape != bottleneck.code_shape:
        return batch.x.new_empty(2, batch.size, 0)
    features = module.features(batch)
    draws = [module.code(features, batch.condition).z.flatten(1) for _ in range(2)]
    return torch.stack(draws)
