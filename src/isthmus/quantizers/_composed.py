"""Quantizers that are made of several codebooks, each with an index of its own for a vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.quantizers.base import Quantized, Quantizer
from isthmus.quantizers.codebooks import Codebook

See = Callable[[Codebook, Tensor], Tensor]
"""From a codebook and the vectors ``(n, dim, *grid)`` that it is shown to the entries for them."""


class ComposedQuantizer(Quantizer, ABC):
    """Several codebooks, each of which gives one of the k indices of a vector, ``(n, *grid, k)``.

    Commitments and charges of all are added up; the history shows ``usage_1``, ``perplexity_1``
    and so on, for each.

    Args:
        codebooks: as many as a vector has indices.
    """

    def __init__(self, codebooks: Sequence[Codebook]) -> None:
        super().__init__()
        self.codebooks = nn.ModuleList(codebooks)
        self.levels = tuple(size for book in codebooks for size in book.levels)

    @property
    def books(self) -> list[Codebook]:
        """The codebooks, in the order of the indices."""
        return list(cast("Iterable[Codebook]", self.codebooks))

    @abstractmethod
    def show(self, proposed: Tensor, see: See) -> None:
        """Let each codebook see its share of vectors ``(n, dim, *grid)``, one after another."""

    @abstractmethod
    def join(self, entries: Sequence[Tensor]) -> Tensor:
        """The vectors ``(n, dim, *grid)`` that the entries of all codebooks make."""

    def thinned(self, entries: Sequence[Tensor]) -> Sequence[Tensor]:
        """What a step of training leaves of the entries of all codebooks; mostly everything."""
        return entries

    def forward(self, proposed: Tensor) -> Quantized:
        found: list[Quantized] = []

        def see(book: Codebook, seen: Tensor) -> Tensor:
            found.append(book(seen))
            return found[-1].passed.detach()

        self.show(proposed, see)
        kept = self.join(self.thinned([each.passed.detach() for each in found]))
        # The sum of the codebooks' own straight-through gradients would count proposed k times.
        passed = kept + (proposed - proposed.detach())
        charges = [each.charge for each in found if each.charge is not None]
        return Quantized(
            passed,
            torch.stack([each.indices for each in found], dim=-1),  # (n, *grid, k)
            torch.stack(charges).sum(0),
            {"commitment": torch.stack([each.terms["commitment"] for each in found]).sum(0)},
        )

    def embed(self, indices: Tensor) -> Tensor:
        grids = indices.unbind(-1)
        books = self.books[: len(grids)] if self.is_nested else self.books
        return self.join([book.embed(grid) for book, grid in zip(books, grids, strict=True)])

    @property
    def vectors_to_start(self) -> int:
        return max(book.vectors_to_start for book in self.books)

    @torch.no_grad()
    def start(self, proposed: Tensor) -> None:
        """Start the codebooks one after another, each from what it is shown."""

        def see(book: Codebook, seen: Tensor) -> Tensor:
            book.start(seen)
            entries: Tensor = book(seen).passed
            return entries

        self.show(proposed, see)

    @torch.no_grad()
    def learn(self, proposed: Tensor, found: Quantized) -> None:
        """Let each codebook take note of its share of a batch of training."""
        grids = iter(found.indices.unbind(-1))

        def see(book: Codebook, seen: Tensor) -> Tensor:
            grid = next(grids)
            entries = book.embed(grid)  # before it moves
            book.learn(seen, Quantized(entries, grid))
            return entries

        self.show(proposed, see)

    def anneal(self, epoch: float) -> None:
        """Take note of how far training has come."""
        for book in self.books:
            book.anneal(epoch)

    def close_epoch(self) -> dict[str, float]:
        """The use of each codebook in an epoch, counted from 1; unused entries start anew."""
        return {
            f"{name}_{i}": value
            for i, book in enumerate(self.books, 1)
            for name, value in book.close_epoch().items()
        }

    def remedy(self, used: int) -> str:
        return self.books[0].remedy(used)
