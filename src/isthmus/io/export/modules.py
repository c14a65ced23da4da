"""Parts of a trained member as plain torch modules, from the user's units to the user's units."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.files import readable
from isthmus.data.conditions import LabelCondition
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError, unknown
from isthmus.io.export.units import Inward, Outward, Told, input_dtype, require_numbers

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator

_EXAMPLES = 3  # in the batch that a module is traced with; neither 1 nor 2, which may be special


@dataclass(frozen=True)
class Port:
    """An input or an output of a module.

    Attributes:
        name: what it is called in a file.
        shape: of one example; the axis of examples stands in front.
        dtype: the type of its numbers.
    """

    name: str
    shape: Shape
    dtype: torch.dtype = torch.float32


class _Parts(NamedTuple):
    """What modules are made of: a network, and what stands around it."""

    network: Autoencoder
    inward: Inward
    outward: Outward
    told: Told | None


class Portable(nn.Module, ABC):
    """A part of a trained member, which takes and gives tensors in the user's units and layout.

    Nothing is drawn: a code is the mean of its posterior. The batch may have any size. A
    conditional member takes the condition as a second input: the places of the classes, ``(n,)``,
    counted from 0, or covariates, ``(n, c)``.

    Attributes:
        inputs: the name, shape and type of what it takes.
        outputs: those of what it gives.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def __init__(self, parts: _Parts) -> None:
        super().__init__()
        self.network, self.inward, self.outward, self.told = parts
        self.is_quantised = bool(self.network.bottleneck.levels)

    @abstractmethod
    def forward(
        self, x: Tensor, condition: Tensor | None = None
    ) -> Tensor | tuple[Tensor, ...]: ...

    def _batch(self, x: Tensor, condition: Tensor | None) -> Batch:
        """Examples as the network sees them."""
        inside, mask = self.inward(x)
        return Batch(inside, self._known(condition), mask)

    def _known(self, condition: Tensor | None) -> Tensor | None:
        return None if self.told is None or condition is None else self.told(condition)

    def _code(self, posterior: tuple[Tensor, ...]) -> Tensor:
        """The code that is handed out: of a quantised member its indices, ``(n, positions)``."""
        if not self.is_quantised:
            return posterior[0]
        return next(part for part in posterior if not part.is_floating_point())

    def _restored(self, posterior: tuple[Tensor, ...], batch: Batch) -> Tensor:
        restored = self.network.decode(posterior[0], batch.condition, batch)
        if batch.mask is not None and self.inward.has_time:  # steps that are not there stay so
            restored = restored.where(batch.mask, torch.nan)
        return self.outward(restored)

    def traced(self) -> ExportedProgram:
        """The module as torch exports it, for batches of any size.

        Raises:
            InputError: where the network does something that is no operator of a graph.
        """
        batch = Dim("batch", min=1)
        given = tuple(_blank(port) for port in self.inputs)
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what torch would like otherwise in itself
                return torch.export.export(
                    self, given, dynamic_shapes=tuple({0: batch} for _ in given)
                )
        except Exception as error:  # whatever the user's own network raises while it is traced
            said = readable(str(error).split("\n")[0])
            raise InputError(
                f"this model is no graph that torch.export can trace ({type(error).__name__}:"
                f" {said}): a network of your own may use tensors alone, and of a batch x.shape[0],"
                " not len(x)."
            ) from error


class Encoder(Portable):
    """From examples ``(n, *outer)`` to their codes, ``(n, *code)``: means, or whole numbers."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._code(self.network.encode(self._batch(x, condition)))


class PosteriorGraph(Portable):
    """From examples ``(n, *outer)`` to all that the encoder says of each: a mean and a log
    variance, vectors and their indices, as ``encode`` names them.
    """

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, ...]:
        return tuple(self.network.encode(self._batch(x, condition)))


class Decoder(Portable):
    """From codes, as :class:`Encoder` gives them, to the expected examples, ``(n, *outer)``."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.outward(self.network.decode(x, self._known(condition)))


class Reconstruction(Portable):
    """From examples ``(n, *outer)`` to what comes back when they are encoded and decoded."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        batch = self._batch(x, condition)
        return self._restored(self.network.encode(batch), batch)


class Whole(Portable):
    """From examples ``(n, *outer)`` to their codes and their reconstructions."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        batch = self._batch(x, condition)
        posterior = self.network.encode(batch)
        return self._code(posterior), self._restored(posterior, batch)


PARTS: Mapping[str, type[Portable]] = {
    "whole": Whole,
    "encoder": Encoder,
    "decoder": Decoder,
    "reconstruct": Reconstruction,
    "posterior": PosteriorGraph,
}
"""The parts of a member that can be handed out, by their names."""


def portable(model: Estimator, part: str) -> Portable:
    """A part of a trained member as a module of its own, on the processor, ready for inference.

    Raises:
        InputError: for an unknown part, and for a table with columns that are no numbers.
    """
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    with model._inference() as network:  # set as the fields ask for it, such as a quality
        pass
    preprocessor = model.preprocessor_
    require_numbers(preprocessor)
    condition = preprocessor.condition
    parts = _Parts(
        copy.deepcopy(network).cpu().float().eval(),
        Inward(preprocessor),
        Outward(preprocessor),
        None if condition is None else Told(condition),
    )
    module = PARTS[part](parts).eval()
    module.inputs = _inputs(module, preprocessor)
    module.outputs = _outputs(module)
    return module


def _inputs(module: Portable, preprocessor: Preprocessor) -> tuple[Port, ...]:
    first = Port("x", module.inward.outer, input_dtype(preprocessor))
    if isinstance(module, Decoder):
        bottleneck = module.network.bottleneck
        positions = sum(torch.Size(level.grid).numel() for level in bottleneck.levels)
        first = Port("code", bottleneck.code_shape)
        if module.is_quantised:
            first = Port("indices", (positions,), torch.int64)
    condition = preprocessor.condition
    if condition is None:
        return (first,)
    if isinstance(condition, LabelCondition):
        return (first, Port("condition", (), torch.int64))
    return (first, Port("condition", (condition.size,)))


@torch.no_grad()
def _outputs(module: Portable) -> tuple[Port, ...]:
    """What a module gives, by what it makes of a blank example."""
    found = module(*(_blank(port) for port in module.inputs))
    code = "indices" if module.is_quantised else "code"
    match module:
        case Encoder():
            names: tuple[str, ...] = (code,)
        case PosteriorGraph():
            inside = module._batch(*(_blank(port) for port in module.inputs), *_missing(module))
            names = tuple(getattr(module.network.encode(inside), "_fields", ("z",)))
        case Whole():
            names = (code, "reconstruction")
        case _:
            names = ("reconstruction",)
    parts = found if isinstance(found, tuple) else (found,)
    return tuple(
        Port(name, tuple(part.shape[1:]), part.dtype)
        for name, part in zip(names, parts, strict=True)
    )


def _missing(module: Portable) -> tuple[None, ...]:
    """What stands for the condition of a member that takes none."""
    return () if len(module.inputs) == 2 else (None,)


def _blank(port: Port) -> Tensor:
    return torch.zeros(_EXAMPLES, *port.shape, dtype=port.dtype)
