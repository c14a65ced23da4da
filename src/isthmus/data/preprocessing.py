"""What stands between arrays and model: layout, range and scaling, settled once, at ``fit``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.example import KINDS, SUPPORTS, ExampleSpec, Kind, Shape
from isthmus.core.parts import named
from isthmus.core.records import Record, unusable
from isthmus.data._grids import grid_of, no_count, off_grid
from isthmus.data._layout import (
    EXACT,
    Extent,
    Layout,
    as_numbers,
    extent,
    layout_of,
    warn_of_large,
)
from isthmus.data._scaling import PIXELS, Scaling, fit_columns, fit_scaling, support_of
from isthmus.data._sequences import lacks_steps, steps
from isthmus.data._statistics import blocks, is_sparse, moments
from isthmus.data._streamed import LaidOut, StreamStore, seen
from isthmus.data.batches import StoreBatches
from isthmus.data.columns import listed
from isthmus.data.conditions import Condition, condition_from_json
from isthmus.data.frames import is_frame
from isthmus.data.stores import ArrayStore, Store, kept
from isthmus.data.streams import Stream
from isthmus.data.tables import Table, as_frame, fit_table
from isthmus.errors import DataWarning, InputError
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

    def check_channels(self, names: tuple[str, ...] | None) -> None:
        """Refuse series whose columns are others, or in another order, than in training."""
        known = self.channel_names
        if known is None or names is None or names == known:
            return
        raise InputError(
            f"X holds windows of the columns {listed(names)}, but the model was trained on"
            f" {listed(known)}: cut a series with those, in that order."
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
            _refuse_order(self.spec.kind)
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
        _warn_of_long(frame, reach)
        return kept(numbers, self.layout, self.scaling, has_gaps=reach.has_gaps)

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
        return cls(
            ExampleSpec(kind, layout.shape, columns, support, missing),
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


def fit_preprocessor(
    x: Any,
    *,
    scaling: str,
    likelihood: LikelihoodPart | None = None,
    channels: str = "auto",
    image_shape: Shape | None = None,
    kind: Kind | None = None,
    columns: Mapping[str, str] | None = None,
    table_scaling: str = "standard",
    as_probabilities: bool = False,
) -> tuple[Preprocessor, Store]:
    """Settle kind, layout and scaling by training examples, an array, a frame or sparse rows; gives
    these as they are inside too.

    ``likelihood`` is the one that was asked for, None where the data decide. Sequences and signals
    may end in steps of NaN. Each feature of a sequence and each channel of a signal is scaled by
    itself, over all steps that are there, and so is each column of a table; ``columns`` says of
    which kind some are, and ``table_scaling`` what ``"auto"`` stands for there. Values in [0, 1]
    stay as they are under ``"auto"`` where they are meant ``as_probabilities``, or where the
    likelihood needs them there.
    """
    if kind is None and is_frame(x) and image_shape is None:
        kind = "table"
    if kind == "table" and isinstance(x, Stream):
        raise InputError(
            "kind='table' looks at whole columns, and takes no stream: leave kind out, so that rows"
            " are vectors of numbers, or read the table without stream=True."
        )
    if kind == "table" and not is_sparse(x):
        chosen = table_scaling if scaling == "auto" else scaling
        return _fit_table(x, chosen, likelihood, columns)
    if columns:
        raise InputError(
            f"columns={columns!r} says what the columns of a table are, but X is read as"
            f" {kind or 'an array'}: give a DataFrame, or pass kind='table'."
        )
    if not isinstance(x, Stream):
        x = as_numbers(x)
    kind, layout = layout_of(tuple(x.shape[1:]), channels, image_shape, kind)
    _require_two(x)
    values: Any
    inside: Any
    if isinstance(x, Stream):
        values, is_padded = seen(x, kind, layout, scaling), False
        inside = values
    elif is_sparse(x):
        _refuse_order(kind)
        inside = x if len(layout.shape) == 1 else x.reshape(-1, 1).tocsr()  # images: as a whole
        values, is_padded = inside, False
    else:
        inside = layout.transform(x)
        is_padded = lacks_steps(inside, kind)
        values = steps(inside, kind) if is_padded or kind == "sequence" else inside
    unscaled = ExampleSpec(kind, layout.shape)
    reach = extent(values, gaps=unscaled.may_lack_values)
    if reach.has_gaps and unscaled.may_lack_values:
        _say_empty(inside, reach)
    counts = likelihood is not None and likelihood.requires_counts
    if likelihood is not None and counts:
        scaling = _unscaled(scaling, likelihood)
    needs_unit = likelihood is not None and likelihood.accepts(unscaled) is not None
    if scaling == "auto" and (needs_unit or as_probabilities) and x.dtype not in PIXELS:
        scaling = "none" if reach.is_unit else scaling
    fitted = fit_scaling(scaling, values, reach, example=kind)
    support = support_of(inside, fitted, kind)
    spec = replace(unscaled, support=support, missing=reach.missing)
    _require_fit(likelihood, spec, reach)
    bins = None if likelihood is None else likelihood.required_bins
    unbounded = replace(spec, support="count" if counts else "real")
    is_bounded = likelihood is None or likelihood.accepts(unbounded) is not None
    is_picture = fitted.kind == "pixels" or (
        kind == "image" and fitted.kind == "none" and spec.unit_range
    )
    lacks = spec.may_lack_values and fitted.kind != "standard"
    blank = _mean_inside(values, fitted) if lacks else None
    strict = is_picture and is_bounded
    preprocessor = Preprocessor(spec, layout, fitted, strict, bins=bins, blank=blank, counts=counts)
    if isinstance(x, Stream):
        known = reach.has_gaps if isinstance(values, LaidOut) else None
        return preprocessor, preprocessor._streamed(x, False, known)
    return preprocessor, kept(x, layout, fitted, has_gaps=is_padded or reach.has_gaps)


def _say_empty(x: Any, reach: Extent) -> None:
    """Refuse examples without any value; warn of a column that has none, which teaches nothing."""
    if reach.missing == 1:
        raise InputError("X holds no value, only gaps: fill some in.")
    known = np.zeros(x.shape[1:], dtype=bool)
    for _, block in blocks(x):
        known |= ~np.isnan(block).all(axis=0)
    if not known.all():
        empty = np.flatnonzero(~known)
        warnings.warn(
            f"column {empty[0]} of X (from 0) holds no value, only gaps, and so do"
            f" {len(empty) - 1} more: leave such columns out.",
            DataWarning,
            stacklevel=2,
        )


def _mean_inside(x: Any, scaling: Scaling) -> np.ndarray:
    """The mean of training examples in the model's units, where no curve leads there."""
    mean = moments(x, 0)[0]
    return scaling.transform(mean[None])[0]


