"""A trained member as the explorer shows it: networks from pictures to codes, and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.batch import Batch
from isthmus.core.conditioning import required
from isthmus.core.memory import in_words
from isthmus.data.datasets import Part
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.explorer._groups import Redrawing, hierarchy_of
from isthmus.explorer.graph import Decoding, Encoding, Graph, traced

_LARGEST = 16 * 2**20  # bytes of weights in half precision that a page may carry
_JUDGED = 2000  # examples whose reconstructions say what is usual
_AT_ONCE = 500  # examples that go through a network together


class Explorable(Protocol):
    """What the explorer needs of a trained member; an estimator has it."""

    code_space: Any
    history_: Any
    snapshots_: Any
    preprocessor_: Preprocessor

    @property
    def module_(self) -> Any:
        """Encoder, decoder and bottleneck, as an autoencoder has them."""

    def _batches(self, X: Any) -> Any:
        """Examples as batches in the model's units."""


class LiveNetwork(NamedTuple):
    """A network of a member, and the shapes of what it takes of one example."""

    module: nn.Module
    shapes: tuple[tuple[int, ...], ...]


class Shown:
    """A member, the pictures that it is shown with, and its networks between pictures and codes.

    In pictures 0 is black and 1 is white: intensities as they are inside the model, other values
    between the least and the greatest of the examples.

    Args:
        label: what it is called.
        model: trained on images.
        part: the examples.

    Raises:
        InputError: for members that cannot be shown, and examples that the member cannot read.
    """

    def __init__(self, label: str, model: Explorable, part: Part) -> None:
        if (lack := lack_of(model)) is not None:
            raise InputError(f"{label} cannot be explored: {lack}.")
        self.label, self.model = label, model
        self.shape = model.preprocessor_.spec.shape
        inside, self.conditions = self._read(part)
        module = copy.deepcopy(model.module_).cpu().float().eval()
        self.units = units_of(model, inside)
        self.pictures = self._pictured(inside)
        self.encoding, self.decoding = Encoding(module, *self.units), Decoding(module, *self.units)

    def read(self, part: Part) -> tuple[Tensor, Tensor | None]:
        """Other examples than those that are shown: pictures, ``(n, *shape)``, and conditions.

        Raises:
            InputError: for examples that the member cannot read.
        """
        inside, conditions = self._read(part)
        return self._pictured(inside), conditions

    def posterior(
        self,
        pictures: Tensor,
        conditions: Tensor | None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> list[np.ndarray]:
        """What the encoder says of pictures, as :attr:`says` names it, each ``(n, size)``; by a
        model with other ``weights``.
        """
        with torch.no_grad():
            found = [
                torch.func.functional_call(self.encoding, dict(weights or {}), some)
                for some in _together(pictures, conditions)
            ]
        return [torch.cat(parts).numpy() for parts in zip(*found, strict=True)]

    @cached_property
    def says(self) -> tuple[str, ...]:
        """What the parts of a posterior are called, the code first."""
        rows = None if self.conditions is None else self.conditions[:1]
        inside = (self.pictures[:1] - self.units[1]) / self.units[0]
        with torch.no_grad():
            found: Any = self.encoding.module.encode(Batch(inside, rows))
        return tuple(getattr(found, "_fields", ("z",)))

    def _read(self, part: Part) -> tuple[Tensor, Tensor | None]:
        """Examples as they are inside the model, ``(n, *shape)``, and their conditions."""
        try:
            batches = list(self.model._batches(part).chunks())
        except InputError as error:
            raise InputError(f"{self.label} cannot read the examples: {error}") from error
        x = torch.cat([batch.x.float().cpu() for batch in batches])
        if self.model.preprocessor_.condition is None:
            return x, None
        return x, torch.cat([required(batch.condition).float().cpu() for batch in batches])

    def _pictured(self, inside: Tensor) -> Tensor:
        return inside * self.units[0] + self.units[1]

    @property
    def code_size(self) -> int:
        """How many numbers a code is."""
        return int(np.prod(self.model.module_.bottleneck.code_shape))

    @property
    def condition_shape(self) -> tuple[tuple[int], ...]:
        """The shape of a condition, as what stands behind that of a code or a picture."""
        return () if self.conditions is None else ((self.conditions.shape[1],),)

    @property
    def networks(self) -> dict[str, LiveNetwork]:
        """Decoder and encoder, each with the shapes that it takes; of a deep hierarchy what draws
        its finer groups too.
        """
        condition, code = self.condition_shape, (self.code_size,)
        found = {
            "decode": LiveNetwork(self.decoding, (code, *condition)),
            "encode": LiveNetwork(self.encoding, (self.shape, *condition)),
        }
        if hierarchy_of(self.encoding.module) is not None:
            module = Redrawing(self.encoding.module).eval()
            found["redraw"] = LiveNetwork(module, (code, code, code, *condition))
        return found

    @cached_property
    def all_graphs(self) -> dict[str, Graph]:
        """The networks as graphs."""
        return {
            name: traced(network.module, *network.shapes) for name, network in self.networks.items()
        }

    @property
    def graphs(self) -> tuple[Graph, Graph]:
        """Decoder and encoder as graphs."""
        return self.all_graphs["decode"], self.all_graphs["encode"]

    @cached_property
    def lack(self) -> str | None:
        """Why it cannot answer in a page alone; None where it can."""
        size = 2 * sum(value.numel() for value in self.model.module_.state_dict().values())
        if size > _LARGEST:
            return f"its weights would take {in_words(size)} of the page"
        unknown = sorted({name for graph in self.all_graphs.values() for name in graph.unknown})
        return f"its networks hold {', '.join(unknown)}, unknown to the page" if unknown else None

    def codes(self, weights: Mapping[str, Tensor] | None = None) -> np.ndarray:
        """The codes of the examples, ``(n, code)``; by a model with other ``weights``."""
        if not weights:
            return self._last
        found = self.posterior(self.pictures, self.conditions, weights)[0]
        return np.asarray(found, dtype=np.float64)

    @cached_property
    def _last(self) -> np.ndarray:
        """The codes at the end of training."""
        found = self.posterior(self.pictures, self.conditions)[0]
        return np.asarray(found, dtype=np.float64)

    def decoded(self, codes: np.ndarray, conditions: Tensor | None) -> np.ndarray:
        """The pictures of codes ``(n, code)``, ``(n, *shape)``."""
        given = torch.from_numpy(codes.astype(np.float32))
        with torch.no_grad():
            made = [self.decoding(*some) for some in _together(given, conditions)]
        return np.asarray(torch.cat(made).numpy()).reshape(-1, *self.shape)

    def errors(self) -> np.ndarray:
        """The squared error of each example, ``(n,)``, of some thousands at the most."""
        known = None if self.conditions is None else self.conditions[:_JUDGED]
        made = self.decoded(self.codes()[:_JUDGED], known)
        return np.square(made - self.pictures[:_JUDGED].numpy()).reshape(len(made), -1).sum(1)


def _together(inputs: Tensor, conditions: Tensor | None) -> Iterator[tuple[Tensor, ...]]:
    """Inputs of examples, with their conditions, in parts that fit into memory."""
    known = () if conditions is None else (conditions.split(_AT_ONCE),)
    return zip(inputs.split(_AT_ONCE), *known, strict=True)


def lack_of(model: Explorable) -> str | None:
    """Why a trained member cannot be explored; None where it can."""
    spec = model.preprocessor_.spec
    if spec.sample_rate is not None:
        return "it was trained on sounds, which are played"
    if spec.kind != "image" or spec.shape[0] not in (1, 3):
        return f"it was trained on examples of shape {spec.shape}, and only images are shown"
    if not model.preprocessor_.scaling.is_straight:
        return "its scaling is no straight line, which the page does not know"
    return None


def units_of(model: Explorable, inside: Tensor) -> tuple[Tensor, Tensor]:
    """What a value inside is multiplied by, and what is added, to be a picture's."""
    if model.preprocessor_.spec.unit_range:
        return torch.ones(1), torch.zeros(1)
    scaling = model.preprocessor_.scaling
    scale, offset = (
        torch.as_tensor(part, dtype=torch.float32) for part in (scaling.scale, scaling.offset)
    )
    outer = inside * scale + offset
    low, reach = outer.min(), (outer.max() - outer.min()).clamp(min=1e-12)
    return scale / reach, (offset - low) / reach
