"""The fields that all members share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.fields import field

if TYPE_CHECKING:  # the command line reads these declarations without importing either
    import numpy as np
    from torch import nn


@dataclass(repr=False, eq=False, kw_only=True)
class TrainingSettings:
    """How anything is trained: members, priors over their codes, classifiers on top of them."""

    epochs: int = field(30, "how often training goes through the data", low=1)
    batch_size: int = field(128, "examples per step", low=1)
    optimizer: str = field("adam", "how weights are updated", choices=("adam", "adamw", "sgd"))
    learning_rate: float = field(1e-3, "step size of the optimiser", above=0)
    schedule: str = field("constant", "how the learning rate changes over training", choices=("constant", "cosine"))
    weight_decay: float = field(0.0, "weight decay of the optimiser", low=0)
    clip_norm: float | None = field(None, "greatest norm of the gradient; none: not clipped", above=0)
    device: str = field("auto", "where to compute: auto, cpu, cuda, cuda:1, mps")
    precision: str = field("float32", "precision of training", choices=("float32", "tf32", "bfloat16"))
    compile: bool = field(False, "compile the step; training starts some seconds later, and then goes faster")
    random_state: int | np.random.RandomState | None = field(None, "seed; the same seed gives the same numbers")
    verbose: int = field(1, "0: silent; 1: a progress bar on a terminal; 2: a line per epoch", low=0, high=2)


@dataclass(repr=False, eq=False, kw_only=True)
class Settings(TrainingSettings):
    """What is built, and how it is trained; every member adds its own fields to these."""

    latent_dim: int = field(2, "size of the code", low=1)
    hidden: tuple[int, ...] | None = field(
        None,
        "units of the encoder's hidden layers (channels, for convolutions), mirrored by the decoder; none: the network's own",
        low=1,
    )
    network: str = field(
        "auto",
        "kind of network; 'auto' chooses by the shape of the data",
        choices=("auto", "mlp", "conv", "residual", "recurrent"),
    )
    activation: str = field(
        "relu", "nonlinearity between layers",
        choices=("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "linear"),
    )  # fmt: skip
    encoder: nn.Module | Callable[..., nn.Module] | None = field(
        None,
        "an encoder of your own: a module, or a callable (shape) -> module; a linear map from what it gives makes the code",
    )
    decoder: nn.Module | Callable[..., nn.Module] | None = field(
        None, "a decoder of your own: a module, or a callable (code_shape, shape) -> module, from the code to x"
    )
    likelihood: str = field(
        "auto", "p(x|z); 'auto' is bernoulli for data in [0, 1]", choices=("auto", "bernoulli", "gaussian", "mse")
    )
    noise_scale: float | None = field(None, "standard deviation of the gaussian likelihood; none: learnt", above=0)
    output: str = field(
        "auto", "last activation under gaussian and mse; 'auto' is sigmoid for data in [0, 1]",
        choices=("auto", "linear", "sigmoid"),
    )  # fmt: skip
    scaling: str = field(
        "auto", "what is done to the data first; 'auto' standardises what lies outside [0, 1]",
        choices=("auto", "none", "standard", "minmax"),
    )  # fmt: skip
    binarize: str = field(
        "none", "'dynamic' reads values in [0, 1] as probabilities, and draws black or white afresh at every step of training",
        choices=("none", "dynamic"),
    )  # fmt: skip
    channels: str = field("auto", "where the colours of an image are", choices=("auto", "first", "last"))
    image_shape: tuple[int, ...] | None = field(None, "channels, height, width of the image that a flat row holds", low=1)

    validation: float = field(0.0, "share of the examples that is set aside and measured after every epoch", low=0, below=1)
    patience: int | None = field(None, "epochs without a better validation objective before training stops", low=1)
    snapshots: int = field(0, "moments of training at which codes and decoded plane are kept", low=0)
    checkpoint_dir: str | None = field(None, "folder in which an interrupted training is kept, and taken up again")


def seed_of(random_state: Any) -> int:
    """The seed that a ``random_state`` stands for; another one at every call where it is None or a generator."""
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))
