"""Decoders that use the weights of their encoders, transposed."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.errors import InputError

Convolution = nn.Conv1d | nn.Conv2d
Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d
Weighted = nn.Linear | Convolution | Transposed
"""The layers that have weights which a mirror can use."""


class Tied(nn.Module):
    """A decoding layer with the transposed weights of an encoding layer, and its own bias."""

    def __init__(self, source: Weighted, layer: Weighted) -> None:
        super().__init__()
        # in a tuple, so that the weights are saved and moved once, where they belong
        self._source = (source,)
        self.bias = layer.bias

    def forward(self, h: Tensor) -> Tensor:
        source = self._source[0]
        if isinstance(source, nn.Linear):
            return F.linear(h, source.weight.T, self.bias)
        transposed = F.conv_transpose1d if source.weight.dim() == 3 else F.conv_transpose2d
        return transposed(
            h, source.weight, self.bias, stride=source.stride[0], padding=int(source.padding[0])
        )


def tie(encoder: nn.Module, bottleneck: nn.Module, decoder: nn.Module) -> None:
    """Let each layer of the decoder use its counterpart's weights; biases stay its own.

    Raises:
        InputError: for a decoder that does not mirror encoder and bottleneck layer by layer.
    """
    sources = [
        layer
        for part in (encoder, bottleneck)
        for layer in part.modules()
        if isinstance(layer, Weighted)
    ]
    mirrors = [
        (parent, name, layer)
        for parent, name, layer in _children(decoder)
        if isinstance(layer, Weighted)
    ]
    pairs = list(zip(sources, reversed(mirrors), strict=False))
    if len(sources) != len(mirrors) or not all(
        _mirrors(source, layer) for source, (_, _, layer) in pairs
    ):
        raise InputError(
            "tied=True needs a decoder that mirrors the encoder layer by layer: pass network='mlp'"
            " or 'conv', and a likelihood of one number a value."
        )
    for source, (parent, name, layer) in pairs:
        setattr(parent, name, Tied(source, layer))


def _mirrors(source: Weighted, layer: Weighted) -> bool:
    """Whether a decoding layer is what an encoding layer with transposed weights is."""
    if isinstance(source, nn.Linear):
        return isinstance(layer, nn.Linear) and layer.weight.shape == source.weight.shape[::-1]
    if not isinstance(source, Convolution):
        return False
    if isinstance(layer, Transposed):
        return layer.weight.shape == source.weight.shape
    # of one place, a convolution is its own kind's mirror
    is_pointwise = isinstance(layer, Convolution) and set(layer.weight.shape[2:]) == {1}
    return is_pointwise and layer.weight.shape == source.weight.transpose(0, 1).shape


def _children(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for name, child in module.named_children():
        yield module, name, child
        yield from _children(child)
