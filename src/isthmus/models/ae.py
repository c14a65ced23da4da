"""The plain autoencoder: the narrow code is the only constraint."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.findings import Finding
from isthmus.core.forward import Code, Point
from isthmus.estimators.base import Estimator
from isthmus.estimators.judged import Judged
from isthmus.estimators.spatial import SpatialCode
from isthmus.estimators.tied import TiedWeights
from isthmus.networks import activation
from isthmus.networks.conv import code_layers

_DEAD = 0.1  # of the numbers of a rectified code: fewer are no harm
SPACES = {"sigmoid": "unit", "tanh": "symmetric", "relu": "positive"}


@dataclass(repr=False, eq=False, kw_only=True)
class ActivatedCode(Estimator, ABC):
    """The field of members whose code may pass through an activation."""

    code_activation: str = field(
        "linear",
        "what the code passes through: 'sigmoid' puts it into the unit square, 'tanh' into"
        " [-1, 1], 'relu' makes it at least 0",
        choices=("linear", "sigmoid", "tanh", "relu"),
    )

    @property
    def code_space(self) -> str:
        return SPACES.get(self.code_activation, "data")


@dataclass(repr=False, eq=False, kw_only=True)
class AE(Judged, SpatialCode, TiedWeights, ActivatedCode):
    r"""Autoencoder: encode x to a code, decode the code, and make the reconstruction close to x.

    .. math:: \min_{f, g} \; \mathbb{E}_x \left[ -\log p(x \mid z = f(x)) \right]

    which is the squared error :math:`\lVert x - g(f(x)) \rVert^2` under ``likelihood="mse"``. With
    linear networks (``hidden=()``, ``SquaredError(output="linear")``) its optimum spans the same
    space as PCA.

    ``x: (n, *shape)``, ``z: (n, latent_dim)``, or ``(n, latent_dim, *grid)`` where ``code="map"``;
    the distortion is summed over dimensions and averaged over examples.

    Reference:
        G. E. Hinton and R. R. Salakhutdinov, Reducing the dimensionality of data with neural
        networks, Science 2006.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> ae = ist.AE(latent_dim=2, epochs=1, random_state=0).fit(data.train)
        >>> ae.transform(data.test.x).shape
        (359, 2)
    """

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return DeterministicBottleneck(
            features, self._code_size, self.code_activation, is_map=self._is_map(features)
        )


class DeterministicBottleneck(Bottleneck):
    """A linear map from features to the code, and an activation: z is a function of x.

    ``features: (n, *features)`` to ``z: (n, latent_dim)``, or of a map ``(n, latent_dim, *grid)``.
    """

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        code_activation: str = "linear",
        *,
        is_map: bool = False,
    ) -> None:
        super().__init__()
        self.is_rectified = code_activation == "relu"
        layers, self.code_shape = code_layers(features, latent_dim, is_map=is_map)
        self.project = nn.Sequential(*layers, activation(code_activation))

    @property
    def linear(self) -> nn.Linear:
        """The layer from features to a code that is a vector."""
        layer = self.project[-2]
        assert isinstance(layer, nn.Linear)
        return layer

    def posterior(self, features: Tensor) -> Point:
        return Point(self.project(features))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return Code(self.project(features))

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        found = super().diagnostics(posterior)
        dead, numbers = int((posterior[0] <= 0).all(0).sum()), math.prod(self.code_shape)
        if found or not self.is_rectified or dead <= _DEAD * numbers:
            return found
        return [
            Finding(
                "dead-units",
                f"{dead} of {numbers} numbers of the code are 0 for every example, and"
                " learn nothing any more",
                "raise latent_dim, or change random_state or code_activation",
                "share of units that are 0 for every example",
                dead / numbers,
                _DEAD,
            )
        ]
