"""What members with quantised codes share: quantizers, integer codes, and how they are laid out."""

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
from isthmus.core.fields import field, slot
from isthmus.core.findings import Finding
from isthmus.core.forward import Code, Level
from isthmus.core.objectives import Batches, Stage
from isthmus.core.parts import part_of
from isthmus.core.reductions import full
from isthmus.data.incoming import codes_array
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.estimators.judged import Judged
from isthmus.estimators.settings import Conditional
from isthmus.networks.conv import code_layers
from isthmus.quantizers.base import Quantized, Quantizer, QuantizerPart
from isthmus.registry import QUANTIZERS

_ROWS = 256  # examples encoded at once
_FEW = 0.25


@dataclass(repr=False, eq=False, kw_only=True)
class Quantised(Judged, Conditional, Estimator, ABC):
    """A member whose code is made of entries of finite sets: it is a grid of whole numbers."""

    grid_network = "residual"

    latent_dim: int = field(
        16, "size of the vectors that are quantised, and of what stands for them", low=1
    )
    quantizer: str | QuantizerPart = slot("vq", QUANTIZERS, "how vectors become whole numbers")
    tokens: int = field(
        8, "vectors of a code whose features are no grid: of tables, and under network='mlp'", low=1
    )

    def decode(self, Z: Any, condition: Any = None) -> np.ndarray:
        """What the decoder says of codes: examples in the layout and units of the data.

        Whole numbers are indices, ``(n, *grid)`` (one array a level, coarsest first, where there
        are several) or flat, ``(n, positions)``. Anything else is vectors, laid out as
        ``transform`` gives them; they need not lie in a codebook. Of a residual quantizer, whose
        indices are ``(n, *grid, k)``, the first ones alone give a coarser example.

        Raises:
            InputError: for another shape, and for indices that a level does not have.
        """
        parts = [codes_array(part) for part in (Z if isinstance(Z, tuple) else (Z,))]
        if not all(part.dtype.kind in "iu" for part in parts):
            return super().decode(Z, condition)
        return self._decoded(self._code_at(parts), condition=condition)

    def _quantizers(self, count: int) -> tuple[list[Quantizer], int]:
        """New quantizers, one for each level, and the size of their vectors."""
        part: QuantizerPart = part_of(self.quantizer, QUANTIZERS)
        dim = part.dim(self.latent_dim)
        return [part.build(dim, epochs=self._epochs) for _ in range(count)], dim

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        return [Stage(self._epochs, module.objectives(), partial(start, module))]

    def _codes_for_prior(self, X: Any, condition: Any = None) -> Tensor:
        return torch.from_numpy(self._posterior(X, condition).indices)

    def _grids(self, X: Any, condition: Any = None) -> list[np.ndarray]:
        """The indices of each level, coarsest first, each ``(n, *grid)`` or ``(n, *grid, k)``."""
        indices = torch.from_numpy(self._posterior(X, condition).indices)
        return [grid.numpy() for grid in _code_of(self.module_).grids(indices)]

    def _code_at(self, parts: Sequence[np.ndarray]) -> Tensor:
        """Checked indices, flat, ``(n, positions)``; the vectors of the first ones of each vector,
        ``(n, *code_shape)``, where no more are given.
        """
        code = _code_of(self._fitted())
        pairs = list(zip(parts, code.level_quantizers, code.index_shapes, strict=False))
        is_whole = not any(_is_cut(part, shape) for part, each, shape in pairs if each.is_nested)
        if is_whole:
            return torch.from_numpy(self._checked_indices(parts))
        whole = [_completed(part, shape) for part, _, shape in pairs]
        flat = torch.from_numpy(self._checked_indices(whole)).to(self._device)
        vectors = [
            each.embed(grid[..., : part.shape[-1]] if each.is_nested else grid).flatten(1)
            for (part, each, _), grid in zip(pairs, code.grids(flat), strict=True)
        ]
        return torch.cat(vectors, dim=1).detach().unflatten(1, code.code_shape)

    def _checked_indices(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        code = _code_of(self._fitted())
        total = sum(math.prod(level.grid) for level in code.levels)
        n = len(parts[0]) if parts[0].ndim else 0
        whole = [(n, *shape) for shape in code.index_shapes]
        if [part.shape for part in parts] not in ([(n, total)], whole) or n == 0:
            raise InputError(
                f"indices have the shape {_words(part.shape for part in parts)}, but this model"
                f" takes {_words(('n', *shape) for shape in code.index_shapes)}, or (n, {total})."
            )
        if len(parts) == 1 and parts[0].shape == (n, total):
            flat = parts[0].astype(np.int64)
        else:
            flat = code.flattened(
                [torch.from_numpy(part.astype(np.int64)) for part in parts]
            ).numpy()
        ends = np.cumsum([math.prod(level.grid) for level in code.levels])[:-1]
        for level, found in zip(code.levels, np.split(flat, ends, axis=1), strict=True):
            if found.min() < 0 or found.max() >= level.size:
                raise InputError(
                    f"indices run from {found.min()} to {found.max()}, but the codebook has"
                    f" {level.size} entries: give whole numbers from 0 to {level.size - 1}."
                )
        return flat


class Indexed(NamedTuple):
    """A quantised code: vectors ``z: (n, *code_shape)`` and their indices, ``(n, positions)``.

    The coarsest level is the first.
    """

    z: Tensor
    indices: Tensor


class QuantizedBottleneck(Bottleneck, ABC):
    """Grids of quantised vectors, one for each level.

    What the quantizers charge is charged, and the rate of a uniform prior reported.

    Args:
        quantizers: that of each level, coarsest first.
        grids: the grid of each level.
        dim: the size of a vector.
        suffixes: what is added to names in the history, for each level.
    """

    def __init__(
        self,
        quantizers: Sequence[Quantizer],
        grids: Sequence[Shape],
        dim: int,
        suffixes: Sequence[str] = ("",),
    ) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList(quantizers)
        self.vector_grids, self.dim, self.suffixes = tuple(grids), dim, suffixes
        pairs = list(zip(quantizers, grids, strict=True))
        self.levels = tuple(Level(grid, size) for each, grid in pairs for size in each.levels)
        self.index_shapes = [
            grid if len(each.levels) == 1 else (*grid, len(each.levels)) for each, grid in pairs
        ]
        self.code_shape = (
            (dim, *grids[0]) if len(grids) == 1 else (dim * sum(map(math.prod, grids)),)
        )
        self.rate = math.fsum(math.prod(level.grid) * math.log(level.size) for level in self.levels)

    @property
    def level_quantizers(self) -> list[Quantizer]:
        """The quantizer of each level."""
        return list(cast("Iterable[Quantizer]", self.quantizers))

    @abstractmethod
    def propose(self, features: Tensor, coarser: Sequence[Tensor]) -> Tensor:
        """Vectors ``(n, dim, *grid)`` for the level after the ``coarser`` ones.

        Those are quantised vectors.
        """

    @abstractmethod
    def join(self, vectors: Sequence[Tensor]) -> Tensor:
        """What the decoder gets, ``(n, *passed_shape)``, from levels, each ``(n, dim, *grid)``."""

    def quantize(self, features: Tensor) -> list[tuple[Tensor, Quantized]]:
        """What is proposed for every level, ``(n, dim, *grid)``, and what stands for it."""
        found: list[tuple[Tensor, Quantized]] = []
        for each in self.level_quantizers:
            proposed = full(self.propose(features, [level.passed for _, level in found]))
            found.append((proposed, each(proposed)))
        return found

    def start(self, features: Tensor) -> None:
        """Show each quantizer the vectors of some examples, level by level."""
        passed: list[Tensor] = []
        for each in self.level_quantizers:
            proposed = full(self.propose(features, passed))
            each.start(proposed)
            passed.append(each(proposed).passed)

    def posterior(self, features: Tensor) -> Indexed:
        found = [level for _, level in self.quantize(features)]
        z = torch.cat([level.passed.flatten(1) for level in found], dim=1).unflatten(
            1, self.code_shape
        )
        return Indexed(z, self.flattened([level.indices for level in found]))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        found = self.quantize(features)
        terms = {"rate": features.new_full((len(features),), self.rate, dtype=torch.float32)}
        charge: Tensor | None = None
        for each, (proposed, level) in zip(self.level_quantizers, found, strict=True):
            if self.training:
                each.learn(proposed, level)
            if level.charge is not None:
                charge = level.charge if charge is None else charge + level.charge
            for name, term in level.terms.items():
                terms[name] = terms[name] + term if name in terms else term
        return Code(self.join([level.passed for _, level in found]), charge, terms)

    def expand(self, code: Tensor) -> Tensor:
        if not code.is_floating_point():
            grids = self.grids(code)
            return self.join(
                [each.embed(grid) for each, grid in zip(self.level_quantizers, grids, strict=True)]
            )
        parts = code.flatten(1).split(
            [self.dim * math.prod(grid) for grid in self.vector_grids], dim=1
        )
        return self.join(
            [
                part.unflatten(1, (self.dim, *grid))
                for part, grid in zip(parts, self.vector_grids, strict=True)
            ]
        )

    def flattened(self, grids: Sequence[Tensor]) -> Tensor:
        """The indices of all :attr:`levels`, one after another in a row: ``(n, total)``.

        Those of one quantizer are ``(n, *grid)`` or ``(n, *grid, k)``.
        """
        rows = [
            grid if len(each.levels) == 1 else grid.movedim(-1, 1)  # (n, k, *grid)
            for each, grid in zip(self.level_quantizers, grids, strict=True)
        ]
        return torch.cat([row.flatten(1) for row in rows], dim=1)

    def grids(self, indices: Tensor) -> list[Tensor]:
        """The inverse of :meth:`flattened`."""
        sizes = [
            math.prod(grid) * len(each.levels)
            for each, grid in zip(self.level_quantizers, self.vector_grids, strict=True)
        ]
        found = []
        for each, grid, part in zip(
            self.level_quantizers, self.vector_grids, indices.split(sizes, dim=1), strict=True
        ):
            k = len(each.levels)
            found.append(
                part.unflatten(1, grid) if k == 1 else part.unflatten(1, (k, *grid)).movedim(1, -1)
            )
        return found

    def anneal(self, epoch: float) -> None:
        for each in self.level_quantizers:
            each.anneal(epoch)

    def close_epoch(self) -> dict[str, float]:
        return {
            name + suffix: value
            for suffix, each in zip(self.suffixes, self.level_quantizers, strict=True)
            for name, value in each.close_epoch().items()
        }

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        found = []
        rows = posterior[1].split([math.prod(level.grid) for level in self.levels], dim=1)
        places = [_place(suffix) for suffix in self.suffixes]
        owners = [
            (each, ("" if len(each.levels) == 1 else f" by index {i}") + place)
            for each, place in zip(self.level_quantizers, places, strict=True)
            for i in range(1, len(each.levels) + 1)
        ]
        for level, indices, (each, where) in zip(self.levels, rows, owners, strict=True):
            used, reachable = len(indices.unique()), min(level.size, indices.numel())
            if used < _FEW * reachable:
                found.append(
                    Finding(
                        "codebook-collapse",
                        f"only {used} of {level.size} codebook entries are in use{where}"
                        " (codebook collapse)",
                        each.remedy(used),
                        f"share of the codebook{where} that is in use",
                        used / reachable,
                        _FEW,
                    )
                )
        return found


def to_vectors(features: Shape, dim: int, tokens: int) -> tuple[nn.Module, Shape]:
    """A linear map from features to vectors ``(n, dim, *grid)``, and their grid.

    The grid is that of the features, or ``(tokens,)``.
    """
    if len(features) > 1:
        (at_each_place,), _ = code_layers(features, dim, is_map=True)
        return at_each_place, features[1:]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(features), dim * tokens), nn.Unflatten(1, (dim, tokens))
    ), (tokens,)


