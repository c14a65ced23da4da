"""What building a module allocates, counted while it is built, and refused where it is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from isthmus.core.memory import in_words, require, room
from isthmus.errors import InputError, RunError

_SIZED = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full, torch.eye}
_COUNTED = {torch.arange, torch.randperm}  # which are told where numbers end
_BYTES = 4  # of a weight; buffers of other types are few
_COPIES = 4  # of a weight in training: itself, its gradient, and two moments of the optimiser
_EACH = 4096  # bytes that a tensor takes by itself, with the module around it
_MOST = 100_000  # tensors; the deepest networks that anybody trains have a tenth
_LARGE = 2**28  # bytes that no machine lacks
_LONGEST = 200  # letters of the settings that a message shows
_SLACK = 2**22  # bytes of what is built and not saved


class Allocations(TorchFunctionMode):
    """Counts the bytes of new tensors, before each is made.

    Args:
        refuse: called with the bytes so far, those of the tensor to be made among them, and with
            the number of tensors; what it raises ends the building.
    """

    def __init__(self, refuse: Callable[[int, int], None]) -> None:
        super().__init__()
        self.size, self.count = 0, 0
        self._refuse = refuse

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch in place of each of its functions."""
        if func in _SIZED or func in _COUNTED:
            self.size += _numel(func, args, kwargs or {}) * _BYTES
            self.count += 1
            self._refuse(self.size, self.count)
        return func(*args, **(kwargs or {}))


def for_training(asking: Callable[[], str]) -> Allocations:
    """Refuses, while it is entered, a module that could not be trained in the memory there is.

    Args:
        asking: says the settings that ask for it.

    Raises:
        MemoryLimitError: with the memory that it would need, as far as it was built.
        InputError: for layers without end.
    """
    left: int | None = None

    def refuse(size: int, count: int) -> None:
        nonlocal left
        if count > _MOST:
            raise InputError(
                f"{asking()} asks for more than {_MOST:,} layers, through which a single step takes"
                " seconds: choose fewer."
            )
        needed = size * _COPIES + count * _EACH
        if needed > _LARGE:
            left = room() if left is None else left
            what = f"the training of {asking()}"
            require(needed, what, "choose a smaller network or code", left)

    return Allocations(refuse)


def as_saved(weights: Mapping[str, Tensor], source: Path) -> Allocations:
    """Refuses, while it is entered, a module that has more weights than a file holds.

    Args:
        weights: what the file holds.
        source: the file.

    Raises:
        RunError: which names the file.
    """
    saved, tensors = sum(weight.nbytes for weight in weights.values()), len(weights)

    def refuse(size: int, count: int) -> None:
        if size > 2 * saved + _SLACK or count > 8 * tensors + 1000:
            raise RunError(
                f"{source} does not fit the model: it holds {in_words(saved)} in {tensors} tensors,"
                f" and the configuration wants more than {in_words(size)} in {count}: restore the"
                " configuration, or train again."
            )

    return Allocations(refuse)


def asked_by(configurable: Any) -> str:
    """What is not as it is by default of what somebody configured, in one line."""
    text = " ".join(repr(configurable).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _numel(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """The numbers that a function of torch is asked for."""
    if func in _COUNTED:
        given = [int(one) for one in args if isinstance(one, Integral)]
        return len(range(*given)) if given else 0
    sizes = args if args else (kwargs.get("size", ()),)
    if sizes and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    elif func is torch.full:
        sizes = ()
    if func is torch.eye:
        sizes = sizes[:2] if len(sizes) > 1 else (*sizes, *sizes)
    return prod(int(size) for size in sizes if isinstance(size, Integral))
