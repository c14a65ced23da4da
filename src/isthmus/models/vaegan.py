"""The VAE-GAN: a discriminator judges decoded examples, and its features measure the error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck, encoded
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.forward import Pass
from isthmus.core.objectives import Adversary, Loss
from isthmus.core.reductions import squared_error
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational
from isthmus.networks.base import Features


@dataclass(repr=False, eq=False, kw_only=True)
class VAEGAN(SpatialCode, Variational):
    r"""VAE-GAN: a VAE whose error is what a discriminator sees, and whose decoder plays against it.

    .. math:: \mathcal{L} = \mathrm{KL}(q(z \mid x) \Vert p(z))
              + \tfrac12 \lVert D_l(x) - D_l(\tilde x) \rVert^2
              - \lambda \left[ \log D(\tilde x) + \log D(\hat x) \right]

    where :math:`\tilde x` is decoded from z ~ q(z | x), :math:`\hat x` from z ~ N(0, I), and
    :math:`D_l` are the features of the discriminator D. The encoder moves by the first two terms,
    the decoder by the last two. D makes :math:`-\log D(x) - \tfrac12 \log(1 - D(\tilde x)) -
    \tfrac12 \log(1 - D(\hat x))` small: at :math:`2 \log 2 = 1.386` nats it can tell nothing apart.
    ``pixel_weight`` adds the distortion of the likelihood itself. The paper leaves it out; it keeps
    a discriminator in check that grows too strong.

    The history shows ``similarity``, ``fooling`` (the last term without its weight) and
    ``discriminator`` beside ``distortion`` and ``rate``, in nats. ``x: (n, *shape)``,
    ``z: (n, latent_dim)``.

    Reference:
        A. B. L. Larsen, S. K. Sønderby, H. Larochelle and O. Winther, Autoencoding beyond pixels
        using a learned similarity metric, ICML 2016.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> ist.VAEGAN(epochs=1, random_state=0).fit(data.train).sample(3).shape
        (3, 1, 8, 8)
    """

    moving_objective = True

    latent_dim: int = field(10, "size of the code", low=1)
    beta: float = field(1.0, "weight of the rate, KL(q(z|x) || p(z))", low=0)
    similarity_weight: float = field(1.0, "weight of the error in the discriminator's eyes", low=0)
    adversary_weight: float = field(0.1, "weight of fooling the discriminator (lambda)", low=0)
    pixel_weight: float = field(
        1.0, "weight of the distortion of the likelihood; 0 as published", low=0
    )
    discriminator_learning_rate: float | None = field(
        None, "step size of the discriminator; none: that of the autoencoder", above=0
    )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return GaussianBottleneck(
            features, self._code_size, self.beta, is_map=self._is_map(features)
        )

    def _loss_function(self, spec: ExampleSpec) -> LearntSimilarity:
        looks = self._network(spec).encoder(spec)
        judge = self._initialised(Discriminator(looks))
        weights = (self.similarity_weight, self.adversary_weight, self.pixel_weight)
        return LearntSimilarity(judge, weights, self.discriminator_learning_rate)


class Discriminator(nn.Module):
    """From examples ``(n, *shape)`` to features ``(n, f)`` and the logit of being real ``(n,)``.

    It reads no more of them than an encoder does, so that no padding tells what is real.
    """

    def __init__(self, looks: Features) -> None:
        super().__init__()
        self.encoder = nn.Sequential(looks.encoder, nn.Flatten())
        self.head = nn.Sequential(nn.Linear(math.prod(looks.shape), 1), nn.Flatten(0))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        looks, flat = self.encoder
        features: Tensor = flat(encoded(looks, Batch(x, mask=mask)))
        return features, self.head(features)


class LearntSimilarity(nn.Module):
    """The loss of the VAE-GAN, with the discriminator that it plays against.

    Args:
        discriminator: who judges.
        weights: of the similarity, of fooling the discriminator, and of the distortion.
        learning_rate: the discriminator's own step size.
    """

    draws = True  # of codes, whenever the discriminator is to be fooled

    def __init__(
        self,
        discriminator: Discriminator,
        weights: tuple[float, float, float],
        learning_rate: float | None,
    ) -> None:
        super().__init__()
        self.discriminator, self.weights, self.learning_rate = discriminator, weights, learning_rate

    def forward(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        similar, fooling, pixels = self.weights
        code = module.code(features, batch.condition, noise)
        parameters = module.parameters_of(code.z, batch.condition, batch)
        distortion = module.likelihood.nll(parameters, batch.x, batch.mask)
        restored = batch.observed(module.likelihood.mean(parameters))
        seen, own = (
            self.discriminator(_seen(module, x, batch), batch.mask)[0] for x in (restored, batch.x)
        )
        similarity = 0.5 * squared_error(seen, own)
        fooled = self._fooled(module, code.z.detach(), batch)  # the encoder does not play
        objective = similar * similarity + fooling * fooled + pixels * distortion
        terms = {"distortion": distortion, "similarity": similarity, "fooling": fooled}
        charge = code.penalty if code.penalty is not None else 0.0
        made = Pass(batch, features, code, parameters)
        return Loss(objective + charge, {**terms, **code.terms}, made)

    def adversaries(self, module: Autoencoder) -> tuple[Adversary, ...]:
        """The discriminator, which looks at what was decoded."""

        def loss(made: Pass) -> Loss:
            """−log D(x), and −log(1 − D) of what is decoded, half from codes, half from noise."""
            restored = made.batch.observed(module.likelihood.mean(made.parameters))
            with torch.no_grad():
                new = _decoded(module, sharding.randn_like(made.code.z), made.batch)
            real, *fakes = (
                self.discriminator(_seen(module, x, made.batch), made.batch.mask)[1]
                for x in (made.batch.x, restored, new)
            )
            told = F.softplus(-real) + 0.5 * sum(F.softplus(fake) for fake in fakes)
            return Loss(told, {"discriminator": told})

        return (Adversary(tuple(self.discriminator.parameters()), loss, self.learning_rate),)

    def _fooled(self, module: Autoencoder, z: Tensor, batch: Batch) -> Tensor:
        """−log D of what is decoded from codes and from noise, ``(n,)``, in nats."""
        return sum(
            (
                F.softplus(-self.discriminator(_seen(module, made, batch), batch.mask)[1])
                for made in (_decoded(module, code, batch) for code in (z, sharding.randn_like(z)))
            ),
            z.new_zeros(len(z)),
        )


def _decoded(module: Autoencoder, z: Tensor, batch: Batch) -> Tensor:
    """What codes become, but for the values that their examples lack."""
    return batch.observed(module.likelihood.mean(module.parameters_of(z, batch.condition, batch)))


def _seen(module: Autoencoder, x: Tensor, batch: Batch) -> Tensor:
    """Examples, or what became of them, as encoder and discriminator see them."""
    return module.seen(batch._replace(x=x)).x
