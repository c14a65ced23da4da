"""The code plane: where a model puts the examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from sklearn.decomposition import PCA

from isthmus.core.counts import require_count
from isthmus.core.latent_grid import BOXES, latent_grid, plane_box, plane_space
from isthmus.data.datasets import (
    Data,
    Part,
    condition_of,
    known_of,
    named_for,
    require_data,
    typical_of,
)
from isthmus.data.frames import is_frame
from isthmus.errors import InputError
from isthmus.figures._classes import (
    NO_CLASSES,
    ClassColours,
    class_ticks,
    classes_of,
    colours_of,
    legend,
)
from isthmus.figures._style import (
    INK,
    PALETTE,
    QUIET,
    bare,
    figure_title,
    head,
    label,
    new_figure,
    quiet,
    shortened,
    trim,
)
from isthmus.figures._tiles import tiles_for

POINTS = 3000
_SIDE = 15  # tiles along an axis
_VEIL = 0.4  # of white over tiles, so that points stand out


def plane(
    model: Any,
    data: Data,
    *,
    points: int = POINTS,
    tiles: bool = False,
    title: str | None = None,
) -> Figure:
    """The codes of test examples, coloured by label; two principal components of longer codes.

    Args:
        model: a fitted model with ``transform``.
        data: what it was trained on; the training part stands in where the test part is empty.
        points: how many examples are shown at most, drawn with a fixed seed.
        tiles: whether what the decoder makes of the codes lies under the points, each tile where
            its code is; as in :func:`~isthmus.figures.grid`, which covers the same part of the
            plane. It needs ``inverse_transform``.
        title: a title of your own; an empty one leaves it out.
    """
    require_count("points", points)
    part = shown(data, points)
    codes = codes_of(model, part, data)
    flat = codes.reshape(len(codes), -1)
    classes, projection = classes_of(data), project(flat)
    figure = new_figure(5.6, 4.6 if flat.shape[1] > 1 else 3.4)
    axes = figure.subplots()
    if flat.shape[1] == 1:
        _draw_line(axes, flat[:, 0], part.y, classes)
    else:
        cloud = draw_points(axes, projection(flat), colours_of(classes, part.y, len(part)))
        legend(axes, classes if part.y is not None else NO_CLASSES)
    frame(axes, projection(flat), space_of(model), flat.shape[1])
    if tiles:
        _lay_tiles(axes, model, data, codes)
        if flat.shape[1] > 1:
            cloud.set(alpha=1, linewidth=0.4, edgecolor="white")
    label(axes, *projection.labels, *["examples"] * (flat.shape[1] == 1 and part.y is None))
    what = f"codes of {len(part):,} {kind_of(data)} examples{told_of(model) if tiles else ''}"
    head(axes, figure_title(title, model, data.name, what))
    return trim(figure)


@dataclass(frozen=True)
class Projection:
    """From codes ``(n, latent_dim)`` to the one or two dimensions of a picture.

    Attributes:
        names: what the axes of the picture are.
        shares: the share of the variance of each axis, or None where the code itself is drawn.
        labels: the names, with the shares.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...] | None
    pca: PCA | None

    @property
    def labels(self) -> tuple[str, ...]:
        if self.shares is None:
            return self.names
        return tuple(
            f"{name} ({share:.0%} of the variance)"
            for name, share in zip(self.names, self.shares, strict=True)
        )

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """``(n, latent_dim)`` to ``(n, 1 or 2)``."""
        return codes[:, :2] if self.pca is None else self.pca.transform(codes)


def project(codes: np.ndarray) -> Projection:
    """How codes ``(n, latent_dim)`` come onto paper, as :func:`latent_grid` lays it out."""
    dimensions = codes.shape[1]
    if dimensions <= 2 or len(codes) <= 2:
        return Projection(("$z_1$", "$z_2$")[:dimensions], None, None)
    # codes that are all the same have no variance to share
    with np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(2).set_output(transform="default").fit(codes)
    shares = tuple(np.nan_to_num(pca.explained_variance_ratio_).tolist())
    return Projection(
        (f"PC 1 of the {dimensions}-d code", f"PC 2 of the {dimensions}-d code"), shares, pca
    )


def shown(data: Data, points: int = POINTS) -> Part:
    """The examples that figures show: at most ``points``, of the test part unless it is empty."""
    require_data(data)
    part = data.test if len(data.test) else data.train
    if len(part) <= points:
        return part
    return part.take(np.sort(np.random.default_rng(0).choice(len(part), points, replace=False)))


