"""The fields that all members share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.core.fields import field, slot
from isthmus.registry import INITIALIZATIONS, LIKELIHOODS, NETWORKS
from isthmus.training.settings import TrainingSettings

if TYPE_CHECKING:  # the command line reads these declarations without importing it
    from torch import nn

    from isthmus.likelihoods import LikelihoodPart
    from isthmus.networks import Initialization, Network

_CODE_SIZE = 2


@dataclass(repr=False, eq=False, kw_only=True)
class Settings(TrainingSettings):
    """What is built, and how it is trained; every member adds its own fields to these."""

    latent_dim: int | None = field(
        None,
        "size of the code; none: 2, for a table half as many as it has columns, at most 16, and 16"
        " where values are hidden",
        low=1,
    )
    hidden: tuple[int, ...] | None = field(
        None,
        "units of the encoder's hidden layers (channels, for convolutions), mirrored by the"
        " decoder; none: the network's own",
        low=1,
    )
    network: str | Network = slot(
        "auto",
        NETWORKS,
        "kind of network; 'auto' chooses by the shape of the data",
        choices=("auto",),
    )
    initialization: str | Initialization = slot(
        "glorot", INITIALIZATIONS, "how the weights of our own networks start"
    )
    activation: str = field(
        "relu",
        "nonlinearity between layers",
        choices=("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "linear"),
    )
    encoder: nn.Module | Callable[..., nn.Module] | None = field(
        None,
        "an encoder of your own: a module, or a callable (shape) -> module; a linear map from what"
        " it gives makes the code",
    )
    decoder: nn.Module | Callable[..., nn.Module] | None = field(
        None,
        "a decoder of your own: a module, or a callable (code_shape, shape) -> module, from the"
        " code to x",
    )
    likelihood: str | LikelihoodPart = slot(
        "auto",
        LIKELIHOODS,
        "p(x|z); 'auto' is bernoulli for pixels and for 0 and 1, and by column for a table",
        choices=("auto",),
    )
    kind: str = field(
        "auto",
        "what an example is; 'auto' reads one axis as a vector, two as a grey image, three as an"
        " image",
        choices=("auto", "vector", "image", "signal", "sequence", "table"),
    )
    columns: dict[str, str] | None = field(
        None,
        "kinds of some columns of a table: number, count, binary, category, date, or skip; none:"
        " by their types and values",
    )
    scaling: str = field(
        "auto",
        "what is done to the data first; 'auto' leaves images in [0, 1] and what is 0 or 1 alone"
        " as it is, and standardises the rest (variational members take the quantiles of a"
        " table's numbers); 'robust' and 'quantile' are for long tails, 'rms' is for sound",
        choices=("auto", "none", "standard", "minmax", "robust", "quantile", "rms"),
    )
    hide: float | None = field(
        None,
        "share of the values that is hidden from the encoder at every step of training, and still"
        " asked for, so that what is missing can be filled in; none: 0.3 where 1% or more is"
        " missing in training, but nothing where codes are drawn",
        low=0,
        below=1,
    )
    binarize: str = field(
        "none",
        "'dynamic' reads values in [0, 1] as probabilities, and draws black or white afresh at"
        " every step of training",
        choices=("none", "dynamic"),
    )
    channels: int | str = field(
        "auto",
        "where the colours of an image are; or a whole number, of code='map': how many there are at"
        " each place of the map",
        choices=("auto", "first", "last"),
        low=1,
    )
    image_shape: tuple[int, ...] | None = field(
        None, "channels, height, width of the image that a flat row holds", low=1
    )

    validation: float = field(
        0.0,
        "share of the examples that is set aside and measured after every epoch",
        low=0,
        below=1,
        afterwards=True,
    )
    patience: int | None = field(
        None,
        "epochs without a better validation objective before training stops",
        low=1,
        afterwards=True,
    )
    snapshots: int = field(
        0, "moments of training at which codes and decoded plane are kept", low=0, afterwards=True
    )
    warm_start: bool = field(
        False,
        "whether fit goes on from the weights that are there, with the same scaling",
        afterwards=True,
    )
    checkpoint_dir: str | None = field(
        None,
        "folder in which an interrupted training is kept, and taken up again",
        afterwards=True,
    )

    @property
    def _colours(self) -> str:
        """Where the colours of an image are: ``"auto"``, ``"first"`` or ``"last"``."""
        return self.channels if isinstance(self.channels, str) else "auto"

    @property
    def _code_size(self) -> int:
        """Size of the code, where these do not say it."""
        return _CODE_SIZE if self.latent_dim is None else self.latent_dim


@dataclass(repr=False, eq=False, kw_only=True)
class Conditional:
    """The field of members that can be conditional."""

    condition: str = field(
        "none",
        "what encoder and decoder are told of each example beside x, from y of fit(X, y): its"
        " label, or covariates",
        choices=("none", "label", "covariates"),
    )
