"""The scale hyperprior: an autoencoder whose codes are made to be written into a file."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.core.autoencoder import Bottleneck, LossFunction
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.estimators.base import Estimator
from isthmus.likelihoods import LikelihoodPart, SquaredError
from isthmus.models._hyperprior import HyperpriorBottleneck, RateDistortion


@dataclass(repr=False, eq=False, kw_only=True)
class Hyperprior(Estimator):
    grid_network = "gdn"
    learns_prior = True

    latent_dim: int = field(128, "channels of the code y, at every place of its grid", low=1)
    hyper_channels: int = field(64, "channels of the code z, which says the scales of y", low=1)
    distortion_weights: tuple[int, ...] = field(
        (30, 100, 300, 1000),
        "weights λ of the distortion beside the rate; one model is trained for all of them",
        low=1,
    )
    quality: int | None = field(
        None,
        "which of distortion_weights codes are made for once it is trained, counted from 0; none:"
        " the last",
        low=0,
    )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return HyperpriorBottleneck(
            features, self.latent_dim, self.hyper_channels, self.distortion_weights
        )

    def _likelihood(self, spec: ExampleSpec) -> LikelihoodPart:
        if self.likelihood == "auto" and spec.unit_range and spec.columns is None:
            return SquaredError(output="clipped")
        return super()._likelihood(spec)

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        return RateDistortion()
