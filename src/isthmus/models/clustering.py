"""The clustering autoencoder: codes gather around centres, by deep embedded clustering."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.cluster import KMeans
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck, encoded
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.findings import Finding
from isthmus.core.forward import Code, Point
from isthmus.core.objectives import Batches, Loss, Objective, Stage
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.estimators.precision import dtype_of, like
from isthmus.likelihoods import Likelihood
from isthmus.models.ae import DeterministicBottleneck

_STARTS = 20  # of k-means, of which the best is kept
_LEAST = 1e-12  # of a probability whose logarithm is taken


@dataclass(repr=False, eq=False, kw_only=True)
class ClusteringAE(ClusterMixin, Estimator):
    r"""Clustering autoencoder (DEC, IDEC): codes are drawn to centres by their confident guesses.

    .. math:: q_{ij} \propto \left(1 + \lVert z_i - \mu_j \rVert^2\right)^{-1}, \quad
              p_{ij} \propto q_{ij}^2 / \textstyle\sum_i q_{ij}, \quad
              L = \sum_j p_{ij} \log \frac{p_{ij}}{q_{ij}}

    First an autoencoder is trained for ``pretrain_epochs``; k-means of its codes makes the centres
    μ; then encoder and centres make L small for ``epochs``. ``variant="idec"`` keeps the
    reconstruction in the objective: :math:`-\log p(x \mid z) + \gamma L`. The targets p stand still
    for an epoch: they are those of the encoder and the centres as they were at its beginning.
    Moving along, they would let all codes fall into one point, where L is 0.

    ``predict`` gives clusters, ``transform`` the distances to the centres ``(n, n_clusters)``,
    ``encode`` the codes ``(n, latent_dim)``; ``labels_`` are the clusters of the examples that it
    was last trained on.

    Raises:
        InputError: at ``fit``, for fewer examples than clusters.

    References:
        J. Xie, R. Girshick and A. Farhadi, Unsupervised deep embedding for clustering analysis,
        ICML 2016. X. Guo, L. Gao, X. Liu and J. Yin, Improved deep embedded clustering, IJCAI 2017
        (``"idec"``).

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.ClusteringAE(n_clusters=10, pretrain_epochs=1, epochs=1, random_state=0)
        >>> model.fit(data.train).predict(data.test.x).shape, model.transform(data.test.x).shape
        ((359,), (359, 10))
    """

    moving_objective = True

    latent_dim: int = field(10, "size of the code", low=1)
    n_clusters: int = field(8, "how many centres", low=1)
    variant: str = field(
        "dec",
        "'dec' drops the reconstruction after pretraining, 'idec' keeps it",
        choices=("dec", "idec"),
    )
    clustering_weight: float = field(
        10.0, "weight of the clustering loss beside the reconstruction, under idec (gamma)", above=0
    )
    pretrain_epochs: int = field(
        30, "epochs as a plain autoencoder before there are centres", low=0
    )

    def fit(self, X: Any, y: Any = None, **others: Any) -> Self:
        """Train, and assign the training examples to clusters: see :meth:`Estimator.fit`."""
        X = incoming(X)
        super().fit(X, y, **others)
        self.labels_ = self.predict(X)
        return self

    def partial_fit(self, X: Any, y: Any = None, **others: Any) -> Self:
        """Go through a portion of the examples once, whose clusters ``labels_`` then are: see
        :meth:`Estimator.partial_fit`.
        """
        X = incoming(X)
        super().partial_fit(X, y, **others)
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of each example, ``(n,)``: whole numbers from 0."""
        return np.asarray(self._distances(X).argmin(1).astype(np.int64))

    def transform(self, X: Any, condition: Any = None) -> np.ndarray:
        """The distance of each example's code to every centre, ``(n, n_clusters)``."""
        return self._distances(X)

    def _distances(self, X: Any) -> np.ndarray:
        codes = self.codes(X)
        return np.linalg.norm(codes[:, None] - self.cluster_centers_.astype(codes.dtype), axis=2)

    def inverse_transform(self, X: Any, condition: Any = None) -> np.ndarray:
        """Examples from distances ``(n, n_clusters)``, exact with more centres than dimensions.

        The code is found from :math:`d_j^2 - d_0^2`, which is linear in z; where distances leave it
        open, it is the one in the space that the centres span.
        """
        self._fitted()
        distances, centres = (
            np.asarray(incoming(X), dtype=np.float64),
            self.cluster_centers_.astype(np.float64),
        )
        if distances.ndim != 2 or distances.shape[1] != len(centres):
            raise InputError(
                f"distances have the shape {distances.shape}, but this model takes (n,"
                f" {len(centres)})."
            )
        offset = np.square(distances[:, 1:]) - np.square(distances[:, :1])  # (n, n_clusters - 1)
        lengths = np.square(centres[1:] - centres[0]).sum(1)
        solved = np.linalg.lstsq(2 * (centres[1:] - centres[0]), (lengths - offset).T, rcond=None)[
            0
        ].T
        return like(self.decode(solved + centres[0]), dtype_of(X))

    def _require_examples(self, n: int, measured: int | None, *, is_first: bool) -> None:
        super()._require_examples(n, measured, is_first=is_first)
        if is_first and n < self.n_clusters:
            raise InputError(
                f"n_clusters={self.n_clusters} needs at least as many examples, but X holds {n}:"
                " ask for fewer."
            )

    @property
    def cluster_centers_(self) -> np.ndarray:
        """The centres, ``(n_clusters, latent_dim)``."""
        bottleneck: Any = self._fitted().bottleneck
        return np.asarray(bottleneck.centres.detach().cpu().numpy())

    @property
    def _rebuilds(self) -> bool:
        return self.variant == "idec"

    @property
    def _n_features_out(self) -> int:
        return self.n_clusters

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return ClusteringBottleneck(features, self.latent_dim, self.n_clusters)

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        assert isinstance(bottleneck, ClusteringBottleneck)
        bottleneck.anchor = Anchor(encoder, bottleneck)
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _loss_function(self, spec: ExampleSpec) -> ClusteringLoss:
        return ClusteringLoss(self.clustering_weight if self.variant == "idec" else None)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, ClusteringBottleneck)
        moved = [parameter for parameter in module.parameters() if parameter.requires_grad]
        network = tuple(parameter for parameter in moved if parameter is not bottleneck.centres)
        outer = (
            []
            if self.variant == "idec"
            else [*module.decoder.parameters(), *module.likelihood.parameters()]
        )
        gathered = tuple(
            parameter for parameter in moved if not any(parameter is other for other in outer)
        )
        return [
            Stage(self.pretrain_epochs, (Objective(network, partial(reconstruction, module)),)),
            Stage(
                self._epochs,
                (Objective(gathered, module.loss),),
                partial(bottleneck.start, module),
                partial(bottleneck.settle, module),
            ),
        ]


