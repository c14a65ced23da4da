"""The command that draws figures and films."""

from __future__ import annotations

import io
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli import series
from isthmus._cli.shared import (
    DataDir,
    Json,
    Label,
    Out,
    Overwrite,
    Size,
    Skip,
    Source,
    data_from,
    open_run_or_detector,
    options_of,
    say,
)
from isthmus.errors import InputError
from isthmus.registry import FIGURES

if TYPE_CHECKING:
    from isthmus.data import Data

_FILM = "evolution"  # the figure that can move


def draw_command(
    figure: Annotated[
        str, typer.Argument(metavar="FIGURE", help=f"which one: {', '.join(FIGURES)}")
    ],
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help="trained runs; several for one film of evolution"),
    ],
    data: Source,
    out: Out,
    title: Annotated[str | None, typer.Option(help="a title of your own")] = None,
    points: Annotated[int | None, typer.Option(help="plane: examples, at most", min=1)] = None,
    tiles: Annotated[bool, typer.Option("--tiles", help="plane: tiles under the points")] = False,
    side: Annotated[int | None, typer.Option(help="grid: codes along an axis", min=1)] = None,
    low: Annotated[
        str | None, typer.Option(help="grid: first code along each axis: 0.05, or -2,0")
    ] = None,
    high: Annotated[str | None, typer.Option(help="grid: last code along each axis")] = None,
    rows: Annotated[int | None, typer.Option(help="rows of samples or styles", min=1)] = None,
    columns: Annotated[int | None, typer.Option(help="examples side by side", min=1)] = None,
    steps: Annotated[int | None, typer.Option(help="walk: codes on the way", min=2)] = None,
    guesses: Annotated[
        bool, typer.Option("--guesses", help="denoising_path: what the denoiser expects")
    ] = False,
    frames: Annotated[int | None, typer.Option(help="pictures of a film", min=2)] = None,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Draw a figure of a trained run: .png, .svg or .pdf; its training as a film: .gif or .mp4.

    A film of several runs shows them side by side, at the same epoch.
    """
    from isthmus._cli import exports
    from isthmus.figures import evolution_gif

    is_film = figure == _FILM and out.suffix.lower() not in exports.FIGURES
    draw = evolution_gif if is_film else FIGURES[figure]
    exports.check_target(
        out, (*exports.FIGURES, *((".gif", ".mp4") if figure == _FILM else ())), overwrite
    )
    given = {
        "title": title,
        "points": points,
        "tiles": tiles or None,
        "side": side,
        "low": _edge("--low", low),
        "high": _edge("--high", high),
        "rows": rows,
        "columns": columns,
        "steps": steps,
        "guesses": guesses or None,
        "frames": frames,
    }
    asked = _of(figure, draw, {name: value for name, value in given.items() if value is not None})
    if len(runs) > 1 and not is_film:
        raise InputError(
            f"{figure} shows one run, and {len(runs)} are named: name one, or make a film of them:"
            f" isthmus draw {_FILM} … --out FILE.gif."
        )
    models = {_name(run): open_run_or_detector(run) for run in runs}
    first = next(iter(models.values()))
    if figure == _FILM:
        _require_snapshots(models)
    loaded = _loaded(data, first, **options_of(data_dir, label, size, skip_unreadable))
    if is_film:
        evolution_gif(models if len(models) > 1 else first, loaded, out, **asked)
    else:
        _write(out, draw(first, loaded, **asked))
    say(f"{out}: {figure} of {', '.join(models)}", {"out": out, "figure": figure}, as_json)


def _of(figure: str, draw: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a figure; one that it does not have is refused."""
    known = signature(draw).parameters
    for name in given:
        if name not in known:
            own = [f"--{option}" for option in known if option in _OPTIONS]
            raise InputError(f"--{name} is no option of {figure}, which has {', '.join(own)}.")
    return given


def _require_snapshots(models: Mapping[str, Any]) -> None:
    for name, model in models.items():
        if not getattr(model, "snapshots_", None):
            raise InputError(
                f"{name} kept no moments of its training, which {_FILM} shows: train it with"
                " --snapshots 8."
            )


_OPTIONS = (
    "title",
    "points",
    "tiles",
    "side",
    "low",
    "high",
    "rows",
    "columns",
    "steps",
    "guesses",
    "frames",
)


def _edge(option: str, text: str | None) -> float | tuple[float, ...] | None:
    """A number, or one for each axis."""
    if text is None:
        return None
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        raise InputError(
            f"{option} {text!r} is no edge of a grid: give a number, or one for each axis, such as"
            " -2,0."
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _name(run: Path) -> str:
    return run.name.removeprefix("pretrained:")


def _loaded(source: str, model: Any, **options: Any) -> Data:
    member = getattr(model, "member_", model)
    return data_from(source, member, **options, **series.windows_of(member))


def _write(out: Path, figure: Any) -> None:
    from isthmus.core.files import write_bytes

    buffer = io.BytesIO()
    figure.savefig(buffer, format=out.suffix[1:].lower())
    write_bytes(out, buffer.getvalue())
