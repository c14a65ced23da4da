"""The Hamiltonian VAE: draws of the code move uphill before they are decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code, Pass
from isthmus.core.objectives import Loss
from isthmus.core.reductions import sum_dimensions
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational


@dataclass(repr=False, eq=False, kw_only=True)
class HamiltonianVAE(SpatialCode, Variational):
    r"""Hamiltonian VAE: codes drawn by the encoder are moved by the likelihood of their example.

    .. math:: \mathcal{L} = -\mathbb{E}\left[ \log p(x \mid z_K) + \log p(z_K)
              + \log \mathcal{N}(\rho_K; 0, I) - \log q(z_0 \mid x)
              - \log \mathcal{N}(\sqrt{\beta_0} \, \rho_0; 0, I) \right]

    A code :math:`z_0 \sim q(z \mid x)` and a momentum :math:`\rho_0 \sim \mathcal{N}(0, I /
    \beta_0)` go through K steps of leapfrog in the potential :math:`U(z) = -\log p(x, z)`:

    .. math:: \rho' = \rho - \tfrac{\varepsilon}{2} \nabla U(z), \quad z \leftarrow z + \varepsilon
              \rho', \quad \rho \leftarrow \sqrt{\beta_{k-1} / \beta_k} \left(\rho' -
              \tfrac{\varepsilon}{2} \nabla U(z)\right)

    where the tempering :math:`\beta_k` rises from :math:`\beta_0` to 1. A leapfrog keeps volumes,
    so that the density of :math:`z_K, \rho_K` is known and :math:`\mathcal{L}` is an evidence
    bound, with an unbiased gradient. Step sizes ε, one a dimension, and :math:`\beta_0` are learnt.
    ``rate`` is what is left of the bound beside the ``distortion`` of :math:`z_K`. ``transform``
    and ``encode`` give :math:`q(z \mid x)` before it moves. Every step costs a pass through the
    decoder and back. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Reference:
        A. L. Caterini, A. Doucet and D. Sejdinovic, Hamiltonian variational auto-encoder, NeurIPS
        2018.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.HamiltonianVAE(steps=2, epochs=1, random_state=0).fit(data.train)
        >>> model.score_samples(data.test.x).shape
        (359,)
    """

    steps: int = field(3, "leapfrog steps of a draw (K)", low=1)
    step_size: float = field(0.05, "step size at the start, which is learnt (epsilon)", above=0)
    tempering: float = field(
        0.5,
        "how hot it starts: beta_0 at the start, which is learnt; near 1 is not",
        above=0,
        below=1,
    )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return HamiltonianBottleneck(
            features,
            self._code_size,
            self.step_size,
            self.tempering,
            is_map=self._is_map(features),
        )

    def _loss_function(self, spec: ExampleSpec) -> HamiltonianLoss:
        return HamiltonianLoss(self.steps)


class HamiltonianBottleneck(GaussianBottleneck):
    """A Gaussian posterior, with the step sizes and the tempering of what moves its draws."""

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        step_size: float,
        tempering: float,
        *,
        is_map: bool = False,
    ) -> None:
        super().__init__(features, latent_dim, is_map=is_map)
        self.log_step = nn.Parameter(torch.full(self.code_shape, math.log(step_size)))
        self.tempering_logit = nn.Parameter(torch.tensor(math.log(tempering / (1 - tempering))))

    @property
    def noise_shape(self) -> Shape:
        """That of a code, and of its momentum."""
        return (2, *self.code_shape)

    @property
    def _remedy(self) -> str:
        return "take a smaller learning_rate, or a VAE, whose rate can be warmed up"


@dataclass(frozen=True)
class HamiltonianLoss:
    """The bound of codes that have moved through so many leapfrog steps."""

    steps: int

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, HamiltonianBottleneck)
        mu, log_var = bottleneck.posterior(features)  # each (n, *code_shape)
        if noise is None:
            noise = sharding.randn(len(mu), *bottleneck.noise_shape, like=mu)
        start, heading = noise.expand(len(mu), *bottleneck.noise_shape).unbind(1)
        z = mu + (0.5 * log_var).exp() * start
        z, momentum = self.moved(Potential(module, batch), bottleneck, z, heading)
        parameters = module.parameters_of(z, batch.condition, batch)
        distortion = module.likelihood.nll(parameters, batch.x, batch.mask)
        # log q(z_0 | x) − log p(z_K), and the same of the momenta; the constants cancel
        rate = 0.5 * sum_dimensions(z.square() - start.square() - log_var)
        rate = rate + 0.5 * sum_dimensions(momentum.square() - heading.square())
        terms = {"distortion": distortion, "rate": rate}
        made = Pass(batch, features, Code(z, rate, {"rate": rate}), parameters)
        return Loss(distortion + rate, terms, made)

    def moved(
        self, potential: Potential, bottleneck: HamiltonianBottleneck, z: Tensor, heading: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Codes and momenta ``(n, *code_shape)`` after all steps, of momenta that start as
        ``heading`` / √β₀.
        """
        step = bottleneck.log_step.exp()
        heat = self.heat(bottleneck.tempering_logit.sigmoid())
        momentum = heat[0] * heading
        gradient = potential.gradient(z)
        for before, after in pairwise(heat):
            momentum = momentum - 0.5 * step * gradient
            z = z + step * momentum
            gradient = potential.gradient(z)  # also that of the next step's beginning
            momentum = after / before * (momentum - 0.5 * step * gradient)
        return z, momentum

    def heat(self, tempering: Tensor) -> list[Tensor]:
        """1 / √β_k of every step from 0 to K, where it is 1; it falls by the square of k / K."""
        start = tempering.rsqrt()
        shares = [(k / self.steps) ** 2 for k in range(self.steps + 1)]
        return [start + (1 - start) * share for share in shares]


class Potential:
    """U(z) = −log p(x, z) of some examples, up to a constant."""

    def __init__(self, module: Autoencoder, batch: Batch) -> None:
        self.module, self.batch = module, batch

    def gradient(self, z: Tensor) -> Tensor:
        """∇U at codes ``(n, *code_shape)``; gradients flow through it where they are wanted."""
        is_wanted = torch.is_grad_enabled() and z.requires_grad
        with torch.inference_mode(False), torch.enable_grad():
            at, batch = z, self.batch
            if not is_wanted:  # what is made in inference mode has no derivative
                at, batch = z.detach().clone().requires_grad_(), batch.each(torch.clone)
            parameters = self.module.parameters_of(at, batch.condition, batch)
            energy = self.module.likelihood.nll(parameters, batch.x, batch.mask).sum()
            energy = energy + 0.5 * at.square().sum()
            return torch.autograd.grad(energy, at, create_graph=is_wanted)[0]
