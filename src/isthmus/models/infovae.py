"""The InfoVAE: the rate of single examples counts less, the codes as a whole must match more."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.forward import Code
from isthmus.divergences import squared_mmd
from isthmus.errors import InputError
from isthmus.estimators.spatial import SpatialCode
from isthmus.models._variational import GaussianBottleneck, Variational
from isthmus.models.wae import from_normal


@dataclass(repr=False, eq=False, kw_only=True)
class InfoVAE(SpatialCode, Variational):
    r"""InfoVAE: a VAE that keeps what a code says of its example, and matches the prior by MMD.

    .. math:: \mathcal{L} = \mathbb{E}_{q(z \mid x)}[-\log p(x \mid z)]
              + (1 - \alpha) \, \mathrm{KL}(q(z \mid x) \Vert p(z))
              + (\alpha + \lambda - 1) \, \mathrm{MMD}^2(q(z), p(z))

    The rate of a VAE is the mutual information of x and z, plus KL(q(z) ‖ p(z)). α takes the former
    out of the objective, λ weighs the latter, which the maximum mean discrepancy of the codes of a
    batch stands for. α = 0, λ = 1 is the VAE; α = 1 is MMD-VAE, which charges no example alone;
    there ``transform`` and codes that are drawn may hardly differ. The history shows ``mmd`` beside
    ``distortion`` and ``rate``. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for batches of a single example, and where α + λ is below 1.

    Reference:
        S. Zhao, J. Song and S. Ermon, InfoVAE: balancing learning and inference in variational
        autoencoders, AAAI 2019.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.InfoVAE(alpha=0.5, epochs=1, random_state=0).fit(data.train)
        >>> "mmd" in model.history_[0]
        True
    """

    alpha: float = field(
        0.5, "how much of the information of a code is not charged; 0 is a VAE's rate", high=1
    )
    mmd_weight: float = field(
        10.0, "weight of the gap between codes as a whole and the prior (lambda)", low=0
    )

    @property
    def _batch_estimate(self) -> str:
        return "how far the codes of a batch are from the prior"

    def _require_meaning(self) -> None:
        super()._require_meaning()
        if self.alpha + self.mmd_weight < 1:
            raise InputError(
                f"alpha={self.alpha:g} and mmd_weight={self.mmd_weight:g} would reward codes that"
                " are far from the prior: give two numbers whose sum is at least 1."
            )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return InformativeBottleneck(
            features,
            self._code_size,
            self.alpha,
            self.mmd_weight,
            is_map=self._is_map(features),
        )


class InformativeBottleneck(GaussianBottleneck):
    """A Gaussian posterior whose rate has the weight 1 − α, beside the MMD of drawn codes."""

    draws = True  # of N(0, I), to compare codes with

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        alpha: float,
        mmd_weight: float,
        *,
        is_map: bool = False,
    ) -> None:
        super().__init__(features, latent_dim, 1 - alpha, is_map=is_map)
        self.mmd_weight = alpha + mmd_weight - 1

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        code = super().forward(features, noise)
        mmd = from_normal(code.z, squared_mmd)
        if mmd is None or code.penalty is None:
            return code
        return Code(code.z, code.penalty + self.mmd_weight * mmd, {**code.terms, "mmd": mmd})

    @property
    def _remedy(self) -> str:
        return (
            "lower mmd_weight, or raise alpha, which takes the rate of single examples out of the"
            " objective"
        )
