"""The variational autoencoder: the code is a distribution, kept close to a prior."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.estimators.judged import Judged
from isthmus.models._latent import LatentParts
from isthmus.models._rate import RateSchedule
from isthmus.models._variational import GaussianBottleneck


@dataclass(repr=False, eq=False, kw_only=True)
class VAE(Judged, LatentParts):
    r"""Variational autoencoder: a Gaussian posterior over the code and a standard normal prior.

    .. math:: -\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]
              + \beta \, \mathrm{KL}\left(q(z \mid x) \,\Vert\, \mathcal{N}(0, I)\right),
              \quad q(z \mid x) = \mathcal{N}(\mu(x), \sigma^2(x))

    Both terms are in nats, summed over dimensions and averaged over examples, so ``beta=1`` is the
    evidence bound. ``x: (n, *shape)``, ``z: (n, latent_dim)``. ``transform`` gives μ, the same at
    every call; ``encode`` gives μ and log σ². With ``code="map"`` it is the autoencoder of latent
    diffusion: ``z: (n, latent_dim, h, w)``, ``transform`` gives flat rows of it, and the rate is
    the sum over the map.

    Another ``posterior`` or ``latent_prior`` takes the place of the two Gaussians, and ``geometry``
    moves the code from vectors to a sphere or a ball; where the divergence has no formula, the rate
    is log q(z | x) − log p(z) of the drawn code. With a ``capacity`` C the second term is
    :math:`\beta \lvert \mathrm{KL} - C \rvert`.

    Raises:
        InputError: at ``fit``, for data outside [0, 1] under a Bernoulli likelihood, and for
            unusable fields.

    References:
        D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014.
        I. Higgins et al., β-VAE, ICLR 2017 (``beta``).
        D. P. Kingma et al., Improved variational inference with inverse autoregressive flow,
        NeurIPS 2016 (``free_bits``).
        C. P. Burgess et al., Understanding disentangling in β-VAE, 2018 (``capacity``).
        H. Fu et al., Cyclical annealing schedule: a simple approach to mitigating KL vanishing,
        NAACL 2019 (``kl_cycles``).

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> vae = ist.VAE(latent_dim=2, epochs=1, random_state=0).fit(data.train)
        >>> vae.encode(data.test.x[:5]).log_var.shape
        (5, 2)
    """

    beta: float = field(
        1.0, "weight of the rate, KL(q(z|x) || p(z)); 1 is the evidence bound", low=0
    )
    kl_warmup: float = field(
        0.0,
        "epochs over which the weight of the rate grows from 0 to beta, or the capacity from 0",
        low=0,
    )
    kl_cycles: int = field(
        1,
        "how often the warm-up is done, at even distances; without kl_warmup it takes half of each"
        " cycle",
        low=1,
    )
    capacity: float | None = field(
        None,
        "nats that the rate is held to: beta, of 10 and more, then weighs the distance from them",
        low=0,
    )
    free_bits: float = field(
        0.0, "nats per dimension of the code that cost nothing, on the average of a batch", low=0
    )

    @property
    def warm_epoch(self) -> float:
        return max(super().warm_epoch, self._rate_schedule.settled)

    @property
    def _rate_schedule(self) -> RateSchedule:
        warmup = self.kl_warmup
        if self.kl_cycles > 1 and warmup == 0:
            warmup = 0.5 * self._epochs / self.kl_cycles
        return RateSchedule(self.beta, warmup, self.kl_cycles, self._epochs, self.capacity)

    def _bottleneck(self, features: Shape) -> Bottleneck:
        if self.capacity is not None and self.free_bits > 0:
            raise InputError(
                f"capacity={self.capacity:g} and free_bits={self.free_bits:g} both say which rate"
                " costs nothing: give one of them."
            )
        if self._is_plain:
            return GaussianBottleneck(
                features,
                self._code_size,
                free_bits=self.free_bits,
                is_map=self._is_map(features),
                schedule=self._rate_schedule,
            )
        if self.free_bits > 0:
            raise InputError(
                f"free_bits={self.free_bits:g} asks for the rate of every dimension, which only a"
                " diagonal posterior has beside the standard normal: leave it out, or set"
                " kl_warmup."
            )
        remedy = f"lower beta (it is {self.beta:g}), or set kl_warmup to some epochs"
        return self._composed(features, self._rate_schedule, remedy)
