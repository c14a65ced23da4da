"""The sliced Wasserstein autoencoder: codes match the prior along random directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.divergences import squared_sliced_wasserstein
from isthmus.estimators.base import Estimator
from isthmus.estimators.settings import Conditional
from isthmus.estimators.spatial import SpatialCode
from isthmus.models.wae import MatchedBottleneck


@dataclass(repr=False, eq=False, kw_only=True)
class SlicedWAE(SpatialCode, Conditional, Estimator):
    r"""Sliced Wasserstein autoencoder: codes match the prior along random directions.

    .. math:: \min_{f, g} \; \mathbb{E}_x[-\log p(x \mid z = f(x))]
              + \lambda \, \mathrm{SW}_2^2(f(x), \mathcal{N}(0, I)), \quad
              \mathrm{SW}_2^2 = \mathbb{E}_{\theta} \, \frac1n \sum_{i=1}^n
              \left(\theta^\top z_{(i)} - \theta^\top \tilde z_{(i)}\right)^2

    where :math:`\tilde z` are as many draws of N(0, I) as the batch has codes, θ is a direction on
    the unit sphere, and (i) says that both are sorted along it. It needs no kernel and no critic,
    and costs a sort for each of the ``projections``. The history shows the distance as ``sliced``;
    codes that follow the prior have a distance above 0, of about 2 / n in one dimension for n codes
    a batch. Codes are deterministic. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for batches of a single example.

    Reference:
        S. Kolouri, P. E. Pope, C. E. Martin and G. K. Rohde, Sliced Wasserstein auto-encoders, ICLR
        2019.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> ist.SlicedWAE(epochs=1, random_state=0).fit(data.train).sample(3).shape
        (3, 1, 8, 8)
    """

    sliced_weight: float = field(
        10.0, "weight of the distance between codes and prior (lambda)", low=0
    )
    projections: int = field(50, "random directions in each step", low=1)

    @property
    def code_space(self) -> str:
        return "normal"

    @property
    def _batch_estimate(self) -> str:
        return "how far the codes of a batch are from the prior"

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return MatchedBottleneck(
            features,
            self._code_size,
            self.sliced_weight,
            partial(squared_sliced_wasserstein, projections=self.projections),
            "sliced",
            is_map=self._is_map(features),
        )
