"""What a layer of somebody's network gives: looked at, or replaced, while the network runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.errors import InputError, unknown


class _Reached(Exception):  # noqa: N818 - it is no error: the rest of the pass is not needed
    """All that was asked for has been seen."""


def layer_of(module: nn.Module, name: str) -> nn.Module:
    """The layer of a module by its name, as ``module.named_modules()`` gives it.

    Raises:
        InputError: for a name that no layer has.
    """
    layers = dict(module.named_modules())
    if name not in layers:
        raise unknown("layer", name, [each for each in layers if each], type(module).__name__)
    return layers[name]


def called(module: nn.Module, batch: Any) -> Any:
    """What a module gives for a batch: a tensor or an object of its own, the first of a tuple, or
    a dictionary of keyword arguments; tensors go to its device.
    """
    device = next((each.device for each in module.parameters()), torch.device("cpu"))

    def moved(value: Any) -> Any:
        return value.to(device) if isinstance(value, Tensor) else value

    if isinstance(batch, Mapping):
        return module(**{name: moved(value) for name, value in batch.items()})
    first = batch[0] if type(batch) in (tuple, list) else batch
    return module(moved(first))


def outputs_of(module: nn.Module, names: Sequence[str], batch: Any) -> list[Tensor]:
    """What layers give for a batch, one each; the pass ends where the last of them was seen."""
    seen: dict[str, Tensor] = {}

    def look(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
            if name not in seen:
                seen[name] = tensor_of(output, name)
            if len(seen) == len(names):
                raise _Reached
            seen[name] = seen[name].clone()  # what follows may write into it

        return hook

    hooks = [layer_of(module, name).register_forward_hook(look(name)) for name in names]
    try:
        called(module, batch)
    except _Reached:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    for name in names:
        if name not in seen:
            raise InputError(
                f"layer {name!r} is not called when {type(module).__name__} runs: name another one."
            )
    return [seen[name] for name in names]


def axis_of(layer: nn.Module, output: Tensor) -> int:
    """Which axis of a layer's output counts the numbers at one place: the last, or the second of a
    convolution and of what has four axes.
    """
    is_map = isinstance(layer, nn.modules.conv._ConvNd)
    return 1 if is_map or output.dim() == 4 else -1


@contextmanager
def keeping(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """A list whose only entry is what a layer gave when it was called last."""
    kept: list[Tensor] = []

    def hook(layer: nn.Module, inputs: Any, output: Any) -> None:
        kept[:] = [tensor_of(output, name).clone()]  # what follows may write into it

    handle = layer_of(module, name).register_forward_hook(hook)
    try:
        yield kept
    finally:
        handle.remove()


@contextmanager
def replacing(
    module: nn.Module, name: str, replace: Callable[[Tensor], Tensor]
) -> Iterator[nn.Module]:
    """The module, in which a layer gives what ``replace`` makes of its output."""

    def hook(layer: nn.Module, inputs: Any, output: Any) -> Any:
        made = replace(tensor_of(output, name))
        return (made, *output[1:]) if isinstance(output, tuple) else made

    handle = layer_of(module, name).register_forward_hook(hook)
    try:
        yield module
    finally:
        handle.remove()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[nn.Module]:
    """The module in evaluation mode, without gradients; every layer is in its own mode after."""
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield module
    finally:
        for layer, mode in modes:
            layer.training = mode


def tensor_of(output: Any, name: str) -> Tensor:
    """The tensor that a layer gives, the first of a tuple."""
    first = output[0] if isinstance(output, tuple) and output else output
    if not isinstance(first, Tensor):
        raise InputError(
            f"layer {name!r} gives a {type(output).__name__}, where a tensor is expected: name"
            " another one."
        )
    return first
