"""A linear change of codes that reconstructions do not see, folded into the layers beside them."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder
from isthmus.errors import InputError

_LEAST_VARIANCE = 1e-6  # of a direction of codes, as a share of the greatest


def whiten(module: Autoencoder, project: nn.Linear, codes: Tensor) -> Tensor:
    r"""Make codes uncorrelated with unit variance, and change nothing that is decoded from them.

    .. math:: z' = \Sigma^{-1/2} (z - m)

    m and Σ are the mean and the covariance of ``codes``.

    Args:
        module: an autoencoder whose decoder begins with a linear layer.
        project: the linear layer that makes the codes.
        codes: those of the training examples, ``(n, latent_dim)``.

    Returns:
        The codes of the same examples from now on, ``(n, latent_dim)``.

    Raises:
        InputError: for a decoder that begins with another layer.
    """
    covariance = torch.cov(codes.double().T).reshape(codes.shape[1], codes.shape[1])
    deviations, directions = _axes(covariance)
    return _folded(module, project, codes, directions, deviations)


def make_round(
    module: Autoencoder, project: nn.Linear, codes: Tensor, covariance: Tensor
) -> Tensor:
    r"""Make what has this covariance round, of the same volume, and change nothing that is decoded.

    .. math:: z' = \lvert \Sigma \rvert^{1 / 2d} \, \Sigma^{-1/2} (z - m)

    Σ is the covariance, ``(latent_dim, latent_dim)``, such as that within clusters, and m the mean
    of ``codes``. The other arguments, what it returns and what it raises are those of
    :func:`whiten`.
    """
    deviations, directions = _axes(covariance)
    volume = deviations.log().mean().exp()
    return _folded(module, project, codes, directions, deviations / volume)


def _axes(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Deviations along the axes of an ellipse, ``(latent_dim,)``, and the axes as columns."""
    variances, directions = torch.linalg.eigh(covariance)
    least = max(float(variances[-1]), 1e-30) * _LEAST_VARIANCE
    return variances.clamp(min=least).sqrt(), directions


def _folded(
    module: Autoencoder, project: nn.Linear, codes: Tensor, directions: Tensor, deviations: Tensor
) -> Tensor:
    """Divide codes by deviations along directions, about their mean, as the layers make them.

    The map is folded into ``project``, the last layer of the encoder (its first outputs, where it
    makes more than codes), and its inverse into the first layer of the decoder.
    """
    size = codes.shape[1]
    first = first_layer(module.decoder, size)
    z = codes.double()
    mean = z.mean(0)
    forth = directions / deviations @ directions.T  # (latent_dim, latent_dim), as is its inverse
    back = directions * deviations @ directions.T
    with torch.no_grad():
        weight, bias = first.weight.double(), first.bias.double()
        first.bias.copy_(bias + weight @ mean)
        first.weight.copy_(weight @ back)
        weight, bias = project.weight[:size].double(), project.bias[:size].double()
        project.bias[:size] = (forth @ (bias - mean)).to(project.bias)
        project.weight[:size] = (forth @ weight).to(project.weight)
    return ((z - mean) @ forth).to(codes)


def first_layer(decoder: nn.Module, latent_dim: int) -> nn.Linear:
    """The layer with weights that a decoder begins with, where it can take up a map of codes.

    Raises:
        InputError: for a decoder that begins with another layer, or sees a condition beside codes.
    """
    for layer in decoder.modules():
        if next(layer.parameters(recurse=False), None) is None:
            continue
        fits = isinstance(layer, nn.Linear) and layer.in_features == latent_dim
        if fits and layer.bias is not None:
            return cast(nn.Linear, layer)
        break
    raise InputError(
        "whiten=True folds a linear map into the first layer of the decoder, but this decoder"
        f" begins with no linear layer of {latent_dim} inputs, the code alone, with a bias: pass"
        " whiten=False."
    )
