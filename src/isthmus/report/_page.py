"""The page of a comparison: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from inspect import signature
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from isthmus.core.declarations import first_paragraph
from isthmus.data.datasets import Data, Part
from isthmus.errors import InputError
from isthmus.explorer._explorer import safe
from isthmus.explorer._front import script, style
from isthmus.explorer._given import given, shown_examples
from isthmus.explorer._shown import Shown, lack_of
from isthmus.explorer._still import Still
from isthmus.registry import FIGURES
from isthmus.report import _verdict as verdict
from isthmus.report._commands import Request
from isthmus.report._entrants import unusual
from isthmus.report._listening import heard_in
from isthmus.report._pictures import POINTS, figure_data
from isthmus.report._table import Row, lines_of

PROBES = 1000
_READABLE = 0.82  # of its width, in which the text of a figure is still easy to read
_MOVING = {"evolution", "plane"}  # the planes at the head of the page show them
_LIVE = {"grid"}  # their map shows it, where they answer
_ALIKE = {"reconstructions"}  # of sounds, the spectrograms are those
_REFERENCE = {  # why PCA has no such picture
    "curves": "PCA is computed in one step: it has no epochs to draw.",
    "samples": "PCA has no prior over its codes, so there is nothing to sample from.",
    "explanation": "PCA stands here for comparison alone; only the members explain their errors.",
}
_NARROW = 5.0  # inches of a figure that can be read on a telephone
_WORDS = {
    "curves": (
        "Training curves",
        "Every term of the loss, epoch by epoch. The loss falls; a rate may rise, when codes come"
        " to say more about their examples.",
    ),
    "plane": (
        "Code plane",
        "Where each test example lies in the code: what lies close is alike to the model.",
    ),
    "grid": (
        "Decoded grid",
        "What the decoder makes of codes on a regular grid: a map of what the code can say.",
    ),
    "reconstructions": (
        "Reconstructions",
        "Test examples above, and below each what the decoder makes of its code.",
    ),
    "samples": (
        "Samples",
        "New examples: codes drawn from the prior, decoded. This needs a model that has a prior.",
    ),
    "spectrograms": (
        "Spectrograms",
        "Test sounds above, and below each what the decoder makes of its code: how loud each"
        " frequency is, on the scale of the ear.",
    ),
    "waveforms": (
        "Waveforms",
        "The same sounds as waves, from the least to the greatest value at every moment.",
    ),
    "walk": (
        "A walk through the code",
        "From one example to another, in equal steps along the straight line between their codes.",
    ),
    "outliers": (
        "Outliers",
        "The test examples that the model rebuilds worst, and those that it rebuilds best.",
    ),
    "explanation": (
        "What makes them strange",
        "The same worst examples, and how much each pixel or column adds to the error.",
    ),
}


@dataclass(frozen=True)
class PageCell:
    """One figure of one model: the picture as a data URI, or the reason why there is none.

    Attributes:
        label: what the page calls the model.
        picture: the data URI.
        width: points of the screen that it takes at the most.
        note: the reason.
        narrow: the same for a narrow screen, where the picture could not be read.
    """

    label: str
    picture: str = ""
    width: int = 0
    note: str = ""
    narrow: str = ""


@dataclass(frozen=True)
class Section:
    """One kind of figure of all models."""

    kind: str
    title: str
    text: str
    cells: tuple[PageCell, ...]

    @property
    def width(self) -> int:
        """Points of the screen that a column needs, so that the widest picture can be read."""
        return round(_READABLE * max(cell.width for cell in self.cells))


def page_of(rows: Sequence[Row], data: Data, request: Request, versions: dict[str, str]) -> str:
    """The HTML of a comparison."""
    planes = _planes(rows, data)
    heard = heard_in(rows, data)
    left_out = _MOVING | (_LIVE if planes["shape"] else set()) | (_ALIKE if heard else set())
    return rendered(
        "page.jinja",
        title=verdict.heading(rows, data),
        premise=verdict.premise(rows, data),
        findings=verdict.findings(rows, data),
        starts=verdict.starts(rows),
        rows=rows,
        lines=lines_of(rows),
        planes=planes,
        given=Markup(safe(planes)),
        sections=sections_of(rows, data, left_out),
        heard=heard,
        settings=_settings(rows),
        request=request,
        versions=versions,
        data=data,
        script=Markup(script()),
    )


def _planes(rows: Sequence[Row], data: Data) -> dict[str, Any]:
    """What the planes of all models are given: those of images answer, where the page can."""
    part = shown_examples(data, [row.model for row in rows])
    return given(_alike([_shown(row, part, data) for row in rows], part, data), part, data)


def _shown(row: Row, part: Part, data: Data) -> Shown | Still:
    if (why := lack_of(row.model)) is None:
        shown = Shown(row.label, row.model, part)
        if (why := shown.lack) is None:
            return shown
    return Still(row.label, row.model, part, data, f"{why}.")


def _alike(shown: Sequence[Shown | Still], part: Part, data: Data) -> list[Shown | Still]:
    """The same; those that answer are of one shape, that of the first of them."""
    shape = next((one.shape for one in shown if isinstance(one, Shown)), None)
    why = f"it reads images of another shape than {shape}."
    return [
        Still(one.label, one.model, part, data, why)
        if isinstance(one, Shown) and one.shape != shape
        else one
        for one in shown
    ]


def rendered(template: str, **values: Any) -> str:
    """A page of ours, with the style that all share."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # The page's own files, which hold nothing of anybody else's, must not be escaped.
    own = Markup(_own("page.css") + style())
    return environment.from_string(_own(template)).render(style=own, **values)


def sections_of(rows: Sequence[Row], data: Data, left_out: Collection[str]) -> list[Section]:
    """Every registered figure of every model, kind by kind, but for some; empty kinds are left
    out.
    """
    sections = []
    for kind in FIGURES:
        cells = tuple(_cell(kind, row, data) for row in rows) if kind not in left_out else ()
        if any(cell.picture for cell in cells):
            title, text = _WORDS.get(
                kind, (kind.replace("_", " ").capitalize(), _summary(FIGURES[kind]))
            )
            sections.append(Section(kind, title, text, cells))
    return sections


def _cell(kind: str, row: Row, data: Data) -> PageCell:
    if row.run is None and kind in _REFERENCE:
        return PageCell(row.label, note=_REFERENCE[kind])
    draw = FIGURES[kind]
    untitled = {"title": ""} if "title" in signature(draw).parameters else {}
    try:
        figure: Figure = draw(row.model, data, **untitled)
    except InputError as error:
        return PageCell(row.label, note=str(error))
    narrow = ""
    if kind == "curves" and figure.get_figwidth() > _NARROW:
        narrow = figure_data(draw(row.model, data, columns=1, **untitled))
    width = round(figure.get_figwidth() * POINTS)
    return PageCell(row.label, figure_data(figure), width, narrow=narrow)


def _settings(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """The fields that differ from their defaults in any model, with each one's value, if any."""
    names = dict.fromkeys(name for row in rows for name in unusual(row.model))
    return [
        (name, [_word(row.fields[name]) if name in row.fields else "" for row in rows])
        for name in names
    ]


def _word(value: Any) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else "none"
        if value is None
        else str(value)
    )


def _summary(function: Any) -> str:
    return first_paragraph(function.__doc__)


def _own(name: str) -> str:
    return resources("isthmus.report").joinpath(name).read_text(encoding="utf-8")