def kind_of(data: Data) -> str:
    """Which examples figures show, in words."""
    return "test" if len(data.test) else "training"


def codes_of(model: Any, part: Part, data: Data) -> np.ndarray:
    """The codes of examples of a part of a data set, ``(n, *code_shape)``."""
    if not hasattr(model, "transform"):
        raise InputError(
            f"{type(model).__name__} has no transform, so it has no codes to draw: give a fitted"
            " model."
        )
    encode = getattr(model, "codes", model.transform)
    return np.asarray(encode(named_for(model, part.x, data), **known_of(model, part)))


def decoded_by(model: Any, codes: np.ndarray) -> np.ndarray:
    """What a model makes of codes ``(n, *code_shape)``, under its commonest condition if any.

    Rows of a table are the numbers that its cells are inside.
    """
    decode = getattr(model, "decode", model.inverse_transform)
    found = decode(codes, **typical_of(model))
    return model.preprocessor_.table.encode(found) if is_frame(found) else np.asarray(found)


def told_of(model: Any) -> str:
    """What a conditional model is told while it decodes a picture, in words; of others nothing.

    Between a 9 and a 4 lies no 3: a picture of a single class must say which it is.
    """
    known = condition_of(model)
    if known is None:
        return ""
    told = known.typical
    return f", decoded as {shortened(told)}" if isinstance(told, str) else ", at mean covariates"


def space_of(model: Any) -> str:
    """Where the codes of a model live; anywhere, if it does not say."""
    return str(getattr(model, "code_space", "data"))


def draw_points(
    axes: Axes, points: np.ndarray, colours: np.ndarray, size: float | None = None
) -> PathCollection:
    """A cloud of points ``(n, 2)``, in the order of the data, so that no class hides another."""
    quiet(axes)
    size = float(np.clip(6000 / len(points), 4, 16)) if size is None else size
    # As pixels, even in a vector file: thousands of circles would make it large and slow.
    return axes.scatter(
        points[:, 0], points[:, 1], s=size, c=colours, alpha=0.85, linewidths=0, rasterized=True
    )


def frame(axes: Axes, points: np.ndarray, space: str, dimensions: int) -> None:
    """Limits around points ``(n, 1 or 2)``: a bounded code's box, a prior's equal scales."""
    points = points[:, :dimensions]  # the height of a one-dimensional code means nothing
    space = plane_space(space, dimensions)
    low, high = plane_box(space, points)
    if space in BOXES:
        for cloud in axes.collections:
            cloud.set_clip_on(False)  # a point on the edge stays whole
    axes.set_xlim(low[0], high[0])
    if dimensions > 1:
        axes.set_ylim(low[1], high[1])
        axes.set_box_aspect(1)


def _lay_tiles(axes: Axes, model: Any, data: Data, codes: np.ndarray) -> None:
    """Lay what the decoder makes of the plane under the points, veiled."""
    tiles, shape = tiles_for(model, data), codes.shape[1:]
    lattice = latent_grid(space_of(model), codes, _SIDE)
    decoded = decoded_by(model, lattice.codes.reshape(-1, *shape))
    under = axes.inset_axes((0, 0, 1, 1), zorder=0)
    bare(under)
    drawn = tiles.draw(under, decoded, lattice.rows, lattice.columns)
    if isinstance(drawn, AxesImage):
        shades = np.asarray(drawn.get_array())
        if shades.ndim == 2 and shades.mean() < 0.5:
            drawn.set_cmap("gray_r")  # points are read on light paper
    under.set(xlim=(0, lattice.columns), ylim=(lattice.rows, 0), aspect="auto")
    under.axvspan(0, lattice.columns, color="white", alpha=_VEIL, linewidth=0)
    axes.set_facecolor("none")
    axes.set_zorder(1)
    if lattice.rows > 1:
        axes.set_box_aspect(tiles.aspect)


def _draw_line(axes: Axes, codes: np.ndarray, y: np.ndarray | None, classes: ClassColours) -> None:
    """One-dimensional codes: a histogram, or, with labels, a strip of points for every class."""
    quiet(axes)
    if y is None:
        axes.hist(codes, bins="auto", color=PALETTE[0], edgecolor="white", linewidth=0.5)
        return
    # spread, so that points do not hide each other
    heights = y + np.random.default_rng(0).uniform(-0.32, 0.32, len(y))
    axes.scatter(
        codes,
        heights,
        s=5,
        c=colours_of(classes, y, len(y)),
        alpha=0.85,
        linewidths=0,
        rasterized=True,
    )
    axes.set_yticks(*class_ticks(classes))
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, colors=QUIET, labelcolor=INK)
