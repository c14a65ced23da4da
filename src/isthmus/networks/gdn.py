"""Convolutions with divisive normalisation, for codes that will be compressed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.example import ExampleSpec, Shape
from isthmus.networks.base import Features
from isthmus.networks.conv import Crop, GridEncoder, Strided, convolutions

_WIDTHS = (64, 64, 64, 128)
_LEAST_BETA = 1e-6  # below it, the normalisation of zeros would have no bound
_OWN, _OTHER = 0.1, 1e-4  # γ at the start, of a channel on itself and on others; 0 would stay 0


@dataclass(repr=False)
class GDNNetwork(Strided):
    """5×5 convolutions of stride 2 with divisive normalisation (GDN) between them, and mirrored.

    The analysis and synthesis transforms of learnt compression: every width halves the sides of an
    image (or the time of a signal) once, and :class:`GDN` stands where other networks have an
    activation, which is not used. The last convolution stays linear. Sides that are not divisible
    are padded with their last values, and cropped back. The paper's are
    ``widths=(128, 128, 128, 192)`` for low rates.

    Reference:
        J. Ballé, D. Minnen, S. Singh, S. J. Hwang and N. Johnston, Variational image compression
        with a scale hyperprior, ICLR 2018.
    """

    def encoder(self, spec: ExampleSpec) -> Features:
        convolution, _ = convolutions(spec.shape)
        channels = [spec.shape[0], *self._widths]
        layers: list[nn.Module] = [Extend(self._padded(spec.shape))]
        for inputs, outputs in pairwise(channels):
            layers += [convolution(inputs, outputs, 5, stride=2, padding=2), GDN(outputs)]
        shape = (self._widths[-1], *self._coarse(spec.shape))
        return Features(GridEncoder(*layers[:-1]), shape)

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        _, transposed = convolutions(spec.shape)
        channels = [*reversed(self._widths), spec.shape[0]]
        features = (channels[0], *self._coarse(spec.shape))
        layers = [] if code_shape == features else self._entry(code_shape, features)
        for inputs, outputs in pairwise(channels):
            grow = transposed(inputs, outputs, 5, stride=2, padding=2, output_padding=1)
            layers += [grow, GDN(outputs, inverse=True)]
        return nn.Sequential(*layers[:-1], Crop(spec.shape[1:]))

    def _coarse_layers(self, features: Shape) -> list[nn.Module]:
        return []

    @property
    def _widths(self) -> tuple[int, ...]:
        return self.widths or _WIDTHS


class GDN(nn.Module):
    r"""Generalised divisive normalisation: each channel is divided by what all channels are there.

    .. math:: y_i = \frac{x_i}{\sqrt{\beta_i + \sum_j \gamma_{ij} x_j^2}}, \quad
              \beta_i > 0, \ \gamma_{ij} \ge 0

    where i and j count channels at one place. The ``inverse`` multiplies by the root in place of
    dividing; it undoes the division approximately. β and γ are squares of what is learnt, so that
    they cannot become negative. ``x: (n, channels, *sides)``, and so is what comes out.

    Reference:
        J. Ballé, V. Laparra and E. P. Simoncelli, Density modeling of images using a generalized
        normalization transformation, ICLR 2016.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.root_beta = nn.Parameter(torch.ones(channels))
        self.root_gamma = nn.Parameter((_OWN * torch.eye(channels) + _OTHER).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        convolution = F.conv1d if x.dim() == 3 else F.conv2d
        gamma = self.root_gamma.square()[(..., *[None] * (x.dim() - 2))]  # (c, c, 1, ...)
        beta = self.root_beta.square() + _LEAST_BETA
        norm = convolution(x.square(), gamma, beta)  # (n, c, *sides)
        return x * (norm.sqrt() if self.inverse else norm.rsqrt())


class Extend(nn.Module):
    """Repeat the last values of a grid behind the end of its sides, up to ``size``.

    Unlike zeros, they make no edge that would have to be coded.
    """

    def __init__(self, size: Shape) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        lacking = [max(0, size - side) for size, side in zip(self.size, x.shape[2:], strict=True)]
        if not any(lacking):
            return x
        behind = [amount for lack in reversed(lacking) for amount in (0, lack)]
        return F.pad(x, behind, mode="replicate")
