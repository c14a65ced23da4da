"""What a masked autoencoder is made of: the mean of its tokens, and a loss on hidden patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.forward import Code, Point
from isthmus.core.objectives import Loss
from isthmus.core.reductions import sum_dimensions
from isthmus.networks.patches import Patches
from isthmus.networks.vit import PatchEncoder, PatchPredictor

_LEAST = 1e-6  # variance of a patch that is normalised; the authors'
_TOLD = 4  # of so many examples one is shown whole to the decoder of codes, in training


class TokenMean(Bottleneck):
    """The mean of the tokens as the code: features ``(n, channels, *grid)`` to ``(n, latent_dim)``.

    Tokens that are 0 belong to patches that were not observed, and are left out. A linear map
    follows where the code has another size than the tokens.

    Args:
        features: the shape of the tokens of an example.
        latent_dim: size of the code.
    """

    def __init__(self, features: Shape, latent_dim: int) -> None:
        super().__init__()
        self.code_shape = (latent_dim,)
        is_mean = latent_dim == features[0]
        self.project = nn.Identity() if is_mean else nn.Linear(features[0], latent_dim)

    def posterior(self, features: Tensor) -> Point:
        tokens = features.flatten(2)  # (n, channels, places)
        counted = (tokens.abs().amax(1, keepdim=True) > 0).to(tokens.dtype)
        return Point(self.project(tokens.sum(2) / counted.sum(2).clamp(min=1)))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return Code(self.posterior(features).z)


class MaskedModule(Autoencoder):
    r"""An autoencoder of patches that is trained on those that are hidden from it.

    Its loss is that of the patches M that are hidden, given the others, and beside it that of x
    given the code, from which no gradient reaches the encoder:

    .. math:: -\log p(x_M \mid x_{\setminus M}) - \log p(x \mid \operatorname{sg}[z])

    ``predictor`` says the former, ``decoder`` the latter. A code is that of the whole example,
    which costs as much as four with their patches hidden: so in training a quarter of a batch is
    asked for the second term, four times over. An example of a single patch is not hidden from
    itself.
    """

    predictor: PatchPredictor
    mask_ratio: float
    normalises: bool

    @property
    def patches(self) -> Patches:
        """How an example is cut."""
        assert isinstance(self.encoder, PatchEncoder)
        return self.encoder.patches

    def seen(self, batch: Batch) -> Batch:
        seen = super().seen(batch)
        return seen if seen.mask is None else seen._replace(x=seen.x.where(seen.mask, 0.0))

    def loss(self, batch: Batch, noise: Tensor | None = None) -> Loss:
        return self.masked_loss(batch, self.drawn(batch))

    def drawn(self, batch: Batch) -> Tensor:
        """The numbers of the patches that are not hidden, ``(n, k)``, drawn for each example."""
        count = self.patches.count
        kept = max(1, int(count * (1 - self.mask_ratio)))
        kept = kept if kept < count else max(1, count - 1)
        return sharding.rand_like(batch.x.new_empty(batch.size, count)).argsort(1)[:, :kept]

    def masked_loss(self, batch: Batch, kept: Tensor) -> Loss:
        """The loss where all patches are hidden but those that are ``kept``, ``(n, k)`` numbers."""
        encoder, seen = self.encoder, self.seen(batch)
        assert isinstance(encoder, PatchEncoder)
        known = None if seen.mask is None else self.patches.any(seen.mask)
        tokens = encoder.vectors(seen.x, known, kept)  # (n, k, channels)
        shown = self.shown_patches(kept)
        said = self.predictor(self.placed(tokens, kept), shown)
        hidden = self.patches.spread(~shown if kept.shape[1] < self.patches.count else shown)
        cost, told = self.charged(said, batch, hidden), self.decoded(batch)
        return Loss(cost + told, {"distortion": told, "masked_distortion": cost})

    def decoded(self, batch: Batch) -> Tensor:
        """−log p(x | z) of whole examples, ``(n,)``, in training of the first quarter times four;
        no gradient reaches the encoder.
        """
        count = max(1, batch.size // _TOLD) if self.training else batch.size
        some = batch.each(lambda part: part[:count])
        with torch.no_grad():
            features = self.features(some)
        told = self.cost(features, some).terms["distortion"] * (batch.size / count)
        return functional.pad(told, (0, batch.size - count))

    def shown_patches(self, kept: Tensor) -> Tensor:
        """Which patches are among those that are kept, ``(n, patches)``."""
        nothing = torch.zeros(len(kept), self.patches.count, dtype=torch.bool, device=kept.device)
        return nothing.scatter(1, kept, True)

    def placed(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """Tokens of kept patches at their places, ``(n, patches, channels)``, 0 elsewhere."""
        blank = tokens.new_zeros(len(tokens), self.patches.count, tokens.shape[2])
        return blank.scatter(1, kept[..., None].expand_as(tokens), tokens)

    def charged(self, said: Tensor, batch: Batch, hidden: Tensor) -> Tensor:
        """What is said of values that are hidden, ``(n, *shape)``, judged by what they are."""
        known = hidden if batch.mask is None else hidden & batch.mask
        if not self.normalises:
            return self.likelihood.nll(self.likelihood.sized(said, batch), batch.x, known)
        observed = torch.ones_like(batch.x) if batch.mask is None else batch.mask.to(batch.x)
        cut = self.patches.cut
        wanted = self.patches.joined(normalised_patches(cut(batch.x), cut(observed)))
        return sum_dimensions((said - wanted).square().masked_fill(~known, 0.0))

    def expected(self, batch: Batch) -> Tensor:
        """What is expected of all values, ``(n, *shape)``, given patches that are wholly observed;
        where there is none, given those that are in part.
        """
        encoder, seen = self.encoder, self.seen(batch)
        assert isinstance(encoder, PatchEncoder)
        known = self.patches.any(torch.ones_like(seen.x, dtype=torch.bool))
        if seen.mask is not None:
            whole, some = self.patches.all(seen.mask), self.patches.any(seen.mask)
            known = whole.where(whole.any(1, keepdim=True), some)
        said = self.predictor(encoder.vectors(seen.x, known), known)
        return self.likelihood.mean(self.likelihood.sized(said, batch))


def normalised_patches(patches: Tensor, counted: Tensor) -> Tensor:
    r"""Patches ``(n, patches, size)`` with mean 0 and variance 1, by the values that are
    ``counted``, of the same shape: :math:`(x - \bar x) / \sqrt{s^2 + 10^{-6}}`.
    """
    count = counted.sum(2, keepdim=True)
    centred = patches - (patches * counted).sum(2, keepdim=True) / count.clamp(min=1)
    squares = (centred.square() * counted).sum(2, keepdim=True)
    return centred / (squares / (count - 1).clamp(min=1) + _LEAST).sqrt()
