"""What stands between arrays and model: layout, range and scaling, settled once, at ``fit``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.example import KINDS, SUPPORTS, ExampleSpec, Kind, Shape
from isthmus.core.parts import named
from isthmus.data._layout import Layout, as_stored, extent, layout_of
from isthmus.data._scaling import Scaling, fit_scaling, grid_of, off_grid, support_of
from isthmus.data._sequences import steps
from isthmus.data.batches import ArrayBatches
from isthmus.data.conditions import Condition, condition_from_json
from isthmus.data.frames import Values
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
        condition: how what is known beside an example becomes numbers; None where nothing is.
    """

    spec: ExampleSpec
    layout: Layout
    scaling: Scaling
    strict: bool
    condition: Condition | None = None
    bins: int | None = None

    def transform(self, x: Values) -> np.ndarray:
        """Examples as they will be kept, ``(n, *shape)``.

        None at all, wrong shapes, NaN and foreign ranges are refused.
        """
        x = as_stored(x)
        if len(x) == 0:
            raise InputError("X holds 0 examples: give at least one.")
        if x.shape[1:] != self.layout.outer:
            raise InputError(
                f"X has examples of shape {tuple(x.shape[1:])}, but the model was trained on"
                f" {self.layout.outer}, read as {self.spec}: bring them into that shape."
            )
        low, high = extent(steps(x) if self._may_be_masked(x) else x)
        if self._must_be_unit(x) and not (low >= -_SLACK and high <= 1 + _SLACK):
            raise InputError(
                f"X lies in [{low:g}, {high:g}], but the model was trained on values in [0, 1]:"
                " scale it in the same way (uint8 pixels are scaled by themselves)."
            )
        return self.layout.transform(x)

    def batches(
        self,
        inside: np.ndarray,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        condition: Tensor | None = None,
        weight: Tensor | None = None,
        binarize: bool = False,
    ) -> ArrayBatches:
        """Transformed examples, to be handed out in batches; pixels and [0, 1] meet.

        It does not matter which of the two was trained on.

        ``condition`` ``(n, c)`` and ``weight`` ``(n,)`` stand beside the examples. ``binarize``
        draws 0 or 1 with the values, then in [0, 1], as probabilities.
        """
        return ArrayBatches(
            inside,
            self._scaling_of(inside),
            device,
            dtype,
            condition=condition,
            weight=weight,
            masked=self._may_be_masked(inside),
            binarize=binarize,
        )

    def off_grid(self, inside: np.ndarray, bins: int) -> float | None:
        """The first value that is no step 0, 1/(bins - 1), ..., 1 inside a model, or None.

        It is one of transformed examples, in the units of the data.
        """
        return off_grid(inside, self._scaling_of(inside), bins)

    def require_grid(self, inside: np.ndarray) -> None:
        """Refuse transformed examples with values between those that the likelihood knows.

        They have no probability mass.
        """
        if self.bins is None or (value := self.off_grid(inside, self.bins)) is None:
            return
        fitting = grid_of(inside, self._scaling_of(inside))
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
        )

    def _scaling_of(self, inside: np.ndarray) -> Scaling:
        """The scaling of pixels where it was settled by values in [0, 1], or the reverse."""
        scaling = self.scaling
        if scaling.kind == "pixels" and inside.dtype != np.uint8:
            return replace(scaling, kind="none", scale=np.ones_like(scaling.scale))
        if scaling.kind == "none" and scaling.unit_range and inside.dtype == np.uint8:
            return replace(scaling, kind="pixels", scale=np.full_like(scaling.scale, 255))
        return scaling

    def _may_be_masked(self, x: np.ndarray) -> bool:
        """Whether examples may lack steps at their end, where they hold NaN."""
        return self.spec.kind == "sequence" and x.dtype.kind == "f"

    def _must_be_unit(self, x: np.ndarray) -> bool:
        if x.dtype == np.uint8:
            return False
        return self.scaling.kind == "pixels" or (self.strict and self.scaling.kind == "none")


def fit_preprocessor(
    x: Values,
    *,
    scaling: str,
    likelihood: LikelihoodPart | None = None,
    channels: str = "auto",
    image_shape: Shape | None = None,
    kind: Kind | None = None,
    columns: tuple[str, ...] | None = None,
) -> tuple[Preprocessor, np.ndarray]:
    """Settle kind, layout and scaling by training examples; gives these as they are inside too.

    ``likelihood`` is the one that was asked for, None where the data decide. Sequences may end in
    steps of NaN: their features are scaled over all steps that are there. Each channel of a signal
    and each column of a table is scaled by itself.
    """
    x = as_stored(x)
    if kind is None and columns is not None and image_shape is None:
        kind = "table"
    kind, layout = layout_of(tuple(x.shape[1:]), channels, image_shape, kind)
    if len(x) < 2:
        raise InputError(
            f"X holds {len(x)} examples (n_samples = {len(x)}): at least 2 are needed to train."
        )
    inside = layout.transform(x)
    values = steps(x) if kind == "sequence" else inside
    reach = extent(values)
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
    unbounded = replace(spec, support="real")
    strict = spec.unit_range and (likelihood is None or likelihood.accepts(unbounded) is not None)
    bins = None if likelihood is None else likelihood.required_bins
    return Preprocessor(spec, layout, fitted, strict, bins=bins), inside
