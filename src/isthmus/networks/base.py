"""What every kind of network offers, and how one is chosen for a kind of examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import nn

from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.parts import SlotPart, part_of
from isthmus.errors import InputError, unknown
from isthmus.registry import NETWORKS

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
}
_ACTIVATION = "relu"


@dataclass(frozen=True)
class Features:
    """An encoder and the shape of the features that it gives for one example.

    Features with axes behind the first, (channels, places) or (channels, height, width), are a
    grid.
    """

    encoder: nn.Module
    shape: Shape


@dataclass(repr=False)
class Network(SlotPart, ABC):
    """A family of encoders and decoders.

    Both fields are shared by all families: a member gives its ``hidden`` and its ``activation`` to
    a network that leaves them open.
    """

    reads_sequences: ClassVar[bool] = False
    """Whether it leaves out the steps that an example of unequal length does not have."""

    widths: tuple[int, ...] | None = field(
        None,
        "units (or channels) of the encoder's layers, mirrored by the decoder; none: the member's"
        " hidden, or the family's own",
        low=1,
    )
    activation: str | None = field(
        None,
        "nonlinearity between layers; none: the member's",
        choices=("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "linear"),
    )

    def accepts(self, spec: ExampleSpec) -> str | None:
        """Why such examples do not fit, with the remedy; None where they do."""
        return None

    def filled(self, widths: tuple[int, ...] | None, activation: str) -> Self:
        """A copy, whose open fields are these."""
        given = {"widths": widths, "activation": activation}
        return type(self)(**(given | {k: v for k, v in vars(self).items() if v is not None}))

    @abstractmethod
    def encoder(self, spec: ExampleSpec) -> Features:
        """A network from x ``(n, *spec.shape)`` to features."""

    @abstractmethod
    def decoder(self, code_shape: Shape, spec: ExampleSpec) -> nn.Module:
        """A network from a code ``(n, *code_shape)`` to parameters ``(n, *spec.shape)``.

        ``spec`` has the kind of the examples and the shape of their parameters.
        """


def activation(name: str | None) -> nn.Module:
    """A new activation layer by its name; the one that members take where none is named."""
    name = name or _ACTIVATION
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def choose(
    network: str | Network,
    spec: ExampleSpec,
    widths: tuple[int, ...] | None,
    activation: str,
    grids: str | None = None,
) -> Network:
    """The network that a slot stands for, for examples as ``spec`` says.

    ``"auto"`` takes ``grids`` for every image and signal where one is named. Else it takes ``conv``
    for signals, and for images with colour or with more than 32 pixels a side, and ``mlp`` for the
    others: on MNIST that is seven times faster on two cores and, after as many epochs, no worse.
    Widths and activation are those of the network where it has its own, else those that are given.

    Raises:
        InputError: for a network that does not fit such examples.
    """
    if network == "auto":
        is_grid = spec.kind in ("image", "signal")
        network = (grids or _convolved(spec)) if is_grid else "mlp"
    part: Network = part_of(network, NETWORKS)
    if (refusal := part.accepts(spec)) is not None:
        shown = network if isinstance(network, str) else part
        raise InputError(f"network={shown!r} {refusal}.")
    return part.filled(None if widths is None else tuple(widths), activation)


def _convolved(spec: ExampleSpec) -> str:
    """Whether ``"auto"`` convolves a signal or an image, by the name of the network."""
    if spec.kind == "signal":
        return "conv"
    channels, *sides = spec.shape
    is_large = min(sides) >= 16 and (channels > 1 or max(sides) > 32)
    return "conv" if is_large else "mlp"
