"""The semi-supervised adversarial autoencoder: one critic for the style, one for the class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck, single_sample
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Pass
from isthmus.core.objectives import Adversary, Loss
from isthmus.models._few_labels import SamplesClasses, labelled_cost
from isthmus.models.aae import critic_of, fooling, telling


@dataclass(repr=False, eq=False, kw_only=True)
class SemiSupervisedAAE(SamplesClasses):
    r"""Semi-supervised adversarial autoencoder: critics make the style normal and the class one of
    several, as often as the others.

    .. math:: \min_{f, g} \; \mathbb{E}_x \left[ -\log p(x \mid z, y)
              - \lambda \left( \log D_z(z) + \log D_y(y) \right) \right]
              - \alpha \, \mathbb{E}_{x, y^*} \left[ \log y_{y^*} \right],
              \quad (z, y) = f(x)

    where y are the probabilities of the classes, and :math:`y^*` is the label of an example that
    has one. The critic :math:`D_z` tells styles from draws of N(0, I), :math:`D_y` tells y from
    one-hot draws of all classes alike. All move once in every step, the autoencoder first. Without
    labels there is one class, and this is an adversarial autoencoder.

    ``x: (n, *shape)``; the code is the style and the probability of each class,
    ``(n, latent_dim + classes)``; ``sample(n, label=3)`` draws the style alone.

    Raises:
        InputError: at ``fit``, for y of amounts or of fewer than two classes.

    Reference:
        A. Makhzani, J. Shlens, N. Jaitly, I. Goodfellow and B. Frey, Adversarial autoencoders, ICLR
        workshop 2016.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.SemiSupervisedAAE(n_labels=100, epochs=2, random_state=0).fit(data.train)
        >>> model.predict(data.test.x).shape, model.sample(3, label=7).shape
        ((359,), (3, 1, 8, 8))
    """

    moving_objective = True

    latent_dim: int = field(4, "size of the style z; the classes stand beside it", low=1)
    adversary_weight: float = field(1.0, "weight of fooling both critics (lambda)", low=0)
    critic_hidden: tuple[int, ...] = field((128, 128), "units of the critics' hidden layers", low=1)
    critic_learning_rate: float | None = field(
        None, "step size of the critics; none: that of the autoencoder", above=0
    )
    label_weight: float = field(
        10.0, "weight of the cross-entropy of the labelled examples, in nats (alpha)", low=0
    )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return JudgedStyle(
            features,
            self._code_size,
            max(1, self._class_count),
            self.adversary_weight,
            self.critic_hidden,
            self.critic_learning_rate,
        )

    def _loss_function(self, spec: ExampleSpec) -> LabelledReconstruction:
        return LabelledReconstruction(self.label_weight)


class StyleAndProbabilities(NamedTuple):
    """What the encoder says of an example.

    Attributes:
        z: the style, and the probability of each class, ``(n, latent_dim + classes)``.
        logits: of the classes, ``(n, classes)``.
    """

    z: Tensor
    logits: Tensor


class JudgedStyle(Bottleneck):
    """Linear maps to style and class, and a critic of each.

    ``features: (n, *features)`` to ``z: (n, latent_dim + classes)``.
    """

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        classes: int,
        weight: float,
        hidden: tuple[int, ...],
        learning_rate: float | None,
    ) -> None:
        super().__init__()
        self.latent_dim, self.classes = latent_dim, classes
        self.code_shape = (latent_dim + classes,)
        self.weight, self.learning_rate = weight, learning_rate
        width = math.prod(features)
        self.project, self.classify = nn.Linear(width, latent_dim), nn.Linear(width, classes)
        self.style_critic = critic_of((latent_dim,), hidden)
        self.class_critic = critic_of((classes,), hidden)

    def logits(self, features: Tensor) -> Tensor:
        found: Tensor = self.classify(features.flatten(1))
        return found

    def posterior(self, features: Tensor) -> StyleAndProbabilities:
        logits = self.logits(features)
        z = torch.cat([self.project(features.flatten(1)), logits.softmax(1)], 1)
        return StyleAndProbabilities(z, logits)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.posterior(features).z
        style, y = self._parted(z)
        terms = {
            "adversary": fooling(self.style_critic, style),
            "class_adversary": fooling(self.class_critic, y),
        }
        return Code(z, self.weight * (terms["adversary"] + terms["class_adversary"]), terms)

    def adversaries(self, module: Autoencoder) -> tuple[Adversary, ...]:
        moved = (*self.style_critic.parameters(), *self.class_critic.parameters())
        return (Adversary(moved, self.critic_loss, self.learning_rate),)

    def critic_loss(self, made: Pass) -> Loss:
        """What both critics pay, beside each other."""
        style, y = self._parted(made.code.z)
        places = (sharding.rand_like(y[:, 0]) * self.classes).long().clamp(max=self.classes - 1)
        drawn = one_hot(places, self.classes).to(y)
        terms = {
            "critic": telling(self.style_critic, sharding.randn_like(style), style),
            "class_critic": telling(self.class_critic, drawn, y),
        }
        return Loss(terms["critic"] + terms["class_critic"], terms)

    def _parted(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Style and class of codes."""
        return z[:, : self.latent_dim], z[:, self.latent_dim :]


@dataclass(frozen=True)
class LabelledReconstruction:
    """The reconstruction and the critics of all examples, and the cross-entropy of the labelled.

    Attributes:
        weight: of the cross-entropy.
    """

    weight: float

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        found = single_sample(module, features, batch, noise)
        if batch.label is None:
            return found
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, JudgedStyle)
        cost, terms = labelled_cost(bottleneck.logits(features), batch.label)
        objective = found.objective + self.weight * cost
        return Loss(objective, {**found.terms, **terms}, found.made)
