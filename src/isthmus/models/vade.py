"""Variational deep embedding: a VAE whose prior is a mixture of Gaussians, one for each cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from sklearn.base import ClusterMixin
from torch import Tensor

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.findings import Finding
from isthmus.core.forward import Code
from isthmus.core.objectives import Batches, Objective, Stage
from isthmus.corruptions import corruption_of
from isthmus.data.incoming import incoming
from isthmus.divergences import kl_between, log_normal
from isthmus.errors import InputError
from isthmus.latent_priors.gaussian import GaussianMixturePrior
from isthmus.models._centres import codes_of_batches, one_cluster, reconstruction
from isthmus.models._ellipses import means_of_clusters, shares_in_ellipses
from isthmus.models._started import Started
from isthmus.models._variational import (
    DiagonalGaussian,
    GaussianBottleneck,
    StochasticBottleneck,
    Variational,
)
from isthmus.models._whitening import first_layer, make_round
from isthmus.registry import CORRUPTIONS
from isthmus.training.runtimes import Runtime

if TYPE_CHECKING:
    from isthmus.corruptions import Corruption

_LEAST_VARIANCE = 1e-4  # of a cluster at the start
_LEAST_SHARE = 1e-12  # of a cluster, whose logarithm is taken


@dataclass(repr=False, eq=False, kw_only=True)
class VaDE(ClusterMixin, Started, Variational):
    r"""Variational deep embedding: a VAE with a Gaussian for each cluster in place of N(0, I).

    .. math:: p(z) = \sum_c \pi_c \, \mathcal N(z; \mu_c, \sigma_c^2), \quad
              -\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]
              + \sum_c \gamma_c \left[\mathrm{KL}(q(z \mid x) \,\|\, \mathcal N(\mu_c, \sigma_c^2))
              + \log \frac{\gamma_c}{\pi_c}\right], \quad \gamma_c = p(c \mid z)

    First an autoencoder is trained for ``pretrain_epochs``, or taken from ``start``; a mixture of
    its codes by expectation maximisation is where π, μ_c and σ_c start; then all is trained
    together for ``epochs``. The start decides, so compare several values of ``random_state`` by the
    objective, which is what the authors do.

    ``predict`` gives clusters, ``responsibilities`` their probabilities ``(n, n_clusters)``,
    ``transform`` the codes ``(n, latent_dim)``; ``labels_`` are the clusters of the examples that
    it was last trained on. ``x: (n, *shape)``; the objective is in nats.

    Raises:
        InputError: at ``fit``, for fewer examples than clusters.

    Reference:
        Z. Jiang, Y. Zheng, H. Tan, B. Tang and H. Zhou, Variational deep embedding: an unsupervised
        and generative approach to clustering, IJCAI 2017.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.VaDE(n_clusters=10, pretrain_epochs=1, epochs=1, random_state=0)
        >>> model.fit(data.train).predict(data.test.x).shape, model.sample(3).shape
        ((359,), (3, 1, 8, 8))
    """

    latent_dim: int = field(10, "size of the code", low=1)
    n_clusters: int = field(8, "how many clusters", low=1)
    pretrain_epochs: int = field(
        30, "epochs as a plain autoencoder before there are clusters; none under start", low=0
    )
    whiten: bool = field(
        False,
        "whether codes take a linear map under which clusters are round, before there are any;"
        " reconstructions do not see it",
    )
    corruption: str | Corruption | Callable[[Tensor], Tensor] | None = slot(
        None,
        CORRUPTIONS,
        "what is done to examples before they are encoded in training; what is asked for are clean"
        " ones",
    )

    @property
    def code_space(self) -> str:
        return "data"  # clusters lie wherever they lie

    def fit(self, X: Any, y: Any = None, **others: Any) -> Self:
        """Train, and assign the training examples to clusters: see :meth:`Estimator.fit`."""
        X = incoming(X)
        super().fit(X, y, **others)
        self.labels_ = self.predict(X, self._given_with(y))
        return self

    def partial_fit(self, X: Any, y: Any = None, **others: Any) -> Self:
        """Go through a portion of the examples once, whose clusters ``labels_`` then are: see
        :meth:`Estimator.partial_fit`.
        """
        X = incoming(X)
        super().partial_fit(X, y, **others)
        self.labels_ = self.predict(X, self._given_with(y))
        return self

    def predict(self, X: Any, condition: Any = None) -> np.ndarray:
        """The most probable cluster of each example, ``(n,)``: whole numbers from 0."""
        return np.asarray(self.responsibilities(X, condition).argmax(1).astype(np.int64))

    def _given_with(self, y: Any) -> Any:
        """What a conditional member is told of the examples that it was trained on."""
        return None if self.condition == "none" else y

    def responsibilities(self, X: Any, condition: Any = None) -> np.ndarray:
        """p(c | z) at the mean of each example's posterior, ``(n, n_clusters)``."""
        codes = torch.from_numpy(self.codes(X, condition))
        bottleneck = self._fitted().bottleneck
        assert isinstance(bottleneck, MixtureBottleneck)
        with torch.no_grad():
            joint = bottleneck.prior.log_joint(codes.to(bottleneck.prior.mu))
        return np.asarray(joint.softmax(1).cpu().numpy())

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        bottleneck = self.module_.bottleneck
        assert isinstance(bottleneck, MixtureBottleneck)
        return bottleneck.prior.sample(n, temperature)

    def _require_examples(self, n: int, measured: int | None, *, is_first: bool) -> None:
        super()._require_examples(n, measured, is_first=is_first)
        if is_first and n < max(2, self.n_clusters):
            raise InputError(
                f"n_clusters={self.n_clusters} needs at least as many examples, and two, but X"
                f" holds {n}: ask for fewer."
            )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return MixtureBottleneck(features, self.latent_dim, self.n_clusters, rounds=self.whiten)

    def _corruption(self, spec: ExampleSpec) -> Callable[[Tensor], Tensor] | None:
        return None if self.corruption is None else corruption_of(self.corruption, spec)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        if self.whiten:  # refused before anything is trained
            first_layer(module.decoder, self.latent_dim)
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, MixtureBottleneck)
        clusters = {id(parameter) for parameter in bottleneck.prior.parameters()}
        network = tuple(
            parameter
            for parameter in module.parameters()
            if parameter.requires_grad and id(parameter) not in clusters
        )
        pretraining = Stage(
            self.pretrain_epochs, (Objective(network, partial(reconstruction, module)),)
        )
        together = Stage(self._epochs, module.objectives(), partial(bottleneck.start, module))
        return [pretraining, together] if self._begins_anew else [together]

    def _start(self, X: Any, y: Any, runtime: Runtime, seed: int) -> Mapping[str, Tensor]:
        """The weights of an autoencoder, whose codes are the means; log variances start at 0."""
        return {
            name: torch.cat([value, torch.zeros_like(value)])
            if name.startswith(self._code_weights)
            else value
            for name, value in super()._start(X, y, runtime, seed).items()
        }


