"""What is wrong with codes: nothing in them, nobody who reads them, or far from the prior."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from isthmus.core.findings import Finding
from isthmus.diagnosis._examination import Examination
from isthmus.diagnosis._rebuilt import like_posterior
from isthmus.divergences import gaussian_kl
from isthmus.metrics import representation
from isthmus.models._variational import COLLAPSED

Findings = list[Finding] | None
"""What a check found; None where it does not apply to a member."""

_UNUSED = 0.5  # of the dimensions: as many may lie idle
_LEAST_TOLD = 0.2  # nats that draws of a code tell about their example
_LEAST_GAIN = 0.05  # of the error, by an example's own code in place of another's
_LEAST_RATE = 1.0  # nats: e of them can be told apart
_MOST_RATE = 4.0  # nats a dimension: the noise is then a fiftieth of the width of the prior
_MOST_GAP = 0.5  # nats a dimension
_DEAD, _DENSE = 0.25, 0.5  # of the units of a sparse code


def rates_of(seen: Examination) -> Tensor | None:
    """The rate of each dimension of the code, ``(code,)``, in nats; None where there is none."""
    posterior = seen.train.posterior
    kl: Tensor | None = getattr(posterior, "kl", None)
    if seen.bottleneck.is_gaussian:
        kl = gaussian_kl(posterior[0], posterior[1])
    return None if kl is None else kl.flatten(1).mean(0)


def active_dimensions(seen: Examination) -> float:
    """How many numbers of the code an example uses."""
    if (rates := rates_of(seen)) is not None:
        return float((rates >= COLLAPSED).sum())
    if seen.bottleneck.is_sparse:
        return float(_active(seen).float().sum(1).mean())
    return float(math.prod(seen.bottleneck.code_shape))


def code_in_itself(seen: Examination) -> Findings:
    """What the member itself says of its codes, as at the end of a training."""
    posterior = seen.train.posterior
    with seen.model._inference(seen.test_batches.dtype) as module:
        place = next(module.parameters()).device
        there = like_posterior(posterior, [part.to(place) for part in posterior])
        return module.bottleneck.diagnostics(there)


def collapsed_dimensions(seen: Examination) -> Findings:
    """Whether most dimensions of a drawn code carry nothing."""
    rates = rates_of(seen)
    if rates is None or not seen.bottleneck.is_gaussian:
        return None
    unused = int((rates < COLLAPSED).sum())
    if unused <= _UNUSED * len(rates):
        return []
    return [
        Finding(
            "collapsed-dimensions",
            f"{unused} of {len(rates)} dimensions of the code carry less than {COLLAPSED} nats"
            " each, so they stay unused",
            f"{_let_more_through(seen)} if they should be used, or lower latent_dim to"
            f" {len(rates) - unused} if not",
            "share of the dimensions that carry nothing",
            unused / len(rates),
            _UNUSED,
            "note",
        )
    ]


def ignored_input(seen: Examination) -> Findings:
    r"""Whether the posterior is the same for all examples.

    Two draws z, z′ of the codes of the same examples are correlated as far as the examples decide
    them; a Gaussian channel then tells :math:`-\tfrac12 \sum_i \log (1 - \rho_i)` nats.
    """
    first, second = seen.train.drawn.double()
    if not first.numel():
        return None
    first, second = first - first.mean(0), second - second.mean(0)
    spread = (first.square().mean(0) * second.square().mean(0)).sqrt()
    correlation = (first * second).mean(0) / spread.where(spread > 0, 1.0)
    told = float((-0.5 * torch.log1p(-correlation.clamp(max=1 - 1e-9))).sum())
    if told >= _LEAST_TOLD:
        return []
    return [
        Finding(
            "posterior-ignores-input",
            f"codes tell {max(told, 0.0):.2g} nats about their examples, so the posterior ignores"
            " the input",
            f"lower learning_rate, {_let_more_through(seen)}, or train for more epochs",
            "what a drawn code tells about its example, nats",
            told,
            _LEAST_TOLD,
            "fault",
        )
    ]


def ignored_code(seen: Examination) -> Findings:
    """Whether the decoder makes the same of an example's own code as of that of another."""
    test = seen.test
    swapped = float((test.swapped - test.x).square().sum())
    gain = 1 - float(test.errors.sum()) / swapped if swapped > 0 else 0.0
    if gain >= _LEAST_GAIN or float(test.variance.sum()) == 0:
        return []
    return [
        Finding(
            "code-ignored",
            f"with the code of another example a reconstruction is {_worse(gain)}, so the decoder"
            " ignores the code",
            "lower the weight of what is charged for the code, give it a larger latent_dim, or"
            " train for more epochs",
            "share of the error that an example's own code saves",
            gain,
            _LEAST_GAIN,
            "fault",
        )
    ]


