"""The parts of a variational member that may be exchanged: posterior, prior, space of the codes."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import slot
from isthmus.core.findings import Finding
from isthmus.core.forward import Code
from isthmus.core.objectives import Batches, Side, Stage
from isthmus.core.parts import part_of
from isthmus.errors import InputError
from isthmus.estimators.spatial import SpatialCode
from isthmus.geometries.base import Geometry
from isthmus.latent_priors.base import LatentPrior, LatentPriorPart
from isthmus.latent_priors.gaussian import StandardNormal
from isthmus.models._rate import RateSchedule
from isthmus.models._variational import COLLAPSED, RatedBottleneck, Variational
from isthmus.posteriors.base import Posterior, PosteriorPart
from isthmus.posteriors.gaussian import Diagonal
from isthmus.registry import GEOMETRIES, LATENT_PRIORS, POSTERIORS

_DEAD = 0.02  # a share of the variance of a dimension; one that holds more carries 0.01 nats


@dataclass(repr=False, eq=False, kw_only=True)
class LatentParts(SpatialCode, Variational, ABC):
    """The slots of members whose posterior and prior may be exchanged."""

    posterior: str | PosteriorPart = slot(
        "diagonal",
        POSTERIORS,
        "the family of q(z|x): a Gaussian with a diagonal or a full covariance, or one that planar"
        " or inverse autoregressive flows bend",
    )
    latent_prior: str | LatentPriorPart = slot(
        "standard",
        LATENT_PRIORS,
        "p(z): the standard normal, or, learnt with the weights, a mixture, the VampPrior, a flow",
    )
    geometry: str | Geometry = slot(
        "euclidean",
        GEOMETRIES,
        "where codes live: among vectors, on the unit sphere, or in the Poincaré ball, each of"
        " which has a posterior and a prior of its own",
        choices=("euclidean",),
    )

    @property
    def code_space(self) -> str:
        if self._space is not None:
            return "symmetric"
        return "normal" if isinstance(self._own_prior, StandardNormal) else "data"

    @property
    def _space(self) -> Geometry | None:
        """The space of the codes; None for vectors."""
        return None if self.geometry == "euclidean" else part_of(self.geometry, GEOMETRIES)

    @property
    def _family(self) -> PosteriorPart:
        return part_of(self.posterior, POSTERIORS)

    @property
    def _own_prior(self) -> LatentPriorPart:
        return part_of(self.latent_prior, LATENT_PRIORS)

    @property
    def _is_plain(self) -> bool:
        """Whether q is a diagonal Gaussian and p the standard normal, whose rate is a formula."""
        is_diagonal = isinstance(self._family, Diagonal)
        is_standard = isinstance(self._own_prior, StandardNormal)
        return self._space is None and is_diagonal and is_standard

    def _composed(self, features: Shape, schedule: RateSchedule, remedy: str) -> LatentBottleneck:
        """The bottleneck of the parts that were chosen; ``remedy`` helps where it collapses."""
        is_map, size, space = self._is_map(features), self._code_size, self._space
        if space is None:
            family = self._family.build(features, size, is_map=is_map)
            prior = self._own_prior.build(family.code_shape)
            return LatentBottleneck(family, prior, schedule, remedy)
        for name, value in (("posterior", self._family), ("latent_prior", self._own_prior)):
            if not isinstance(value, Diagonal | StandardNormal):
                raise InputError(
                    f"{name}={getattr(self, name)!r} is for codes that are vectors, but"
                    f" geometry={self.geometry!r} brings a posterior and a prior of its own: give"
                    " one of them."
                )
        if is_map:
            raise InputError(
                f"geometry={self.geometry!r} is for codes that are vectors, but code='map' was"
                " asked for: give one of them."
            )
        return LatentBottleneck(*space.build(features, size), schedule, remedy)

    def _built(self, spec: ExampleSpec, condition_size: int) -> Autoencoder:
        module = super()._built(spec, condition_size)
        if isinstance(code := module.bottleneck, LatentBottleneck):
            code.prior.attach(module.encoder, code.family, spec.shape)
        return module

    def _sides(self, module: Autoencoder) -> tuple[Side, ...]:
        """Who moves in a step of training."""
        return module.objectives()

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        prepare, code = None, module.bottleneck
        if isinstance(code, LatentBottleneck) and code.prior.examples_to_start > 0:
            prepare = partial(_start, module, code.prior)
        return [Stage(self._epochs, self._sides(module), prepare)]

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        if not isinstance(self.module_.bottleneck, LatentBottleneck):
            return super()._prior(n, temperature, condition)
        with self._inference() as module:
            assert isinstance(module.bottleneck, LatentBottleneck)
            return module.bottleneck.prior.sample(n, temperature).cpu()


def _start(module: Autoencoder, prior: LatentPrior, batches: Batches) -> None:
    """Start a prior from a random part of the training examples."""
    rows = torch.randperm(len(batches))[: prior.examples_to_start]
    prior.start(module.seen(batches.batch(rows)).x)


class LatentBottleneck(RatedBottleneck):
    """A code of any posterior and any prior, whose rate is log q(z | x) − log p(z) of the draw
    where no formula is known.
    """

    def __init__(
        self, family: Posterior, prior: LatentPrior, schedule: RateSchedule, remedy: str
    ) -> None:
        super().__init__(schedule)
        self.family, self.prior, self.remedy = family, prior, remedy
        self.code_shape = family.code_shape

    def posterior(self, features: Tensor) -> Any:
        return self.family(features)

    def draw(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        z, log_q = self.family.draw(self.family(features), noise)
        return z.flatten(0, 1), self.prior.log_prob(z) - log_q

    def rate(self, features: Tensor) -> Tensor | None:
        return self.prior.kl(self.family(features))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        chosen = self.family(features)
        like = chosen[0]  # (n, *code_shape)
        noise = sharding.randn_like(like) if noise is None else noise.expand_as(like)
        drawn, log_q = self.family.draw(chosen, noise[None])
        known = self.prior.kl(chosen)
        rate = log_q[0] - self.prior.log_prob(drawn[0]) if known is None else known
        return Code(drawn[0], self.charge(rate), {"rate": rate})

    def expand(self, code: Tensor) -> Tensor:
        return self.family.projected(code)

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        """What differs between examples under the same noise, beside what differs in all."""
        generator = torch.Generator().manual_seed(0)
        shape = (len(posterior[0]), *self.code_shape)
        noise = torch.randn(shape, generator=generator).to(posterior[0])
        z = self.family.draw(posterior, torch.stack([noise, noise[:1].expand_as(noise)]))[0]
        apart, alike = z.flatten(2).var(1, correction=0)  # each (dimensions,)
        share = float((alike / apart.where(apart > 0, 1.0)).detach().max())
        if len(noise) < 2 or share > _DEAD:
            return []
        return [
            Finding(
                "posterior-collapse",
                f"all {alike.numel()} dimensions of the code carry less than {COLLAPSED} nats"
                " (posterior collapse), so the decoder ignores the code",
                self.remedy,
                "share of the variance of a dimension that examples make",
                share,
                _DEAD,
                "fault",
            )
        ]
