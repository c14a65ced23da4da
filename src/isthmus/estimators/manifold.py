"""Clusters on the manifold of an autoencoder's codes: no network is trained for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClusterMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import Isomap
from sklearn.mixture import GaussianMixture
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from isthmus.core import fields
from isthmus.core.fields import field
from isthmus.core.parts import Configurable
from isthmus.data.incoming import incoming
from isthmus.errors import InputError, missing_extra
from isthmus.estimators.base import Estimator
from isthmus.registry import MEMBERS
from isthmus.training.runtimes import same_threads
from isthmus.training.settings import seed_of


@dataclass(repr=False, eq=False)
class ManifoldClustering(ClusterMixin, TransformerMixin, Configurable):
    """Clusters in a map of an autoencoder's codes that keeps neighbours together (N2D).

    The member is trained; UMAP or Isomap unfolds the manifold on which its codes ``(n,
    latent_dim)`` lie into ``(n, dimensions)``; a Gaussian mixture with full covariances divides
    that. ``member`` is an estimator such as ``ist.AE(latent_dim=10)``, which is copied and kept,
    trained, as ``member_``, or the name of one; a ``FrozenEstimator`` around a trained one is taken
    as it is. What is near depends on the scale of the code, which ``whiten`` settles. UMAP needs
    the extra ``umap``; Isomap needs none, and memory for the distances between all pairs of
    examples.

    ``predict`` gives clusters, ``responsibilities`` their probabilities ``(n, n_clusters)``,
    ``transform`` the places on the map; ``labels_`` are the clusters of the examples of ``fit``.

    Raises:
        InputError: at ``fit``, for fewer examples than clusters, or no more than ``neighbours`` or
            than dimensions of the map.
        MissingExtraError: at ``fit``, for UMAP where it is not installed.

    Reference:
        R. McConville, R. Santos-Rodriguez, R. J. Piechocki and I. Craddock, N2D: (not too) deep
        clustering via clustering the local manifold of an autoencoded embedding, ICPR 2020.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> base = ist.AE(latent_dim=10, epochs=2, random_state=0)
        >>> model = ist.ManifoldClustering(base, n_clusters=10, manifold="isomap")
        >>> model.fit(data.train.x[:200]).predict(data.test.x).shape
        (359,)
    """

    member: Estimator | str = field(
        "ae",
        "the autoencoder whose codes are taken: an estimator, the name of a member, or a"
        " FrozenEstimator around a trained one",
    )
    n_clusters: int = field(8, "how many clusters", low=1)
    manifold: str = field("umap", "what unfolds the codes", choices=("umap", "isomap"))
    neighbours: int = field(20, "codes beside each that are kept near it", low=2)
    dimensions: int | None = field(None, "of the map; none: as many as clusters", low=1)
    whiten: bool = field(
        False, "whether codes become uncorrelated, with unit variance, before they are unfolded"
    )
    random_state: int | np.random.RandomState | None = field(
        None, "seed; the same seed gives the same numbers", low=0, high=4294967295
    )

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the member on X, unfold its codes, and divide the map; y is not looked at."""
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        seed, X = seed_of(self.random_state), incoming(X)
        self.member_ = self._trained(X, seed)
        codes = self._flat_codes(X)
        if len(codes) <= max(self.neighbours, self.n_clusters):
            raise InputError(
                f"X holds {len(codes)} examples, but neighbours={self.neighbours} and"
                f" n_clusters={self.n_clusters} need more than either: give more, or ask for fewer."
            )
        if (size := self.dimensions or self.n_clusters) >= len(codes) - 1:
            raise InputError(
                f"X holds {len(codes)} examples, which a map of {size} dimensions is too many for:"
                " give more examples, or a smaller dimensions (it is n_clusters unless given)."
            )
        self.whitening_ = PCA(whiten=True).fit(codes) if self.whiten else None
        codes = codes if self.whitening_ is None else self.whitening_.transform(codes)
        with same_threads():
            self.projection_ = self._projection(seed)
            places = np.asarray(self.projection_.fit_transform(codes))
        self.mixture_ = GaussianMixture(self.n_clusters, random_state=seed).fit(places)
        self.labels_ = self._clusters(places)
        return self

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may hand in: sparse rows and rows that lack values too."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        return tags

    def transform(self, X: Any) -> np.ndarray:
        """The place of each example on the map, ``(n, dimensions)``."""
        check_is_fitted(self, "mixture_")
        codes = self._flat_codes(X)
        if self.whitening_ is not None:
            codes = self.whitening_.transform(codes)
        with same_threads():
            return np.asarray(self.projection_.transform(codes))

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of each example, ``(n,)``: whole numbers from 0."""
        return self._clusters(self.transform(X))

    def responsibilities(self, X: Any) -> np.ndarray:
        """The probability of each cluster, ``(n, n_clusters)``."""
        places = self.transform(X)
        return np.asarray(self.mixture_.predict_proba(places))

    def _clusters(self, places: np.ndarray) -> np.ndarray:
        return np.asarray(self.mixture_.predict(places).astype(np.int64))

    def _flat_codes(self, X: Any) -> np.ndarray:
        """Codes as flat rows, ``(n, numbers)``."""
        codes = self.member_.codes(X)
        return np.asarray(codes.reshape(len(codes), -1))

    def _projection(self, seed: int) -> Any:
        """What makes the map."""
        size = self.dimensions or self.n_clusters
        if self.manifold == "isomap":
            return Isomap(n_neighbors=self.neighbours, n_components=size)
        try:
            from umap import UMAP  # it compiles for seconds when it is imported
        except ImportError as error:
            raise missing_extra("umap-learn", "umap", "manifold='umap'") from error
        return UMAP(
            n_neighbors=self.neighbours,
            n_components=size,
            min_dist=0.0,
            random_state=seed,
            n_jobs=1,  # a seed allows no more
        )

    def _trained(self, X: Any, seed: int) -> Estimator:
        """The member, trained on X unless it comes trained."""
        member = self.member
        if isinstance(member, FrozenEstimator):
            check_is_fitted(member.estimator, "module_")
            trained: Estimator = member.estimator
            return trained
        if isinstance(member, str):
            built: Estimator = MEMBERS[member](random_state=seed)
            return built.fit(X)
        if not isinstance(member, Estimator):
            raise InputError(
                f"member={member!r} is not usable: give an estimator such as ist.AE(), or the name"
                " of one."
            )
        return member.untrained(type(self).__name__, seed).fit(X)
