"""Closed-form divergences between the distributions of codes, each written once."""

from __future__ import annotations

from torch import Tensor


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    r"""KL(N(μ, σ²) ‖ N(0, 1)) of every dimension, in nats, of the shape of ``mu``.

    .. math:: \tfrac12 (\mu^2 + \sigma^2 - 1 - \log \sigma^2)
    """
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)
