"""The settings of anything that is trained, each declared once."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from isthmus.core.fields import Field, declared, field, slot
from isthmus.errors import InputError
from isthmus.registry import OPTIMIZERS, SCHEDULES

if TYPE_CHECKING:  # the command line reads these declarations without importing it
    import numpy as np

    from isthmus.training.callbacks.base import Callbacks
    from isthmus.training.optimizers import OptimizerPart
    from isthmus.training.schedules import Schedule

_HIGHEST_SEED = 2**32 - 1  # that numpy and scikit-learn take
_EPOCHS = 30


@dataclass(repr=False, eq=False, kw_only=True)
class TrainingSettings:
    """How anything is trained: members, priors over their codes, classifiers on top of them."""

    epochs: int | None = field(
        None,
        "how often training goes through the data; none: 30, and for members of small tables as"
        " often as makes 2,000 steps",
        low=1,
    )
    batch_size: int = field(128, "examples per step", low=1)
    optimizer: str | OptimizerPart = slot("adam", OPTIMIZERS, "how weights are updated")
    learning_rate: float = field(1e-3, "step size of the optimiser", above=0)
    schedule: str | Schedule = slot(
        "constant", SCHEDULES, "how the learning rate changes over training"
    )
    weight_decay: float = field(0.0, "weight decay of the optimiser", low=0)
    clip_norm: float | None = field(
        None, "greatest norm of the gradient; none: not clipped", above=0
    )
    ema_decay: float | None = field(
        None,
        "share of the past in a moving average of the weights, which is what is kept in the end;"
        " none: the last weights",
        above=0,
        below=1,
    )
    device: str = field("auto", "where to compute: auto, cpu, cuda, cuda:1, mps")
    precision: str = field(
        "float32", "precision of training", choices=("float32", "tf32", "bfloat16")
    )
    compile: bool = field(
        False, "compile the step; training starts some seconds later, and then goes faster"
    )
    random_state: int | np.random.RandomState | None = field(
        None, "seed; the same seed gives the same numbers", low=0, high=4294967295
    )
    callbacks: Callbacks | None = field(
        None, "what is called while it trains: objects, or names of registered ones"
    )
    verbose: int | bool = field(
        1,
        "0: silent; 1: a progress bar, without a terminal a line now and then; 2: a line per epoch",
        low=0,
        high=2,
    )

    @property
    def _epochs(self) -> int:
        """How often training goes through the data, where these do not say it."""
        return _EPOCHS if self.epochs is None else self.epochs


_OF_TRAINING = frozenset(declared(TrainingSettings))


def is_learnt_under(declaration: Field) -> bool:
    """Whether what is learnt depends on a field for good, so that it cannot be set afterwards;
    those of training may be, for the next one.
    """
    return not declaration.afterwards and declaration.name not in _OF_TRAINING


def seed_of(random_state: Any) -> int:
    """The seed of a ``random_state``; None or a generator gives another one at every call.

    Raises:
        InputError: for what is no seed.
    """
    from sklearn.utils import check_random_state

    if random_state is not None and not hasattr(random_state, "randint"):
        require_seed(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def require_seed(random_state: Any) -> None:
    """Refuse what numpy and scikit-learn cannot take as a seed."""
    is_whole = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if not is_whole or not 0 <= int(random_state) <= _HIGHEST_SEED:
        raise InputError(
            f"random_state={random_state!r} is not usable: give a whole number from 0 to"
            f" {_HIGHEST_SEED}."
        )
