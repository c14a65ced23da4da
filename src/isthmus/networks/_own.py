"""Networks that the user brings: a module or a builder, checked before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from isthmus.core.example import Shape
from isthmus.errors import InputError
from isthmus.networks.base import Features

Own = nn.Module | Callable[..., nn.Module]


def own_encoder(own: Own, shape: Shape) -> Features:
    """The user's encoder: a copy, or what ``own(shape)`` builds; tried on two examples of zeros."""
    encoder = _made("encoder", own, shape)
    return Features(encoder, _shape_of("encoder", encoder, shape))


def own_decoder(own: Own, code_shape: Shape, shape: Shape) -> nn.Module:
    """The user's decoder: a copy, or what ``own(code_shape, shape)`` builds; also tried."""
    decoder = _made("decoder", own, code_shape, shape)
    given = _shape_of("decoder", decoder, code_shape)
    if given != shape:
        raise InputError(
            f"decoder gives {given} for one code of shape {code_shape}, but the likelihood of"
            f" the data needs {shape}: change its last layer."
        )
    return decoder


def require_variance(module: nn.Module, batch_size: int) -> None:
    """Refuse batches of one example where a network normalises by the variance of a batch."""
    if batch_size < 2 and any(isinstance(layer, nn.BatchNorm1d) for layer in module.modules()):
        raise InputError(
            "the networks normalise by the batch (BatchNorm1d), and a batch of one example has no"
            " variance: give a batch_size and examples of at least 2, or nn.LayerNorm."
        )


def _made(name: str, own: Own, *shapes: Shape) -> nn.Module:
    module: Any = copy.deepcopy(own) if isinstance(own, nn.Module) else own(*shapes)
    if not isinstance(module, nn.Module):
        raise InputError(
            f"{name}={own!r} gives {type(module).__name__} in place of a torch module: return an"
            " nn.Module."
        )
    return module


def _shape_of(name: str, module: nn.Module, shape: Shape) -> Shape:
    was_training = module.training
    module.eval()  # a trial run must not move batch-norm statistics
    try:
        with torch.no_grad():
            given = module(torch.zeros(2, *shape))
    except (RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"{name} cannot take examples of shape {shape}: {str(error).splitlines()[0]}"
        ) from error
    module.train(was_training)
    return tuple(given.shape[1:])
