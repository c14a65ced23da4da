"""What commands share: their common arguments, how they read, and what they print."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.core import declarations
from isthmus.core.wording import printable, printable_lines
from isthmus.errors import InputError
from isthmus.registry import DATA, Registry

if TYPE_CHECKING:
    import numpy as np

    from isthmus.data import Data
    from isthmus.data.rows import Rows

SOURCES = (
    f"{', '.join(DATA)}; or a .npy, .npz, .h5, .zarr, .csv, .tsv, .parquet file, a sound, or a"
    " folder of images or of sounds"
)
Source = Annotated[str, typer.Option("--data", help=SOURCES)]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="folder that holds the standard files of a named data set"),
]
Label = Annotated[
    str | None, typer.Option("--label", help="the column of a table that holds the classes")
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="PIXELS",
        help="height and width to which images are brought, such as 64 or 48,64; a run knows its"
        " own",
    ),
]
Skip = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable", help="leave out images and sounds that cannot be read, and list them"
    ),
]
Stream = Annotated[
    bool,
    typer.Option(
        "--stream", help="read the examples batch by batch, where they are larger than memory"
    ),
]
Tiles = Annotated[
    bool,
    typer.Option(
        "--tiles", help="photographs keep their size, and are worked on in overlapping tiles"
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        "--overlap",
        metavar="PIXELS",
        help="pixels that neighbouring --tiles share where they are blended; half a tile if not"
        " given",
        min=0,
    ),
]
Condition = Annotated[
    str | None,
    typer.Option(
        "--condition",
        help="what a conditional member is told of the examples: a label, or covariates with commas"
        " between; of a table, cells that new rows have: column=value,…",
    ),
]
Window = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="STEPS",
        help="read a file as one long series, a step in each row, in windows of so many steps; of"
        " sounds also seconds, with a point: 1.0",
    ),
]
Stride = Annotated[
    str | None,
    typer.Option(
        "--stride",
        metavar="STEPS",
        help="steps, or seconds of sounds, from one window to the next",
    ),
]
SampleRate = Annotated[
    int | None,
    typer.Option(
        "--sample-rate", metavar="HZ", help="steps a second to which sounds are resampled", min=1
    ),
]
Mono = Annotated[bool, typer.Option("--mono", help="mix the channels of sounds down to one")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="the folder of a trained member, pretrained:NAME or hub:USER/NAME"
    ),
]
Input = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="a file, an image or a sound, a folder of them, or the name of a data set (its test"
        " part)",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="where to write")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="replace files that are there already")
]


def described(registry: Registry, name: str) -> str:
    """What something registered is; of a broken package's, what is wrong with it."""
    try:
        return declarations.describe(registry.target(name))
    except InputError as error:
        return str(error)


def data_from(source: str, like: Any = None, **options: Any) -> Data:
    """A data set in two parts, read with options that :func:`options_of` made.

    What a run, ``like``, is used on is brought to its size. Further options say how a series
    becomes windows.
    """
    from isthmus.data import load

    data = load(source, like=like, **options)
    _tell(data.notes)
    return data


def trained_on(run: Path, like: Any, data: str | None, given: Mapping[str, Any]) -> Data:
    """The data that are given, or else those that the run says it was trained on.

    ``like`` is the member that the run holds, or None where it is a new one.
    """
    if data is not None:
        return data_from(data, like, **given)
    known = getattr(like, "source_", None)
    if known is None:
        raise InputError(
            f"{run} does not say what it was trained on: pass --data, and --label or --size, as"
            " they were for train."
        )
    return data_from(**{**known, **given, "like": like})


def rows_from(source: str, like: Any = None, **options: Any) -> Rows:
    """All rows of a path in their own order; of a named data set, the test part."""
    from isthmus.data import read
    from isthmus.data.rows import Rows

    if source in DATA:
        test = data_from(source, **options)
        return Rows(test.test.x, test.test.y, test.classes, test.columns)
    rows = read(source, like=like, **options)
    _tell(rows.notes)
    return rows


def options_of(
    data_dir: Path | None, label: str | None, size: str | None, skip_unreadable: bool
) -> dict[str, Any]:
    """How data are to be read, as arguments of :func:`isthmus.data.load`; what is given alone."""
    given = {
        "data_dir": data_dir,
        "label": label,
        "size": None if size is None else _size(size),
        "skip_unreadable": skip_unreadable or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def sound_options(sample_rate: int | None, mono: bool) -> dict[str, Any]:
    """How sounds are to be read, as arguments of :func:`isthmus.data.load`; what is given alone."""
    given = {"sample_rate": sample_rate, "mono": mono or None}
    return {name: value for name, value in given.items() if value is not None}


def steps_or_seconds(text: str | None, flag: str) -> int | float | None:
    """What an option says of steps: a whole number of them, or seconds, which have a point."""
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        value = int(text) if text.strip().isdigit() else float(text)
        if 0 < value < math.inf:
            return value
    raise InputError(
        f"{flag} {text!r} is not usable: give steps, a whole number from 1 up, or seconds of sounds"
        " with a point, such as 1.0."
    )


def _size(text: str) -> int | tuple[int, ...]:
    """``64``, or ``48,64`` for a height and a width; messages write ``48x64``, which is as good."""
    words = text.lower().replace("x", ",").split(",")
    try:
        sides = tuple(int(word) for word in words)
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2) or min(sides) < 1:
        raise InputError(
            f"--size {text!r} is not usable: give a number of pixels, or a height and a width, such"
            " as 48,64."
        )
    return sides[0] if len(sides) == 1 else sides


