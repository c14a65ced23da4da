"""What judges add to a loss: a distance in features, and a game against a discriminator."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, LossFunction
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.core.forward import Pass
from isthmus.core.objectives import Adversary, Loss
from isthmus.networks.conv import Conv, Pad, code_layers

_TINY = 1e-8
_MOST = 1e4  # by which the adversary is weighed, where its gradient vanishes


class FeatureDistance(nn.Module):
    """The distance between two batches in the features of a network, which are not trained with it.

    ``(n, *shape)`` twice to ``(n,)``, times the number of values of an example.
    """

    def __init__(self, network: Conv, spec: ExampleSpec) -> None:
        super().__init__()
        self.encoder = network.encoder(spec).encoder.requires_grad_(False)
        self.values = math.prod(spec.shape)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        pairs = zip(self._features(a), self._features(b), strict=True)
        layers = [(x - y).square().sum(1).flatten(1).mean(1) for x, y in pairs]  # each (n,)
        return self.values * torch.stack(layers).sum(0)

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        """What each layer says, ``(n, channels, *grid)``, of unit length at every place."""
        for layer in self.encoder.children():
            x = layer(x)
            if not isinstance(layer, nn.Conv1d | nn.Conv2d | Pad):
                yield F.normalize(x, dim=1, eps=_TINY)


class PatchDiscriminator(nn.Module):
    """From examples ``(n, *shape)`` to the logits of being real, one a patch: ``(n, patches)``."""

    def __init__(self, network: Conv, spec: ExampleSpec) -> None:
        super().__init__()
        looks = network.encoder(spec)
        (verdict,), _ = code_layers(looks.shape, 1, is_map=True)
        self.layers = nn.Sequential(looks.encoder, verdict, nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


class PatchGame(nn.Module):
    """The discriminator, and how it is weighed.

    Args:
        discriminator: who judges.
        weight: that of fooling it.
        balance: λ; None adapts it at every step.
        start: the epoch from which on it plays.
        learning_rate: its own step size.
    """

    def __init__(
        self,
        discriminator: PatchDiscriminator,
        weight: float,
        balance: float | None,
        start: float,
        learning_rate: float | None,
    ) -> None:
        super().__init__()
        self.discriminator, self.weight = discriminator, weight
        self.is_adaptive, self.start, self.learning_rate = balance is None, start, learning_rate
        self.register_buffer("balance", torch.tensor(1.0 if balance is None else balance))
        self.register_buffer("plays", torch.tensor(float(start == 0)))
        self.balance: Tensor
        self.plays: Tensor

    def fooled(self, restored: Tensor) -> Tensor:
        """−log D, the mean over the patches of each example, ``(n,)``, in nats."""
        return F.softplus(-self.discriminator(restored)).mean(1)

    def told(self, real: Tensor, restored: Tensor) -> Tensor:
        """The discriminator's own loss, ``(n,)``: −log D(x) − log(1 − D(x̃)), mean over patches."""
        return (
            F.softplus(-self.discriminator(real)) + F.softplus(self.discriminator(restored))
        ).mean(1)

    def weigh(self, module: Autoencoder, charged: Tensor, fooled: Tensor) -> None:
        """Set λ by the gradients at the decoder's last layer, while it is trained."""
        if not (self.is_adaptive and self.training and charged.requires_grad):
            return
        last = _last_weight(module.decoder)
        wanted, against = (
            sharding.all_sum(torch.autograd.grad(cost.sum(), last, retain_graph=True)[0]).norm()
            for cost in (charged, fooled)
        )
        self.balance.copy_((wanted / (against + _TINY)).clamp(max=_MOST).detach())


class JudgedLoss(nn.Module):
    """A loss, and what judges add to it.

    Args:
        inner: the member's own loss, which keeps its pass.
        perception: the distance in the features of a classifier.
        perceptual_weight: its weight.
        game: the discriminator.
    """

    def __init__(
        self,
        inner: LossFunction,
        *,
        perception: FeatureDistance | None = None,
        perceptual_weight: float = 0.0,
        game: PatchGame | None = None,
    ) -> None:
        super().__init__()
        self.inner, self.perception, self.perceptual_weight = inner, perception, perceptual_weight
        self.game = game

    def forward(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        loss = self.inner(module, features, batch, noise)
        assert loss.made is not None
        objective, terms = loss.objective, dict(loss.terms)
        real, restored = _seen_pair(module, loss.made)
        if self.perception is not None:
            terms["perceptual"] = self.perception(real, restored)
            objective = objective + self.perceptual_weight * terms["perceptual"]
        if self.game is not None:
            fooled = self.game.fooled(restored)
            self.game.weigh(module, objective, fooled)
            weight = self.game.plays * self.game.weight * self.game.balance
            terms |= {"fooling": fooled, "balance": self.game.balance.expand_as(fooled)}
            objective = objective + weight * fooled
        return Loss(objective, terms, loss.made)

    def anneal(self, epoch: float) -> None:
        """Let the discriminator play once its time has come."""
        if self.game is not None:
            self.game.plays.fill_(float(epoch >= self.game.start))

    def adversaries(self, module: Autoencoder) -> tuple[Adversary, ...]:
        """The discriminator, which looks at what was reconstructed."""
        game = self.game
        if game is None:
            return ()

        def loss(made: Pass) -> Loss:
            told = game.told(*_seen_pair(module, made))
            return Loss(game.plays * told, {"discriminator": told})

        parameters = tuple(game.discriminator.parameters())
        return (Adversary(parameters, loss, game.learning_rate),)


def _seen_pair(module: Autoencoder, made: Pass) -> tuple[Tensor, Tensor]:
    """Examples and their reconstructions as encoders see them, 0 where nothing was observed."""
    restored = module.likelihood.mean(made.parameters)
    pair = (made.batch.observed(x) for x in (made.batch.x, restored))
    real, again = (module.seen(made.batch._replace(x=x)).x for x in pair)
    return real, again


def _last_weight(decoder: nn.Module) -> Tensor:
    """The weight of the decoder's last layer that has one."""
    return [p for name, p in decoder.named_parameters() if p.dim() > 1][-1]
