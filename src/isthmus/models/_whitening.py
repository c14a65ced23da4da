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

    m and Σ are the mean and the covariance of ``codes``. The map is folded into ``project``, the
    last layer of the encoder, and its inverse into the first layer of the decoder.

    Args:
        module: an autoencoder whose decoder begins with a linear layer.
        project: the linear layer that makes the codes.
        codes: those of the training examples, ``(n, latent_dim)``.

    Returns:
        The codes of the same examples from now on, ``(n, latent_dim)``.

    Raises:
        InputError: for a decoder that begins with another layer.
    """
    first = _first_layer(module.decoder, codes.shape[1])
    z = codes.double()
    mean = z.mean(0)
    variances, directions = torch.linalg.eigh(torch.cov(z.T).reshape(z.shape[1], z.shape[1]))
    deviations = variances.clamp(min=max(float(variances[-1]), 1e-30) * _LEAST_VARIANCE).sqrt()
    forth = directions / deviations @ directions.T  # (latent_dim, latent_dim), as is its inverse
    back = directions * deviations @ directions.T
    with torch.no_grad():
        weight, bias = first.weight.double(), first.bias.double()
        first.bias.copy_(bias + weight @ mean)
        first.weight.copy_(weight @ back)
        weight, bias = project.weight.double(), project.bias.double()
        project.bias.copy_(forth @ (bias - mean))
        project.weight.copy_(forth @ weight)
    return ((z - mean) @ forth).to(codes)


def _first_layer(decoder: nn.Module, latent_dim: int) -> nn.Linear:
    """The layer with weights that a decoder begins with."""
    for layer in decoder.modules():
        if next(layer.parameters(recurse=False), None) is None:
            continue
        fits = isinstance(layer, nn.Linear) and layer.in_features == latent_dim
        if fits and layer.bias is not None:
            return cast(nn.Linear, layer)
        break
    raise InputError(
        "whiten=True folds a linear map into the first layer of the decoder, but this decoder"
        f" begins with no linear layer of {latent_dim} inputs with a bias: pass whiten=False."
    )