class ClusteringBottleneck(Bottleneck):
    """A linear map to the code, and centres in the space of codes.

    ``features: (n, *features)`` to ``z: (n, latent_dim)``.
    """

    anchor: Anchor

    def __init__(self, features: Shape, latent_dim: int, n_clusters: int) -> None:
        super().__init__()
        self.inner = DeterministicBottleneck(features, latent_dim)
        self.code_shape = self.inner.code_shape
        self.centres = nn.Parameter(torch.randn(n_clusters, latent_dim))

    def posterior(self, features: Tensor) -> Point:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return self.inner(features)

    def start(self, module: Autoencoder, batches: Batches) -> None:
        """Place the centres where k-means finds them among the codes of all examples."""
        codes = torch.cat([module.encode(some)[0] for some in batches.chunks()])
        count = len(self.centres)
        if (distinct := len(codes.unique(dim=0))) < count:
            raise InputError(
                f"n_clusters={count} needs at least as many different codes, but the examples of X"
                f" have {distinct}: ask for fewer, or pretrain for longer (pretrain_epochs)."
            )
        seed = int(torch.randint(2**31, ()))
        found = (
            KMeans(count, n_init=_STARTS, random_state=seed)
            .fit(codes.float().cpu().numpy())
            .cluster_centers_
        )
        self.centres.copy_(torch.from_numpy(found))

    def settle(self, module: Autoencoder, batches: Batches) -> None:
        """Take encoder and centres as they stand for the source of the coming epoch's targets."""
        self.anchor.encoder.load_state_dict(module.encoder.state_dict())
        self.anchor.inner.load_state_dict(self.inner.state_dict())
        self.anchor.centres.copy_(self.centres)
        self.anchor.sums.copy_(
            torch.stack(
                [self.anchor.assigned(module.seen(x)).sum(0) for x in batches.chunks()]
            ).sum(0)
        )

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        used = assignment(posterior[0], self.centres).argmax(1).unique()
        if len(used) > 1 or len(self.centres) == 1:
            return []
        return [
            Finding(
                "one-cluster",
                "all examples ended in one cluster",
                "pretrain for longer (pretrain_epochs), or lower learning_rate",
                "clusters that hold an example",
                len(used),
                1,
                "fault",
            )
        ]


