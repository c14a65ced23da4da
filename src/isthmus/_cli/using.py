"""Commands that use a trained member."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli import series, sounds
from isthmus._cli.shared import (
    Condition,
    DataDir,
    Input,
    Json,
    Label,
    Overlap,
    Overwrite,
    Run,
    Size,
    Skip,
    Tiles,
    columns_of,
    condition_from,
    examples_for,
    open_run,
    options_of,
    rows_from,
    wrote,
    wrote_images,
)
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus._cli.pictures import Target
    from isthmus.data import Rows


def encode_command(
    run: Run,
    data: Input,
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .csv or .parquet")],
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the codes of examples; of images, beside the names of their files.

    Of a run that was trained on windows, those of a series.
    """
    from isthmus._cli import exports

    exports.check_target(out, (exports.ARRAY, *exports.TABLES), overwrite)
    if out.suffix.lower() == exports.ARRAY:
        exports.refuse_existing(exports.names_beside(out), overwrite)
    model = open_run(run)
    if series.windows_of(model):
        codes = model.transform(series.series_for(model, data, label))
        exports.write_codes(out, codes, model.get_feature_names_out())
        wrote(out, codes, as_json)
        return
    rows = rows_from(data, model, **options_of(data_dir, label, size, skip_unreadable))
    codes = model.transform(examples_for(model, rows, data))
    exports.write_codes(out, codes, model.get_feature_names_out(), rows.files)
    wrote(out, codes, as_json, rows.unread)


def decode_command(
    run: Run,
    codes: Annotated[
        Path, typer.Argument(metavar="CODES", help="a .npy, .csv or .parquet file of codes")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help=".npy, .png; .csv or .parquet for rows of a table")
    ],
    condition: Condition = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write what the decoder makes of codes."""
    from isthmus._cli import exports
    from isthmus.data.frames import numbers_of

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES), overwrite)
    model, rows = open_run(run), rows_from(str(codes))
    told = condition_from(model, condition, needed=True)
    examples = model.inverse_transform(numbers_of(rows.x, str(codes)), **told)
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


Restored = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        help=".npy, .png; .csv or .parquet for a table; a folder for images or sounds, each under"
        " its name",
    ),
]


def reconstruct_command(
    run: Run,
    data: Input,
    out: Restored,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    tiles: Tiles = False,
    overlap: Overlap = None,
    condition: Condition = None,
    columns: Annotated[
        int | None, typer.Option(help="examples side by side in a picture; 10 if not given", min=1)
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write reconstructions; a picture shows the first hundred, below their examples.

    A photograph becomes a photograph and a sound a sound; of a folder of either into another, every
    one. With --tiles photographs keep their size, whatever that is. A run that was trained on
    windows of a series rebuilds every step of one. A conditional member is told the labels of DATA.
    Under --condition it is told that while it decodes: the same style as another class.
    """
    from isthmus._cli import exports, pictures

    model, options = open_run(run), options_of(data_dir, label, size, skip_unreadable)
    tiled = pictures.tiled(model, data, out, tiles=tiles, overlap=overlap)
    if series.windows_of(model):
        series.rebuild(model, data, label, out, overwrite, as_json)
        return
    if sounds.sound_target(data, out) is not None:
        told = condition_from(model, condition)
        _restore_sounds(model, data, out, "reconstruct", told, options, overwrite, as_json)
        return
    target = _checked_target(data, out, columns, overwrite)
    told = condition_from(model, condition)

    def restore(rows: Rows) -> Any:
        if tiled is not None:
            return tiled.reconstruct(rows.x, **told)
        return model.reconstruct(examples_for(model, rows, data, needed=not told), **told)

    if target != "file":
        found = pictures.restore_images(
            *(model, data, out, restore),
            command="reconstruct",
            overwrite=overwrite,
            tiled=tiles,
            **options,
        )
        wrote_images(found, as_json)
        return
    rows = rows_from(data, model, **options)
    is_picture = out.suffix.lower() == exports.PICTURE
    rows = rows.first(100) if is_picture else rows
    examples = restore(rows)
    if is_picture:
        from isthmus.figures import as_images

        originals, per_row = as_images(rows.x), columns or 10
        beside = exports.interleave(originals, as_images(examples), per_row)
        exports.write_picture(out, beside, per_row)
    else:
        exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json, rows.unread)


