"""What a layer of a network says of examples, as examples of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.hooks import axis_of, evaluating, layer_of, outputs_of
from isthmus.data._given import BatchRows
from isthmus.data.incoming import incoming
from isthmus.data.streams import Stream
from isthmus.errors import InputError


def activations(
    module: Any,
    layer: str | Sequence[str],
    batches: Any,
    *,
    axis: int | None = None,
) -> Stream:
    """The activations of a layer as rows of numbers ``(n, columns)``, which are made when needed.

    The module runs batch by batch while a member trains, and is never kept in memory with all that
    it says. Rows are shuffled among the 64 MB that lie together. Every token of a text and every
    place of an image is a row; what an ``attention_mask`` leaves out is none.

    Args:
        module: a torch module, in evaluation mode while it is asked; or a trained member or
            classifier of isthmus.
        layer: the name of a layer, as ``module.named_modules()`` gives it; of several, which must
            give as many rows, the columns stand beside each other (for a transcoder, what is read
            first).
        batches: an object with a length that gives the same batches whenever it is iterated: what
            the module takes, the first of a tuple, or a dictionary of keyword arguments. For a
            model of isthmus, examples as ``transform`` takes them.
        axis: which axis of the output counts the numbers of a row; the last one if not given, or
            the second of a convolution and of what has four axes.

    Raises:
        InputError: for layers that there are not, or that give no tensor, and for batches that can
            be gone through only once.

    Example:
        >>> import isthmus as ist, torch
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
        >>> rows = ist.data.activations(network, "1", [torch.randn(5, 4), torch.randn(3, 4)])
        >>> rows.shape
        (8, 8)
    """
    names = [layer] if isinstance(layer, str) else list(layer)
    if not names:
        raise InputError("layer=[] names no layer: give the name of one at least.")
    network, given = _opened(module, batches)
    for name in names:
        layer_of(network, name)
    return Stream(BatchRows(_Activations(network, names, given, axis)))


class _Activations:
    """Activations of batch after batch, ``(rows, columns)``, anew at each pass."""

    def __init__(
        self,
        module: nn.Module,
        names: Sequence[str],
        batches: Callable[[], Iterable[Any]],
        axis: int | None,
    ) -> None:
        self._module, self._names, self._batches, self._axis = module, names, batches, axis

    def __iter__(self) -> Iterator[np.ndarray]:
        for batch in self._batches():
            with evaluating(self._module):
                found = outputs_of(self._module, self._names, batch)
            rows = [self._rows(*pair) for pair in zip(self._names, found, strict=True)]
            if len({len(each) for each in rows}) > 1:
                counts = ", ".join(
                    f"{len(each)} of {name!r}" for name, each in zip(self._names, rows, strict=True)
                )
                raise InputError(
                    f"layers give unequal numbers of rows for a batch ({counts}): name layers that"
                    " look at the same places."
                )
            yield torch.cat(rows, dim=1)[_kept(batch, len(rows[0]))].float().cpu().numpy()

    def _rows(self, name: str, output: Tensor) -> Tensor:
        if output.dim() < 2:
            raise InputError(
                f"layer {name!r} gives a tensor of shape {tuple(output.shape)}, where rows of"
                " numbers are expected: name another one."
            )
        axis = self._axis
        if axis is None:
            axis = axis_of(layer_of(self._module, name), output)
        return output.movedim(axis, -1).flatten(0, -2)


def _kept(batch: Any, rows: int) -> Tensor | slice:
    """The rows that an attention mask leaves of a batch."""
    mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
    if mask is None or mask.numel() != rows:
        return slice(None)
    kept: Tensor = torch.as_tensor(mask).flatten().bool()
    return kept


def _opened(module: Any, batches: Any) -> tuple[nn.Module, Callable[[], Iterable[Any]]]:
    """The network, and what gives its batches at each pass."""
    if isinstance(module, nn.Module):
        if isinstance(batches, Iterator) or not isinstance(batches, Iterable):
            raise InputError(
                f"batches is a {type(batches).__name__}, which cannot be gone through again and"
                " again: give a list of batches, or a DataLoader that is not shuffled."
            )
        return module, lambda: batches
    network = getattr(module, "module_", None)
    if not isinstance(network, nn.Module):
        raise InputError(
            f"module={module!r} is no torch module, and no trained model of isthmus: give one."
        )
    member, X = getattr(module, "member_", module), incoming(batches)
    return network, lambda: member._batches(X).chunks()
