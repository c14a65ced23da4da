"""Closed-form divergences between the distributions of codes, each written once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from isthmus.errors import InputError


def normal_kl(
    mean: Tensor | float,
    deviation: Tensor | float,
    other_mean: Tensor | float = 0.0,
    other_deviation: Tensor | float = 1.0,
) -> Tensor:
    r"""KL(N(μ₁, σ₁²) ‖ N(μ₂, σ₂²)) of two normal distributions, in nats.

    .. math:: \log \frac{\sigma_2}{\sigma_1}
              + \frac{\sigma_1^2 + (\mu_1 - \mu_2)^2}{2 \sigma_2^2} - \frac12

    Tensors are taken value by value, and may be of different shapes; the divergence of Gaussians
    with diagonal covariances is the sum over their dimensions. It is not symmetric. A proof stands
    on the page about likelihoods.

    Raises:
        InputError: for deviations that are not above 0.

    >>> from isthmus.divergences import normal_kl
    >>> round(normal_kl(1.0, 2.0, 0.0, 1.0).item(), 4)  # -log 2 + 5/2 - 1/2
    1.3069
    """
    values = [torch.as_tensor(v) for v in (mean, deviation, other_mean, other_deviation)]
    for name, value in zip(("deviation", "other_deviation"), values[1::2], strict=True):
        if not bool((value > 0).all()):
            raise InputError(
                f"{name} holds {float(value.min()):g}, but a standard deviation is above 0: give"
                " positive numbers."
            )
    mu_1, sigma_1, mu_2, sigma_2 = values
    return kl_between(mu_1, 2 * sigma_1.log(), mu_2, 2 * sigma_2.log())


def kl_between(mu: Tensor, log_var: Tensor, prior_mu: Tensor, prior_log_var: Tensor) -> Tensor:
    r"""The same as :func:`normal_kl`, by log σ², which networks return: of every
    dimension, of the shape of ``mu``.

    .. math:: \tfrac12 \left(\frac{(\mu - m)^2}{s^2} + \frac{\sigma^2}{s^2} - 1
              - \log \frac{\sigma^2}{s^2}\right)

    In units of s it is the divergence from the standard normal.
    """
    return gaussian_kl((mu - prior_mu) * (-0.5 * prior_log_var).exp(), log_var - prior_log_var)


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    r"""KL(N(μ, σ²) ‖ N(0, 1)), the rate of a VAE: of every dimension, of the shape of ``mu``.

    .. math:: \tfrac12 (\mu^2 + \sigma^2 - 1 - \log \sigma^2)
    """
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)


def full_gaussian_kl(mu: Tensor, factor: Tensor) -> Tensor:
    r"""KL(N(μ, L Lᵀ) ‖ N(0, I)) of means ``(n, d)`` and lower triangles L ``(n, d, d)``, ``(n,)``.

    .. math:: \tfrac12 \left( \lVert \mu \rVert^2 + \lVert L \rVert_F^2 - d \right)
              - \sum_i \log L_{ii}
    """
    size = mu.square().sum(-1) + factor.square().sum((-2, -1)) - mu.shape[-1]
    return 0.5 * size - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def log_normal(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; μ, σ²) of every dimension, in nats."""
    return -0.5 * ((z - mu).square() * (-log_var).exp() + log_var + math.log(2 * math.pi))


def log_normal_pairs(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    r"""log N(z; μ_k, σ_k²) of codes ``(..., d)`` and each of K diagonal Gaussians ``(K, d)``, in
    nats, ``(..., K)``.

    By matrix products, so that nothing of the size ``(..., K, d)`` is made; they are computed in
    double precision where the device has it, as the terms of narrow Gaussians nearly cancel.
    """
    wide = z.dtype if z.device.type == "mps" else torch.float64
    at, mean, spread = z.to(wide), mu.to(wide), log_var.to(wide)
    precision = (-spread).exp()
    own = (mean.square() * precision + spread + math.log(2 * math.pi)).sum(-1)  # (K,)
    squares = at.square() @ precision.T - 2 * (at @ (mean * precision).T)
    return (-0.5 * (squares + own)).to(z.dtype)


def squared_mmd(a: Tensor, b: Tensor) -> Tensor:
    r"""An unbiased estimate of the squared maximum mean discrepancy of two samples ``(n, d)``.

    .. math:: \frac{\sum_{i \ne j} k(a_i, a_j)}{n (n - 1)}
              + \frac{\sum_{i \ne j} k(b_i, b_j)}{n (n - 1)}
              - \frac{2}{n^2} \sum_{i, j} k(a_i, b_j)

    with inverse multiquadratic kernels :math:`k(x, y) = \sum_s C_s / (C_s + \lVert x - y
    \rVert^2)`, :math:`C_s = 2 d s`, of seven widths s from 0.1 to 10. It lies around 0 where both
    samples come from one distribution, and can be negative.

    Raises:
        InputError: for a single example a side, of which nothing can be estimated.
    """
    n = len(a)
    if n < 2:
        raise InputError(
            f"a sample of {n} has no pairs to compare it by: give at least 2 examples a side."
        )
    widths = (
        2
        * a.shape[1]
        * torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0], device=a.device, dtype=a.dtype)
    )
    points = torch.cat([a, b])
    products = points @ points.T
    squares = products.diagonal()
    distances = (squares[:, None] + squares - 2 * products).clamp(min=0)
    kernels = (widths / (widths + distances[..., None])).sum(-1)  # (2n, 2n)
    between_others = kernels - torch.diag(kernels.diagonal())
    within = between_others[:n, :n].sum() + between_others[n:, n:].sum()
    return within / (n * (n - 1)) - 2 * kernels[:n, n:].sum() / n**2


def squared_sliced_wasserstein(a: Tensor, b: Tensor, projections: int) -> Tensor:
    r"""An estimate of the squared sliced Wasserstein distance of two samples ``(n, d)``.

    .. math:: \frac1L \sum_{l=1}^L \frac1n \sum_{i=1}^n
              \left(\theta_l^\top a_{(i)} - \theta_l^\top b_{(i)}\right)^2

    with L random directions :math:`\theta_l` on the unit sphere, along each of which the points are
    sorted: in one dimension the best transport keeps their order. It is never below 0, and above it
    for two samples of one distribution, the less the larger they are.
    """
    directions = torch.nn.functional.normalize(
        torch.randn(a.shape[1], projections, device=a.device, dtype=a.dtype), dim=0
    )
    along = [(points @ directions).sort(dim=0).values for points in (a, b)]  # each (n, L)
    return (along[0] - along[1]).square().mean()


def bernoulli_kl(target: float, rate: Tensor) -> Tensor:
    """KL(Bernoulli(target) ‖ Bernoulli(rate)) of every entry of ``rate``, in nats."""
    rate = rate.clamp(min(1e-6, 0.01 * target), 1 - 1e-6)
    return target * (math.log(target) - rate.log()) + (1 - target) * (
        math.log1p(-target) - (-rate).log1p()
    )
