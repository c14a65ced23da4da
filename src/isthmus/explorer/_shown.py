"""A trained member as the explorer shows it: networks from pictures to codes, and back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.conditioning import required
from isthmus.core.memory import in_words
from isthmus.data.datasets import Part
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.explorer.graph import Decoding, Encoding, Graph, traced

_LARGEST = 16 * 2**20  # bytes of weights in half precision that a page may carry
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


class Network(NamedTuple):
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
        try:
            batches = list(model._batches(part).chunks())
        except InputError as error:
            raise InputError(f"{label} cannot read the examples: {error}") from error
        inside = torch.cat([batch.x.float().cpu() for batch in batches])
        self.conditions = (
            torch.cat([required(batch.condition).float().cpu() for batch in batches])
            if model.preprocessor_.condition is not None
            else None
        )
        module = copy.deepcopy(model.module_).cpu().float().eval()
        units = _units(model, inside)
        self.pictures = inside * units[0] + units[1]
        self.encoding, self.decoding = Encoding(module, *units), Decoding(module, *units)

    @property
    def code_size(self) -> int:
        """How many numbers a code is."""
        return int(np.prod(self.model.module_.bottleneck.code_shape))

    @property
    def condition_shape(self) -> tuple[tuple[int], ...]:
        """The shape of a condition, as what stands behind that of a code or a picture."""
        return () if self.conditions is None else ((self.conditions.shape[1],),)

    @property
    def networks(self) -> dict[str, Network]:
        """Decoder and encoder, each with the shapes that it takes."""
        condition = self.condition_shape
        return {
            "decode": Network(self.decoding, ((self.code_size,), *condition)),
            "encode": Network(self.encoding, (self.shape, *condition)),
        }

    @cached_property
    def graphs(self) -> tuple[Graph, Graph]:
        """Decoder and encoder as graphs."""
        decode, encode = self.networks.values()
        return traced(decode.module, *decode.shapes), traced(encode.module, *encode.shapes)

    @cached_property
    def lack(self) -> str | None:
        """Why it cannot answer in a page alone; None where it can."""
        size = 2 * sum(value.numel() for value in self.model.module_.state_dict().values())
        if size > _LARGEST:
            return f"its weights would take {in_words(size)} of the page"
        unknown = sorted({name for graph in self.graphs for name in graph.unknown})
        return f"its networks hold {', '.join(unknown)}, unknown to the page" if unknown else None

    def codes(self, weights: Mapping[str, Tensor] | None = None) -> np.ndarray:
        """The codes of the examples, ``(n, code)``; by a model with other ``weights``."""
        with torch.no_grad():
            found = [
                torch.func.functional_call(self.encoding, dict(weights or {}), some)[0]
                for some in self._together(self.pictures)
            ]
        return np.asarray(torch.cat(found).numpy(), dtype=np.float64)

    def errors(self) -> np.ndarray:
        """The squared error of each example, ``(n,)``."""
        codes = torch.from_numpy(self.codes().astype(np.float32))
        with torch.no_grad():
            made = torch.cat([self.decoding(*some) for some in self._together(codes)])
        return np.asarray((made - self.pictures).square().flatten(1).sum(1).numpy())

    def _together(self, inputs: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of all examples, with their conditions, in parts that fit into memory."""
        known = () if self.conditions is None else (self.conditions.split(_AT_ONCE),)
        return zip(inputs.split(_AT_ONCE), *known, strict=True)


def lack_of(model: Explorable) -> str | None:
    """Why a trained member cannot be explored; None where it can."""
    spec = model.preprocessor_.spec
    if spec.kind != "image" or spec.shape[0] not in (1, 3):
        return f"it was trained on examples of shape {spec.shape}, and only images are shown"
    if not model.preprocessor_.scaling.is_straight:
        return "its scaling is no straight line, which the page does not know"
    return None


def _units(model: Explorable, inside: Tensor) -> tuple[Tensor, Tensor]:
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
