"""What stands between arrays and model: layout, range and scaling, settled once, at ``fit``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.example import KINDS, SUPPORTS, ExampleSpec, Kind, Shape
from isthmus.core.records import Record, unusable
from isthmus.core.wording import listed
from isthmus.data._grids import grid_of, no_count, off_grid
from isthmus.data._layout import EXACT, Extent, Layout, as_numbers, extent, warn_of_large
from isthmus.data._mixing import Mixing
from isthmus.data._scaling import PIXELS, Scaling
from isthmus.data._sequences import lacks_steps, steps
from isthmus.data._statistics import is_sparse
from isthmus.data._streamed import StreamStore
from isthmus.data.batches import StoreBatches
from isthmus.data.conditions import Condition, condition_from_json
from isthmus.data.few_labels import Classes
from isthmus.data.frames import is_frame
from isthmus.data.stores import Store, kept
from isthmus.data.streams import Stream
from isthmus.data.tables import Table, as_frame
from isthmus.errors import InputError

_SLACK = 1e-4  # pixels that went through a resize or a decoder may pass 1 by rounding


@dataclass(frozen=True)
class Preprocessor:
    """Lets examples in, ``(n, *outer)`` to ``(n, *shape)``, and reconstructions out.

    Attributes:
        spec: what an example is inside a model.
        layout: the shape of an example outside and inside.
        scaling: the units outside and inside.
        strict: whether values outside [0, 1] are refused, because they are intensities, and the
            likelihood has no place for others.
        table: how rows of a frame become numbers; None where examples are arrays of numbers.
        condition: how what is known beside an example becomes numbers; None where nothing is.
        bins: how many values 0, 1/(bins - 1), ..., 1 the likelihood can charge for; None for any.
        blank: the mean of the training examples inside, ``(*shape)``, which stands for missing
            values; None where that is 0.
        counts: whether the likelihood can charge for whole numbers from 0 on alone.
        stride: steps from one window to the next, where examples are windows of a long series; None
            where they are not.
        channel_names: what the values of a step of such a series are called; None without names.
        classes: what a member that was given labels tells apart; None without labels.
    """

    spec: ExampleSpec
    layout: Layout
    scaling: Scaling
    strict: bool = False
    table: Table | None = None
    condition: Condition | None = None
    bins: int | None = None
    blank: np.ndarray | None = None
    counts: bool = False
    stride: int | None = None
    channel_names: tuple[str, ...] | None = None
    classes: Classes | None = None

    def check_channels(self, names: tuple[str, ...] | None) -> None:
        """Refuse series whose columns are others, or in another order, than in training."""
        known = self.channel_names
        if known is None or names is None or names == known:
            return
        raise InputError(
            f"X holds windows of the columns {listed(names)}, but the model was trained on"
            f" {listed(known)}: cut a series with those, in that order."
        )

    def check_rate(self, sample_rate: int) -> None:
        """Refuse sound of another rate than in training."""
        known = self.spec.sample_rate
        if known is not None and sample_rate != known:
            raise InputError(
                f"X has {sample_rate} steps a second, but the model was trained on {known}: load it"
                f" with sample_rate={known}, or with like=model."
            )

    def knows(self, frame: Any) -> bool:
        """Whether a frame has the columns of the training table, in their order."""
        return self.table is not None and self.table.knows(frame)

    def transform(self, x: Any, *, gaps: bool = False) -> Store:
        """Examples as they will be kept, ``(n, *shape)``: of an array, a frame, or sparse rows.

        None at all, wrong shapes and infinity are refused; so are NaN, but in vectors and tables,
        or where ``gaps`` are expected, and values outside [0, 1] of what was trained on as pixels.
        """
        if self.table is not None:
            return self._rows(self.table, x)
        x = x if isinstance(x, Stream) else as_numbers(x)
        _require_examples(x)
        if x.shape[1:] != self.layout.outer:
            raise InputError(
                f"X has examples of shape {tuple(x.shape[1:])}, but the model was trained on"
                f" {self.layout.outer}, read as {self.spec}: bring them into that shape."
            )
        if isinstance(x, Stream):
            return self._streamed(x, gaps)
        if is_sparse(x):
            refuse_order(self.spec.kind)
        reach = self._checked(x, gaps)
        is_padded = lacks_steps(x, self.spec.kind)
        scaling = self._scaling_of(x.dtype, reach)
        return kept(x, self.layout, scaling, has_gaps=is_padded or reach.has_gaps)

    def _checked(self, x: Any, gaps: bool) -> Extent:
        """How far examples ``(n, *outer)`` reach; values that the model has no place for are
        refused.
        """
        kind = self.spec.kind
        values = steps(x, kind) if lacks_steps(x, kind) else x
        reach = extent(values, gaps=gaps or self.spec.may_lack_values)
        if self.strict and x.dtype not in PIXELS:
            self._require_unit(reach)
        return reach

    def _streamed(self, x: Stream, gaps: bool, has_gaps: bool | None = None) -> Store:
        """Examples that are read later, and checked then; whether some values are missing may be
        known.
        """
        reach = extent(x.sample()) if x.dtype in PIXELS else Extent(0, 0)
        may_lack = x.dtype.kind == "f" and (gaps or self.spec.may_lack_values)
        is_padded = self.spec.kind in ("sequence", "signal") and x.dtype.kind == "f"
        return StreamStore(
            x,
            self.layout,
            self._scaling_of(x.dtype, reach),
            lambda block: self._checked(block, gaps),
            has_gaps=is_padded or (may_lack if has_gaps is None else has_gaps),
        )

    def _rows(self, table: Table, x: Any) -> Store:
        if isinstance(x, Stream):
            raise InputError(
                "X is read a few rows at a time, but the model was trained on a table: give a"
                " pandas.DataFrame with the columns of training."
            )
        if not is_frame(x):
            table.check_numeric()
        frame = as_frame(x.toarray() if is_sparse(x) else x, table.names)
        numbers = table.encode(frame)
        _require_examples(numbers)
        reach = extent(numbers, gaps=True)
        warn_of_long(frame, reach)
        return kept(numbers, self.layout, self.scaling, has_gaps=reach.has_gaps)

    def batches(
        self,
        inside: Store,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        condition: Tensor | None = None,
        weight: Tensor | None = None,
        label: Tensor | None = None,
        binarize: bool = False,
        mixing: Mixing | None = None,
    ) -> StoreBatches:
        """Transformed examples, to be handed out in batches.

        ``condition`` ``(n, c)``, ``weight`` ``(n,)`` and ``label`` ``(n, classes)`` stand beside
        the examples. ``binarize`` draws 0 or 1 with the values, then in [0, 1], as probabilities.
        ``mixing`` puts labelled examples into every batch.
        """
        return StoreBatches(
            inside,
            device,
            dtype,
            condition=condition,
            weight=weight,
            label=label,
            mixing=mixing,
            masked=inside.has_gaps,
            blank=self.blank,
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
        """What the decoder says, ``(n, *shape)``, brought to the layout and units of the data.

        Rows of a table stay numbers, ``(n, values)``: :meth:`Table.decode` makes cells of them.
        """
        return self.layout.inverse_transform(self.scaling.inverse_transform(decoded))

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        return {
            "kind": self.spec.kind,
            "support": self.spec.support,
            "missing": self.spec.missing,
            "sample_rate": self.spec.sample_rate,
            "layout": asdict(self.layout),
            "scaling": self.scaling.to_json(),
            "strict": self.strict,
            "table": None if self.table is None else self.table.to_json(),
            "bins": self.bins,
            "blank": None if self.blank is None else self.blank.tolist(),
            "counts": self.counts,
            "stride": self.stride,
            "channel_names": None if self.channel_names is None else list(self.channel_names),
            "condition": None if self.condition is None else self.condition.to_json(),
            "classes": None if self.classes is None else self.classes.to_json(),
        }

    @classmethod
    def from_json(cls, values: Any) -> Preprocessor:
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: for an entry of another type, that is not finite, or does not fit the
                layout; the message names it.
        """
        given = Record(values, "data")
        layout, scaling = Layout.from_json(given.raw("layout")), Scaling.from_json(given)
        table = None if "table" not in given else Table.from_json(given.raw("table"))
        kind = given.word("kind", KINDS)
        if table is None and kind == "table":  # of a run from before columns had kinds
            kind = "vector"
        layout.require_kind(kind)
        if table is not None and layout.shape != (table.width,):
            raise unusable("data.layout.shape", list(layout.shape), f"the size [{table.width}]")
        scaling.require_shape(layout.shape)
        # and from before values had a name, when all that lay in [0, 1] was read as pixels
        support = given.optional("support", lambda key: given.word(key, SUPPORTS)) or (
            "intensity" if scaling.unit_range else "real"
        )
        columns = None if table is None else table.columns
        missing = given.number("missing", 0.0)
        rate = given.optional("sample_rate", lambda key: given.whole(key, 1))
        return cls(
            ExampleSpec(kind, layout.shape, columns, support, missing, rate),
            layout,
            scaling,
            given.flag("strict") and (kind == "image" or scaling.kind == "pixels"),
            table,
            given.optional("condition", lambda key: condition_from_json(given.record(key))),
            given.optional("bins", lambda key: given.whole(key, 2)),
            given.optional("blank", lambda key: _blank(given, key, layout.shape)),
            given.flag("counts", False),
            given.optional("stride", lambda key: given.whole(key, 1)),
            given.optional("channel_names", given.texts),
            given.optional("classes", lambda key: Classes.from_json(given, key)),
        )

    def _require_unit(self, reach: Extent) -> None:
        if reach.low < -_SLACK or reach.high > 1 + _SLACK:
            raise InputError(
                f"X lies in [{reach.low:g}, {reach.high:g}], but the model was trained on values in"
                " [0, 1]: scale it in the same way (uint8 pixels are scaled by themselves)."
            )

    def _scaling_of(self, dtype: np.dtype[Any], reach: Extent) -> Scaling:
        """The scaling of examples of a type: of pixels and of [0, 1] it does not matter which the
        model was trained on.
        """
        scaling = self.scaling
        if scaling.kind == "pixels":
            if dtype in PIXELS:
                return replace(scaling, scale=np.full(1, PIXELS[dtype]))
            return replace(scaling, kind="none", scale=np.ones(1))
        if self.counts:  # a 1 is a 1, as uint8 too
            return scaling
        is_image = self.spec.kind == "image" and self.spec.unit_range
        if scaling.kind == "none" and is_image and dtype in PIXELS and reach.high > 1:
            return replace(scaling, kind="pixels", scale=np.full(1, PIXELS[dtype]))
        return scaling


def _blank(given: Record, key: str, shape: Shape) -> np.ndarray:
    """What stands for missing values, ``(*shape)``."""
    blank = given.array(key)
    if blank.shape != shape:
        raise unusable(f"data.{key} of shape", blank.shape, str(shape))
    return blank.astype(np.float32)


def _require_examples(x: Any) -> None:
    if x.shape[0] == 0:
        raise InputError("X holds 0 examples: give at least one.")


def warn_of_long(frame: Any, reach: Extent) -> None:
    """Warn of whole numbers in a frame that float64 cannot tell from the next.

    Its types, which are slow to ask for, are looked at where its numbers reach so far.
    """
    if max(reach.high, -reach.low) >= EXACT:
        warn_of_large(frame)


def refuse_order(kind: Kind) -> None:
    """Refuse sparse rows where values have an order in time."""
    if kind in ("signal", "sequence"):
        raise InputError(
            f"kind={kind!r} takes no sparse X, whose rows are vectors or tables: pass X.toarray()."
        )
