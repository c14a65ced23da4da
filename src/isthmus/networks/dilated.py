"""Dilated residual networks for long signals: those of music and speech."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.networks.base import Features, activation
from isthmus.networks.conv import Crop, GridEncoder, Pad, Strided
from isthmus.networks.residual import Block

_LAST = 7  # steps that the last convolution sees


@dataclass(repr=False)
class Dilated(Strided):
    r"""Strided convolutions of a signal, each with a stack of dilated residual blocks behind it.

    Every width halves the time, so that a place of the coarse grid stands for
    :math:`2^{\text{widths}}` steps: the *hop*. Three widths make a hop of 8, five of 32, seven of
    128. Block i of a stack sees places :math:`\text{dilation}^i` apart; three of them with a
    dilation of 3 see 27 places. The decoder is the mirror: in each stack the widest block comes
    first. A last convolution over seven steps joins neighbouring steps, which transposed ones alone
    make one by one.

    Signals of any length are read: the end is padded with zeros inside and cut off again. Its
    weights do not depend on the length, so that a member with a code on a grid can be trained on
    windows and used on whole recordings
    (:meth:`~isthmus.estimators.fitted.FittedEstimator.for_length`).

    ``x: (n, channels, time)``; features ``(n, widths[-1], ⌈time / hop⌉)``.

    Reference:
        P. Dhariwal, H. Jun, C. Payne, J. W. Kim, A. Radford and I. Sutskever, Jukebox: a generative
        model for music, 2020.

    Example:
        >>> from isthmus.core.example import ExampleSpec
        >>> Dilated(widths=(8, 8, 16)).encoder(ExampleSpec("signal", (1, 1000))).shape
        (16, 125)
    """

    blocks: int = field(3, "residual blocks behind every strided convolution", low=1)
    dilation: int = field(
        3, "how many times farther apart a block's places are than those of the one before", low=1
    )

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.kind == "signal":
            return None
        return (
            f"is for signals, but X is read as {spec}: pass kind='signal' for (n, channels, time),"
            " or network='residual' for images"
        )

    def encoder(self, spec: ExampleSpec) -> Features:
        channels, time = spec.shape[0], self._padded(spec.shape)
        layers: list[nn.Module] = [Pad(time)]
        for inputs, outputs in pairwise([channels, *self._widths]):
            layers += [nn.Conv1d(inputs, outputs, 4, stride=2, padding=1), *self._stack(outputs)]
        return Features(GridEncoder(*layers), (self._widths[-1], *self._coarse(spec.shape)))

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        channels = [*reversed(self._widths), self._widths[0]]
        layers = self._entry(code_shape, (channels[0], *self._coarse(spec.shape)))
        for inputs, outputs in pairwise(channels):
            layers += [
                *reversed([*self._stack(inputs)]),
                nn.ConvTranspose1d(inputs, outputs, 4, stride=2, padding=1),
            ]
        last = nn.Conv1d(channels[-1], spec.shape[0], _LAST, padding=_LAST // 2)
        return nn.Sequential(*layers, activation(self.activation), last, Crop(spec.shape[1:]))

    @property
    def _widths(self) -> tuple[int, ...]:
        return self.widths or (32, 64, 64)

    def _stack(self, channels: int) -> Iterator[Block]:
        """Blocks whose places are farther and farther apart."""
        for i in range(self.blocks):
            yield Block(
                (channels, 1),
                self.activation,
                dilation=self.dilation**i,
                step=1 / math.sqrt(self.blocks),
            )