def _worse(gain: float) -> str:
    return "no worse" if gain < 0.005 else f"only {gain:.0%} worse"


def rate_of_codes(seen: Examination) -> Findings:
    """Whether drawn codes keep too little of their examples, or more than noise can hide."""
    bottleneck = seen.bottleneck
    if not bottleneck.is_random or bottleneck.levels or "rate" not in seen.terms:
        return None
    nats = seen.terms["rate"]
    each = nats / max(active_dimensions(seen), 1.0)
    if nats < _LEAST_RATE:
        return [
            Finding(
                "rate-too-low",
                f"the rate is {nats:.2g} nats, so no more than {math.exp(nats):.1f} kinds of"
                " examples are told apart",
                f"{_let_more_through(seen)}, or train for more epochs",
                "rate, nats an example",
                nats,
                _LEAST_RATE,
            )
        ]
    if each <= _MOST_RATE:
        return []
    return [
        Finding(
            "rate-too-high",
            f"the rate is {each:.1f} nats for each dimension in use, so codes are points with"
            " next to no noise, and what lies between them was never decoded",
            _let_less_through(seen),
            "rate, nats a dimension in use",
            each,
            _MOST_RATE,
        )
    ]


def _let_more_through(seen: Examination) -> str:
    """How a member's code may carry more, by the fields that the member has."""
    capacity, beta = (getattr(seen.model, name, None) for name in ("capacity", "beta"))
    if capacity is not None:
        return f"raise capacity (it is {capacity:g})"
    if beta is not None:
        warm = ", set kl_warmup to some epochs" if hasattr(seen.model, "kl_warmup") else ""
        return f"lower beta (it is {beta:g}){warm}"
    return "take a smaller scale of the likelihood"


def _let_less_through(seen: Examination) -> str:
    """How a member's code may be charged more, by the fields that the member has."""
    capacity, beta = (getattr(seen.model, name, None) for name in ("capacity", "beta"))
    if capacity is not None:
        return f"lower capacity (it is {capacity:g}), or raise the scale of the likelihood"
    if beta is not None:
        towards = " towards 1" if beta < 1 else ""
        return f"raise beta (it is {beta:g}){towards}, or the scale of the likelihood"
    return "raise the scale of the likelihood, or train for longer at a lower learning_rate"


def prior(seen: Examination) -> Findings:
    """Whether the codes of all examples together are where samples are drawn from, N(0, I)."""
    model, posterior = seen.model, seen.test.posterior
    if model.code_space != "normal" or model.prior_ is not None:
        return None
    is_gaussian, draws = seen.bottleneck.is_gaussian, seen.test.drawn[0]
    means = draws if draws.numel() and not is_gaussian else posterior[0].flatten(1)
    mu = model._normal_part(means.double().numpy())
    if not is_gaussian and len(mu) <= mu.shape[1]:
        return None  # fewer points than dimensions span no volume
    var = posterior[1].flatten(1).double().exp().numpy() if is_gaussian else np.zeros_like(mu)
    gap = representation.prior_gap(mu, var).value / mu.shape[1]
    if gap <= _MOST_GAP:
        return []
    size = "without bound" if math.isinf(gap) else f"{gap:.2g} nats a dimension"
    return [
        Finding(
            "prior-gap",
            f"the codes of all examples together lie far from the prior N(0, I) ({size}), so"
            " samples come from places that were never decoded",
            "call fit_prior(X) before sample, or raise the weight that draws codes to the prior",
            "gap between codes and prior, nats a dimension",
            gap,
            _MOST_GAP,
        )
    ]


def units(seen: Examination) -> Findings:
    """Whether units of a sparse code are never used, or always."""
    if not seen.bottleneck.is_sparse:
        return None
    shares = _active(seen).float().mean(0)  # of the examples, that use each unit
    dead, dense = float((shares == 0).float().mean()), float((shares > 0.5).float().mean())
    found = []
    if dead > _DEAD:
        found.append(
            Finding(
                "dead-units",
                f"{dead:.0%} of the units of the code are used by no example",
                "lower latent_dim or what is charged for activity, lower learning_rate, or train"
                " for more epochs",
                "share of units that no example uses",
                dead,
                _DEAD,
            )
        )
    if dense > _DENSE:
        found.append(
            Finding(
                "dense-units",
                f"{dense:.0%} of the units of the code are used by more than half of the examples,"
                " so the code is not sparse",
                "raise what is charged for activity (sparsity_weight), or take sparsity='topk'"
                " with a small k",
                "share of units that more than half of the examples use",
                dense,
                _DENSE,
            )
        )
    return found


def _active(seen: Examination) -> Tensor:
    return seen.bottleneck.active(seen.train.posterior[0].flatten(1))
