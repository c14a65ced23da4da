"""Who else judges a reconstruction: the features of a classifier, and an adversary that looks at
patches.

:data:`isthmus.registry.JUDGES` lists them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, LossFunction
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import field
from isthmus.core.forward import Pass
from isthmus.core.objectives import Adversary, Loss
from isthmus.core.parts import SlotPart
from isthmus.networks.conv import Conv, Pad, code_layers

_TINY = 1e-8
_MOST = 1e4  # by which the adversary is weighed, where its gradient vanishes


@dataclass(repr=False)
class Judge(SlotPart, ABC):
    """What is added to the loss of a member that reconstructs images or signals."""

    def accepts(self, spec: ExampleSpec) -> str | None:
        """Why such examples do not fit, with the remedy; None where they do."""
        if spec.kind in ("image", "signal"):
            return None
        return f"looks at images and signals, but X is read as {spec}: leave it out"

    @property
    def classifier_network(self) -> Conv | None:
        """The network of the classifier that learns from labels first; None for no classifier."""
        return None

    @property
    def classifier_epochs(self) -> int:
        """How long that classifier trains."""
        return 0

    @property
    def start_epoch(self) -> float:
        """The epoch from which on the objective has its final form."""
        return 0.0

    @property
    def is_adversary(self) -> bool:
        """Whether somebody plays against the member, so that a rising objective says nothing."""
        return False

    @abstractmethod
    def build(self, spec: ExampleSpec, inner: LossFunction) -> JudgedLoss:
        """The loss of a member, whose own is ``inner``, with what judges added."""


@dataclass(repr=False)
class Perceptual(Judge):
    r"""The distance of a reconstruction from its example in the features of a classifier.

    .. math:: w \, d \, \sum_l \frac{1}{|\Omega_l|} \sum_{u \in \Omega_l}
              \left\lVert \hat\varphi_l(x)_u - \hat\varphi_l(\tilde x)_u \right\rVert^2, \quad
              \hat\varphi = \varphi / \lVert \varphi \rVert

    over the layers l of its convolutions and their places u, times the number d of values of x, so
    that it weighs beside a distortion that is a sum over values. The classifier, an
    :class:`~isthmus.estimators.classifier.AutoencoderClassifier` on a convolutional AE, learns from
    the labels of ``fit`` before the member is trained, and stays as it is from then on. The history
    shows the distance without its weight as ``perceptual``.

    Raises:
        InputError: at ``fit`` without labels, and for what is neither image nor signal.

    Reference:
        R. Zhang, P. Isola, A. A. Efros, E. Shechtman and O. Wang, The unreasonable effectiveness of
        deep features as a perceptual metric, CVPR 2018.
    """

    perceptual_weight: float = field(
        0.05, "weight of the distance in the features of a classifier (w)", low=0
    )
    feature_widths: tuple[int, ...] = field(
        (32, 64, 128), "channels of the classifier's convolutions", low=1
    )
    feature_epochs: int = field(5, "epochs for which the classifier learns from labels", low=1)

    @property
    def classifier_network(self) -> Conv | None:
        return Conv(widths=self.feature_widths)

    @property
    def classifier_epochs(self) -> int:
        return self.feature_epochs

    def build(self, spec: ExampleSpec, inner: LossFunction) -> JudgedLoss:
        perception = FeatureDistance(Conv(widths=self.feature_widths).filled(None, "relu"), spec)
        return JudgedLoss(inner, perception=perception, perceptual_weight=self.perceptual_weight)


@dataclass(repr=False)
class PatchAdversary(Judge):
    r"""A discriminator that tells patches of examples from patches of reconstructions.

    .. math:: - w \, \lambda \, \frac{1}{|\Omega|} \sum_{u \in \Omega} \log D_u(\tilde x), \quad
              \lambda = \frac{\lVert \nabla_{G} \mathcal{L} \rVert}
              {\lVert \nabla_{G} \mathcal{L}_\text{GAN} \rVert}

    is added to what the member makes small, :math:`\mathcal{L}`. D is convolutional: it gives a
    verdict for each place u of a coarse grid, of which it sees a patch, so that it judges texture
    and not what is shown. λ makes both move the weights G of the decoder's last layer alike; with
    ``adaptive=False`` it is the number of values of an example. D itself makes
    :math:`-\log D(x) - \log(1 - D(\tilde x))` small: at 2 log 2 = 1.386 nats it can tell nothing
    apart. The history shows ``fooling`` (−log D of reconstructions), ``balance`` (λ) and
    ``discriminator``.

    References:
        P. Isola, J.-Y. Zhu, T. Zhou and A. A. Efros, Image-to-image translation with conditional
        adversarial networks, CVPR 2017.
        P. Esser, R. Rombach and B. Ommer, Taming transformers for high-resolution image synthesis,
        CVPR 2021 (λ).
    """

    adversary_weight: float = field(0.5, "weight of fooling the discriminator (w)", low=0)
    adaptive: bool = field(
        True, "whether the discriminator moves the decoder's last layer as much as all else does"
    )
    start: float = field(1.0, "epochs before the discriminator plays", low=0)
    patch_widths: tuple[int, ...] = field(
        (32, 64), "channels of the discriminator; each layer doubles the patch that it sees", low=1
    )
    discriminator_learning_rate: float | None = field(
        None, "step size of the discriminator; none: that of the member", above=0
    )

    @property
    def start_epoch(self) -> float:
        return self.start

    @property
    def is_adversary(self) -> bool:
        return True

    def build(self, spec: ExampleSpec, inner: LossFunction) -> JudgedLoss:
        return JudgedLoss(inner, game=self._game(spec))

    def _game(self, spec: ExampleSpec) -> PatchGame:
        return PatchGame(
            PatchDiscriminator(Conv(widths=self.patch_widths).filled(None, "leaky_relu"), spec),
            self.adversary_weight,
            None if self.adaptive else float(math.prod(spec.shape)),
            self.start,
            self.discriminator_learning_rate,
        )


@dataclass(repr=False)
class VQGAN(Perceptual, PatchAdversary):
    """Both: the distance in the features of a classifier, and a discriminator of patches.

    With a :class:`~isthmus.VQVAE` it is the VQGAN, with ``VAE(code="map")`` the autoencoder of
    latent diffusion. See :class:`Perceptual` and :class:`PatchAdversary` for its fields.

    References:
        P. Esser, R. Rombach and B. Ommer, Taming transformers for high-resolution image synthesis,
        CVPR 2021.
        R. Rombach, A. Blattmann, D. Lorenz, P. Esser and B. Ommer, High-resolution image synthesis
        with latent diffusion models, CVPR 2022.
    """

    def build(self, spec: ExampleSpec, inner: LossFunction) -> JudgedLoss:
        judged = super().build(spec, inner)
        judged.game = self._game(spec)
        return judged


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
