"""How much of what a network knows is left with a reconstruction in the place of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

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
            that of the next token, of logits ``(n, tokens, words)``, if none is given, without
            those that an ``attention_mask`` leaves out.
        reads: of a transcoder, the layer whose output it takes; it runs before ``layer``.

    Raises:
        InputError: for a layer that there is not, a dictionary of another width, and where 0 in
            the place of the layer costs nothing.

    Reference:
        S. Rajamanoharan et al., Improving dictionary learning with gated sparse autoencoders,
        NeurIPS 2024.
    """
    if not isinstance(dictionary, nn.Module):
        raise InputError(
            f"dictionary is a {type(dictionary).__name__}, but a torch module is needed: give"
            " model.folded()."
        )
    if not isinstance(batches, Iterable):
        raise InputError(f"batches is a {type(batches).__name__}: give a list of batches.")
    made: dict[str, Make] = {
        "clean": lambda x, output: output,
        "reconstructed": partial(_reconstructed, dictionary),
        "ablated": lambda x, output: torch.zeros_like(output),
    }
    lost: dict[str, list[Tensor]] = {name: [] for name in made}
    for batch in batches:
        for name, make in made.items():
            losses = _losses(module, reads or layer, layer, make, batch, loss or _next_token)
            lost[name].append(losses.flatten().float().cpu())
    if not lost["clean"]:
        raise InputError("batches holds no batch: give one at least.")
    found = {name: torch.cat(losses).numpy() for name, losses in lost.items()}
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
    batch: Any,
    loss: Callable[[Any, Any], Tensor],
) -> Tensor:
    """The losses of a batch where a layer's output is what is made of another's."""
    first, last = layer_of(module, read), layer_of(module, written)

    def replace(output: Tensor) -> Tensor:
        if not seen:
            raise InputError(
                f"layer {read!r} runs after {written!r}, which stands for what is read there: name"
                " as reads a layer that runs before."
            )
        x, axis = seen[0], axis_of(last, output)
        made = make(x.movedim(axis_of(first, x), -1), output.movedim(axis, -1))
        return made.movedim(-1, axis)

    with evaluating(module), keeping(module, read) as seen, replacing(module, written, replace):
        return loss(called(module, batch), batch)


def _reconstructed(dictionary: nn.Module, x: Tensor, output: Tensor) -> Tensor:
    """What a dictionary makes of activations, where and as precise as it computes."""
    own = next(dictionary.parameters(), x)
    made: Tensor = dictionary(x.to(own)).to(output)
    if made.shape != output.shape:
        raise InputError(
            f"the dictionary gives {made.shape[-1]} numbers in the place of the {output.shape[-1]}"
            " of the layer: give the one that was trained on this layer."
        )
    return made


def _next_token(output: Any, batch: Any) -> Tensor:
    """The cross-entropy of every next token, ``(n,)``: of none that an attention mask leaves out,
    nor behind one.
    """
    logits = getattr(output, "logits", output)
    given = batch["input_ids"] if isinstance(batch, Mapping) else batch
    tokens = (given[0] if type(given) in (tuple, list) else given).to(logits.device)
    losses = F.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten(), reduction="none"
    )
    mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
    if mask is None:
        return losses
    kept = torch.as_tensor(mask, device=losses.device).bool()
    return losses[(kept[:, :-1] & kept[:, 1:]).flatten()]
