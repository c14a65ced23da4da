"""Codes that gather around centres: the bottleneck, its targets and its loss."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck, encoded
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.findings import Finding
from isthmus.core.forward import Code, Point
from isthmus.core.objectives import Batches, Loss
from isthmus.errors import InputError
from isthmus.models._whitening import whiten
from isthmus.models.ae import DeterministicBottleneck

_STARTS = 20  # of k-means, of which the best is kept
_LEAST = 1e-12  # of a probability whose logarithm is taken


class ClusteringBottleneck(Bottleneck):
    """A linear map to the code, and centres in the space of codes.

    ``features: (n, *features)`` to ``z: (n, latent_dim)``.

    Args:
        features: the shape of what the encoder makes.
        latent_dim: size of the code.
        n_clusters: how many centres.
        whitens: whether codes are whitened before there are centres.
    """

    anchor: Anchor

    def __init__(
        self, features: Shape, latent_dim: int, n_clusters: int, *, whitens: bool = False
    ) -> None:
        super().__init__()
        self.inner = DeterministicBottleneck(features, latent_dim)
        self.code_shape = self.inner.code_shape
        self.whitens = whitens
        self.centres = nn.Parameter(torch.randn(n_clusters, latent_dim))

    def posterior(self, features: Tensor) -> Point:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return self.inner(features)

    def start(self, module: Autoencoder, batches: Batches) -> None:
        """Place the centres where k-means finds them among the codes of all examples."""
        codes = codes_of_batches(module, batches)
        count = len(self.centres)
        if (distinct := len(codes.unique(dim=0))) < count:
            raise InputError(
                f"n_clusters={count} needs at least as many different codes, but the examples of X"
                f" have {distinct}: ask for fewer, or pretrain for longer (pretrain_epochs)."
            )
        if self.whitens:
            codes = whiten(module, self.inner.linear, codes)
        seed = int(torch.randint(2**31, ()))
        found = (
            KMeans(count, n_init=_STARTS, random_state=seed)
            .fit(codes.float().cpu().numpy())
            .cluster_centers_
        )
        self.centres.copy_(torch.from_numpy(found))

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        return one_cluster(assignment(posterior[0], self.centres))


def one_cluster(shares: Tensor) -> list[Finding]:
    """A finding where all examples belong to one of several clusters; shares ``(n, clusters)``."""
    used = len(shares.argmax(1).unique())
    if used > 1 or shares.shape[1] == 1:
        return []
    return [
        Finding(
            "one-cluster",
            "all examples ended in one cluster",
            "pretrain for longer (pretrain_epochs), or lower learning_rate",
            "clusters that hold an example",
            used,
            1,
            "fault",
        )
    ]


class Anchor(nn.Module):
    """Encoder and centres as they were when targets were made last; nothing is trained.

    Args:
        encoder, bottleneck: what is copied.
    """

    def __init__(self, encoder: nn.Module, bottleneck: ClusteringBottleneck) -> None:
        super().__init__()
        self.encoder, self.inner = copy.deepcopy(encoder), copy.deepcopy(bottleneck.inner)
        self.requires_grad_(False)
        self.register_buffer("centres", bottleneck.centres.detach().clone())
        self.register_buffer("sums", torch.ones(len(bottleneck.centres)))  # of q over all examples
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))  # that it has seen begin
        self.centres: Tensor
        self.sums: Tensor
        self.epochs: Tensor

    def follow(self, module: Autoencoder, bottleneck: ClusteringBottleneck) -> None:
        """Become encoder and centres as they stand now."""
        self.encoder.load_state_dict(module.encoder.state_dict())
        self.inner.load_state_dict(bottleneck.inner.state_dict())
        self.centres.copy_(bottleneck.centres)

    def assigned(self, seen: Batch) -> Tensor:
        """q of examples as an encoder sees them, ``(n, n_clusters)``."""
        return assignment(self.inner.posterior(encoded(self.encoder, seen)).z, self.centres)

    def forward(self, seen: Batch) -> Tensor:
        """p of examples as an encoder sees them, the targets, ``(n, n_clusters)``."""
        return sharpened(self.assigned(seen), self.sums)

    def train(self, mode: bool = True) -> Self:
        """Never in training mode: what is kept is judged as it is."""
        return super().train(False)


class Targets:
    """The targets of all training examples, which stand still for some epochs.

    Args:
        module: whose encoder and centres make them.
        interval: how many epochs; 0 for targets that every batch makes for itself, so that what is
            kept serves to judge examples outside of training alone.
    """

    def __init__(self, module: Autoencoder, interval: int) -> None:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, ClusteringBottleneck)
        self.module, self.interval, self.bottleneck = module, interval, bottleneck
        self._kept: Tensor | None = None

    def refresh(self, batches: Batches) -> None:
        """Let the targets follow encoder and centres, where it is time to."""
        anchor = self.bottleneck.anchor
        if int(anchor.epochs) % max(1, self.interval) == 0:
            anchor.follow(self.module, self.bottleneck)
            shares = self._assigned(batches)
            anchor.sums.copy_(shares.sum(0))
            self._kept = sharpened(shares, anchor.sums)
        elif self._kept is None:
            self.read(batches)
        anchor.epochs += 1

    def read(self, batches: Batches) -> None:
        """Make the targets again as they were, from what the anchor remembers."""
        self._kept = sharpened(self._assigned(batches), self.bottleneck.anchor.sums)

    def __call__(self, rows: Tensor) -> Tensor:
        """The targets of some rows, ``(n, n_clusters)``."""
        assert self._kept is not None
        return self._kept[rows.to(self._kept.device)]

    def _assigned(self, batches: Batches) -> Tensor:
        anchor = self.bottleneck.anchor
        return torch.cat([anchor.assigned(self.module.seen(some)) for some in batches.chunks()])


@dataclass(frozen=True)
class ClusteringLoss:
    """The clustering loss as an objective, beside the distortion or alone.

    Attributes:
        weight: of the clustering loss beside the distortion; None leaves the distortion out, and
            nothing is decoded in training.
        in_batch: whether a batch in training makes its targets of itself.
    """

    weight: float | None
    in_batch: bool = False

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, ClusteringBottleneck)
        z = bottleneck.posterior(features).z
        q = assignment(z, bottleneck.centres)  # (n, n_clusters)
        with torch.no_grad():
            p = self._target(module, bottleneck, batch, q)
        clustering = (p * (p.clamp(min=_LEAST).log() - q.clamp(min=_LEAST).log())).sum(1)
        if self.weight is None and module.training:
            return Loss(clustering, {"clustering": clustering})
        distortion = module.distortion(z, batch)
        objective = clustering if self.weight is None else distortion + self.weight * clustering
        return Loss(objective, {"distortion": distortion, "clustering": clustering})

    def _target(
        self, module: Autoencoder, bottleneck: ClusteringBottleneck, batch: Batch, q: Tensor
    ) -> Tensor:
        """p of examples, which are seen as they are, without damage."""
        if batch.target is not None:
            return batch.target
        if not (self.in_batch and module.training):
            target: Tensor = bottleneck.anchor(module.seen(batch))
            return target
        is_clean = module.corruption is None and module.hiding is None
        clean = q if is_clean else assignment(module.encode(batch)[0], bottleneck.centres)
        return sharpened(clean, sharding.all_sum(clean.sum(0)))


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


def codes_of_batches(module: Autoencoder, batches: Batches) -> Tensor:
    """The codes of all examples, ``(n, latent_dim)``."""
    return torch.cat([module.encode(some)[0] for some in batches.chunks()])


def reconstruction(module: Autoencoder, batch: Batch) -> Loss:
    """The distortion alone: a plain or denoising autoencoder, before there are clusters."""
    distortion = module.distortion(module.encode_seen(module.shown(batch))[0], batch)
    return Loss(distortion, {"distortion": distortion})
