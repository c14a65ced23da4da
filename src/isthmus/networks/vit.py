"""Vision transformers: an example is cut into patches, which attend to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.networks.attention import Blocks, among, everywhere, sines
from isthmus.networks.base import Features, Network
from isthmus.networks.patches import Patches, of_parameters, patch_grid

_HEAD = 16  # channels of an attention
_WIDTHS = (96,) * 6


@dataclass(repr=False)
class ViT(Network):
    """A vision transformer on patches, in encoder and decoder, for examples of any kind.

    A patch is a square of an image, some steps of a signal or a sequence, or neighbouring columns
    of a row. It becomes a vector by a linear map, sines of its place are added, and a block of
    attention for every width follows; the features are those vectors on the grid of the patches,
    ``(widths[-1], *grid)``. ViT-tiny, for photographs, is ``widths=(192,) * 12, heads=3``.

    Reference:
        A. Dosovitskiy et al., An image is worth 16×16 words: transformers for image recognition at
        scale, ICLR 2021.
    """

    patch: int | None = field(
        None,
        "side of a patch in pixels, steps or columns; none: an eighth of the longer side of an"
        " image, at least 2, and a 64th of anything else",
        low=1,
    )
    heads: int | None = field(
        None,
        "attentions side by side in a block, which share its channels; none: one for 16 channels",
        low=1,
    )
    decoder_widths: tuple[int, ...] | None = field(
        None,
        "channels of the decoder's blocks; none: those of the encoder, mirrored; of a MaskedAE a"
        " third as many blocks, half as wide",
        low=1,
    )

    def encoder(self, spec: ExampleSpec) -> Features:
        owners, grid = patch_grid(spec, self.patch)
        patches, widths = Patches(owners, math.prod(grid)), self.block_widths
        encoder = PatchEncoder(patches, grid, self._blocks(widths), widths[0])
        return Features(encoder, (widths[-1], *grid))

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        owners, grid = patch_grid(spec, self.patch)
        width, places = self._decoder_widths[0], math.prod(grid)
        if code_shape[1:] == grid:
            entry = nn.Sequential(nn.Flatten(2), Transposed(), nn.Linear(code_shape[0], width))
        else:
            entry = nn.Sequential(
                nn.Flatten(),
                nn.Linear(math.prod(code_shape), places * width),
                nn.Unflatten(1, (places, width)),
            )
        return nn.Sequential(entry, self._writer(Patches(owners, places), grid))

    def predictor(self, width: int, spec: ExampleSpec, parameters: Shape) -> PatchPredictor:
        """What says of all patches, ``(n, *parameters)``, what vectors of some of them,
        ``(n, patches, width)``, let expect.
        """
        owners, grid = patch_grid(spec, self.patch)
        patches = Patches(of_parameters(owners, parameters), math.prod(grid))
        writer = self._writer(patches, grid)
        return PatchPredictor(nn.Linear(width, self._decoder_widths[0]), writer)

    @property
    def block_widths(self) -> tuple[int, ...]:
        """The channels of the encoder's blocks."""
        return self.widths or _WIDTHS

    @property
    def _decoder_widths(self) -> tuple[int, ...]:
        return self.decoder_widths or self.block_widths[::-1]

    def _writer(self, patches: Patches, grid: Shape) -> PatchWriter:
        widths = self._decoder_widths
        return PatchWriter(patches, grid, self._blocks(widths), widths)

    def _blocks(self, widths: tuple[int, ...]) -> Blocks:
        return Blocks(widths, self._heads, self.activation)

    def _heads(self, channels: int) -> int:
        if self.heads is None:
            wanted = max(1, channels // _HEAD)
            return next(count for count in range(wanted, 0, -1) if channels % count == 0)
        if channels % self.heads:
            raise InputError(
                f"heads={self.heads} cannot share the {channels} channels of a block: give a number"
                f" that divides {channels}, or leave it out."
            )
        return self.heads


class PatchEncoder(nn.Module):
    """From examples ``(n, *shape)`` to vectors of their patches, on their grid:
    ``(n, channels, *grid)``.

    Patches without an observed value are not attended to, and give 0.

    Args:
        patches: how an example is cut.
        grid: how patches lie.
        blocks: what makes the vectors see each other.
        width: channels of the first block.
    """

    reads_mask = True
    where: Tensor

    def __init__(self, patches: Patches, grid: Shape, blocks: Blocks, width: int) -> None:
        super().__init__()
        self.patches, self.grid, self.blocks = patches, grid, blocks
        self.embed = nn.Linear(patches.size, width)
        self.register_buffer("where", sines(grid, width), persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            vectors = self.vectors(x)
        else:
            seen = self.patches.any(mask)
            vectors = self.vectors(x.where(mask, 0.0), seen) * seen[..., None]
        return vectors.mT.unflatten(2, self.grid)  # (n, channels, *grid)

    def vectors(self, x: Tensor, seen: Tensor | None = None, kept: Tensor | None = None) -> Tensor:
        """The vector of each patch, ``(n, patches, channels)``.

        ``seen`` are the patches that may be attended to, ``(n, patches)``, None: all. Of patches
        that are not ``kept``, ``(n, k)`` numbers, nothing is computed: ``(n, k, channels)``.
        """
        cut, where = self.patches.cut(x), self.where
        if kept is not None:
            cut = cut.gather(1, kept[..., None].expand(-1, -1, cut.shape[2]))
            where = where[kept]
            seen = None if seen is None else seen.gather(1, kept)
        found: Tensor = self.blocks(
            self.embed(cut) + where, everywhere if seen is None else among(seen)
        )
        return found


class PatchWriter(nn.Module):
    """From a vector of each patch, ``(n, patches, channels)``, to the values of an example, or the
    parameters of a likelihood, ``(n, *shape)``; each value has a bias of its own.

    Args:
        patches: which of them belong to which patch.
        grid: how patches lie.
        blocks: what makes the vectors see each other.
        widths: channels of those.
    """

    where: Tensor

    def __init__(
        self, patches: Patches, grid: Shape, blocks: Blocks, widths: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.patches, self.blocks = patches, blocks
        self.head = nn.Linear(widths[-1], patches.size, bias=False)
        self.last = OwnBias(patches.shape)
        self.register_buffer("where", sines(grid, widths[0]), persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        said: Tensor = self.last(
            self.patches.joined(self.head(self.blocks(vectors + self.where, everywhere)))
        )
        return said


class PatchPredictor(nn.Module):
    """What the vectors of some patches let expect of all of them.

    Args:
        entry: from those vectors to the first block.
        writer: from vectors of all patches to what is said of x.
    """

    def __init__(self, entry: nn.Linear, writer: PatchWriter) -> None:
        super().__init__()
        self.entry, self.writer = entry, writer
        self.hidden = nn.Parameter(0.02 * torch.randn(entry.out_features))

    def forward(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """From vectors ``(n, patches, channels)``, of which those that are ``seen``,
        ``(n, patches)``, are read; in place of the others stands one that is learnt.
        """
        said: Tensor = self.writer(self.entry(vectors).where(seen[..., None], self.hidden))
        return said


class OwnBias(nn.Module):
    """x plus a number for each of its values, ``(n, *shape)``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.bias = shape, nn.Parameter(torch.zeros(math.prod(shape)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias.view(self.shape)


class Transposed(nn.Module):
    """The last two axes, exchanged."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mT
