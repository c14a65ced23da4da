"""The variational autoencoder: the code is a distribution, kept close to a prior."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.estimators.judged import Judged
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational


@dataclass(repr=False, eq=False, kw_only=True)
class VAE(Judged, SpatialCode, Variational):
    r"""Variational autoencoder: a Gaussian posterior over the code and a standard normal prior.

    .. math:: -\mathrm{ELBO} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]
              + \beta \, \mathrm{KL}\left(q(z \mid x) \,\Vert\, \mathcal{N}(0, I)\right),
              \quad q(z \mid x) = \mathcal{N}(\mu(x), \sigma^2(x))

    Both terms are in nats, summed over dimensions and averaged over examples, so ``beta=1`` is the
    evidence bound. ``x: (n, *shape)``, ``z: (n, latent_dim)``. ``transform`` gives μ, the same at
    every call; ``encode`` gives μ and log σ². With ``code="map"`` it is the autoencoder of latent
    diffusion: ``z: (n, latent_dim, h, w)``, ``transform`` gives flat rows of it, and the rate is
    the sum over the map.

    Raises:
        InputError: at ``fit``, for data outside [0, 1] under a Bernoulli likelihood, and for
            unusable fields.

    References:
        D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014.
        I. Higgins et al., β-VAE, ICLR 2017 (``beta``).
        D. P. Kingma et al., Improved variational inference with inverse autoregressive flow,
        NeurIPS 2016 (``free_bits``).

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
        0.0, "epochs over which the weight of the rate grows from 0 to beta", low=0
    )
    free_bits: float = field(
        0.0, "nats per dimension of the code that cost nothing, on the average of a batch", low=0
    )

    @property
    def warm_epoch(self) -> float:
        return self.kl_warmup

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return GaussianBottleneck(
            features,
            self._code_size,
            self.beta,
            self.kl_warmup,
            self.free_bits,
            is_map=self._is_map(features),
        )
