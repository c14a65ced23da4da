"""What commands share: their common arguments, how they read, and what they print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.core import declarations
from isthmus.errors import InputError
from isthmus.registry import DATA, Registry

if TYPE_CHECKING:
    import numpy as np

    from isthmus.data import Data
    from isthmus.data.rows import Rows

SOURCES = f"{', '.join(DATA)}; or a .npy, .npz, .csv, .parquet file, or a folder of images"
Source = Annotated[str, typer.Option("--data", help=SOURCES)]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="folder that holds the standard files of a named data set"),
]
Label = Annotated[
    str | None, typer.Option("--label", help="the column of a table that holds the classes")
]
Size = Annotated[
    int | None,
    typer.Option("--size", help="height and width to which the images of a folder are brought"),
]
Condition = Annotated[
    str | None,
    typer.Option(
        "--condition",
        help="what a conditional member is told of the examples: a label, or covariates with commas"
        " between",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        help="read a file as one long series, a step in each row, in windows of so many steps",
        min=1,
    ),
]
Stride = Annotated[
    int | None, typer.Option("--stride", help="steps from one window to the next", min=1)
]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="the folder of a trained member, or pretrained:NAME")
]
Input = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="a file, a folder of images, or the name of a data set (its test part)"
    ),
]
Out = Annotated[Path, typer.Option("--out", help="where to write")]


def described(registry: Registry, name: str) -> str:
    """What something registered is; of a broken package's, what is wrong with it."""
    try:
        return declarations.describe(registry.target(name))
    except InputError as error:
        return str(error)


def data_from(
    source: str, data_dir: Path | None, label: str | None, size: int | None, **cut: Any
) -> Data:
    """A data set in two parts; ``cut``, how a series becomes windows."""
    from isthmus.data import load

    return load(source, data_dir=data_dir, label=label, size=size, **cut)


def rows_from(source: str, data_dir: Path | None, label: str | None, size: int | None) -> Rows:
    """All rows of a path in their own order; of a named data set, the test part."""
    from isthmus.data import read
    from isthmus.data.rows import Rows

    if source in DATA:
        test = data_from(source, data_dir, label, size)
        return Rows(test.test.x, test.test.y, test.classes, test.columns)
    return read(source, data_dir=data_dir, label=label, size=size)


def examples_for(model: Any, rows: Rows, source: str, *, needed: bool = True) -> Any:
    """Rows as a member takes them, with the names of their columns.

    For a conditional member with their labels, which it must be told where they are ``needed``.
    """
    from isthmus.data.datasets import Part, condition_of
    from isthmus.data.rows import with_columns

    x = with_columns(rows.x, rows.columns)
    if condition_of(model) is None:
        return x
    if needed:
        require_labels(rows.y, source)
    return Part(x, rows.y, rows.classes)


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
    if known is None:
        raise InputError(
            f"--condition {text} means nothing to this {type(model).__name__}, which was trained"
            " without one: leave it out, or train with --condition label."
        )
    return {"condition": text if isinstance(known, LabelCondition) else _covariates(text, known)}


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
    """The member that a run holds."""
    from isthmus.io import runs

    return runs.load_run(run)


def columns_of(model: Any) -> list[str] | None:
    """The names of the columns that a member was trained on, if it was a table."""
    return list(model.feature_names_in_) if hasattr(model, "feature_names_in_") else None


def say(text: str, result: Mapping[str, Any], as_json: bool) -> None:
    """Print a text, or the same as JSON."""
    print(json.dumps(result, indent=2, default=str) if as_json else text)


def wrote(out: Path, values: np.ndarray, as_json: bool) -> None:
    """Say what was written, and of which shape."""
    say(
        f"{out}: {' × '.join(map(str, values.shape))}", {"out": out, "shape": values.shape}, as_json
    )


def listing(lines: Mapping[str, Any]) -> str:
    """Names and values, a line each."""
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def as_number(value: float, error: float | None) -> str:
    """A number with its error, if it has one."""
    return f"{value:.4g}" if error is None else f"{value:.4g} ± {error:.2g}"
