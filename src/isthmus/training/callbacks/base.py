"""What a callback is, and how the names of registered ones become callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isthmus.errors import InputError
from isthmus.registry import CALLBACKS

if TYPE_CHECKING:  # the loop calls callbacks, and knows this class
    from isthmus.training.loop import Trainer


class Callback:
    """Something that is called while anything trains; every method may be left out.

    It may read all of the trainer (``trainer.module``, ``trainer.state``, ``trainer.settings``,
    ``trainer.runtime``), and ask it to end: ``trainer.stop("why")`` ends training once the epoch
    under way is over. An exception ends it at once, and leaves ``fit``. Under several processes
    every one calls its own callbacks; ``trainer.runtime.is_main`` says which of them writes, and
    that one's wish to stop counts.

    Example:
        >>> import isthmus as ist
        >>> from isthmus.training.callbacks import Callback
        >>> class GoodEnough(Callback):
        ...     def on_epoch_end(self, trainer, row):
        ...         if row["distortion"] < 100:
        ...             trainer.stop("the distortion is below 100")
        >>> digits = ist.data.load("digits").train
        >>> model = ist.AE(epochs=9, callbacks=[GoodEnough()], random_state=0).fit(digits)
        >>> len(model.history_)
        1
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        """Training is about to start or to continue from ``trainer.state``."""

    def on_step(self, trainer: Trainer) -> None:
        """Every objective has moved once; ``trainer.terms()`` are the means over the batch."""

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        """An epoch is over, with this row of the history."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Training is over, also where an error ended it: see ``trainer.is_complete``."""


Callbacks = Sequence[Callback | str]
"""What a setting takes: callbacks, or the names of registered ones."""


def resolve(callbacks: Callbacks | None) -> list[Callback]:
    """The callbacks of a setting; a registered name means that callback with its defaults.

    Raises:
        InputError: for an unknown name, for one that cannot do without arguments, and for anything
            that is no callback.
    """
    found: list[Callback] = []
    for given in callbacks or ():
        callback = _built(given) if isinstance(given, str) else given
        if not isinstance(callback, Callback):
            raise InputError(
                f"callbacks={given!r} is not usable: give an object of a class that derives from"
                f" isthmus.training.callbacks.Callback, or a name: {', '.join(CALLBACKS)}."
            )
        found.append(callback)
    return found


def _built(name: str) -> Callback:
    maker = CALLBACKS[name]
    try:
        built: Callback = maker()
    except TypeError as error:
        raise InputError(
            f"callbacks={name!r} cannot do without arguments: give"
            f" {CALLBACKS.target(name).replace(':', '.')}(…) itself."
        ) from error
    return built
