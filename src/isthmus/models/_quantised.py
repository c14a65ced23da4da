"""What members with quantised codes share: codebooks, integer codes, and how they are laid out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Level
from isthmus.core.objectives import Batches, Stage
from isthmus.core.reductions import full
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.estimators.settings import Conditional
from isthmus.quantizers.codebooks import AveragedCodebook, Codebook, GradientCodebook, Quantized

_VECTORS_PER_ENTRY, _ROWS = 64, 256  # looked at before training; examples encoded at once
_FEW = 0.25


@dataclass(repr=False, eq=False, kw_only=True)
class Quantised(Conditional, Estimator, ABC):
    """A member whose code is made of codebook entries, so that it is a grid of whole numbers."""

    image_network = "residual"

    latent_dim: int = field(16, "size of a codebook vector", low=1)
    codebook_size: int = field(128, "entries of a codebook (K)", low=2)
    tokens: int = field(
        8, "vectors of a code whose features are no grid: of tables, and under network='mlp'", low=1
    )
    commitment: float = field(
        0.25, "weight of the distance that holds the encoder to its entries (beta)", low=0
    )
    codebook: str = field(
        "ema",
        "how entries are learnt: by moving averages or by gradient",
        choices=("ema", "gradient"),
    )
    decay: float = field(0.99, "share of the past in the moving averages (gamma)", above=0, below=1)

    def decode(self, Z: Any, condition: Any = None) -> np.ndarray:
        """What the decoder says of codes: examples in the layout and units of the data.

        Whole numbers are indices, ``(n, *grid)`` (one array a level, coarsest first, where there
        are several) or flat, ``(n, positions)``. Anything else is vectors, laid out as
        ``transform`` gives them; they need not lie in a codebook.

        Raises:
            InputError: for another shape, and for indices that the codebook does not have.
        """
        parts = [np.asarray(part) for part in (Z if isinstance(Z, tuple) else (Z,))]
        if not all(part.dtype.kind in "iu" for part in parts):
            return super().decode(Z, condition)
        indices = torch.from_numpy(self._checked_indices(parts))
        return self._decoded(indices, condition=condition)

    def _codebook(self) -> Codebook:
        """A new codebook; dead entries are renewed until the last tenth of the epochs."""
        if self.codebook == "gradient":
            return GradientCodebook(self.codebook_size, self.latent_dim, 0.9 * self.epochs)
        return AveragedCodebook(self.codebook_size, self.latent_dim, 0.9 * self.epochs, self.decay)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        return [Stage(self.epochs, module.objectives(), partial(start, module))]

    def _codes_for_prior(self, X: Any, condition: Any = None) -> Tensor:
        return torch.from_numpy(self._posterior(X, condition).indices)

    def _grids(self, X: Any, condition: Any = None) -> list[np.ndarray]:
        """The indices of each level, coarsest first, each ``(n, *grid)``."""
        indices = torch.from_numpy(self._posterior(X, condition).indices)
        return [grid.numpy() for grid in _code_of(self.module_).grids(indices)]

    def _checked_indices(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        levels = self._fitted().bottleneck.levels
        total = sum(math.prod(level.grid) for level in levels)
        grids = [(len(parts[0]) if parts[0].ndim else 0, *level.grid) for level in levels]
        if [part.shape for part in parts] not in ([(grids[0][0], total)], grids) or grids[0][
            0
        ] == 0:
            raise InputError(
                f"indices have the shape {_words(part.shape for part in parts)}, but this model"
                f" takes {_words(('n', *level.grid) for level in levels)}, or (n, {total})."
            )
        flat = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1).astype(
            np.int64
        )
        if flat.min() < 0 or flat.max() >= self.codebook_size:
            raise InputError(
                f"indices run from {flat.min()} to {flat.max()}, but the codebook has"
                f" {self.codebook_size} entries: give whole numbers from 0 to"
                f" {self.codebook_size - 1}."
            )
        return flat


class Indexed(NamedTuple):
    """A quantised code: its vectors ``z: (n, *code_shape)`` and their indices, ``(n, positions)``,
    coarsest level first.
    """

    z: Tensor
    indices: Tensor


class QuantizedBottleneck(Bottleneck, ABC):
    """Grids of codebook entries, one for each level; the commitment is charged, and the rate of a
    uniform prior reported.

    Args:
        books: the codebook of each level, coarsest first.
        grids: the grid of each level.
        dim: the size of a codebook vector.
        commitment: the weight of the commitment.
        suffixes: what is added to names in the history, for each level.
    """

    def __init__(
        self,
        books: Sequence[Codebook],
        grids: Sequence[Shape],
        dim: int,
        commitment: float,
        suffixes: Sequence[str] = ("",),
    ) -> None:
        super().__init__()
        self.codebooks = nn.ModuleList(books)
        self.levels = tuple(Level(grid, book.size) for grid, book in zip(grids, books, strict=True))
        self.sizes = [math.prod(grid) for grid in grids]
        self.dim, self.commitment, self.suffixes = dim, commitment, suffixes
        self.code_shape = (dim, *grids[0]) if len(grids) == 1 else (dim * sum(self.sizes),)
        self.rate = math.fsum(
            size * math.log(level.size) for size, level in zip(self.sizes, self.levels, strict=True)
        )

    @property
    def books(self) -> list[Codebook]:
        """The codebook of each level."""
        return list(cast("Iterable[Codebook]", self.codebooks))

    @abstractmethod
    def propose(self, features: Tensor, coarser: Sequence[Tensor]) -> Tensor:
        """Vectors ``(n, dim, *grid)`` for the level after the ``coarser`` ones, whose quantised
        vectors these are.
        """

    @abstractmethod
    def join(self, vectors: Sequence[Tensor]) -> Tensor:
        """What the decoder gets, ``(n, *passed_shape)``, from the vectors of all levels, each
        ``(n, dim, *grid)``.
        """

    def choose(self, features: Tensor) -> list[Quantized]:
        """The entries of every level, coarsest first."""
        found: list[Quantized] = []
        for book in self.books:
            found.append(book(full(self.propose(features, [level.passed for level in found]))))
        return found

    def start(self, features: Tensor) -> None:
        """Put the entries where the vectors of some examples lie, level by level."""
        passed: list[Tensor] = []
        for book in self.books:
            proposed = full(self.propose(features, passed))
            book.start(proposed)
            passed.append(book(proposed).passed)

    def posterior(self, features: Tensor) -> Indexed:
        found = self.choose(features)
        z = torch.cat([level.passed.flatten(1) for level in found], dim=1).unflatten(
            1, self.code_shape
        )
        return Indexed(z, torch.cat([level.indices.flatten(1) for level in found], dim=1))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        found = self.choose(features)
        commitment = torch.stack([level.commitment for level in found]).sum(0)
        charge = torch.stack(
            [book.charge(level) for book, level in zip(self.books, found, strict=True)]
        ).sum(0)
        if self.training:
            for book, level in zip(self.books, found, strict=True):
                book.learn(level)
        terms = {"rate": torch.full_like(commitment, self.rate), "commitment": commitment}
        return Code(
            self.join([level.passed for level in found]),
            self.commitment * commitment + charge,
            terms,
        )

    def expand(self, code: Tensor) -> Tensor:
        if not code.is_floating_point():
            return self.join(
                [book.embed(grid) for book, grid in zip(self.books, self.grids(code), strict=True)]
            )
        parts = code.flatten(1).split([self.dim * size for size in self.sizes], dim=1)
        return self.join(
            [
                part.unflatten(1, (self.dim, *level.grid))
                for part, level in zip(parts, self.levels, strict=True)
            ]
        )

    def grids(self, indices: Tensor) -> list[Tensor]:
        """Indices ``(n, positions)`` as the grid of each level, ``(n, *grid)``."""
        parts = indices.split(self.sizes, dim=1)
        return [
            part.unflatten(1, level.grid) for part, level in zip(parts, self.levels, strict=True)
        ]

    def anneal(self, epoch: float) -> None:
        for book in self.books:
            book.anneal(epoch)

    def close_epoch(self) -> dict[str, float]:
        looks = [
            (suffix, book.close_epoch())
            for suffix, book in zip(self.suffixes, self.books, strict=True)
        ]
        return {name + suffix: value for suffix, found in looks for name, value in found.items()}

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[str]:
        used = [len(grid.unique()) for grid in self.grids(posterior[1])]
        possible = [
            min(level.size, len(posterior[1]) * size)
            for level, size in zip(self.levels, self.sizes, strict=True)
        ]
        return [
            f"only {few} of {level.size} codebook entries are in"
            f" use{suffix.replace('_', ' at the ')} (codebook collapse): train for more epochs,"
            f" lower learning_rate or latent_dim, or do with codebook_size={max(2, 2 * few)}."
            for few, most, level, suffix in zip(
                used, possible, self.levels, self.suffixes, strict=True
            )
            if few < _FEW * most
        ]


def to_vectors(features: Shape, dim: int, tokens: int) -> tuple[nn.Module, Shape]:
    """A linear map from features to vectors ``(n, dim, *grid)``, and their grid: that of the
    features, or ``(tokens,)``.
    """
    if len(features) == 3:
        return nn.Conv2d(features[0], dim, 1), features[1:]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(features), dim * tokens), nn.Unflatten(1, (dim, tokens))
    ), (tokens,)


def start(module: Autoencoder, batches: Batches) -> None:
    """Put the entries of all codebooks where the encoder's outputs lie on a random part of the
    training examples.
    """
    code = _code_of(module)
    examples = math.ceil(
        max(_VECTORS_PER_ENTRY * level.size / math.prod(level.grid) for level in code.levels)
    )
    rows = torch.randperm(len(batches))[:examples]
    code.start(torch.cat([module.features(batches.batch(some)) for some in rows.split(_ROWS)]))


def _code_of(module: Autoencoder) -> QuantizedBottleneck:
    assert isinstance(module.bottleneck, QuantizedBottleneck)
    return module.bottleneck


def _words(shapes: Any) -> str:
    return " and ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
