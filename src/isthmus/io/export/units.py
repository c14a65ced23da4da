"""The scaling of a run as torch modules: from the user's units and layout to the model's, and back.

What :class:`~isthmus.data.preprocessing.Preprocessor` does to arrays, for tensors that are traced.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from isthmus.data._column import ColumnCode
from isthmus.data._number_columns import CountColumn, NumberColumn
from isthmus.data._scaling import PIXELS, Scaling
from isthmus.data.conditions import Condition, CovariateCondition, LabelCondition
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.io.export._curves import curve_module

_FAR = 1 << 10  # standard deviations from 0 from which on float32 loses some of the bits


def require_numbers(preprocessor: Preprocessor) -> None:
    """Refuse a table with columns that are no numbers: a tensor cannot hold their cells."""
    if preprocessor.table is None:
        return
    for code in preprocessor.table.codes:
        if code.kind in ("category", "date"):
            held = "categories" if code.kind == "category" else "dates"
            raise InputError(
                f"column {code.name!r} of the training table holds {held}, which no tensor can hold"
                " as they are: train on a table of numbers to export its model, or load the run"
                " with isthmus."
            )


def seen_columns(preprocessor: Preprocessor) -> list[str]:
    """The names of the columns that a model of a table sees, in the order of the table."""
    table = preprocessor.table
    if table is None:
        return []
    return [str(name) for name in table.names if name not in table.types]


def is_far(scaling: Scaling) -> bool:
    """Whether values lie so far from 0 that they are told apart in float64 alone."""
    return bool((np.abs(scaling.offset) > _FAR * scaling.scale).any())


def input_dtype(preprocessor: Preprocessor) -> torch.dtype:
    """The type in which examples are handed in: that of the pixels of training, or floats."""
    if preprocessor.scaling.kind == "pixels":
        white = float(preprocessor.scaling.scale[0])
        return torch.uint8 if white == PIXELS[np.dtype(np.uint8)] else torch.uint16
    return torch.float64 if is_far(preprocessor.scaling) else torch.float32


class Inward(nn.Module):
    """Examples ``(n, *outer)`` in the user's units to ``(n, *shape)`` in the model's, and a mask.

    The mask is None where every value is taken for observed: NaN stands for a value that is missing
    in rows of a run whose training examples had some, and behind the end of a short sequence.
    """

    def __init__(self, preprocessor: Preprocessor) -> None:
        super().__init__()
        spec, scaling = preprocessor.spec, preprocessor.scaling
        self.layout, self.scaling = preprocessor.layout, scaling
        names = seen_columns(preprocessor)
        self.outer = (len(names),) if names else self.layout.outer
        self.has_time = spec.has_time
        self.masks = spec.kind == "sequence" or (spec.may_lack_values and spec.missing > 0)
        self.is_wide = is_far(scaling)
        self.reads_pixels = scaling.kind == "pixels" or spec.support == "intensity"
        self.offset, self.factor = _constants(scaling.offset), _constants(1 / scaling.scale)
        self.curve = None if scaling.curve is None else curve_module(scaling.curve, inverse=False)
        blank = preprocessor.blank
        self.blank = nn.Buffer(torch.zeros(1) if blank is None else torch.from_numpy(blank).float())
        self.order = nn.Buffer(torch.tensor(_order(preprocessor), dtype=torch.int64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        inside = self._scaled(self._laid_out(x))
        if not self.masks:
            return inside, None
        mask = ~inside.isnan()
        return inside.where(mask, self.blank), mask

    def _laid_out(self, x: Tensor) -> Tensor:
        if self.layout.channels == "table":
            return x.index_select(1, self.order)
        if self.layout.channels == "last":
            return x.movedim(-1, 1)
        return x.reshape(-1, *self.layout.shape)

    def _scaled(self, x: Tensor) -> Tensor:
        white = {torch.uint8: 255.0, torch.uint16: 65535.0}.get(x.dtype)
        if white is not None and self.reads_pixels:
            return x.float() / white
        if self.scaling.kind in ("none", "pixels"):
            return x.float()
        x = x.double() if self.is_wide or x.dtype == torch.float64 else x.float()
        return _on_first(x, self.scaling.columns, self._along)

    def _along(self, x: Tensor) -> Tensor:
        straight = ((x - self.offset.to(x.dtype)) * self.factor.to(x.dtype)).float()
        return straight if self.curve is None else self.curve(straight)


class Outward(nn.Module):
    """Reconstructions ``(n, *shape)`` in the model's units to ``(n, *outer)`` in the user's."""

    def __init__(self, preprocessor: Preprocessor) -> None:
        super().__init__()
        scaling = preprocessor.scaling
        self.layout, self.scaling = preprocessor.layout, scaling
        self.is_wide = is_far(scaling)
        self.offset, self.scale = _constants(scaling.offset), _constants(scaling.scale)
        self.curve = None if scaling.curve is None else curve_module(scaling.curve, inverse=True)
        self.codes = () if preprocessor.table is None else preprocessor.table.codes
        self.order = nn.Buffer(torch.tensor(_order(preprocessor), dtype=torch.int64).argsort())

    def forward(self, x: Tensor) -> Tensor:
        if self.scaling.kind not in ("none", "pixels"):
            x = _on_first(x.double() if self.is_wide else x, self.scaling.columns, self._back)
        if self.layout.channels == "table":
            cells = [_cell(code, x[:, place]) for place, code in enumerate(self.codes)]
            return torch.stack(cells, 1).index_select(1, self.order)
        if self.layout.channels == "last":
            return x.movedim(1, -1)
        return x.reshape(-1, *self.layout.outer)

    def _back(self, x: Tensor) -> Tensor:
        curved = x if self.curve is None else self.curve(x)
        return curved * self.scale.to(x.dtype) + self.offset.to(x.dtype)


class Told(nn.Module):
    """What is known of examples as numbers ``(n, c)``: of labels, ``(n,)``, the places of the
    classes, counted from 0; of covariates ``(n, c)`` in the user's units.
    """

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.size, self.is_label = condition.size, isinstance(condition, LabelCondition)
        mean, scale = [0.0], [1.0]
        if isinstance(condition, CovariateCondition):
            mean, scale = list(condition.mean), list(condition.scale)
        self.mean, self.scale = _constants(np.array(mean)), _constants(np.array(scale))

    def forward(self, condition: Tensor) -> Tensor:
        if self.is_label:
            return one_hot(condition.long(), self.size).float()
        return ((condition - self.mean) / self.scale).float()


def _constants(values: np.ndarray) -> nn.Buffer:
    """Numbers as float64, shaped so that they meet ``(n, *shape)``."""
    found = torch.from_numpy(np.asarray(values, dtype=np.float64))
    return nn.Buffer(found if found.numel() > 1 else found.reshape(()))


def _on_first(x: Tensor, columns: int | None, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The first columns of rows changed, and all others as they are; None changes everything."""
    if columns is None:
        return change(x)
    if columns == 0:
        return x
    changed = change(x[:, :columns])
    return torch.cat([changed, x[:, columns:].to(changed.dtype)], 1)


def _order(preprocessor: Preprocessor) -> list[int]:
    """Where each number inside stands among the columns of a table that a model sees."""
    names = seen_columns(preprocessor)
    table = preprocessor.table
    return [] if table is None else [names.index(str(code.name)) for code in table.codes]


def _cell(code: ColumnCode, x: Tensor) -> Tensor:
    """The cells of a column, ``(n,)``, of its numbers."""
    if not isinstance(code, NumberColumn):  # yes or no
        return (x >= 0.5).to(x.dtype)
    known = x.clamp(min=0) if isinstance(code, CountColumn) else x
    return known.round() if code.is_whole else known
