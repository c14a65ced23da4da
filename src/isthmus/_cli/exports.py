"""Codes and examples on the disk: arrays, tables and picture grids, by the file's ending."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from isthmus.core.files import remove_parts, storing, write_bytes
from isthmus.core.wording import printable
from isthmus.data._formulas import marked
from isthmus.data.datasets import Data, Part
from isthmus.data.frames import Values, is_frame, numbers_of
from isthmus.data.rows import Rows, with_columns
from isthmus.errors import InputError, missing_extra

if TYPE_CHECKING:
    from pandas import DataFrame

    from isthmus.data.steps import StepScores
    from isthmus.estimators.outliers import OutlierDetector
    from isthmus.metrics import TableQuality

ARRAY, TABLES, PICTURE = ".npy", (".csv", ".parquet"), ".png"
SOUNDS = (".wav", ".flac")  # as which samples are written unchanged
FIGURES, REPORTS = (PICTURE, ".svg", ".pdf"), (".html", ".json")


def check_target(
    path: Path, endings: Sequence[str], overwrite: bool, *, or_folder: bool = False
) -> None:
    """Refuse a file that cannot be written, before anything is computed for it.

    One that is there already may be replaced where that is asked for. ``or_folder`` where images
    from files could go into a folder.
    """
    if path.is_dir() and not or_folder:
        raise InputError(f"{path} is a folder: give the name of a file ({', '.join(endings)}).")
    if path.suffix.lower() not in endings:
        folder = "; or, for images from files, a folder" if or_folder else ""
        raise InputError(
            f"{path} cannot be written: give a name that ends in {', '.join(endings)}{folder}."
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the name of a file.")
    refuse_existing(path, overwrite)
    remove_parts(path)


def endings_of(model: Any) -> tuple[str, ...]:
    """How names of files end that hold the examples of a member, as arrays and otherwise."""
    spec, layout = model.preprocessor_.spec, model.preprocessor_.layout
    found: tuple[str, ...] = (*SOUNDS, ARRAY) if spec.sample_rate is not None else (ARRAY,)
    found += (PICTURE,) if spec.kind == "image" else ()
    return found + (TABLES if len(layout.outer) == 1 else ())


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file that nobody asked to replace."""
    if os.path.lexists(path) and not overwrite:
        raise InputError(
            f"{path} exists: choose another name, or pass --overwrite to replace it; nothing was"
            " written."
        )


def names_beside(path: Path) -> Path:
    """The text beside an array of codes that says of which files they are."""
    return path.with_suffix(".files.txt")


def write_codes(
    path: Path, codes: np.ndarray, names: Sequence[str], files: Sequence[str] | None = None
) -> None:
    """Write codes ``(n, latent_dim)`` as an array, or a table with one named column a dimension.

    Codes of images that come from ``files`` say which: in a first column, or, beside an array, in a
    text of its name, a line each.
    """
    if path.suffix.lower() == ARRAY:
        beside = names_beside(path)
        with storing(beside):  # it tells of codes that will no longer be there
            beside.unlink(missing_ok=True)
        write_array(path, codes)
        if files is not None:
            write_bytes(beside, "".join(f"{printable(name)}\n" for name in files).encode())
        return
    first = {} if files is None else {"file": list(map(printable, files))}
    columns = dict(zip(names, codes.reshape(len(codes), -1).T, strict=True))
    write_table(path, first | columns)


def write_array(path: Path, values: np.ndarray) -> None:
    """Write an array as ``.npy``."""
    write_bytes(path, array_bytes(values))