def _tell(notes: Sequence[str]) -> None:
    """Say on stderr what was recognised in a source."""
    for note in notes:
        print(f"isthmus: {printable(note)}", file=sys.stderr)


def examples_for(model: Any, rows: Rows, source: str, *, needed: bool = True) -> Any:
    """Rows as a member takes them, with the names of their columns.

    For a conditional member with their labels, which it must be told where they are ``needed``.
    """
    from isthmus.data.datasets import Part, condition_of
    from isthmus.data.rows import with_columns

    x: Any = with_columns(rows.x, rows.columns) if rows.sounds is None else rows.sounds
    if condition_of(model) is None:
        return x
    if needed:
        require_labels(rows.y, source)
    return x if rows.sounds is not None else Part(x, rows.y, rows.classes)


def require_labels(labels: Any, source: str) -> None:
    """Refuse data that say nothing of what a conditional member is told."""
    if labels is None:
        raise InputError(
            f"{source} has no labels, which a conditional member must be told: name the column that"
            " holds them with --label, or give a data set that has some."
        )


def condition_from(model: Any, text: str | None, *, needed: bool = False) -> dict[str, Any]:
    """What ``--condition`` says, as an argument; nothing where it is not given.

    That is refused where a conditional member cannot do without: where it is ``needed``.
    """
    from isthmus.data.conditions import LabelCondition
    from isthmus.data.datasets import condition_of

    known = condition_of(model)
    if text is None and known is not None and needed:
        raise InputError(
            f"this {type(model).__name__} was trained with --condition {model.condition}: say with"
            " --condition what it is to be told of the examples."
        )
    if text is None:
        return {}
    if known is None and model.preprocessor_.table is not None:
        return {"condition": _cells(text)}
    if known is None:
        raise InputError(
            f"--condition {text} means nothing to this {type(model).__name__}, which was trained"
            " without one: leave it out, or train with --condition label."
        )
    return {"condition": text if isinstance(known, LabelCondition) else _covariates(text, known)}


def _cells(text: str) -> dict[str, str]:
    """Cells of a table, of ``column=value,column=value``."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise InputError(
            f"--condition {text!r} is not usable: say what new rows hold, as column=value, with"
            " commas between."
        )
    return {name.strip(): value.strip() for name, _, value in pairs}


def _covariates(text: str, known: Any) -> list[float]:
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = []
    if len(values) != known.size:
        raise InputError(
            f"--condition {text!r} is not usable: give as many numbers as this run knows"
            f" covariates, {known.size}, with commas between."
        )
    return values


def open_run(run: Path) -> Any:
    """The member that a run holds; a detector is refused."""
    model = open_run_or_detector(run)
    if not hasattr(model, "transform"):
        raise InputError(
            f"{run} holds a detector, of which isthmus outliers makes use: name one of its members,"
            f" such as {run / 'member-0'}."
        )
    return model


def open_run_or_detector(run: Path) -> Any:
    """The member or the detector that a folder holds."""
    from isthmus.io import runs

    return runs.load_run(run)


def columns_of(model: Any) -> list[str] | None:
    """The names of the columns that a member was trained on, if it was a table."""
    return list(model.feature_names_in_) if hasattr(model, "feature_names_in_") else None


def say(text: str, result: Mapping[str, Any], as_json: bool) -> None:
    """Print a text, or the same as JSON."""
    print(json.dumps(result, indent=2, default=str) if as_json else printable_lines(text))


def wrote(out: Path, values: np.ndarray, as_json: bool, unread: Sequence[str] = ()) -> None:
    """Say what was written, and of which shape; and which files could not be read."""
    result = {"out": out, "shape": values.shape, **({"unread": unread} if unread else {})}
    say(f"{out}: {' × '.join(map(str, values.shape))}", result, as_json)


def wrote_images(found: Mapping[str, Any], as_json: bool) -> None:
    """Say how many images were written, and of which shape, where they share one."""
    images = f"{found['images']} image{'s' * (found['images'] > 1)}"
    size = f" of {' × '.join(map(str, found['shape']))}" if "shape" in found else ""
    say(f"{found['out']}: {images}{size}", found, as_json)


def listing(lines: Mapping[str, Any]) -> str:
    """Names and values, a line each."""
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def as_number(value: float, error: float | None) -> str:
    """A number with its error, if it has one."""
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.2g}"
