"""What members with a Gaussian posterior share: posterior, prior, and likelihood of examples."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.findings import Finding
from isthmus.core.forward import Code
from isthmus.core.randomness import own_draws
from isthmus.core.reductions import beside, sum_dimensions
from isthmus.data.batches import StoreBatches
from isthmus.data.incoming import incoming
from isthmus.divergences import gaussian_kl
from isthmus.errors import InputError
from isthmus.estimators._filling import rounds_of
from isthmus.estimators._results import scores_of
from isthmus.estimators.base import Estimator
from isthmus.estimators.settings import Conditional
from isthmus.models._rate import RateSchedule
from isthmus.networks.conv import code_layers
from isthmus.posteriors.gaussian import DiagonalGaussian as DiagonalGaussian
from isthmus.posteriors.gaussian import diagonal_gaussian
from isthmus.training.settings import require_seed

# looked at together: with more of them, they leave the cache before they meet their next draws
_EXAMPLES = 64
COLLAPSED = 0.01  # nats: a dimension that carries fewer says nothing
_WEIGHED = 100  # draws of a code from which missing values are expected


@dataclass(repr=False, eq=False, kw_only=True)
class LatentVariableModel(Estimator, ABC):
    """A member with a prior and a posterior whose densities are known, by which x has a likelihood.

    Codes are N(0, I) unless it says otherwise.
    """

    unbounded_likelihood = "gaussian"
    hides_gaps = False  # drawn codes are weighed by what is there, which does better
    table_scaling = "quantile"  # new rows then have the distribution of each column

    @property
    def code_space(self) -> str:
        return "normal"

    def nll(
        self, X: Any, samples: int = 500, *, random_state: int = 0, condition: Any = None
    ) -> np.ndarray:
        r"""The importance-sampled estimate of -log p(x) of each example, ``(n,)``, in nats.

        .. math:: -\log \frac1S \sum_{s=1}^S \frac{p(x \mid z_s) \, p(z_s)}{q(z_s \mid x)}, \quad
                  z_s \sim q(z \mid x)

        It lies above the truth on the average, and approaches it as ``samples`` grows. Draws differ
        between examples, so that their errors even out in a mean; that of one example depends on
        its place among the others. The standard
        error of its mean over examples is their standard deviation divided by the root of their
        number.

        Raises:
            InputError: under ``likelihood="mse"``, which is no density, and for fewer than one
                sample.

        Reference:
            Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016.
        """
        if not isinstance(samples, int | np.integer) or isinstance(samples, bool) or samples < 1:
            raise InputError(f"samples={samples!r} is not usable: give a whole number, at least 1.")
        require_seed(random_state)
        X = incoming(X)

        def compute(is_wide: bool) -> dict[str, np.ndarray]:
            return {"likelihood": self._nll(X, samples, random_state, condition, is_wide)}

        return scores_of(compute)["likelihood"]

    def _nll(
        self, X: Any, samples: int, random_state: int, condition: Any, is_wide: bool
    ) -> np.ndarray:
        batches = self._batches(X, condition, charged=True, is_wide=is_wide)
        with self._inference(batches.dtype) as module, own_draws(random_state):
            if not module.likelihood.normalised:
                raise InputError(
                    "likelihood='mse' is no density, so there is no likelihood of x: train with"
                    " 'gaussian'."
                )
            # few samples leave room for more examples
            size = min(batches.rows, max(_EXAMPLES, batches.rows // int(samples)))
            found = torch.cat(
                [
                    -_log_evidence(module, batch, samples, batches.rows)
                    for batch in batches.chunks(size)
                ]
            )
        return np.asarray(found.cpu().numpy())

    def _expected(
        self, module: Autoencoder, batches: StoreBatches
    ) -> Iterator[tuple[Batch, Tensor]]:
        if not module.likelihood.normalised:  # codes cannot be weighed
            yield from super()._expected(module, batches)
            return
        for batch in batches.chunks(max(_EXAMPLES, batches.rows // _WEIGHED)):
            with own_draws(0):
                means = expected(module, batch, _WEIGHED, batches.rows, rounds_of(module))
            yield batch, means


@dataclass(repr=False, eq=False, kw_only=True)
class Variational(Conditional, LatentVariableModel, ABC):
    """A member with a Gaussian posterior, and a standard normal prior unless it says otherwise."""


class Draws(NamedTuple):
    """Several draws of each example's code.

    Attributes:
        log_ratio: log p(z) − log q(z | x), ``(s, n)``.
        nll: −log p(x | z) over what was observed, ``(s, n)``.
        parameters: what the decoder says of x, ``(s, n, *parameters)``.
    """

    log_ratio: Tensor
    nll: Tensor
    parameters: Tensor

    @property
    def log_weight(self) -> Tensor:
        """The logarithm of the importance weight p(x, z) / q(z | x), ``(s, n)``."""
        return self.log_ratio - self.nll


def draws_of(module: Autoencoder, features: Any, batch: Batch, noise: Tensor) -> Draws:
    """Draws of the codes of examples, made with noise ``(s, n, *code_shape)``."""
    assert isinstance(module.bottleneck, StochasticBottleneck)
    # (s * n, *passed_shape), (s, n)
    z, log_ratio = module.bottleneck.draw(features, noise, **module.context(batch.condition))
    parameters = module.parameters_of(z, batch.condition, batch).unflatten(0, noise.shape[:2])
    nll = module.likelihood.nll(parameters, batch.x, batch.mask)
    return Draws(log_ratio, nll, parameters)


def _portions(
    module: Autoencoder,
    batch: Batch,
    samples: int,
    rows: int,
    *,
    seen: Batch | None = None,
    shared: bool = False,
) -> Iterator[Draws]:
    """So many draws of each code in all, of which at most so many rows are decoded at once.

    They are proposed by what the encoder makes of the examples ``seen``, the same by default. Where
    noise is ``shared``, each example has the same, and the same as if it were alone.
    """
    features, x = module.features(batch if seen is None else seen), batch.x
    size = max(1, rows // len(x))
    shape = (len(x), *module.bottleneck.code_shape)
    common = _noise(samples, 1, *shape[1:], like=x) if shared else None
    for start in range(0, samples, size):
        count = min(size, samples - start)
        noise = (
            _noise(count, *shape, like=x)
            if common is None
            else common[start : start + count].expand(count, *shape)
        )
        yield draws_of(module, features, batch, noise)


def _noise(*shape: int, like: Tensor) -> Tensor:
    """Standard normal noise, the same numbers for float32 and float64."""
    return torch.randn(shape, device=like.device).to(like)


def _log_evidence(module: Autoencoder, batch: Batch, samples: int, rows: int) -> Tensor:
    """log of each example's mean weight, ``(n,)``; at most so many rows are decoded at once."""
    weights = [draws.log_weight for draws in _portions(module, batch, samples, rows)]
    return torch.cat(weights).logsumexp(0) - math.log(samples)


