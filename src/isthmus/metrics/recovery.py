"""How much of what a network knows is left with a reconstruction in the place of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.hooks import axis_of, called, evaluating, keeping, layer_of, replacing
from isthmus.errors import InputError
from isthmus.metrics._measure import Measure, Measures, average

_PLACES = {
    "clean": "The cross-entropy of the network as it is.",
    "reconstructed": "The cross-entropy with the reconstruction in the place of the layer.",
    "ablated": "The cross-entropy with 0 in the place of the layer.",
}

Make = Callable[[Tensor, Tensor], Tensor]
"""From what was read and what a layer gives, ``(*, columns)``, to what is put in its place."""


def cross_entropy_recovered(
    dictionary: nn.Module,
    module: nn.Module,
    layer: str,
    batches: Iterable[Any],
    loss: Callable[[Any, Any], Tensor] | None = None,
    *,
    reads: str | None = None,
) -> Measures:
    r"""How much of what a network knows survives when a layer's output is its reconstruction.

    .. math:: \frac{H_0 - H_{\hat x}}{H_0 - H}

    with the cross-entropy H of the network as it is, :math:`H_{\hat x}` with the reconstruction put
    back, and :math:`H_0` with 0 in its place. 1 is all of it; a mean over all examples.

    Args:
        dictionary: from activations ``(*, columns)`` to what stands for them, such as
            ``model.folded()``.
        module: the network; it is in evaluation mode meanwhile.
        layer: the name of the layer whose output is replaced.
        batches: what the network takes, as for :func:`isthmus.data.activations`.
        loss: from what the network gives and the batch to the losses of its examples, of any shape;
            that of the next token, of logits ``(n, tokens, words)``, if none is given.
        reads: of a transcoder, the layer whose output it takes; it runs before ``layer``.

    Raises:
        InputError: for a layer that there is not, and where 0 in its place costs nothing.

    Reference:
        S. Rajamanoharan et al., Improving dictionary learning with gated sparse autoencoders,
        NeurIPS 2024.
    """
    made: dict[str, Make] = {
        "clean": lambda x, output: output,
        "reconstructed": lambda x, output: dictionary(x),
        "ablated": lambda x, output: torch.zeros_like(output),
    }
    judge, read = loss or _next_token, reads or layer
    found = {name: _losses(module, read, layer, put, batches, judge) for name, put in made.items()}
    clean, restored, ablated = (float(values.mean()) for values in found.values())
    if ablated <= clean:
        raise InputError(
            f"layer {layer!r} does not lower the loss: with 0 in its place it is {ablated:.4g},"
            f" as it is {clean:.4g}; name a layer that the network needs."
        )
    measures = Measures(
        (name, average(f"Cross-entropy, {name}", found[name], "nats", "lower", text))
        for name, text in _PLACES.items()
    )
    measures["recovered"] = Measure(
        "Cross-entropy recovered",
        (ablated - restored) / (ablated - clean),
        "share, 1 is all",
        None,
        "higher",
        "How much of what the layer adds is still there with its reconstruction.",
    )
    return measures


def _losses(
    module: nn.Module,
    read: str,
    written: str,
    make: Make,
    batches: Iterable[Any],
    loss: Callable[[Any, Any], Tensor],
) -> np.ndarray:
    """The loss of every example, ``(n,)``, where a layer's output is what is made of another's."""
    first, last = layer_of(module, read), layer_of(module, written)

    def replace(output: Tensor) -> Tensor:
        x, axis = seen[0], axis_of(last, output)
        made = make(x.movedim(axis_of(first, x), -1), output.movedim(axis, -1))
        return made.movedim(-1, axis)

    with evaluating(module), keeping(module, read) as seen, replacing(module, written, replace):
        found = [loss(called(module, batch), batch).flatten() for batch in batches]
    values: np.ndarray = torch.cat(found).float().cpu().numpy()
    return values


def _next_token(output: Any, batch: Any) -> Tensor:
    """The cross-entropy of every next token, ``(n, tokens - 1)``."""
    logits = getattr(output, "logits", output)
    given = batch["input_ids"] if isinstance(batch, dict) else batch
    tokens = (given[0] if type(given) in (tuple, list) else given).to(logits.device)
    losses: Tensor = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    return losses
