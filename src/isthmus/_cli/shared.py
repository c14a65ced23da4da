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


def data_from(source: str, data_dir: Path | None, label: str | None, size: int | None) -> Data:
    """A data set in two parts."""
    from isthmus.data import load

    return load(source, data_dir=data_dir, label=label, size=size)


def rows_from(source: str, data_dir: Path | None, label: str | None, size: int | None) -> Rows:
    """All rows of a path in their own order; of a named data set, the test part."""
    from isthmus.data import read
    from isthmus.data.rows import Rows

    if source in DATA:
        test = data_from(source, data_dir, label, size)
        return Rows(test.test.x, test.test.y, test.classes, test.columns)
    return read(source, data_dir=data_dir, label=label, size=size)


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
