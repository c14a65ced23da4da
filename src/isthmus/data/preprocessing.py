"""What stands between arrays and model: layout, range and scaling, settled once, at ``fit``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.example import KINDS, SUPPORTS, ExampleSpec, Kind, Shape
from isthmus.core.parts import named
from isthmus.data._grids import grid_of, no_count, off_grid
from isthmus.data._layout import Layout, as_numbers, extent, layout_of
from isthmus.data._scaling import Scaling, fit_scaling, support_of
from isthmus.data._sequences import steps
from isthmus.data._statistics import is_sparse
from isthmus.data.batches import StoreBatches
from isthmus.data.conditions import Condition, condition_from_json
from isthmus.data.stores import Store, kept
from isthmus.errors import InputError
from isthmus.likelihoods.base import LikelihoodPart, that_fit
from isthmus.registry import LIKELIHOODS

_SLACK = 1e-4  # pixels that went through a resize or a decoder may pass 1 by rounding


@dataclass(frozen=True)
class Preprocessor:
    """Lets examples in, ``(n, *outer)`` to ``(n, *shape)``, and reconstructions out.

    Attributes:
        spec: what an example is inside a model.
        layout: the shape of an example outside and inside.
        scaling: the units outside and inside.
        strict: whether values outside [0, 1] must be refused, because the likelihood has no place
            for them.
        bins: how many values 0, 1/(bins - 1), ..., 1 the likelihood can charge for; None for any.
        counts: whether it can charge for whole numbers from 0 on alone.
        condition: how what is known beside an example becomes numbers; None where nothing is.
    """

    spec: ExampleSpec
    layout: Layout
    scaling: Scaling
    strict: bool
    condition: Condition | None = None
    bins: int | None = None
    counts: bool = False

    def transform(self, x: Any) -> Store:
        """Examples as they will be kept, ``(n, *shape)``: of an array, or of sparse rows.

        None at all, wrong shapes, NaN and foreign ranges are refused.
        """
        x = as_numbers(x)
        if x.shape[0] == 0:
            raise InputError("X holds 0 examples: give at least one.")
        if x.shape[1:] != self.layout.outer:
            raise InputError(
                f"X has examples of shape {tuple(x.shape[1:])}, but the model was trained on"
                f" {self.layout.outer}, read as {self.spec}: bring them into that shape."
            )
        if is_sparse(x):
            _refuse_order(self.spec.kind)
        low, high = extent(steps(x) if self._may_be_masked(x.dtype) else x)
        if self._must_be_unit(x.dtype) and not (low >= -_SLACK and high <= 1 + _SLACK):
            raise InputError(
                f"X lies in [{low:g}, {high:g}], but the model was trained on values in [0, 1]:"
                " scale it in the same way (uint8 pixels are scaled by themselves)."
            )
        return kept(x, self.layout, self._scaling_of(x.dtype))

    def batches(
        self,
        inside: Store,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        condition: Tensor | None = None,
        weight: Tensor | None = None,
        binarize: bool = False,
    ) -> StoreBatches:
        """Transformed examples, to be handed out in batches.

        ``condition`` ``(n, c)`` and ``weight`` ``(n,)`` stand beside the examples. ``binarize``
        draws 0 or 1 with the values, then in [0, 1], as probabilities.
        """
        return StoreBatches(
            inside,
            device,
            dtype,
            condition=condition,
            weight=weight,
            masked=self._may_be_masked(inside.dtype),
            binarize=binarize,
        )

    def off_grid(self, inside: Store, bins: int) -> float | None:
        """The first value that is no step 0, 1/(bins - 1), ..., 1 inside a model, or None.

        It is one of transformed examples, in the units of the data.
        """
        return off_grid(inside, self.scaling, bins)

    def require_grid(self, inside: Store) -> None:
        """Refuse transformed examples with values beside those that the likelihood knows.

        They have no probability mass.
        """
        if self.counts and (value := no_count(inside)) is not None:
            raise InputError(
                f"X holds {value:g}, but the likelihood knows only whole numbers from 0 on: give"
                " counts, or take another likelihood."
            )
        if self.bins is None or (value := self.off_grid(inside, self.bins)) is None:
            return
        fitting = grid_of(inside)
        remedy = "round X to them" if fitting is None else f"train with bins={fitting}"
        raise InputError(
            f"X holds {value:g}, but the likelihood with bins={self.bins} knows only the values 0,"
            f" 1/{self.bins - 1}, ..., 1: {remedy}, or take another likelihood."
        )

    def inverse_transform(self, decoded: np.ndarray) -> np.ndarray:
        """What the decoder says, ``(n, *shape)``, brought to the layout and units of the data."""
        return self.layout.inverse_transform(self.scaling.inverse_transform(decoded))

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        return {
            "kind": self.spec.kind,
            "columns": self.spec.columns,
            "support": self.spec.support,
            "layout": asdict(self.layout),
            "scaling": self.scaling.to_json(),
            "strict": self.strict,
            "bins": self.bins,
            "counts": self.counts,
            "condition": None if self.condition is None else self.condition.to_json(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Preprocessor:
        """The inverse of :meth:`to_json`."""
        layout, columns, condition = (values[key] for key in ("layout", "columns", "condition"))
        outer, shape = (tuple(int(size) for size in layout[key]) for key in ("outer", "shape"))
        scaling = Scaling.from_json(values["scaling"])
        # runs that were saved before the values had a name know of [0, 1] alone
        support = values.get("support", "unit" if scaling.unit_range else "real")
        if values["kind"] not in KINDS:
            raise ValueError(f"kind {values['kind']!r}")
        if support not in SUPPORTS:
            raise ValueError(f"support {support!r}")
        named_columns = None if columns is None else tuple(columns)
        return cls(
            ExampleSpec(values["kind"], shape, named_columns, support),
            Layout(outer, shape, layout["channels"]),
            scaling,
            bool(values["strict"]),
            None if condition is None else condition_from_json(condition),
            None if values.get("bins") is None else int(values["bins"]),
            bool(values.get("counts", False)),
        )

    def _scaling_of(self, dtype: np.dtype[Any]) -> Scaling:
        """The scaling of pixels where it was settled by values in [0, 1], or the reverse."""
        scaling = self.scaling
        if scaling.kind == "pixels" and dtype != np.uint8:
            return replace(scaling, kind="none", scale=np.ones_like(scaling.scale))
        if self.counts:  # a 1 is a 1, as uint8 too
            return scaling
        if scaling.kind == "none" and scaling.unit_range and dtype == np.uint8:
            return replace(scaling, kind="pixels", scale=np.full_like(scaling.scale, 255))
        return scaling

    def _may_be_masked(self, dtype: np.dtype[Any]) -> bool:
        """Whether examples may lack steps at their end, where they hold NaN."""
        return self.spec.kind == "sequence" and dtype.kind == "f"

    def _must_be_unit(self, dtype: np.dtype[Any]) -> bool:
        if dtype == np.uint8:
            return False
        return self.scaling.kind == "pixels" or (self.strict and self.scaling.kind == "none")


def fit_preprocessor(
    x: Any,
    *,
    scaling: str,
    likelihood: LikelihoodPart | None = None,
    channels: str = "auto",
    image_shape: Shape | None = None,
    kind: Kind | None = None,
    columns: tuple[str, ...] | None = None,
) -> tuple[Preprocessor, Store]:
    """Settle kind, layout and scaling by training examples, an array or sparse rows; gives these as
    they are inside too.

    ``likelihood`` is the one that was asked for, None where the data decide. Sequences may end in
    steps of NaN: their features are scaled over all steps that are there. Each channel of a signal
    and each column of a table is scaled by itself.
    """
    x = as_numbers(x)
    if kind is None and columns is not None and image_shape is None:
        kind = "table"
    kind, layout = layout_of(tuple(x.shape[1:]), channels, image_shape, kind)
    if x.shape[0] < 2:
        raise InputError(
            f"X holds {x.shape[0]} examples (n_samples = {x.shape[0]}): at least 2 are needed to"
            " train."
        )
    if is_sparse(x):
        _refuse_order(kind)
        values = x if len(layout.shape) == 1 else x.reshape(-1, 1).tocsr()  # images: as a whole
    else:
        values = steps(x) if kind == "sequence" else layout.transform(x)
    reach = extent(values)
    counts = likelihood is not None and likelihood.requires_counts
    if likelihood is not None and counts:
        scaling = _unscaled(scaling, likelihood)
    fitted = fit_scaling(scaling, values, reach, per_channel=kind == "signal")
    spec = ExampleSpec(
        kind, layout.shape, columns if kind == "table" else None, support_of(values, fitted)
    )
    if likelihood is not None and (lack := likelihood.accepts(spec)) is not None:
        others = " or ".join(map(repr, that_fit(spec)))
        raise InputError(
            f"X lies in [{reach[0]:g}, {reach[1]:g}], but"
            f" likelihood={named(likelihood, LIKELIHOODS)!r} {lack}, or another likelihood"
            f" ({others})."
        )
    unbounded = replace(spec, support="count" if counts else "real")
    strict = spec.unit_range and (likelihood is None or likelihood.accepts(unbounded) is not None)
    bins = None if likelihood is None else likelihood.required_bins
    preprocessor = Preprocessor(spec, layout, fitted, strict, bins=bins, counts=counts)
    return preprocessor, kept(x, layout, fitted)


def _unscaled(scaling: str, likelihood: LikelihoodPart) -> str:
    """The scaling of counts, which is none; another one is refused."""
    if scaling not in ("auto", "none"):
        raise InputError(
            f"scaling={scaling!r} leaves no counts, which"
            f" likelihood={named(likelihood, LIKELIHOODS)!r} needs: pass scaling='none' or 'auto'."
        )
    return "none"


def _refuse_order(kind: Kind) -> None:
    """Refuse sparse rows where values have an order in time."""
    if kind in ("signal", "sequence"):
        raise InputError(
            f"kind={kind!r} takes no sparse X, whose rows are vectors or tables: pass X.toarray()."
        )