def denoise_command(
    run: Run,
    data: Input,
    out: Restored,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    tiles: Tiles = False,
    overlap: Overlap = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write cleaned examples, by a denoising member; of a folder of images or of sounds, every one.

    With --tiles photographs keep their size, whatever that is.
    """
    from isthmus._cli import exports, pictures
    from isthmus.data.rows import with_columns

    are_sounds = sounds.sound_target(data, out) is not None
    target = "folder" if are_sounds else _checked_target(data, out, None, overwrite)
    model, options = open_run(run), options_of(data_dir, label, size, skip_unreadable)
    tiled = pictures.tiled(model, data, out, tiles=tiles, overlap=overlap)
    if not hasattr(model, "denoise"):
        raise InputError(f"{type(model).__name__} does not clean examples: train 'denoising'.")
    if are_sounds:
        _restore_sounds(model, data, out, "denoise", {}, options, overwrite, as_json)
        return

    def restore(rows: Rows) -> Any:
        if tiled is not None:
            return tiled.denoise(rows.x)
        return model.denoise(with_columns(rows.x, rows.columns))

    if target != "file":
        found = pictures.restore_images(
            *(model, data, out, restore),
            command="denoise",
            overwrite=overwrite,
            tiled=tiles,
            **options,
        )
        wrote_images(found, as_json)
        return
    rows = rows_from(data, model, **options)
    examples = restore(rows)
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json, rows.unread)


def impute_command(
    run: Run,
    data: Input,
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy; .csv or .parquet for a table")],
    data_dir: DataDir = None,
    label: Label = None,
    condition: Condition = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write examples with their missing values filled in; all others stay as they are."""
    from isthmus._cli import exports

    exports.check_target(out, (exports.ARRAY, *exports.TABLES), overwrite)
    model = open_run(run)
    if series.windows_of(model):
        raise InputError(
            f"{run} was trained on windows of a series, in which nothing may be missing, so that it"
            " fills in nothing: interpolate the series."
        )
    rows = rows_from(data, model, **options_of(data_dir, label, None, False))
    told = condition_from(model, condition)
    examples = model.impute(examples_for(model, rows, data, needed=not told), **told)
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


def _restore_sounds(
    model: Any,
    data: str,
    out: Path,
    command: str,
    told: dict[str, Any],
    options: dict[str, Any],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write what is made of sounds."""
    for name in ("data_dir", "label", "size"):
        if name in options:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} means nothing for {data}, which is sound: leave it out.")
    sounds.restore_sounds(
        model,
        data,
        out,
        command=command,
        told=told,
        overwrite=overwrite,
        skip_unreadable="skip_unreadable" in options,
        as_json=as_json,
    )


def _checked_target(data: str, out: Path, columns: int | None, overwrite: bool) -> Target:
    """What is to be written; refused where it cannot be, or where an option says nothing of it."""
    from isthmus._cli import exports, pictures
    from isthmus.data._reading import require_source

    target = pictures.target_of(data, out)
    if target == "file":
        if not out.suffix:  # a folder, as it would be of images
            require_source(data)
        endings = (exports.ARRAY, exports.PICTURE, *exports.TABLES)
        exports.check_target(out, endings, overwrite, or_folder=True)
    elif target == "picture":
        exports.refuse_existing(out, overwrite)
    is_grid = target == "file" and out.suffix.lower() == exports.PICTURE
    if columns is not None and not is_grid:
        raise InputError(
            f"--columns {columns} is for a picture of many examples, not for {out}: leave it out."
        )
    return target