def expected(module: Autoencoder, batch: Batch, samples: int, rows: int, rounds: int = 1) -> Tensor:
    r"""E[x | what was observed of x], ``(n, *shape)``, by self-normalised importance weighting.

    .. math:: \sum_s w_s \, \mathbb{E}[x \mid z_s], \quad
              w_s \propto \frac{p(x_{\text{obs}} \mid z_s) \, p(z_s)}{q(z_s \mid x_{\text{obs}})}

    In every round the encoder proposes so many codes, by x in which the expectation of the rounds
    before stands for what was not observed; all count by their weights. At most so many rows are
    decoded at once. Noise is shared, so that no row depends on those beside it.
    """
    means, seen = torch.zeros_like(batch.x), batch
    total = torch.full((batch.size,), -torch.inf).to(batch.x)
    for _ in range(rounds):
        for draws in _portions(module, batch, samples, rows, seen=seen, shared=True):
            own = draws.log_weight.logsumexp(0)  # (n,)
            before, total = total, torch.logaddexp(total, own)
            of_each = module.likelihood.mean(draws.parameters.flatten(0, 1))
            of_each = of_each.unflatten(0, draws.nll.shape)  # (s, n, *shape)
            means = means * beside((before - total).exp(), means)
            means = means + (beside((draws.log_weight - total).exp(), of_each) * of_each).sum(0)
        seen = batch._replace(x=batch.filled(means))
    return means


