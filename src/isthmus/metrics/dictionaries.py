"""What is known of the units of a code: when they are active, and what they add."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.hooks import called, evaluating, replacing
from isthmus.errors import InputError
from isthmus.estimators.fitted import FittedEstimator
from isthmus.metrics._measure import Measure, Measures, average

_ROWS = 4096  # examples at a time
BINS = 20


@dataclass(frozen=True)
class Features:
    """The units of a code over some examples.

    Attributes:
        frequency: the share of the examples that use each unit, ``(units,)``.
        mean: the mean activation of those that use it, ``(units,)``; 0 where none does.
        top: the rows of the examples that use each unit most, the strongest first,
            ``(units, count)``.
        strongest: their activations, ``(units, count)``; 0 where fewer examples use it.
        histogram: how many examples use each unit how much, in bins of equal width from 0 to its
            strongest activation, ``(units, bins)``.
        directions: what a unit adds to the decoder's output, ``(units, outputs)``.
        nearest: the unit whose direction is most like each one's, ``(units,)``.
        similarity: the cosine of the angle between the two, ``(units,)``.
        active: how many units an example uses, on average.
    """

    frequency: np.ndarray
    mean: np.ndarray
    top: np.ndarray
    strongest: np.ndarray
    histogram: np.ndarray
    directions: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray
    active: float

    @property
    def dead(self) -> np.ndarray:
        """The units that no example uses."""
        return np.flatnonzero(self.frequency == 0)

    def dense(self, share: float = 0.1) -> np.ndarray:
        """The units that more than a share of the examples use, the most frequent first."""
        order = np.argsort(-self.frequency, kind="stable")
        return order[self.frequency[order] > share]


def features(model: FittedEstimator, X: Any, *, count: int = 8) -> Features:
    """Look at the units of a member's code over examples, which may be a stream.

    A unit is used where it is above 0, so the code must not be below: a ``DictionaryAE``, a
    ``SparseAE``, an ``AE`` with ``code_activation="relu"``.

    Args:
        model: a trained member.
        X: examples as ``transform`` takes them, or a stream of them.
        count: how many examples are kept for each unit.

    Raises:
        InputError: for a code that is not of this kind.
    """
    directions = _directions(model)
    units = len(directions)
    fired, total = np.zeros(units), np.zeros(units)
    strongest = np.zeros((units, 0), dtype=np.float32)
    top = np.zeros((units, 0), dtype=np.int64)
    for start, z in _coded(model, X):
        fired += (z > 0).sum(0)
        total += z.sum(0, dtype=np.float64)
        rows = np.broadcast_to(np.arange(start, start + len(z)), (units, len(z)))
        strongest, top = _largest(np.hstack([strongest, z.T]), np.hstack([top, rows]), count)
    n = len(X)
    highest = np.where(strongest[:, 0] > 0, strongest[:, 0], 1.0)
    histogram = np.zeros((units, BINS), dtype=np.int64)
    for _, z in _coded(model, X):
        place = np.minimum((z / highest * BINS).astype(np.int64), BINS - 1)
        rows, columns = np.nonzero(z > 0)
        np.add.at(histogram, (columns, place[rows, columns]), 1)
    nearest, similarity = _neighbours(directions)
    return Features(
        frequency=fired / n,
        mean=total / np.maximum(fired, 1),
        top=top,
        strongest=strongest,
        histogram=histogram,
        directions=directions,
        nearest=nearest,
        similarity=similarity,
        active=float(fired.sum() / n),
    )


def cross_entropy_recovered(
    dictionary: nn.Module,
    module: nn.Module,
    layer: str,
    batches: Iterable[Any],
    loss: Callable[[Any, Any], Tensor] | None = None,
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

    Raises:
        InputError: for a layer that there is not, and where 0 in its place costs nothing.

    Reference:
        S. Rajamanoharan et al., Improving dictionary learning with gated sparse autoencoders,
        NeurIPS 2024.
    """
    made: dict[str, Callable[[Tensor], Tensor]] = {
        "clean": lambda x: x,
        "reconstructed": dictionary,
        "ablated": torch.zeros_like,
    }
    found = {
        name: _losses(module, layer, replace, batches, loss or _next_token)
        for name, replace in made.items()
    }
    clean, restored, ablated = (float(values.mean()) for values in found.values())
    if ablated <= clean:
        raise InputError(
            f"layer {layer!r} does not lower the loss: with 0 in its place it is {ablated:.4g},"
            f" as it is {clean:.4g}; name a layer that the network needs."
        )
    said = {
        "clean": "The cross-entropy of the network as it is.",
        "reconstructed": "The cross-entropy with the reconstruction in the place of the layer.",
        "ablated": "The cross-entropy with 0 in the place of the layer.",
    }
    measures = Measures(
        (name, average(f"Cross-entropy, {name}", found[name], "nats", "lower", text))
        for name, text in said.items()
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
    layer: str,
    replace: Callable[[Tensor], Tensor],
    batches: Iterable[Any],
    loss: Callable[[Any, Any], Tensor],
) -> np.ndarray:
    """The loss of every example, ``(n,)``, with a layer's output replaced."""
    with evaluating(module), replacing(module, layer, replace):
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


def _coded(model: FittedEstimator, X: Any) -> Iterable[tuple[int, np.ndarray]]:
    """Codes, some rows at a time, each with the first of these rows."""
    for start in range(0, len(X), _ROWS):
        z = model.codes(X[start : start + _ROWS])
        if (z < 0).any():
            raise InputError(
                f"the code of {type(model).__name__} is below 0, so no unit of it is unused: take a"
                " DictionaryAE or a SparseAE."
            )
        yield start, z


def _largest(values: np.ndarray, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest values of each row, so many, and the places that belong to them."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(values, order, 1), np.take_along_axis(rows, order, 1)


def _directions(model: FittedEstimator) -> np.ndarray:
    """What each unit alone adds to the decoder's output, ``(units, outputs)``."""
    module = model.module_
    if module.bottleneck.levels or model.preprocessor_.condition is not None:
        raise InputError(
            f"{type(model).__name__} has no units to look at, or is told a condition beside them:"
            " take a DictionaryAE or a SparseAE."
        )
    shape = module.bottleneck.code_shape
    weight = next(module.parameters())
    one = torch.eye(int(np.prod(shape)), device=weight.device, dtype=weight.dtype)
    with evaluating(module):
        said = module.parameters_at(one.unflatten(1, shape)).flatten(1)
        nothing = module.parameters_at(torch.zeros_like(one[:1]).unflatten(1, shape)).flatten(1)
    directions: np.ndarray = (said - nothing).cpu().numpy()
    return directions


def _neighbours(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each direction the one that is most like it, and the cosine of their angle."""
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    unit = directions / np.where(lengths > 0, lengths, 1)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    if len(cosines) == 1:
        return np.zeros(1, dtype=np.int64), np.zeros(1)
    nearest = cosines.argmax(1)
    return nearest, np.take_along_axis(cosines, nearest[:, None], 1)[:, 0]
