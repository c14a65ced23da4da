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

    A decoder whose last bias is neither one number per value, per step nor per channel is left as
    it is.
    """
    biases = [
        bias
        for layer in decoder.modules()
        if isinstance(bias := getattr(layer, "bias", None), nn.Parameter)
    ]
    if not biases:
        return
    x = examples.x
    axes = range(1, x.dim())
    step = 2 if x.dim() == 4 else 1  # an image is a sequence of its rows
    per_value, per_step, per_channel = (0,), (0, step), (0, *axes[1:])
    for over in (per_value, per_step, per_channel):
        shape = tuple(1 if axis in over else x.shape[axis] for axis in axes)
        if math.prod(likelihood.parameter_shape(shape)) == biases[-1].numel():
            mean = examples.averaged(x, shape)
            biases[-1].copy_(likelihood.parameters_for(mean).flatten())
            return
