"""Examples as rows of patches: which values belong together, and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from isthmus.core.example import ExampleSpec, Shape

_ACROSS = 8  # patches along the longer side of an image
_ALONG = 64  # patches of a signal, a sequence or a row


class Patches(nn.Module):
    """The values of an example, ``(n, *shape)``, by patches, ``(n, patches, size)``, and back.

    The values of a patch stand in the order in which they lie in the example; a patch that has
    fewer than the others ends in zeros.

    Args:
        owners: the number of each value's patch, ``(*shape)``.
        count: how many patches there are.
    """

    places: Tensor
    back: Tensor
    owners: Tensor

    def __init__(self, owners: Tensor, count: int) -> None:
        super().__init__()
        flat = owners.flatten()
        sizes, order = flat.bincount(minlength=count), flat.argsort(stable=True)
        self.shape, self.count, self.size = tuple(owners.shape), count, int(sizes.max())
        within = torch.arange(len(flat)) - (sizes.cumsum(0) - sizes)[flat[order]]
        slots = flat[order] * self.size + within
        places, back = torch.full((count * self.size,), len(flat)), torch.empty_like(flat)
        places[slots], back[order] = order, slots
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("back", back, persistent=False)
        self.register_buffer("owners", flat, persistent=False)

    @property
    def is_full(self) -> bool:
        """Whether all patches have as many values."""
        return len(self.places) == len(self.back)

    def cut(self, x: Tensor) -> Tensor:
        """Examples ``(n, *shape)`` as patches ``(n, patches, size)``."""
        flat = x.flatten(1)
        if not self.is_full:
            flat = torch.cat([flat, flat.new_zeros(len(flat), 1)], 1)
        return flat.index_select(1, self.places).unflatten(1, (self.count, self.size))

    def joined(self, patches: Tensor) -> Tensor:
        """Patches ``(n, patches, size)`` as examples ``(n, *shape)``."""
        return patches.flatten(1).index_select(1, self.back).unflatten(1, self.shape)

    def spread(self, said: Tensor) -> Tensor:
        """What is said of patches ``(n, patches)``, of each of their values, ``(n, *shape)``."""
        return said.index_select(1, self.owners).unflatten(1, self.shape)

    def any(self, mask: Tensor) -> Tensor:
        """Which patches have a value for which a mask ``(n, *shape)`` is true."""
        return self.cut(mask).any(2)

    def all(self, mask: Tensor) -> Tensor:
        """Which patches have none for which it is false."""
        return ~self.any(~mask)


def patch_grid(spec: ExampleSpec, side: int | None) -> tuple[Tensor, Shape]:
    """The number of each value's patch, ``(*shape)``, and the grid of the patches.

    A patch is a square of an image with all its channels, some steps of a signal or a sequence with
    all channels or features, or neighbouring columns; the cells of a table stay whole.

    Args:
        spec: what an example is.
        side: pixels, steps or columns along a patch; None: as many as make 8 patches of the longer
            side of an image, at least 2, and 64 of anything else.
    """
    shape, cells = spec.shape, _cells(spec)
    match spec.kind:
        case "image":
            side = side or max(2, math.ceil(max(shape[1:]) / _ACROSS))
            rows, columns = (torch.arange(length) // side for length in shape[1:])
            grid: Shape = tuple(math.ceil(length / side) for length in shape[1:])
            return (rows[:, None] * grid[1] + columns).expand(shape), grid
        case "signal" | "sequence":
            time = shape[1] if spec.kind == "signal" else shape[0]
            side = side or math.ceil(time / _ALONG)
            steps = torch.arange(time) // side
            owners = steps if spec.kind == "signal" else steps[:, None]
            return owners.expand(shape), (math.ceil(time / side),)
        case _:
            side = side or math.ceil(len(cells) / _ALONG)
            owners = (torch.arange(len(cells)) // side).repeat_interleave(cells)
            return owners, (math.ceil(len(cells) / side),)


def of_parameters(owners: Tensor, parameters: Shape) -> Tensor:
    """The patch of each parameter of a likelihood, ``(*parameters)``, by that of each value; the
    parameters of one value lie along one axis.
    """
    return owners.repeat([of // size for of, size in zip(parameters, owners.shape, strict=True)])


def _cells(spec: ExampleSpec) -> Tensor:
    """How many values each cell of a row has; one, where they are not those of a table."""
    sizes = [column.size for column in spec.columns or ()]
    if sum(sizes) != math.prod(spec.shape):
        sizes = [1] * math.prod(spec.shape)
    return torch.tensor(sizes)