def array_bytes(values: np.ndarray) -> bytes:
    """An array as a file ``.npy`` holds it."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def write_table(path: Path, columns: dict[str, Any] | DataFrame) -> None:
    """Write named columns, or a data frame, as ``.csv`` or ``.parquet``."""
    try:
        import pandas as pd
    except ImportError as error:
        raise missing_extra("pandas", "tables", f"writing {path.name}") from error
    frame, buffer = pd.DataFrame(columns), io.BytesIO()
    if path.suffix.lower() == ".csv":
        marked(frame).to_csv(buffer, index=False)
    else:
        frame.to_parquet(buffer, index=False)
    write_bytes(path, buffer.getvalue())


def write_examples(
    path: Path, x: Values, columns: Sequence[str] | None = None, per_row: int | None = None
) -> None:
    """Write examples as an array, a grid of pictures or, where they are rows, a table."""
    kind = path.suffix.lower()
    if is_frame(x) and kind in TABLES:
        write_table(path, cast("DataFrame", x))
        return
    x = numbers_of(x)
    if kind == ARRAY:
        write_array(path, x)
    elif kind == PICTURE:
        write_picture(path, x, per_row or math.ceil(math.sqrt(len(x))))
    elif x.ndim == 2:
        write_table(
            path, dict(zip(columns or [f"x{i}" for i in range(x.shape[1])], x.T, strict=True))
        )
    else:
        raise InputError(
            f"{path} cannot hold examples of shape {x.shape[1:]}: give a name that ends in .npy or"
            " .png."
        )


def write_picture(path: Path, x: np.ndarray, per_row: int, least: int = 640) -> None:
    """Write images as one PNG, ``per_row`` side by side, enlarged to about ``least`` pixels.

    They are enlarged in whole steps.
    """
    from PIL import Image

    from isthmus.figures import as_images, mosaic

    picture = mosaic(as_images(x), math.ceil(len(x) / per_row), per_row)
    pixels = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    factor = max(1, round(least / pixels.shape[1]))
    pixels = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    write_bytes(path, buffer.getvalue())


def write_extremes(path: Path, detector: OutlierDetector, rows: Rows, name: str) -> None:
    """Write the figure of the least and the most typical of some rows."""
    from isthmus.figures import outliers

    part, buffer = Part(rows.x, rows.y), io.BytesIO()
    figure = outliers(detector, Data(name, part, part, rows.classes, rows.columns))
    figure.savefig(buffer, format=path.suffix[1:].lower())
    write_bytes(path, buffer.getvalue())


def write_report(path: Path, synthetic: DataFrame, real: Data, seed: int) -> TableQuality:
    """Write how good a synthetic table is beside the real one that a model learnt from."""
    from isthmus.report import write_quality

    train, test = (
        # the real table may hold its classes too
        with_columns(part.x, real.columns).filter(items=list(synthetic.columns))
        for part in (real.train, real.test)
    )
    held_out = test if len(test) else None
    return write_quality(path, train, synthetic, held_out, name=real.name, random_state=seed)


def write_shares(path: Path, shares: Any, columns: Sequence[str] | None = None) -> None:
    """Write what each value of the examples adds to the cost: an array as it is, a table with a
    column a value, in the order of its axes.
    """
    if path.suffix.lower() == ARRAY:
        write_array(path, np.asarray(shares))
        return
    flat = np.asarray(shares).reshape(len(shares), -1)
    names = columns or ["x" + "_".join(map(str, place)) for place in np.ndindex(shares.shape[1:])]
    write_table(path, dict(zip(names, flat.T, strict=True)))


def write_steps(path: Path, found: StepScores, name: str) -> None:
    """Write the figure of a long series with its unusual stretches."""
    from isthmus.figures import series_outliers

    nothing, buffer = Part(np.empty((0, 1))), io.BytesIO()
    figure = series_outliers(found, Data(name, nothing, nothing))
    figure.savefig(buffer, format=path.suffix[1:].lower())
    write_bytes(path, buffer.getvalue())


def interleave(originals: np.ndarray, reconstructions: np.ndarray, per_row: int) -> np.ndarray:
    """A row of originals, one of their reconstructions, and so on, for ``per_row`` columns."""
    rows = range(0, len(originals), per_row)
    return np.concatenate(
        [part[i : i + per_row] for i in rows for part in (originals, reconstructions)]
    )
