"""The clustering autoencoder: codes gather around centres, by deep embedded clustering."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClusterMixin
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.objectives import Objective, Stage
from isthmus.corruptions import corruption_of
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators.precision import dtype_of, like
from isthmus.likelihoods import Likelihood
from isthmus.models._centres import (
    Anchor,
    ClusteringBottleneck,
    ClusteringLoss,
    Targets,
    reconstruction,
)
from isthmus.models._started import Started
from isthmus.models._whitening import first_layer
from isthmus.registry import CORRUPTIONS, OPTIMIZERS

if TYPE_CHECKING:
    from isthmus.corruptions import Corruption
    from isthmus.training.optimizers import OptimizerPart

_OF_A_MEAN = 0.1  # IDEC's weight beside a squared error that is a mean over the numbers of x


@dataclass(repr=False, eq=False, kw_only=True)
class ClusteringAE(ClusterMixin, Started):
    r"""Clustering autoencoder (DEC, IDEC): codes are drawn to centres by their confident guesses.

    .. math:: q_{ij} \propto \left(1 + \lVert z_i - \mu_j \rVert^2\right)^{-1}, \quad
              p_{ij} \propto q_{ij}^2 / \textstyle\sum_i q_{ij}, \quad
              L = \sum_j p_{ij} \log \frac{p_{ij}}{q_{ij}}

    First an autoencoder is trained for ``pretrain_epochs``, or taken from ``start``; k-means of its
    codes makes the centres μ; then encoder and centres make L small for ``epochs``.
    ``variant="idec"`` keeps the reconstruction in the objective:
    :math:`-\log p(x \mid z) + \gamma L`. The targets p stand still for ``target_interval`` epochs:
    they are those of the encoder and the centres as they were at the beginning. K-means and q
    depend on the scale of the code, of which the reconstruction says nothing; ``whiten`` settles
    it. Under a ``corruption``, q is that of damaged or moved examples, and p of clean ones.

    ``predict`` gives clusters, ``transform`` the distances to the centres ``(n, n_clusters)``,
    ``encode`` the codes ``(n, latent_dim)``; ``labels_`` are the clusters of the examples that it
    was last trained on.

    Raises:
        InputError: at ``fit``, for fewer examples than clusters.

    References:
        J. Xie, R. Girshick and A. Farhadi, Unsupervised deep embedding for clustering analysis,
        ICML 2016. X. Guo, L. Gao, X. Liu and J. Yin, Improved deep embedded clustering, IJCAI 2017
        (``"idec"``). X. Guo, E. Zhu, X. Liu and J. Yin, Deep embedded clustering with data
        augmentation, ACML 2018 (``corruption``).

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
    clustering_weight: float | None = field(
        None,
        "weight of the clustering loss beside the reconstruction, under idec (gamma); none: 0.1 for"
        " each number of an example, the paper's beside a sum (78.4 for 28×28 pixels)",
        above=0,
    )
    pretrain_epochs: int = field(
        30, "epochs as a plain autoencoder before there are centres; none under start", low=0
    )
    whiten: bool = field(
        False, "whether codes become uncorrelated, with unit variance, before there are centres"
    )
    corruption: str | Corruption | Callable[[Tensor], Tensor] | None = slot(
        None,
        CORRUPTIONS,
        "what is done to examples before they are encoded in training; reconstructions and targets"
        " are those of clean ones",
    )
    target_interval: int = field(
        1, "epochs for which targets stand still; 0: every batch makes its own", low=0
    )
    clustering_optimizer: str | OptimizerPart | None = slot(
        None, OPTIMIZERS, "how weights are updated once there are centres; none: as before"
    )
    clustering_rate: float | None = field(
        None, "step size once there are centres; none: learning_rate", above=0
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
    def _instead_of_rebuilding(self) -> str | None:
        if self._rebuilds:
            return None
        return (
            "the decoder learns nothing once there are centres; pass variant='idec' for codes that"
            " can still be decoded"
        )

    @property
    def _n_features_out(self) -> int:
        return self.n_clusters

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return ClusteringBottleneck(features, self.latent_dim, self.n_clusters, whitens=self.whiten)

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        assert isinstance(bottleneck, ClusteringBottleneck)
        bottleneck.anchor = Anchor(encoder, bottleneck)
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _corruption(self, spec: ExampleSpec) -> Callable[[Tensor], Tensor] | None:
        return None if self.corruption is None else corruption_of(self.corruption, spec)

    def _loss_function(self, spec: ExampleSpec) -> ClusteringLoss:
        in_batch, weight = self.target_interval == 0, self.clustering_weight
        if self.variant == "dec":
            if weight is not None:
                raise InputError(
                    f"clustering_weight={weight:g} weighs clusters beside the reconstruction, which"
                    " variant='dec' drops: pass variant='idec', or leave it out."
                )
            return ClusteringLoss(None, in_batch)
        share = _OF_A_MEAN * math.prod(spec.shape)
        return ClusteringLoss(share if weight is None else weight, in_batch)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        if self.whiten:  # refused before anything is trained
            first_layer(module.decoder, self.latent_dim)
        bottleneck, targets = module.bottleneck, Targets(module, self.target_interval)
        assert isinstance(bottleneck, ClusteringBottleneck)
        network, gathered = self._moved(module, bottleneck)
        own = Objective(gathered, module.loss, self.clustering_rate, self.clustering_optimizer)
        pretraining = Stage(
            self.pretrain_epochs, (Objective(network, partial(reconstruction, module)),)
        )
        gathering = Stage(
            self._epochs,
            (own,),
            partial(bottleneck.start, module),
            targets.refresh,
            targets.read,
            targets if self.target_interval else None,
        )
        return [pretraining, gathering] if self._begins_anew else [gathering]

    def _moved(
        self, module: Autoencoder, bottleneck: ClusteringBottleneck
    ) -> tuple[tuple[nn.Parameter, ...], tuple[nn.Parameter, ...]]:
        """What pretraining moves, and what gathering moves."""
        moved = [parameter for parameter in module.parameters() if parameter.requires_grad]
        network = tuple(parameter for parameter in moved if parameter is not bottleneck.centres)
        if self.variant == "idec":
            return network, tuple(moved)
        decoding = [*module.decoder.parameters(), *module.likelihood.parameters()]
        outer = {id(parameter) for parameter in decoding}
        return network, tuple(parameter for parameter in moved if id(parameter) not in outer)