def start(module: Autoencoder, batches: Batches) -> None:
    """Start quantizers from the encoder's outputs on a random part of the training examples."""
    code = _code_of(module)
    examples = max(
        math.ceil(each.vectors_to_start / math.prod(grid))
        for each, grid in zip(code.level_quantizers, code.vector_grids, strict=True)
    )
    if examples == 0:
        return
    rows = torch.randperm(len(batches))[:examples]
    code.start(torch.cat([module.features(batches.batch(some)) for some in rows.split(_ROWS)]))


def _code_of(module: Autoencoder) -> QuantizedBottleneck:
    assert isinstance(module.bottleneck, QuantizedBottleneck)
    return module.bottleneck


def _is_cut(part: np.ndarray, shape: Shape) -> bool:
    """Whether indices ``(n, *grid, j)`` are the first ones of ``shape``, ``(*grid, k)``."""
    return part.shape[1:-1] == shape[:-1] and 0 < part.shape[-1] < shape[-1]


def _completed(part: np.ndarray, shape: Shape) -> np.ndarray:
    """Indices with zeros for those that lack."""
    if not _is_cut(part, shape):
        return part
    lacking = np.zeros((*part.shape[:-1], shape[-1] - part.shape[-1]), dtype=part.dtype)
    return np.concatenate([part, lacking], axis=-1)


def _place(suffix: str) -> str:
    """Where a level is, in words: of ``_top`` " at the top", of ``_level_2`` " at level 2"."""
    name = suffix.removeprefix("_").replace("_", " ")
    return name and f" at {'' if name.startswith('level') else 'the '}{name}"


def _words(shapes: Any) -> str:
    return " and ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