def _fit_table(
    x: Any, scaling: str, likelihood: LikelihoodPart | None, columns: Mapping[str, str] | None
) -> tuple[Preprocessor, Store]:
    frame = as_frame(x)
    _require_two(frame)
    table = replace(fit_table(frame, columns), from_frame=is_frame(x))
    numbers = table.encode(frame)
    reach = extent(numbers, gaps=True)
    _warn_of_long(frame, reach)
    count = sum(code.kind in ("number", "date") for code in table.codes)
    fitted = fit_columns(scaling, numbers, count)
    spec = ExampleSpec("table", (table.width,), table.columns, missing=reach.missing)
    _require_fit(likelihood, spec, reach)
    layout = Layout((len(table.names),), (table.width,), "table")
    inside = fitted.transform(numbers)
    preprocessor = Preprocessor(spec, layout, fitted, table=table, blank=np.nanmean(inside, axis=0))
    return preprocessor, ArrayStore(inside, has_gaps=reach.has_gaps)


def _warn_of_long(frame: Any, reach: Extent) -> None:
    """Warn of whole numbers in a frame that float64 cannot tell from the next.

    Its types, which are slow to ask for, are looked at where its numbers reach so far.
    """
    if max(reach.high, -reach.low) >= EXACT:
        warn_of_large(frame)


def _require_fit(likelihood: LikelihoodPart | None, spec: ExampleSpec, reach: Extent) -> None:
    """Refuse a likelihood that has no place for the values."""
    if likelihood is not None and (lack := likelihood.accepts(spec)) is not None:
        others = " or ".join(map(repr, that_fit(spec)))
        raise InputError(
            f"X lies in [{reach.low:g}, {reach.high:g}], but"
            f" likelihood={named(likelihood, LIKELIHOODS)!r} {lack}, or another likelihood"
            f" ({others})."
        )


def _unscaled(scaling: str, likelihood: LikelihoodPart) -> str:
    """The scaling of counts, which is none; another one is refused."""
    if scaling not in ("auto", "none"):
        raise InputError(
            f"scaling={scaling!r} leaves no counts, which"
            f" likelihood={named(likelihood, LIKELIHOODS)!r} needs: pass scaling='none' or 'auto'."
        )
    return "none"


def _require_examples(x: Any) -> None:
    if x.shape[0] == 0:
        raise InputError("X holds 0 examples: give at least one.")


def _require_two(x: Any) -> None:
    if x.shape[0] < 2:
        raise InputError(
            f"X holds {x.shape[0]} examples (n_samples = {x.shape[0]}): at least 2 are needed to"
            " train."
        )


def _refuse_order(kind: Kind) -> None:
    """Refuse sparse rows where values have an order in time."""
    if kind in ("signal", "sequence"):
        raise InputError(
            f"kind={kind!r} takes no sparse X, whose rows are vectors or tables: pass X.toarray()."
        )
