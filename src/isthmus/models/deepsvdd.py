"""Deep SVDD: after pretraining, the encoder draws all examples towards one centre."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Point
from isthmus.core.objectives import Batches, Loss, Objective, Stage
from isthmus.estimators.base import Estimator
from isthmus.likelihoods import Likelihood
from isthmus.models.ae import DeterministicBottleneck

_LEAST_OFFSET = 0.1  # of a number of the centre from 0, which weights of zero would reach


@dataclass(repr=False, eq=False, kw_only=True)
class DeepSVDD(Estimator):
    r"""Deep support vector data description: maps typical examples close to a centre.

    .. math:: \min_f \; \mathbb{E}_x \lVert f(x) - c \rVert^2

    First an autoencoder is trained for ``pretrain_epochs``; the mean of its codes is the centre c.
    Then the encoder f alone makes the distance small for ``epochs``, while the decoder goes on to
    rebuild x from the code that it finds, without changing it. An example is the stranger the
    further its code lies from c (``"distance"`` of :meth:`terms`), by which an
    :class:`~isthmus.OutlierDetector` judges.

    An encoder could map everything to c. So our own networks have no biases here, c keeps away from
    0 in every dimension, and the encoder closes in on it in small steps (``closing_rate``), with
    weight decay. Bounded activations (``"sigmoid"``, ``"tanh"``) invite that collapse, which is
    warned of where it happens. On images of 28×28, narrow convolutions
    (``network="conv", hidden=(8, 16)``) tell strangers apart better than fully connected layers; on
    8×8 they do not.
    ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Reference:
        L. Ruff, R. A. Vandermeulen, N. Görnitz, L. Deecke, S. A. Siddiqui, A. Binder, E. Müller and
        M. Kloft, Deep one-class classification, ICML 2018.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> zeros = data.train.x[data.train.y == 0]
        >>> model = ist.DeepSVDD(pretrain_epochs=5, epochs=5, random_state=0).fit(zeros)
        >>> distance = model.terms(data.test.x)["distance"]
        >>> bool(distance[data.test.y == 0].mean() < distance[data.test.y != 0].mean())
        True
    """

    moving_objective = True
    judged_by = "distance"

    latent_dim: int = field(32, "size of the code", low=1)
    weight_decay: float = field(1e-6, "weight decay of the optimiser", low=0)
    pretrain_epochs: int = field(
        10, "epochs as a plain autoencoder before there is a centre", low=0
    )
    closing_rate: float = field(
        1e-4, "step size of the encoder once there is a centre, in place of learning_rate", above=0
    )

    @property
    def _rebuilds(self) -> bool:
        return False

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return CentredBottleneck(features, self.latent_dim)

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        if self.encoder is None:
            remove_biases(encoder)
        remove_biases(bottleneck)
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, CentredBottleneck)
        inward = _moved(module.encoder, bottleneck, module.conditioning)
        outward = _moved(module.decoder, module.likelihood)
        return [
            Stage(self.pretrain_epochs, module.objectives()),
            Stage(
                self._epochs,
                (
                    Objective(inward, partial(distance, module), self.closing_rate),
                    Objective(outward, partial(decoding, module)),
                ),
                partial(bottleneck.settle, module),
            ),
        ]


class CentredBottleneck(Bottleneck):
    """A linear map without bias from features to the code, and a centre of codes.

    ``features: (n, *features)`` to ``z: (n, latent_dim)``.
    """

    def __init__(self, features: Shape, latent_dim: int) -> None:
        super().__init__()
        self.inner = DeterministicBottleneck(features, latent_dim)
        self.code_shape = self.inner.code_shape
        self.register_buffer("centre", torch.zeros(latent_dim))
        self.centre: Tensor

    def posterior(self, features: Tensor) -> Point:
        return self.inner.posterior(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.inner(features).z
        return Code(z, None, {"distance": (z - self.centre).square().sum(1)})

    def settle(self, module: Autoencoder, batches: Batches) -> None:
        """Put the centre where the codes of all examples have their mean, but not close to 0."""
        with torch.no_grad():
            total = sum(
                (module.encode(some)[0].sum(0) for some in batches.chunks()),
                start=torch.zeros_like(self.centre),
            )
            mean = total / len(batches)
            away = torch.where(mean < 0, -_LEAST_OFFSET, _LEAST_OFFSET)
            self.centre.copy_(torch.where(mean.abs() < _LEAST_OFFSET, away, mean))


def remove_biases(module: nn.Module) -> None:
    """Take the biases from every linear and convolutional layer."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            layer.register_parameter("bias", None)


def distance(module: Autoencoder, batch: Batch) -> Loss:
    """The squared distance of codes from the centre, ``(n,)``; nothing is decoded."""
    code = module.code(module.features(batch), batch.condition)
    return Loss(code.terms["distance"], code.terms)


def decoding(module: Autoencoder, batch: Batch) -> Loss:
    """The distortion given the codes as they are, ``(n,)``, which moves the decoder alone."""
    with torch.no_grad():
        z = module.encode(batch)[0]
    distortion = module.distortion(z, batch)
    return Loss(distortion, {"distortion": distortion})


def _moved(*parts: nn.Module | None) -> tuple[nn.Parameter, ...]:
    """The parameters of parts that are trained."""
    return tuple(
        parameter
        for part in parts
        if part is not None
        for parameter in part.parameters()
        if parameter.requires_grad
    )