class MixtureBottleneck(StochasticBottleneck):
    """A Gaussian posterior, and a learnt mixture of Gaussians with diagonal covariances as prior.

    ``features: (n, *features)`` to ``z: (n, latent_dim)``.

    Args:
        features: the shape of what the encoder makes.
        latent_dim: size of the code.
        n_clusters: how many Gaussians.
        rounds: whether codes take a map that makes clusters round before there are any.
    """

    def __init__(
        self, features: Shape, latent_dim: int, n_clusters: int, *, rounds: bool = False
    ) -> None:
        super().__init__()
        self.inner = GaussianBottleneck(features, latent_dim)
        self.rounds = rounds
        self.code_shape = self.inner.code_shape
        self.prior = GaussianMixturePrior(self.code_shape, n_clusters)

    def posterior(self, features: Tensor) -> DiagonalGaussian:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        mu, log_var = self.posterior(features)
        z = mu + (0.5 * log_var).exp() * (sharding.randn_like(mu) if noise is None else noise)
        prior = self.prior
        log_shares = prior.log_joint(z).log_softmax(1)  # log γ, (n, n_clusters)
        apart = kl_between(mu[:, None], log_var[:, None], prior.mu, prior.log_var).sum(2)
        rate = (log_shares.exp() * (apart + log_shares - prior.logits.log_softmax(0))).sum(1)
        return Code(z, rate, {"rate": rate})

    def draw(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.posterior(features)
        z = mu + (0.5 * log_var).exp() * noise  # (s, n, latent_dim)
        proposed = log_normal(z, mu, log_var).sum(-1)  # (s, n)
        return z.flatten(0, 1), self.prior.log_prob(z) - proposed

    def start(self, module: Autoencoder, batches: Batches) -> None:
        """Start from the clusters that expectation maximisation finds among all codes.

        They lie in slanting ellipses, which a mixture of upright ones cuts up. So it is fitted with
        full covariances, of which the variances are kept; with ``rounds`` no more is left of them,
        where codes have taken the map.
        """
        z = codes_of_batches(module, batches).double()
        shares = shares_in_ellipses(z, len(self.prior.logits), int(torch.randint(2**31, ())))
        mu = means_of_clusters(z, shares)
        if self.rounds:
            within = (z.T @ z - mu.T * shares.sum(0) @ mu) / len(z)
            z = make_round(module, self.inner.linear, z, within)
            mu = means_of_clusters(z, shares)
        variance = means_of_clusters(z.square(), shares) - mu.square()
        self.prior.logits.copy_(shares.mean(0).clamp(min=_LEAST_SHARE).log())
        self.prior.mu.copy_(mu)
        self.prior.log_var.copy_(variance.clamp(min=_LEAST_VARIANCE).log())

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        return one_cluster(self.prior.log_joint(posterior[0].to(self.prior.mu)))
