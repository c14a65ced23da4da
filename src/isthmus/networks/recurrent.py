"""Recurrent networks for sequences: vectors go in one after another, and come out like that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.networks.base import Features, Network, activation

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(repr=False)
class Recurrent(Network):
    """Recurrent layers, one for every width, in encoder and decoder.

    An example is read as a sequence: (time, features) as it is, a row of columns as steps of one
    number, an image row by row. The encoder gives its state after the last step. The decoder gets
    the code again at every step, and a layer of the first width with the activation makes each
    step's values of its states. Steps that are NaN are padding and are left out.
    """

    reads_sequences = True

    cell: str = field("gru", "what the recurrent layers are made of", choices=("gru", "lstm"))

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.kind != "signal":
            return None
        return (
            f"reads step by step, but X is read as {spec}: pass kind='sequence' and (n, time,"
            " features)"
        )

    def encoder(self, spec: ExampleSpec) -> Features:
        shape = spec.shape
        features = math.prod(shape) // steps_of(shape)
        first = nn.Sequential(nn.Linear(features, self._widths[0]), activation(self.activation))
        return Features(
            SequenceEncoder(shape, first, self._cells(self._widths)), (self._widths[-1],)
        )

    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        shape = spec.shape
        widths = self._widths[::-1]
        features = math.prod(shape) // steps_of(shape)
        entry = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(code_shape), widths[0]))
        last = nn.Sequential(
            nn.Linear(widths[-1], widths[-1]),
            activation(self.activation),
            nn.Linear(widths[-1], features),
        )
        return SequenceDecoder(shape, entry, self._cells(widths), last)

    @property
    def _widths(self) -> tuple[int, ...]:
        return self.widths or (64,)

    def _cells(self, widths: Sequence[int]) -> list[nn.GRU | nn.LSTM]:
        return [CELLS[self.cell](a, b, batch_first=True) for a, b in pairwise([widths[0], *widths])]


class SequenceEncoder(nn.Module):
    """Reads examples ``(n, *shape)`` step by step and gives the last state, ``(n, width)``.

    With a mask of the same shape, it is the state after the last step that was observed.
    """

    reads_mask = True

    def __init__(self, shape: Shape, first: nn.Module, cells: Sequence[nn.Module]) -> None:
        super().__init__()
        self.shape, self.first, self.cells = shape, first, nn.ModuleList(cells)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        steps = as_steps(x)  # (n, time, features)
        h = self.first(steps)
        for cell in self.cells:
            h = cell(h)[0]
        if mask is None:
            return h[:, -1]
        observed = as_steps(mask).all(2)  # (n, time)
        last = observed.sum(1).clamp(min=1) - 1  # what comes after it has not been seen by then
        return h[torch.arange(h.shape[0], device=h.device), last]


class SequenceDecoder(nn.Module):
    """Writes examples ``(n, *shape)`` step by step from codes ``(n, *code_shape)``."""

    def __init__(
        self, shape: Shape, entry: nn.Module, cells: Sequence[nn.Module], last: nn.Module
    ) -> None:
        super().__init__()
        self.shape, self.entry, self.cells, self.last = shape, entry, nn.ModuleList(cells), last

    def forward(self, z: Tensor) -> Tensor:
        h = self.entry(z)[:, None].expand(-1, steps_of(self.shape), -1)  # (n, time, width)
        for cell in self.cells:
            h = cell(h)[0]
        return from_steps(self.last(h), self.shape)


def steps_of(shape: Shape) -> int:
    """How many steps an example has: the rows of an image, else the entries of the first axis."""
    return shape[1] if len(shape) == 3 else shape[0]


def as_steps(x: Tensor) -> Tensor:
    """Examples ``(n, *shape)`` as sequences ``(n, time, features)``.

    The columns and channels of an image are features.
    """
    if x.dim() == 4:
        # (n, channels, rows, columns) -> (n, rows, channels * columns)
        return x.transpose(1, 2).flatten(2)
    return x.flatten(2) if x.dim() > 2 else x[..., None]


def from_steps(steps: Tensor, shape: Shape) -> Tensor:
    """The inverse of :func:`as_steps`."""
    if len(shape) == 3:
        return steps.unflatten(2, (shape[0], shape[2])).transpose(1, 2)
    return steps.unflatten(2, shape[1:]) if len(shape) > 1 else steps.squeeze(2)
