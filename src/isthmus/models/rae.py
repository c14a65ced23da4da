"""The regularised autoencoder: a smooth decoder in place of noise on the code."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from isthmus.core.autoencoder import Autoencoder, Bottleneck, Penalty
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code
from isthmus.core.jacobians import projected
from isthmus.core.objectives import Loss
from isthmus.core.reductions import sum_dimensions
from isthmus.estimators.base import Estimator
from isthmus.estimators.spatial import SpatialCode
from isthmus.likelihoods import Likelihood
from isthmus.models.ae import DeterministicBottleneck

_LAYERS = (nn.Linear, nn.modules.conv._ConvNd)


@dataclass(repr=False, eq=False, kw_only=True)
class RAE(SpatialCode, Estimator):
    r"""Regularised autoencoder: short codes and a smooth decoder, so that codes can be drawn.

    .. math:: \min_{f, g} \; \mathbb{E}_x \left[ -\log p(x \mid z = f(x))
              + \tfrac{\beta}{2} \lVert f(x) \rVert^2
              + \lambda_{GP} \lVert J_g(f(x)) \rVert_F^2 \right]
              + \lambda_{L2} \lVert \theta_g \rVert^2

    with :math:`\theta_g` the weights of the decoder, biases left out, and :math:`J_g` the Jacobian
    of the decoded x, whose norm is estimated by one random projection. ``spectral_norm=True``
    divides every layer's weights by their greatest singular value. A VAE's decoder is smooth
    because its codes are noisy; this one is asked to be, and nothing is drawn. There is no prior:
    fit one to the codes afterwards (``fit_prior``, a mixture of ten Gaussians as in the paper). The
    history shows ``code_norm``, ``decoder_norm`` and ``gradient``, unweighted, the last two where
    they have a weight. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Reference:
        P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black and B. Schölkopf, From variational to
        deterministic autoencoders, ICLR 2020.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> rae = ist.RAE(latent_dim=8, epochs=1, random_state=0).fit(data.train)
        >>> rae.fit_prior(data.train).sample(3, label=7, random_state=0).shape
        (3, 1, 8, 8)
    """

    latent_dim: int = field(16, "size of the code", low=1)
    code_weight: float = field(0.01, "weight of half the squared length of a code (beta)", low=0)
    decoder_norm_weight: float = field(
        1e-3, "weight of the squared length of the decoder's weights (lambda of RAE-L2)", low=0
    )
    gradient_weight: float = field(
        0.0, "weight of the squared norm of the decoder's Jacobian (lambda of RAE-GP)", low=0
    )
    spectral_norm: bool = field(
        False, "whether each layer of the decoder has weights of spectral norm 1 (RAE-SN)"
    )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return ShortCodes(
            features, self._code_size, self.code_weight, is_map=self._is_map(features)
        )

    def _decoder(self, spec: ExampleSpec, code_shape: Shape, parameters: Shape) -> nn.Module:
        decoder = super()._decoder(spec, code_shape, parameters)
        if self.spectral_norm:
            for layer in [part for part in decoder.modules() if isinstance(part, _LAYERS)]:
                parametrizations.spectral_norm(layer)
        return decoder

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        penalty = DecoderPenalty(self.decoder_norm_weight, self.gradient_weight)
        return Autoencoder(encoder, bottleneck, decoder, likelihood, penalty=penalty)


class ShortCodes(DeterministicBottleneck):
    """A linear map to the code, which is charged for its length."""

    def __init__(
        self, features: Shape, latent_dim: int, weight: float, *, is_map: bool = False
    ) -> None:
        super().__init__(features, latent_dim, is_map=is_map)
        self.weight = weight

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        z = self.posterior(features).z
        norm = 0.5 * sum_dimensions(z.square())  # (n,)
        return Code(z, self.weight * norm, {"code_norm": norm})


class DecoderPenalty(Penalty):
    """What a decoder is charged for: its weights, and how fast it changes with the code."""

    def __init__(self, norm_weight: float, gradient_weight: float) -> None:
        super().__init__()
        self.norm_weight, self.gradient_weight = norm_weight, gradient_weight

    def forward(self, module: Autoencoder, seen: Batch) -> Loss:
        total, terms = torch.zeros(seen.size, device=seen.x.device), {}
        if self.norm_weight > 0:
            # one number for all, carried by every example
            terms["decoder_norm"] = decoder_norm(module.decoder).expand(seen.size)
            total = total + self.norm_weight * terms["decoder_norm"]
        if self.gradient_weight > 0:
            terms["gradient"] = self.squared_gradient(module, seen)
            total = total + self.gradient_weight * terms["gradient"]
        return Loss(total, terms)

    def squared_gradient(self, module: Autoencoder, seen: Batch) -> Tensor:
        """An estimate of the squared norm of the Jacobian of x by z at each code, ``(n,)``."""
        z = module.encode_seen(seen)[0]
        decoded = projected(lambda code: module.decode(code, seen.condition), z)
        return sum_dimensions(decoded.square())


def decoder_norm(decoder: nn.Module) -> Tensor:
    """The squared length of all weights of a decoder but its biases, a single number."""
    weights = [parameter for parameter in decoder.parameters() if parameter.ndim > 1]
    return torch.stack([weight.square().sum() for weight in weights]).sum()