class StochasticBottleneck(Bottleneck, ABC):
    """A code that is drawn from a posterior, whose density and the prior's are known."""

    is_random = True

    @abstractmethod
    def draw(self, features: Any, noise: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder gets, ``(s * n, *passed_shape)``, of noise ``(s, n, *code_shape)``.

        The second result is log p(z) - log q(z | x) of each draw, ``(s, n)``.
        """

    def rate(self, features: Any) -> Tensor | None:
        """KL(q(z | x) ‖ p(z)), ``(n,)``, in nats; None where it is known of draws alone."""
        return None


class RatedBottleneck(StochasticBottleneck, ABC):
    """A code whose rate is charged with a weight, or by its distance from a capacity, as a schedule
    says it.
    """

    def __init__(self, schedule: RateSchedule) -> None:
        super().__init__()
        self.schedule, self.beta = schedule, schedule.beta
        self.register_buffer("weight", torch.tensor(schedule.beta), persistent=False)
        self.weight: Tensor
        if schedule.capacity is not None:
            self.register_buffer("capacity", torch.tensor(schedule.capacity), persistent=False)
        self.capacity: Tensor

    def charge(self, rate: Tensor) -> Tensor:
        """What is charged for a rate ``(n,)``, ``(n,)``."""
        if self.schedule.capacity is None:
            return self.weight * rate
        # the mean over the batch is held to the capacity, and not the rate of every example
        return self.weight * (sharding.batch_mean(rate) - self.capacity).abs().expand_as(rate)

    def anneal(self, epoch: float) -> None:
        if self.schedule.is_still:
            return
        share = self.schedule.share(epoch)
        if self.schedule.capacity is None:
            self.weight.fill_(self.beta * share)
        else:
            self.capacity.fill_(self.schedule.capacity * share)


class GaussianBottleneck(RatedBottleneck):
    """q(z | x), a diagonal Gaussian, drawn by z = μ + σ·ε; its rate is the divergence from N(0, I).

    ``features: (n, *features)`` to ``z: (n, latent_dim)``, or of a map ``(n, latent_dim, *grid)``,
    whose rate is the sum over its places. A ``schedule`` stands in place of beta and kl_warmup.
    """

    is_gaussian = True

    def __init__(
        self,
        features: Shape,
        latent_dim: int,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        *,
        is_map: bool = False,
        schedule: RateSchedule | None = None,
    ) -> None:
        super().__init__(RateSchedule(beta, kl_warmup) if schedule is None else schedule)
        self._is_scheduled = schedule is not None
        layers, self.code_shape = code_layers(features, latent_dim, is_map=is_map, parts=2)
        self.project = nn.Sequential(*layers)
        self.free_bits = free_bits

    @property
    def linear(self) -> nn.Linear:
        """The layer from features to the means of a code that is a vector, and log variances."""
        layer = self.project[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    def posterior(self, features: Tensor) -> DiagonalGaussian:
        return diagonal_gaussian(self.project(features))  # each (n, *code_shape)

    def draw(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.posterior(features)  # each (n, *code_shape)
        z = mu + (0.5 * log_var).exp() * noise  # (s, n, *code_shape)
        log_ratio = 0.5 * (noise.square() + log_var - z.square())
        return z.flatten(0, 1), log_ratio.flatten(2).sum(-1)

    def rate(self, features: Tensor) -> Tensor | None:
        return sum_dimensions(gaussian_kl(*self.posterior(features)))

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        mu, log_var = self.posterior(features)
        z = mu + (0.5 * log_var).exp() * (sharding.randn_like(mu) if noise is None else noise)
        kl = gaussian_kl(mu, log_var)  # (n, *code_shape)
        rate = sum_dimensions(kl)
        # Free bits look at the mean over the batch, so every example carries the same charge.
        charged = (
            sharding.batch_mean(kl).clamp(min=self.free_bits).sum().expand_as(rate)
            if self.free_bits > 0
            else rate
        )
        return Code(z, self.charge(charged), {"rate": rate})

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        rates = gaussian_kl(posterior[0], posterior[1]).mean(0).flatten()
        collapsed = int((rates < COLLAPSED).sum())
        if collapsed < len(rates):
            return []
        return [
            Finding(
                "posterior-collapse",
                f"all {collapsed} dimensions of the code carry less than {COLLAPSED} nats"
                " (posterior collapse), so the decoder ignores the code",
                self._remedy,
                "rate of the dimension that carries most, nats",
                float(rates.detach().max()),
                COLLAPSED,
                "fault",
            )
        ]

    @property
    def _remedy(self) -> str:
        if self.schedule.capacity is not None:
            return f"raise capacity (it is {self.schedule.capacity:g})"
        if not self._is_scheduled:  # the member has no more than a weight
            return f"lower beta (it is {self.beta:g}), or learning_rate"
        return (
            f"lower beta (it is {self.beta:g}), set kl_warmup to some epochs, or free_bits to"
            " about 0.1"
        )
