"""The page of features: what each unit of a sparse code answers to, and what it adds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from isthmus.core import files
from isthmus.core.paths import as_path
from isthmus.data.datasets import Part
from isthmus.errors import InputError
from isthmus.estimators.fitted import FittedEstimator
from isthmus.figures._images import as_images, mosaic
from isthmus.metrics.dictionaries import FeatureTable, features
from isthmus.report._page import rendered
from isthmus.report._pictures import data_uri
from isthmus.version import __version__

_SHOWN = 60  # units with a card
_DENSE = 0.1  # of the examples: units that more of them use are named
_BINS = 30  # of the distributions over all units
_LEAST_SIDE = 56  # points of the screen that a picture takes
_NAMED = 40  # units in a list of numbers


@dataclass(frozen=True)
class Bars:
    """A small histogram: heights from 0 to 1, and the values at its ends, as text."""

    heights: list[float]
    low: str
    high: str


@dataclass(frozen=True)
class Card:
    """One unit on the page.

    Attributes:
        unit: its number.
        frequency, mean: how often and how much it is used, as text.
        neighbour: the unit whose direction is most like its own, and the cosine, as text.
        bars: how many examples use it how much.
        direction: what it adds, as a picture; empty where x is no image.
        pictures: the examples that use it most, as one picture; empty where they are no images.
        names: these examples in words, each with its activation.
    """

    unit: int
    frequency: str
    mean: str
    neighbour: str
    bars: Bars
    direction: str
    pictures: str
    names: list[tuple[str, str]]


def write_features(
    path: str | Path,
    model: FittedEstimator,
    X: Any,
    *,
    names: Sequence[str] | None = None,
    units: Sequence[int] | None = None,
    count: int = 8,
) -> FeatureTable:
    """Look at the units of a sparse code over examples, and write a page of them.

    The page is one file that needs nothing but itself. It shows how often units are used, dead and
    dense ones, how alike their directions are, and of each unit that is shown the examples that use
    it most, a histogram of its activations, and what it adds.

    Args:
        path: a name that ends in .html.
        model: a trained member whose code is at least 0, such as a ``DictionaryAE``.
        X: examples as ``transform`` takes them, a part of a data set, or a stream of activations.
        names: what each example is called, ``(n,)``: a word in its sentence, for activations of a
            language model; images are shown.
        units: the units to show, in this order; 60 spread from the most to the least frequent if
            none are given.
        count: how many examples are shown for each.

    Raises:
        InputError: for another ending, for names of another length, for units that there are not,
            and for codes that can be below 0.
    """
    path = as_path(path, "path")
    if path.suffix.lower() != ".html":
        raise InputError(f"{path} cannot be written: give a name that ends in .html.")
    x = X.x if isinstance(X, Part) else X
    if names is not None and len(names) != len(x):
        raise InputError(
            f"names holds {len(names)} names, X {len(x)} examples: give each example one."
        )
    found = features(model, x, count=count)
    shown = _chosen(found, units)
    page = rendered(
        "features.jinja",
        title=f"Features of {type(model).__name__}",
        premise=f"{len(found.frequency):,} units over {len(x):,} examples.",
        findings=_findings(found),
        frequencies=_frequencies(found),
        similarities=_similarities(found),
        dead=_listed(found.dead),
        dense=_listed(found.dense(_DENSE)),
        dense_share=f"{_DENSE:.0%}",
        order="From the most to the least frequent" if units is None else "Those asked for",
        cards=[_card(found, unit, model, x, names) for unit in shown],
        side=_LEAST_SIDE,
        version=__version__,
    )
    files.write_bytes(path, page.encode("utf-8", "backslashreplace"))
    return found


def _chosen(found: FeatureTable, units: Sequence[int] | None) -> list[int]:
    """The units that have a card, from the most to the least frequent where nobody says which."""
    total = len(found.frequency)
    if units is None:
        order = np.argsort(-found.frequency, kind="stable")
        alive = order[found.frequency[order] > 0]
        places = np.linspace(0, len(alive) - 1, min(_SHOWN, len(alive))).round().astype(int)
        return [int(unit) for unit in alive[places]]
    for unit in units:
        if not 0 <= unit < total:
            raise InputError(
                f"units holds {unit}, but the code has {total} units: give numbers from 0 to"
                f" {total - 1}."
            )
    return [int(unit) for unit in units]


def _findings(found: FeatureTable) -> str:
    dead, dense = len(found.dead), len(found.dense(_DENSE))
    alike = int(found.similarity.argmax())
    return (
        f"An example uses {found.active:.1f} units; {dead} are used by none, {dense} by more than"
        f" {_DENSE:.0%}; the two directions most alike, of {alike} and {found.nearest[alike]}, have"
        f" a cosine of {found.similarity[alike]:.2f}."
    )


def _frequencies(found: FeatureTable) -> Bars:
    """How many units are used how often, by the logarithm of the share."""
    alive = np.log10(found.frequency[found.frequency > 0])
    low = np.floor(alive.min(initial=-1.0))
    counts = np.histogram(alive, _BINS, (low, 0.0))[0]
    return Bars(_heights(counts), f"{100 * 10**low:g}%", "100%")


def _similarities(found: FeatureTable) -> Bars:
    counts = np.histogram(found.similarity.clip(0, 1), _BINS, (0.0, 1.0))[0]
    return Bars(_heights(counts), "0", "1")


def _heights(counts: np.ndarray) -> list[float]:
    return [float(each) for each in counts / max(counts.max(), 1)]


def _listed(units: np.ndarray) -> str:
    """Numbers of units, with how many more there are."""
    more = f" and {len(units) - _NAMED:,} more" if len(units) > _NAMED else ""
    return ", ".join(map(str, units[:_NAMED])) + more


def _card(
    found: FeatureTable, unit: int, model: FittedEstimator, x: Any, names: Sequence[str] | None
) -> Card:
    used = found.strongest[unit] > 0
    rows, values = found.top[unit][used], found.strongest[unit][used]
    is_image = model.preprocessor_.spec.kind == "image"
    words = [f"row {row}" if names is None else names[row] for row in rows]
    has_pictures = is_image and len(rows) > 0
    return Card(
        unit=unit,
        frequency=f"{found.frequency[unit]:.2%}",
        mean=f"{found.mean[unit]:.2f}",
        neighbour=f"{found.nearest[unit]} ({found.similarity[unit]:.2f})",
        bars=Bars(_heights(found.histogram[unit]), "0", f"{values.max(initial=0.0):.2f}"),
        direction=_direction(found.directions[unit], model) if is_image else "",
        pictures=_pictures(_images_of(model, x, rows)) if has_pictures else "",
        names=[]
        if has_pictures and names is None
        else [(word, f"{value:.2f}") for word, value in zip(words, values, strict=True)],
    )


def _images_of(model: FittedEstimator, x: Any, rows: np.ndarray) -> np.ndarray:
    """Some examples as images in [0, 1], on the scale of these examples where they have none."""
    some = np.asarray(x[rows])
    span = (0.0, 1.0)
    if not model.preprocessor_.spec.unit_range:
        span = (float(np.nanmin(some)), float(np.nanmax(some)))
    inside = model.preprocessor_.layout.transform(some)
    return as_images(inside, channels="first", span=span)


def _direction(direction: np.ndarray, model: FittedEstimator) -> str:
    """What a unit adds as a picture: white adds, black takes off; empty where it is no image."""
    shape = model.preprocessor_.spec.shape
    if direction.size != np.prod(shape):
        return ""
    reach = float(np.abs(direction).max()) or 1.0
    images = as_images(direction.reshape(1, *shape), channels="first", span=(-reach, reach))
    return _pictures(images)


def _pictures(images: np.ndarray) -> str:
    """Images beside each other as a data URI."""
    whole = mosaic(images, 1, len(images))
    buffer = io.BytesIO()
    Image.fromarray((255 * whole).round().astype(np.uint8)).save(buffer, "PNG")
    return data_uri(buffer.getvalue(), "png")
