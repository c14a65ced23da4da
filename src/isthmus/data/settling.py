"""Kind, layout and scaling, settled by the training examples."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isthmus.core.example import ExampleSpec, Kind, Shape
from isthmus.core.parts import named
from isthmus.data._layout import (
    Extent,
    Layout,
    as_numbers,
    extent,
    layout_of,
)
from isthmus.data._scaling import (
    PIXELS,
    Scaling,
    chosen_scaling,
    fit_columns,
    fit_scaling,
    support_of,
)
from isthmus.data._sequences import lacks_steps, steps
from isthmus.data._statistics import blocks, is_sparse, moments
from isthmus.data._streamed import LaidOut, seen
from isthmus.data.frames import is_frame
from isthmus.data.preprocessing import Preprocessor, refuse_order, warn_of_long
from isthmus.data.stores import ArrayStore, Store, kept
from isthmus.data.streams import Stream
from isthmus.data.table_fitting import fit_table
from isthmus.data.tables import as_frame
from isthmus.errors import DataWarning, InputError
from isthmus.likelihoods.base import LikelihoodPart, that_fit
from isthmus.registry import LIKELIHOODS


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
    vector_scaling: str = "standard",
    as_probabilities: bool = False,
    sample_rate: int | None = None,
) -> tuple[Preprocessor, Store]:
    """Settle kind, layout and scaling by training examples, an array, a frame or sparse rows; gives
    these as they are inside too.

    ``likelihood`` is the one that was asked for, None where the data decide. Sequences and signals
    may end in steps of NaN. Each feature of a sequence and each channel of a signal is scaled by
    itself, over all steps that are there, and so is each column of a table; ``columns`` says of
    which kind some are, and ``table_scaling`` what ``"auto"`` stands for there; of rows of numbers
    that would be standardised it stands for ``vector_scaling``. Values in [0, 1] stay as they are
    under ``"auto"`` where they are meant ``as_probabilities``, or where the likelihood needs them
    there. Signals with a ``sample_rate`` are sound, which ``"auto"`` divides
    by its root mean square: silence stays 0, and the channels keep how loud they are.
    """
    if kind is None and is_frame(x) and image_shape is None:
        kind = "table"
    if kind == "table" and not isinstance(x, Stream) and not is_sparse(x):
        chosen = table_scaling if scaling == "auto" else scaling
        return _fit_table(x, chosen, likelihood, columns)
    _refuse_columns(x, kind, columns)
    if not isinstance(x, Stream):
        x = as_numbers(x)
    kind, layout = layout_of(tuple(x.shape[1:]), channels, image_shape, kind)
    _require_two(x)
    looked = _looked_at(x, kind, layout, scaling)
    unscaled = ExampleSpec(kind, layout.shape, sample_rate=sample_rate)
    reach = extent(looked.values, gaps=unscaled.may_lack_values)
    if reach.has_gaps and unscaled.may_lack_values:
        _say_empty(looked.inside, reach)
    if likelihood is not None and likelihood.requires_counts:
        scaling = _unscaled(scaling, likelihood)
    needs_unit = likelihood is not None and likelihood.accepts(unscaled) is not None
    if scaling == "auto" and sample_rate is not None and not needs_unit:
        scaling = "rms"
    if scaling == "auto" and (needs_unit or as_probabilities) and x.dtype not in PIXELS:
        scaling = "none" if reach.is_unit else scaling
    if scaling == "auto":
        scaling = chosen_scaling(looked.values, reach, kind)
        scaling = vector_scaling if (kind, scaling) == ("vector", "standard") else scaling
    fitted = fit_scaling(scaling, looked.values, reach, example=kind)
    support = support_of(looked.inside, fitted, kind)
    spec = replace(unscaled, support=support, missing=reach.missing)
    _require_fit(likelihood, spec, reach)
    preprocessor = _preprocessor(spec, layout, fitted, likelihood, looked)
    if isinstance(x, Stream):
        known = reach.has_gaps if isinstance(looked.values, LaidOut) else None
        return preprocessor, preprocessor._streamed(x, False, known)
    return preprocessor, kept(x, layout, fitted, has_gaps=looked.is_padded or reach.has_gaps)


def _refuse_columns(x: Any, kind: Kind | None, columns: Mapping[str, str] | None) -> None:
    """Refuse to take for a table what has no columns that one could look at."""
    if kind == "table" and isinstance(x, Stream):
        raise InputError(
            "kind='table' looks at whole columns, and takes no stream: leave kind out, so that rows"
            " are vectors of numbers, or read the table without stream=True."
        )
    if columns:
        raise InputError(
            f"columns={columns!r} says what the columns of a table are, but X is read as"
            f" {kind or 'an array'}: give a DataFrame, or pass kind='table'."
        )


@dataclass(frozen=True)
class _Looked:
    """Examples as they are looked at: ``inside``, in the model's layout; ``values``, those that are
    scaled; ``is_padded``, whether sequences end in steps that are not there.
    """

    inside: Any
    values: Any
    is_padded: bool


def _looked_at(x: Any, kind: Kind, layout: Layout, scaling: str) -> _Looked:
    if isinstance(x, Stream):
        values = seen(x, kind, layout, scaling)
        return _Looked(values, values, False)
    if is_sparse(x):
        refuse_order(kind)
        flat = x if len(layout.shape) == 1 else x.reshape(-1, 1).tocsr()  # images: as a whole
        return _Looked(flat, flat, False)
    inside = layout.transform(x)
    is_padded = lacks_steps(inside, kind)
    values = steps(inside, kind) if is_padded or kind == "sequence" else inside
    return _Looked(inside, values, is_padded)


def _preprocessor(
    spec: ExampleSpec,
    layout: Layout,
    scaling: Scaling,
    likelihood: LikelihoodPart | None,
    looked: _Looked,
) -> Preprocessor:
    """What lets such examples in; strict where they are pictures, and the likelihood has no place
    for values outside [0, 1].
    """
    counts = likelihood is not None and likelihood.requires_counts
    unbounded = replace(spec, support="count" if counts else "real")
    is_bounded = likelihood is None or likelihood.accepts(unbounded) is not None
    is_picture = scaling.kind == "pixels" or (
        spec.kind == "image" and scaling.kind == "none" and spec.unit_range
    )
    lacks = spec.may_lack_values and scaling.kind != "standard"
    return Preprocessor(
        spec,
        layout,
        scaling,
        strict=is_picture and is_bounded,
        bins=None if likelihood is None else likelihood.required_bins,
        blank=_mean_inside(looked.values, scaling) if lacks else None,
        counts=counts,
    )


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
    warn_of_long(frame, reach)
    count = sum(code.kind in ("number", "date") for code in table.codes)
    fitted = fit_columns(scaling, numbers, count)
    spec = ExampleSpec("table", (table.width,), table.columns, missing=reach.missing)
    _require_fit(likelihood, spec, reach)
    layout = Layout((len(table.names),), (table.width,), "table")
    inside = fitted.transform(numbers)
    preprocessor = Preprocessor(spec, layout, fitted, table=table, blank=np.nanmean(inside, axis=0))
    return preprocessor, ArrayStore(inside, has_gaps=reach.has_gaps)


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


def _require_two(x: Any) -> None:
    if x.shape[0] < 2:
        raise InputError(
            f"X holds {x.shape[0]} examples (n_samples = {x.shape[0]}): at least 2 are needed to"
            " train."
        )