class Anchor(nn.Module):
    """Encoder and centres as an epoch found them, of which targets are made; nothing is trained.

    Args:
        encoder, bottleneck: what is copied.
    """

    def __init__(self, encoder: nn.Module, bottleneck: ClusteringBottleneck) -> None:
        super().__init__()
        self.encoder, self.inner = copy.deepcopy(encoder), copy.deepcopy(bottleneck.inner)
        self.requires_grad_(False)
        self.register_buffer("centres", bottleneck.centres.detach().clone())
        self.register_buffer("sums", torch.ones(len(bottleneck.centres)))  # of q over all examples
        self.centres: Tensor
        self.sums: Tensor

    def assigned(self, seen: Batch) -> Tensor:
        """q of examples as an encoder sees them, ``(n, n_clusters)``."""
        return assignment(self.inner.posterior(encoded(self.encoder, seen)).z, self.centres)

    def forward(self, seen: Batch) -> Tensor:
        """p of examples as an encoder sees them, the targets, ``(n, n_clusters)``."""
        return sharpened(self.assigned(seen), self.sums)

    def train(self, mode: bool = True) -> Self:
        """Never in training mode: what is kept is judged as it is."""
        return super().train(False)


@dataclass(frozen=True)
class ClusteringLoss:
    """The clustering loss as an objective, beside the distortion or alone.

    Attributes:
        weight: of the clustering loss beside the distortion; None leaves the distortion out, which
            is then reported and moves nothing.
    """

    weight: float | None

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, ClusteringBottleneck)
        z = bottleneck.posterior(features).z
        with torch.no_grad():
            p = bottleneck.anchor(module.seen(batch))
        q = assignment(z, bottleneck.centres)  # (n, n_clusters)
        clustering = (p * (p.clamp(min=_LEAST).log() - q.clamp(min=_LEAST).log())).sum(1)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.weight is not None):
            distortion = module.distortion(z, batch)
        objective = clustering if self.weight is None else distortion + self.weight * clustering
        return Loss(objective, {"distortion": distortion, "clustering": clustering})


def assignment(z: Tensor, centres: Tensor) -> Tensor:
    """q, the share of each centre in a code, ``(n, n_clusters)``, by Student's t.

    It has one degree of freedom.
    """
    kernel = 1 / (1 + (z[:, None] - centres).square().sum(2))
    return kernel / kernel.sum(1, keepdim=True)


def sharpened(q: Tensor, sums: Tensor) -> Tensor:
    """p, the target: q squared over the size of each cluster, so that none takes all."""
    weight = q.square() / sums.clamp(min=_LEAST)
    return weight / weight.sum(1, keepdim=True)


def reconstruction(module: Autoencoder, batch: Batch) -> Loss:
    """The distortion alone: a plain autoencoder, before there are centres."""
    distortion = module.distortion(module.encode(batch)[0], batch)
    return Loss(distortion, {"distortion": distortion})
