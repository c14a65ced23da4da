"""Members whose code may be a map: a vector at each place of a grid, in place of one for all."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.estimators.building import BuildingMixin

_MAP_CHANNELS = 4  # those of the autoencoder of latent diffusion


@dataclass(repr=False, eq=False, kw_only=True)
class SpatialCode(BuildingMixin, ABC):
    """The field of members whose code may be a map ``(channels, *grid)``.

    The grid is that of the network's coarsest features: of an image, or of a signal in time, every
    layer of the encoder halves it. A 1×1 convolution makes the map, so that a number of it depends
    on a part of the example alone.

    Reference:
        R. Rombach, A. Blattmann, D. Lorenz, P. Esser and B. Ommer, High-resolution image synthesis
        with latent diffusion models, CVPR 2022.
    """

    code: str = field(
        "vector",
        "'map' keeps the places of an image or a signal: the code is a grid of vectors, each of"
        " latent_dim numbers (or channels)",
        choices=("vector", "map"),
    )

    @property
    def _code_size(self) -> int:
        """Size of the code; of a map, at each place."""
        if self.code == "vector":
            return super()._code_size
        if isinstance(self.channels, str):
            return _MAP_CHANNELS if self.latent_dim is None else super()._code_size
        own = type(self).__dataclass_fields__["latent_dim"].default
        if self.latent_dim not in (own, self.channels):
            raise InputError(
                f"channels={self.channels} and latent_dim={self.latent_dim} both say how many"
                " numbers stand at each place of the map: give one of them."
            )
        return self.channels

    @property
    def _grid_network(self) -> str | None:
        return "residual" if self.code == "map" else super()._grid_network

    def _is_map(self, features: Shape) -> bool:
        """Whether the code is a map.

        Raises:
            InputError: where a map is wanted, and the features have no places.
        """
        if self.code == "map" and len(features) < 2:
            raise InputError(
                f"code='map' needs features on a grid, but the encoder gives {features} for one"
                " example: pass images or signals with network='residual' or 'conv', or"
                " code='vector'."
            )
        return self.code == "map"
