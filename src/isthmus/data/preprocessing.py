"""What stands between the user's arrays and the model: layout, range and scaling, settled once, at
``fit``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from isthmus.core.example import Shape
from isthmus.data._layout import Layout, as_stored, extent, layout_of
from isthmus.data._scaling import Scaling, fit_scaling
from isthmus.data._sequences import steps
from isthmus.data.batches import ArrayBatches
from isthmus.errors import InputError

_SLACK = 1e-4  # pixels that went through a resize or a decoder may pass 1 by rounding


@dataclass(frozen=True)
class Preprocessor:
    """Lets examples in, ``(n, *outer)`` to ``(n, *shape)``, and reconstructions out.

    Attributes:
        layout: the shape of an example outside and inside.
        scaling: the units outside and inside.
        strict: whether values outside [0, 1] must be refused, because the likelihood has no place
            for them.
        padded: whether examples are sequences, whose missing steps behind the end are NaN.
    """

    layout: Layout
    scaling: Scaling
    strict: bool
    padded: bool = False

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Examples as they will be kept, ``(n, *shape)``; none at all, wrong shapes, NaN and
        foreign ranges are refused.
        """
        x = as_stored(x)
        if len(x) == 0:
            raise InputError("X holds 0 examples: give at least one.")
        if x.shape[1:] != self.layout.outer:
            raise InputError(
                f"X has examples of shape {tuple(x.shape[1:])}, but the model was trained on"
                f" {self.layout.outer}: bring them into that shape."
            )
        low, high = extent(steps(x) if self.padded and _is_sequence(x) else x)
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
        binarize: bool = False,
    ) -> ArrayBatches:
        """Admitted examples, ready to be handed out in batches; pixels and [0, 1] meet, whichever
        was trained on.

        ``binarize`` draws 0 or 1 with the values, then in [0, 1], as probabilities.
        """
        scaling = self.scaling
        if scaling.kind == "pixels" and inside.dtype != np.uint8:
            scaling = replace(scaling, kind="none", scale=np.ones_like(scaling.scale))
        elif scaling.kind == "none" and scaling.unit_range and inside.dtype == np.uint8:
            scaling = replace(scaling, kind="pixels", scale=np.full_like(scaling.scale, 255))
        return ArrayBatches(inside, scaling, device, dtype, binarize=binarize)

    def inverse_transform(self, decoded: np.ndarray) -> np.ndarray:
        """What the decoder says, ``(n, *shape)`` in the model's units, in the layout and units of
        the data.
        """
        return self.layout.inverse_transform(self.scaling.inverse_transform(decoded))

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        kept = {
            "layout": asdict(self.layout),
            "scaling": self.scaling.to_json(),
            "strict": self.strict,
        }
        return kept | ({"padded": True} if self.padded else {})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Preprocessor:
        """The inverse of :meth:`to_json`."""
        layout = values["layout"]
        outer, shape = (tuple(int(size) for size in layout[key]) for key in ("outer", "shape"))
        return cls(
            Layout(outer, shape, layout["channels"]),
            Scaling.from_json(values["scaling"]),
            bool(values["strict"]),
            bool(values.get("padded")),
        )

    def _must_be_unit(self, x: np.ndarray) -> bool:
        if x.dtype == np.uint8:
            return False
        return self.scaling.kind == "pixels" or (self.strict and self.scaling.kind == "none")


def fit_preprocessor(
    x: np.ndarray,
    *,
    scaling: str,
    likelihood: str,
    channels: str = "auto",
    image_shape: Shape | None = None,
    padded: bool = False,
) -> tuple[Preprocessor, np.ndarray]:
    """Settle layout and scaling by the training examples; returns the preprocessor and the examples
    inside.

    ``padded`` says that examples are sequences, which may end in steps of NaN: their features are
        scaled over all steps.
    """
    x = as_stored(x)
    layout = layout_of(tuple(x.shape[1:]), channels, image_shape)
    if len(x) < 2:
        raise InputError(
            f"X holds {len(x)} examples (n_samples = {len(x)}): at least 2 are needed to train."
        )
    inside = layout.transform(x)
    values = steps(x) if padded and _is_sequence(x) else inside
    reach = extent(values)
    fitted = fit_scaling(scaling, values, reach)
    if likelihood == "bernoulli" and not fitted.unit_range:
        raise InputError(
            f"X lies in [{reach[0]:g}, {reach[1]:g}], but likelihood='bernoulli' needs values in"
            " [0, 1]: pass scaling='minmax', or another likelihood ('gaussian' or 'mse')."
        )
    return (
        Preprocessor(
            layout,
            fitted,
            likelihood == "bernoulli" or (likelihood == "auto" and fitted.unit_range),
            padded,
        ),
        inside,
    )


def _is_sequence(x: np.ndarray) -> bool:
    """Whether an array can hold padded sequences: (n, time) or (n, time, features), of numbers that
    can be NaN.
    """
    return x.ndim <= 3 and x.dtype != np.uint8
