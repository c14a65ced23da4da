"""Codebooks: the vectors that a quantised member chooses from, and two ways to learn them."""

from __future__ import annotations

from abc import ABC

import torch
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.reductions import squared_error
from isthmus.quantizers.base import Quantized, Quantizer, counts_of, use_of

# without use: steps, and fair shares of the vectors that passed in them
_IDLE_STEPS, _IDLE_SHARES = 20, 10
_VECTORS_PER_ENTRY = 64  # looked at before training


class Codebook(Quantizer, ABC):
    """``size`` vectors of ``dim`` dimensions, of which the nearest is chosen.

    It counts what is chosen in an epoch of training. Entries that nothing chose in an epoch, or for
    twenty steps (more where a batch has few vectors), start anew at vectors of the last batch,
    before epoch ``renewed_until``. The squared distance of what was proposed to its entries is the
    term ``commitment``, and is charged with that weight.
    """

    vectors: Tensor
    """The entries, ``(size, dim)``."""

    def __init__(self, size: int, dim: int, renewed_until: float, commitment: float) -> None:
        super().__init__()
        self.levels = (size,)
        self.size, self.renewed_until, self.commitment = size, renewed_until, commitment
        # kept with the weights: a run may go on between last step and close
        self.register_buffer("epoch", torch.zeros(()))
        self.register_buffer("uses", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("idle", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("recent", torch.zeros(size, dim))
        self.epoch: Tensor
        self.uses: Tensor
        self.idle: Tensor
        self.recent: Tensor

    def forward(self, proposed: Tensor) -> Quantized:
        """The entries nearest to vectors ``(n, dim, *grid)``."""
        rows = proposed.movedim(1, -1)  # (n, *grid, dim)
        with torch.no_grad(), torch.autocast(proposed.device.type, enabled=False):
            # The length of what was proposed is the same for all entries. min finds the place in
            # half of argmin's time.
            distances = torch.addmm(
                self.vectors.square().sum(1), rows.flatten(0, -2), self.vectors.T, alpha=-2
            )
            indices = distances.min(1).indices.view(rows.shape[:-1])  # (n, *grid)
        entries = self.embed(indices)
        kept = entries.detach()
        # Exactly the entries; their gradient goes straight through to what was proposed.
        passed = kept + (proposed - proposed.detach())
        commitment = squared_error(proposed, kept)
        charge = self.commitment * commitment
        drawn = self._drawn(proposed, entries)
        return Quantized(
            passed,
            indices,
            charge if drawn is None else charge + drawn,
            {"commitment": commitment},
        )

    @property
    def vectors_to_start(self) -> int:
        return _VECTORS_PER_ENTRY * self.size

    def remedy(self, used: int) -> str:
        return (
            "train for more epochs, lower learning_rate or latent_dim, or do with"
            f" codebook_size={max(2, 2 * used)}"
        )

    def embed(self, indices: Tensor) -> Tensor:
        """The entries of indices ``(n, *grid)``, as ``(n, dim, *grid)``."""
        return F.embedding(indices, self.vectors).movedim(-1, 1).contiguous()

    def anneal(self, epoch: float) -> None:
        """Take note of how far training has come."""
        self.epoch.fill_(epoch)

    @torch.no_grad()
    def start(self, proposed: Tensor) -> None:
        """Put the entries at the centres that k-means finds of vectors ``(n, dim, *grid)``."""
        self._place(
            torch.ones_like(self.uses, dtype=torch.bool), centres(_rows(proposed), self.size)
        )

    @torch.no_grad()
    def learn(self, proposed: Tensor, found: Quantized) -> None:
        """Note what a batch of training chose, and vectors that dead entries may start from."""
        rows, indices = _rows(proposed), found.indices.flatten()
        counts = counts_of(indices, self.size)
        self.uses += counts
        self.idle.add_(1).masked_fill_(counts > 0, 0)
        self.recent.copy_(sharding.pick(rows, self.size))
        self._follow(rows, indices)
        patience = max(_IDLE_STEPS, _IDLE_SHARES * self.size / sharding.total(len(rows)))
        self._renew((self.idle >= patience) | self._faded(), self.epoch)

    @torch.no_grad()
    def close_epoch(self) -> dict[str, float]:
        """Renew entries that the epoch did not use; gives its ``usage`` and ``perplexity``."""
        found, dead = use_of(self.uses), self.uses == 0
        self.uses.zero_()
        self._renew(dead, self.epoch.floor() + 1)
        return found

    def _drawn(self, proposed: Tensor, entries: Tensor) -> Tensor | None:
        """What draws entries ``(n, dim, *grid)`` to what was proposed, ``(n,)``.

        None where no gradient moves them.
        """
        return None

    def _faded(self) -> Tensor:
        """Which entries are chosen too seldom, ``(size,)``; none where nothing says how often."""
        return torch.zeros_like(self.uses, dtype=torch.bool)

    def _follow(self, rows: Tensor, indices: Tensor) -> None:
        """Move entries towards the vectors ``(m, dim)`` that chose them, ``indices: (m,)``.

        Does nothing where gradients move them.
        """

    def _renew(self, dead: Tensor, epoch: Tensor) -> None:
        renewed = dead & (epoch < self.renewed_until)
        self._place(renewed, self.recent)
        self.idle.masked_fill_(renewed, 0)

    def _place(self, which: Tensor, vectors: Tensor) -> None:
        """Put the entries marked in ``which (size,)`` at their rows of ``vectors (size, dim)``."""
        self.vectors.copy_(torch.where(which[:, None], vectors, self.vectors))


class GradientCodebook(Codebook):
    """Entries that are parameters, trained on the squared distance to their vectors."""

    def __init__(self, size: int, dim: int, renewed_until: float, commitment: float) -> None:
        super().__init__(size, dim, renewed_until, commitment)
        self.vectors = nn.Parameter(torch.randn(size, dim))

    def _drawn(self, proposed: Tensor, entries: Tensor) -> Tensor | None:
        return squared_error(proposed.detach(), entries)


class AveragedCodebook(Codebook):
    r"""Entries that are moving averages of the vectors that chose them.

    .. math:: N_k \leftarrow \gamma N_k + (1 - \gamma) n_k, \quad
              m_k \leftarrow \gamma m_k + (1 - \gamma) \sum_{h \to k} h, \quad e_k = m_k / N_k

    after every step, where :math:`n_k` vectors of the batch chose entry k. Counts start at one and
    sums at the entries: from zero, everything that the first batch does not choose would be divided
    by nothing.

    Reference:
        A. van den Oord, O. Vinyals and K. Kavukcuoglu, Neural discrete representation learning,
        NeurIPS 2017, appendix A.1.
    """

    def __init__(
        self,
        size: int,
        dim: int,
        renewed_until: float,
        commitment: float,
        decay: float,
        renewed_below: float = 0.0,
    ) -> None:
        super().__init__(size, dim, renewed_until, commitment)
        self.decay, self.renewed_below = decay, renewed_below
        self.register_buffer("vectors", torch.randn(size, dim))
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", self.vectors.clone())
        self.counts: Tensor
        self.sums: Tensor

    def _faded(self) -> Tensor:
        return self.counts < self.renewed_below

    def _follow(self, rows: Tensor, indices: Tensor) -> None:
        # A product with the choices, and not an indexed sum, whose order differs from run to run on
        # a GPU; (m, size).
        choices = rows.new_zeros(len(rows), self.size).scatter_(1, indices[:, None], 1.0)
        counts = sharding.all_sum(choices.sum(0))
        with torch.autocast(rows.device.type, enabled=False):
            self.sums.lerp_(sharding.all_sum(choices.T @ rows), 1 - self.decay)
        self.counts.lerp_(counts, 1 - self.decay)
        # What was not chosen stays: its count and its sum fade alike, in the end to 0 / 0.
        self.vectors.copy_(
            torch.where(counts[:, None] > 0, self.sums / self.counts[:, None], self.vectors)
        )

    def _place(self, which: Tensor, vectors: Tensor) -> None:
        super()._place(which, vectors)
        self.sums.copy_(torch.where(which[:, None], vectors, self.sums))
        self.counts.masked_fill_(which, 1.0)


def centres(rows: Tensor, count: int) -> Tensor:
    """``count`` centres of rows ``(m, dim)`` by k-means, by torch's random state.

    Every distinct row counts once, so that a blank background does not take all centres. Where
    there are no more of them than centres, they are the centres, some of them repeated.
    """
    distinct = rows.unique(dim=0)
    if len(distinct) <= count:
        return distinct[torch.arange(count, device=rows.device) % len(distinct)]
    seed = int(torch.randint(2**31 - 1, ()))
    with threadpool_limits(1):  # several threads add up in the order in which they finish
        found = MiniBatchKMeans(count, n_init=1, random_state=seed).fit(distinct.cpu().numpy())
    return torch.from_numpy(found.cluster_centers_).to(rows)


def _rows(vectors: Tensor) -> Tensor:
    """``(n, dim, *grid)`` to ``(n * positions, dim)``."""
    return vectors.movedim(1, -1).flatten(0, -2)
