"""The importance-weighted autoencoder: several draws of the code make a tighter bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.objectives import Loss, Objective, Side
from isthmus.core.reductions import full
from isthmus.errors import InputError
from isthmus.models._latent import LatentBottleneck, LatentParts
from isthmus.models._rate import RateSchedule
from isthmus.models._variational import GaussianBottleneck, RatedBottleneck, draws_of

_REMEDY = "take fewer samples, set kl_warmup to some epochs, or take a smaller learning_rate"


@dataclass(repr=False, eq=False, kw_only=True)
class IWAE(LatentParts):
    r"""Importance-weighted autoencoder: a VAE trained on a tighter bound, from k draws of the code.

    .. math:: \mathcal{L}_k = \mathbb{E}_{z_1, \dots, z_k \sim q(z \mid x)}
              \left[ \log \frac1k \sum_{i=1}^k \frac{p(x \mid z_i) \, p(z_i)}{q(z_i \mid x)} \right]

    With k = 1 it is the evidence bound of the VAE. The objective is :math:`-\mathcal{L}_k`, in
    nats; distortion and rate are reported beside it, and add up to the looser −ELBO.
    ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    As k grows the decoder's gradient gets better, and the encoder's worse. Three fields weigh the
    two: ``repeats`` M takes the mean of M bounds of k draws each (MIWAE), ``split`` trains the
    decoder on one bound of all M k draws, and the encoder on that mean (PIWAE), and ``mixing`` β
    adds the evidence bound, :math:`\beta \mathcal{L}_1 + (1 - \beta) \mathcal{L}_k` (CIWAE).

    While ``kl_warmup`` lasts, the weights are :math:`p(x \mid z) \, (p(z) / q(z \mid x))^a` with an
    exponent a that grows from 0 to 1, so that dimensions of the code are in use before their rate
    is charged.

    Raises:
        InputError: at ``fit``, for ``split`` without ``repeats``.

    References:
        Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016.
        T. Rainforth et al., Tighter variational bounds are not necessarily better, ICML 2018
        (``repeats``, ``split``, ``mixing``).
        C. K. Sønderby et al., Ladder variational autoencoders, NeurIPS 2016 (``kl_warmup``).

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> iwae = ist.IWAE(samples=5, epochs=1, random_state=0).fit(data.train)
        >>> iwae.nll(data.test.x, samples=10).shape
        (359,)
    """

    samples: int = field(5, "draws of the code behind one bound (k)", low=1)
    repeats: int = field(1, "bounds of so many draws, of which the mean is taken (M)", low=1)
    split: bool = field(
        False,
        "whether the decoder is trained on one bound of all samples times repeats draws, and the"
        " encoder alone on the mean of repeats",
    )
    mixing: float = field(
        0.0, "share of the evidence bound, of a single draw, in the objective (beta)", low=0, high=1
    )
    kl_warmup: float = field(
        0.0,
        "epochs over which the exponent of p(z) / q(z|x) in the weights grows from 0 to 1",
        low=0,
    )

    @property
    def warm_epoch(self) -> float:
        return max(super().warm_epoch, self.kl_warmup)

    def _bottleneck(self, features: Shape) -> Bottleneck:
        schedule = RateSchedule(warmup=self.kl_warmup)
        if self.split and self.repeats == 1:
            raise InputError(
                "split=True trains decoder and encoder on two bounds, which are the same with"
                " repeats=1: give repeats of 2 or more, or leave split out."
            )
        if self._is_plain:
            return ImportanceWeightedBottleneck(
                features, self._code_size, is_map=self._is_map(features), schedule=schedule
            )
        return self._composed(features, schedule, _REMEDY)

    def _loss_function(self, spec: ExampleSpec) -> ImportanceWeightedLoss:
        if self.split:
            return ImportanceWeightedLoss(self.samples * self.repeats, 1, self.mixing)
        return ImportanceWeightedLoss(self.samples, self.repeats, self.mixing)

    def _sides(self, module: Autoencoder) -> tuple[Side, ...]:
        """The whole, or, where it is split, the generative side and the encoder's."""
        if not self.split:
            return super()._sides(module)
        bound = ImportanceWeightedLoss(self.samples, self.repeats, self.mixing)

        def encoder_loss(batch: Batch) -> Loss:
            features = module.features_of(module.shown(batch))
            objective = bound(module, features, batch, None).objective
            return Loss(objective, {"encoder_bound": -objective})

        learnt = [p for p in module.parameters() if p.requires_grad]
        theirs = {id(p) for part in _inference(module) for p in part.parameters()}
        return (
            Objective(tuple(p for p in learnt if id(p) not in theirs), module.loss),
            Objective(tuple(p for p in learnt if id(p) in theirs), encoder_loss),
        )


def _inference(module: Autoencoder) -> list[nn.Module]:
    """The parts of a module that make q(z | x)."""
    code = module.bottleneck
    parts = [module.encoder, code.family if isinstance(code, LatentBottleneck) else code]
    return parts if module.conditioning is None else [*parts, module.conditioning]


class ImportanceWeightedBottleneck(GaussianBottleneck):
    """A Gaussian posterior whose rate has no weight once it is warm."""

    @property
    def _remedy(self) -> str:
        return _REMEDY


@dataclass(frozen=True)
class ImportanceWeightedLoss:
    r"""Bounds of k draws, as an objective: −log of the mean weight.

    .. math:: -\beta \frac{1}{M k} \sum_{m, i} \log w_{m i}
              - (1 - \beta) \frac1M \sum_m \log \frac1k \sum_i w_{m i}

    Attributes:
        samples: draws behind one bound (k).
        repeats: how many bounds (M).
        mixing: the share of the bound of a single draw (β).
    """

    samples: int
    repeats: int = 1
    mixing: float = 0.0

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        code = module.bottleneck
        assert isinstance(code, RatedBottleneck)
        shape = (len(features), *code.code_shape)
        count = self.samples * self.repeats
        draws = (
            sharding.randn(count, *shape, like=full(features), dim=1)
            if noise is None
            else noise[None]
        )
        made = draws_of(module, features, batch, draws.expand(-1, *shape))
        rate = code.rate(features)
        if rate is None:
            rate = -made.log_ratio.mean(0)
        log_weight = code.weight * made.log_ratio - made.nll  # (draws, n)
        return Loss(-self.bound(log_weight), {"distortion": made.nll.mean(0), "rate": rate})

    def bound(self, log_weight: Tensor) -> Tensor:
        """The bound of log weights ``(draws, n)``, ``(n,)``; one draw alone is its own bound."""
        size = min(self.samples, len(log_weight))
        groups = log_weight.unflatten(0, (-1, size))  # (M, k, n)
        tight = (groups.logsumexp(1) - math.log(size)).mean(0)
        if self.mixing == 0:
            return tight
        return self.mixing * log_weight.mean(0) + (1 - self.mixing) * tight
