"""The hierarchical vector-quantised autoencoder: coarse grids of entries and finer ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.models._quantised import Quantised, QuantizedBottleneck, to_vectors
from isthmus.networks.base import activation
from isthmus.networks.conv import Crop, Pad, convolutions
from isthmus.networks.residual import Block
from isthmus.quantizers.base import Quantizer


class Grids(tuple[np.ndarray, ...]):
    """Indices of the levels, coarsest first; of two: ``top: (n, h / 2, w / 2)``, rounded up, and
    ``bottom: (n, h, w)``.
    """

    def __new__(cls, *grids: np.ndarray) -> Self:
        """The grids of all levels, one argument each."""
        return super().__new__(cls, grids)

    def __getnewargs__(self) -> tuple[np.ndarray, ...]:
        """What a copy is made from."""
        return tuple(self)

    @property
    def top(self) -> np.ndarray:
        """The coarsest grid."""
        return self[0]

    @property
    def bottom(self) -> np.ndarray:
        """The finest grid."""
        return self[-1]

    def _replace(self, top: np.ndarray | None = None, bottom: np.ndarray | None = None) -> Self:
        """The same with another top or bottom, as of a named tuple."""
        first, *between, last = self
        return type(self)(
            first if top is None else top, *between, last if bottom is None else bottom
        )


@dataclass(repr=False, eq=False, kw_only=True)
class VQVAE2(Quantised):
    r"""Hierarchical vector-quantised autoencoder (VQ-VAE-2): grids from coarse to fine.

    The encoder's features f are the finest grid. Of two levels, the coarse one has half as many
    places along each side (``ratio``), and is quantised first:

    .. math:: e^{\mathrm{top}} = \mathrm{VQ}(\mathrm{down}(f)), \quad
              e^{\mathrm{bottom}} = \mathrm{VQ}(f, \mathrm{up}(e^{\mathrm{top}})), \quad
              p(x \mid \mathrm{up}'(e^{\mathrm{top}}), e^{\mathrm{bottom}})

    More ``scales`` put further, coarser levels on top, in the same way: each level knows all
    coarser ones, and the decoder gets all. Three levels with a ratio of 4, above a network with a
    hop of 8, are the grids of Jukebox: an index for 8, 32 and 128 steps of a sound.

    Each level has a quantizer of its own. The loss is that of
    :class:`~isthmus.models.vqvae.VQVAE` with all levels' commitments added up, and ``rate`` that of
    a uniform prior over all grids. The history shows ``usage_top``, ``perplexity_top``,
    ``usage_bottom`` and ``perplexity_bottom``; of more levels ``usage_level_1`` (the coarsest) and
    so on.

    ``x: (n, *shape)``; ``encode`` gives ``top: (n, h / 2, w / 2)`` and ``bottom: (n, h, w)`` as a
    tuple with these names, which ``decode`` takes; for signals ``(n, places / 2)`` and
    ``(n, places)``; for tables, and under ``network="mlp"``, ``(n, tokens / 2)`` and
    ``(n, tokens)``. Further levels stand between top and bottom. ``transform`` gives the entries of
    all levels as rows, top first.

    Raises:
        InputError: at ``decode``, for indices that the codebooks do not have; at ``sample``, before
            ``fit_prior``; for a ``ratio`` that is no power of two.

    References:
        A. Razavi, A. van den Oord and O. Vinyals, Generating diverse high-fidelity images with
        VQ-VAE-2, NeurIPS 2019. P. Dhariwal et al., Jukebox: a generative model for music, 2020.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> quantizer = ist.quantizers.VectorQuantizer(codebook_size=32)
        >>> model = ist.VQVAE2(quantizer=quantizer, epochs=1, random_state=0)
        >>> model = model.fit(data.train)
        >>> grids = model.encode(data.test.x)
        >>> grids.top.shape, grids.bottom.shape, model.decode(grids).shape
        ((359, 1, 1), (359, 2, 2), (359, 1, 8, 8))
    """

    scales: int = field(2, "grids, from the coarsest to the finest", low=2)
    ratio: int = field(
        2,
        "how many times fewer places along each side a level has than the next finer one; a power"
        " of two",
        low=2,
    )

    def encode(self, X: Any, condition: Any = None) -> Grids:
        """The indices of each example's entries at all levels, whole numbers from 0."""
        return Grids(*self._grids(X, condition))

    def _bottleneck(self, features: Shape) -> Bottleneck:
        if self.ratio & (self.ratio - 1):
            raise InputError(f"ratio={self.ratio} is no power of two: give 2, 4 or 8.")
        quantizers, dim = self._quantizers(self.scales)
        if len(features) > 1:
            return GridBottleneck(features, quantizers, dim, self.ratio, self.activation)
        return TokenBottleneck(features, quantizers, dim, self.tokens, self.ratio)


class Rung(NamedTuple):
    """The way from a level to the next finer one.

    Attributes:
        down: from the features of the finer level to those of the coarser; at the coarsest, to its
            vectors.
        hint: from all coarser levels, joined, to something like the features, for the finer to
            know.
        beside: from features and hint, ``(n, 2 * features[0], …)``, to the vectors of the finer.
        lift: from all coarser levels, joined, to what is passed on of them.
        flat: from the finer to what is passed on of it, and from features to what stands beside
            the hint.
    """

    down: nn.Module
    hint: nn.Module
    beside: nn.Module
    lift: nn.Module
    flat: nn.Module


class MultiscaleBottleneck(QuantizedBottleneck):
    """The way through levels of grids; what leads between them depends on what features look like.

    Args:
        quantizers, grids, dim: as for :class:`QuantizedBottleneck`.
        rungs: from each level to the next finer one, coarsest first. The finest one's parts are the
            bottleneck's own, as in runs of two levels from before there were more.
    """

    def __init__(
        self,
        quantizers: Sequence[Quantizer],
        grids: Sequence[Shape],
        dim: int,
        rungs: Sequence[Rung],
    ) -> None:
        names = [f"_level_{i}" for i in range(1, len(grids) + 1)]
        super().__init__(quantizers, grids, dim, names if len(grids) > 2 else ("_top", "_bottom"))
        *coarser, finest = rungs
        self.down, self.hint, self.beside = finest.down, finest.hint, finest.beside
        self.lift, self.flat = finest.lift, finest.flat
        self.coarser = nn.ModuleList(nn.ModuleDict(rung._asdict()) for rung in coarser)

    @property
    def rungs(self) -> list[Rung]:
        """The ways between levels, coarsest first."""
        finest = Rung(self.down, self.hint, self.beside, self.lift, self.flat)
        coarser = cast("Iterable[nn.ModuleDict]", self.coarser)
        return [*(Rung(**dict(rung.items())) for rung in coarser), finest]

    def propose(self, features: Tensor, coarser: Sequence[Tensor]) -> Tensor:
        rungs, level = self.rungs, len(coarser)
        for rung in reversed(rungs[level:]):
            features = rung.down(features)
        if level == 0:
            return features
        rung = rungs[level - 1]
        hint = rung.hint(self._joined(rungs, coarser))
        return cast(Tensor, rung.beside(torch.cat([rung.flat(features), hint], dim=1)))

    def join(self, vectors: Sequence[Tensor]) -> Tensor:
        return self._joined(self.rungs, vectors)  # (n, *passed_shape)

    def _joined(self, rungs: Sequence[Rung], vectors: Sequence[Tensor]) -> Tensor:
        """What is passed on of the coarsest levels, as many as there are ``vectors``."""
        coarsest, *finer = vectors
        joined = coarsest
        for rung, level in zip(rungs, finer, strict=False):
            joined = torch.cat([rung.lift(joined), rung.flat(level)], dim=1)
        return joined


class GridBottleneck(MultiscaleBottleneck):
    """Grids: ``features: (n, channels, h, w)``, of signals ``(n, channels, places)``.

    A coarser level has ``ratio`` times fewer places along each side, rounded up.
    """

    def __init__(
        self,
        features: Shape,
        quantizers: Sequence[Quantizer],
        dim: int,
        ratio: int = 2,
        nonlinearity: str = "relu",
    ) -> None:
        channels, *sides = features
        grids = [tuple(sides)]
        for _ in quantizers[1:]:
            grids.insert(0, tuple(math.ceil(side / ratio) for side in grids[0]))
        rungs = [
            _grid_rung((channels, *finer), dim, ratio, nonlinearity, is_first=level == 0)
            for level, finer in enumerate(grids[1:])
        ]
        super().__init__(quantizers, grids, dim, rungs)
        self.passed = (2 * dim, *sides)

    @property
    def passed_shape(self) -> Shape:
        return self.passed


def _grid_rung(features: Shape, dim: int, ratio: int, nonlinearity: str, *, is_first: bool) -> Rung:
    """From a grid with ``ratio`` times fewer places along each side to the grid of ``features``;
    below it ``is_first`` the coarsest, of which the vectors are passed on as they are.
    """
    channels, *sides = features
    convolution, transposed = convolutions(features)
    halvings = ratio.bit_length() - 1

    def between(steps: Sequence[nn.Module]) -> Iterator[nn.Module]:
        for i, step in enumerate(steps):
            yield from ([activation(nonlinearity), step] if i else [step])

    def up(outputs: int) -> nn.Module:
        inputs = [dim if is_first else 2 * dim, *[outputs] * (halvings - 1)]
        steps = [transposed(each, outputs, 4, stride=2, padding=1) for each in inputs]
        return nn.Sequential(*between(steps), Crop(tuple(sides)))

    down = nn.Sequential(
        Pad(tuple(ratio * math.ceil(side / ratio) for side in sides)),
        *between(
            [convolution(channels, channels, 4, stride=2, padding=1) for _ in range(halvings)]
        ),
        Block(features, nonlinearity),
        convolution(channels, dim if is_first else channels, 1),
    )
    hint, lift = up(channels), up(dim)
    return Rung(down, hint, convolution(2 * channels, dim, 1), lift, nn.Identity())


class TokenBottleneck(MultiscaleBottleneck):
    """Rows of ``tokens`` vectors, and ``ratio`` times fewer at each coarser level, from features
    of any shape.
    """

    def __init__(
        self,
        features: Shape,
        quantizers: Sequence[Quantizer],
        dim: int,
        tokens: int,
        ratio: int = 2,
    ) -> None:
        size = math.prod(features)
        counts = [max(1, tokens // ratio**i) for i in reversed(range(len(quantizers)))]
        rungs = []
        for level, finer in enumerate(counts[1:]):
            down = (
                nn.Sequential(nn.Flatten(), nn.Linear(size, size))
                if level
                else to_vectors(features, dim, counts[0])[0]
            )
            joined = dim * sum(counts[: level + 1])
            beside = to_vectors((2 * size,), dim, finer)[0]
            hint = nn.Sequential(nn.Flatten(), nn.Linear(joined, size))
            rungs.append(Rung(down, hint, beside, nn.Flatten(), nn.Flatten()))
        super().__init__(quantizers, [(count,) for count in counts], dim, rungs)
