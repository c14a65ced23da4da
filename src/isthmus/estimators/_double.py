"""The float64 copy of a trained network, which answers float64 examples and follows the weights."""

from __future__ import annotations

import copy
from typing import NamedTuple, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)
_Mark: TypeAlias = tuple[int, int, int, torch.device]


class _Copy(NamedTuple):
    """A copy, and what the weights were when it was made."""

    marks: list[_Mark]
    sums: list[float]
    module: nn.Module


# Beside the modules and not inside them, so that a copy is neither saved nor copied with its model,
# and goes where its model goes.
_COPIES: WeakKeyDictionary[nn.Module, _Copy] = WeakKeyDictionary()


def in_float64(module: Module) -> Module:
    """The module in float64 and in evaluation mode: the same copy as long as no weight changes.

    It takes twice the memory of the weights, for as long as the module lives. A change is seen
    however it was made, also through ``.data``, which torch does not count.
    """
    weights = [*module.parameters(), *module.buffers()]
    marks, sums = [_mark(weight) for weight in weights], _sums(weights)
    known = _COPIES.get(module)
    if known is None or known.marks != marks or known.sums != sums:
        known = _Copy(marks, sums, copy.deepcopy(module).double().eval())
        _COPIES[module] = known
    double: Module = known.module  # type: ignore[assignment]  # a copy of a Module is one
    return double


def in_evaluation(module: Module) -> Module:
    """The module in evaluation mode; one that is in it already is left as it is, which is faster"""
    return module.eval() if any(part.training for part in module.modules()) else module


def _mark(weight: Tensor) -> _Mark:
    # what is made in inference mode counts no versions, but cannot be changed outside of it either
    version = 0 if weight.is_inference() else weight._version
    return id(weight), version, weight.data_ptr(), weight.device


@torch.no_grad()
def _sums(weights: list[Tensor]) -> list[float]:
    """Two numbers of each weight that are read in one go: the sum of its bits, which any change of
    one value moves, and the product with its neighbours, which moves where values change places.
    """
    found = []
    for weight in weights:
        flat = weight.detach().flatten()
        if not flat.is_floating_point() or flat.numel() < 2:
            found.append(flat.double().sum())
            continue
        words = torch.int64 if flat.numel() * flat.element_size() % 8 == 0 else _WORDS[flat.dtype]
        found += [flat.view(words).sum(), torch.dot(flat[1:], flat[:-1])]
    return [number.item() for number in found]


_WORDS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}
