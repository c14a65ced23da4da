"""A dictionary outside of isthmus: two linear maps and a rule, in the units of the data."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.models._dictionary import Atoms, Centred, First, Units


class FoldedDictionary(nn.Module):
    """A trained dictionary as plain linear maps, ``x: (*, columns)`` to ``(*, columns)``.

    Nothing is scaled any more: scale, offset and the bias of the atoms are in the weights. Codes
    are those of the member; only the atoms, ``decoder.weight.T``, have the length of the data's
    unit.

    Attributes:
        encoder: x to pre-activations, ``(*, units)``.
        decoder: codes to what is said of x, ``(*, outputs)``.
        sparsity: which units are used.
    """

    bias: Tensor

    def __init__(self, encoder: nn.Linear, decoder: nn.Linear, units: Units) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.sparsity = copy.deepcopy(units.sparsity).eval()
        self.register_buffer("bias", units.linear.bias.detach().clone())

    def encode(self, x: Tensor) -> Tensor:
        """The code of each example, ``(*, columns)`` to ``(*, units)``."""
        if x.shape[-1:] != (self.encoder.in_features,):
            raise InputError(
                f"x has shape {tuple(x.shape)}, but the dictionary takes rows of"
                f" {self.encoder.in_features} numbers: give the activations it was trained on."
            )
        pre = self.encoder(x)
        return self.sparsity.codes(pre.reshape(-1, pre.shape[-1]), self.bias).view(pre.shape)

    def decode(self, z: Tensor) -> Tensor:
        """What codes say of x, ``(*, units)`` to ``(*, outputs)``."""
        return cast(Tensor, self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


@torch.no_grad()
def folded(module: Autoencoder, preprocessor: Preprocessor) -> FoldedDictionary:
    """A module and what stands around it as one :class:`FoldedDictionary`, on the processor."""
    units, atoms, scaling = cast(Units, module.bottleneck), cast(Atoms, module.decoder), None
    encoder = module.encoder
    inside = encoder.encoder if isinstance(encoder, Centred | First) else encoder
    is_linear = not any(True for _ in inside.parameters())
    if len(atoms.shape) != 1 or not is_linear or not preprocessor.scaling.is_straight:
        raise InputError(
            "this dictionary cannot be folded into two linear maps: train it on rows of numbers"
            " with hidden=() and scaling='rms', 'standard' or 'none'."
        )
    scaling, inputs, width = preprocessor.scaling, atoms.inputs, atoms.shape[0]
    scale, offset = (
        torch.from_numpy(value).expand(width).double() for value in (scaling.scale, scaling.offset)
    )
    read = slice(0, inputs or width)
    centre = atoms.bias.double().cpu() if isinstance(encoder, Centred) else torch.zeros(width)
    weight = units.linear.weight.double().cpu() / scale[read]
    bias = units.linear.bias.double().cpu() - weight @ (offset + scale * centre)[read]
    into = _linear(weight, bias)
    out = atoms.unit.double().cpu() * scale[inputs:]
    back = _linear(out.T, (atoms.bias.double().cpu() * scale + offset)[inputs:])
    return FoldedDictionary(into, back, copy.deepcopy(units).cpu())


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear map with given weights, in float32."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
