"""Where a decoder's output rests before training."""

from __future__ import annotations

import math

import torch
from torch import nn

from isthmus.core.batch import Batch
from isthmus.likelihoods import Likelihood


@torch.no_grad()
def init_output_bias(decoder: nn.Module, likelihood: Likelihood, examples: Batch) -> None:
    """Let the bias of a decoder's last layer stand for the mean of some examples.

    Left at zero, it is what training teaches first, and while it does, the same error pushes all
    codes the same way: those of sigmoid units can end in one corner for good, and others reach a
    given error later. For codes that are drawn it is the other way round: where the mean is said
    already, the prior pulls at them before they say anything, and more of them fall silent.

    A decoder whose last bias is neither one number per value, per step nor per channel (of a
    convolution: per channel) is left as it is.
    """
    layers = [
        layer
        for layer in decoder.modules()
        if isinstance(getattr(layer, "bias", None), nn.Parameter)
    ]
    if not layers:
        return
    bias = layers[-1].bias
    assert isinstance(bias, nn.Parameter)
    x = examples.x
    axes = range(1, x.dim())
    step = 2 if x.dim() == 4 else 1  # an image is a sequence of its rows
    per_value, per_step, per_channel = (0,), (0, step), (0, *axes[1:])
    is_convolution = isinstance(layers[-1], nn.modules.conv._ConvNd)
    for over in (per_channel,) if is_convolution else (per_value, per_step, per_channel):
        shape = tuple(1 if axis in over else x.shape[axis] for axis in axes)
        if math.prod(likelihood.parameter_shape(shape)) == bias.numel():
            mean = examples.averaged(x, shape)
            bias.copy_(likelihood.parameters_for(mean).flatten())
            return
