"""The judges as parts of a member: their settings, and the loss that they make."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from isthmus.core.autoencoder import LossFunction
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import field
from isthmus.core.parts import SlotPart
from isthmus.judges.losses import FeatureDistance, JudgedLoss, PatchDiscriminator, PatchGame
from isthmus.networks.conv import Conv


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
