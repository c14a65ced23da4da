"""Commands that use a trained member."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli import series
from isthmus._cli.options import SEED
from isthmus._cli.shared import (
    Condition,
    DataDir,
    Input,
    Json,
    Label,
    Run,
    Size,
    Skip,
    Source,
    Stride,
    Window,
    as_number,
    columns_of,
    condition_from,
    data_from,
    examples_for,
    listing,
    open_run,
    open_run_or_detector,
    options_of,
    require_labels,
    rows_from,
    say,
    wrote,
    wrote_images,
)
from isthmus.core import declarations
from isthmus.core.fields import Field
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus._cli.pictures import Target
    from isthmus.data import Data, Rows


def encode_command(
    run: Run,
    data: Input,
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .csv or .parquet")],
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    as_json: Json = False,
) -> None:
    """Write the codes of examples; of images, beside the names of their files.

    Of a run that was trained on windows, those of a series.
    """
    from isthmus._cli import exports

    exports.check_target(out, (exports.ARRAY, *exports.TABLES))
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
    as_json: Json = False,
) -> None:
    """Write what the decoder makes of codes."""
    from isthmus._cli import exports
    from isthmus.data.frames import numbers_of

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model, rows = open_run(run), rows_from(str(codes))
    told = condition_from(model, condition, needed=True)
    examples = model.inverse_transform(numbers_of(rows.x, str(codes)), **told)
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


Restored = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        help=".npy, .png; .csv or .parquet for a table; a folder for images, each under its name",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="write into a folder that holds other files")
]


def reconstruct_command(
    run: Run,
    data: Input,
    out: Restored,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    condition: Condition = None,
    columns: Annotated[
        int | None, typer.Option(help="examples side by side in a picture; 10 if not given", min=1)
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write reconstructions; a picture shows the first hundred, below their examples.

    A photograph becomes a photograph; of a folder of images into another, every one. A run that was
    trained on windows of a series rebuilds every step of one. A conditional member is told the
    labels of DATA. Under --condition it is told that while it decodes: the same style as another
    class.
    """
    from isthmus._cli import exports, pictures

    model, options = open_run(run), options_of(data_dir, label, size, skip_unreadable)
    if series.windows_of(model):
        series.rebuild(model, data, label, out, as_json)
        return
    target = _checked_target(data, out, columns, overwrite)
    told = condition_from(model, condition)

    def restore(rows: Rows) -> Any:
        return model.reconstruct(examples_for(model, rows, data, needed=not told), **told)

    if target != "file":
        found = pictures.restore_images(
            *(model, data, out, restore), command="reconstruct", overwrite=overwrite, **options
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
        tiles = exports.interleave(originals, as_images(examples), per_row)
        exports.write_picture(out, tiles, per_row)
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
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write cleaned examples, by a denoising member; of a folder of images, every one."""
    from isthmus._cli import exports, pictures
    from isthmus.data.rows import with_columns

    target = _checked_target(data, out, None, overwrite)
    model, options = open_run(run), options_of(data_dir, label, size, skip_unreadable)
    if not hasattr(model, "denoise"):
        raise InputError(f"{type(model).__name__} does not clean examples: train 'denoising'.")

    def restore(rows: Rows) -> Any:
        return model.denoise(with_columns(rows.x, rows.columns))

    if target != "file":
        found = pictures.restore_images(
            *(model, data, out, restore), command="denoise", overwrite=overwrite, **options
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
    as_json: Json = False,
) -> None:
    """Write examples with their missing values filled in; all others stay as they are."""
    from isthmus._cli import exports

    exports.check_target(out, (exports.ARRAY, *exports.TABLES))
    model = open_run(run)
    rows = rows_from(data, model, **options_of(data_dir, label, None, False))
    told = condition_from(model, condition)
    examples = model.impute(examples_for(model, rows, data, needed=not told), **told)
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


def _checked_target(data: str, out: Path, columns: int | None, overwrite: bool) -> Target:
    """What is to be written; refused where it cannot be, or where an option says nothing of it."""
    from isthmus._cli import exports, pictures

    target = pictures.target_of(data, out)
    if target == "file":
        endings = (exports.ARRAY, exports.PICTURE, *exports.TABLES)
        exports.check_target(out, endings, or_folder=True)
    is_grid = target == "file" and out.suffix.lower() == exports.PICTURE
    if columns is not None and not is_grid:
        raise InputError(
            f"--columns {columns} is for a picture of many examples, not for {out}: leave it out."
        )
    if overwrite and target != "folder":
        raise InputError(
            f"--overwrite is for a folder of images; {out} is replaced anyway: leave it out."
        )
    return target


def sample_command(
    run: Run,
    out: Annotated[
        Path, typer.Option("--out", help=".npy, .png; .csv or .parquet for rows of a table")
    ],
    n: Annotated[int, typer.Option("-n", help="how many", min=1)] = 64,
    label: Annotated[
        str | None, typer.Option(help="the class to draw, where the prior was fitted with labels")
    ] = None,
    condition: Condition = None,
    temperature: Annotated[
        float, typer.Option(help="below 1: closer to what is most likely", min=0)
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="the same seed gives the same samples", min=0)] = SEED,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="also measure a synthetic table: .html for a page, or .json"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="the real table to measure by; the run's own if not given"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write new examples, drawn from the prior and decoded.

    Under --report they are measured beside the real table: how alike its columns are and how they
    depend on each other, what learners gain from them, and whether they are copies.
    """
    from isthmus._cli import exports
    from isthmus.data.conditions import CovariateCondition
    from isthmus.data.datasets import condition_of
    from isthmus.data.rows import with_columns

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    if report is not None:
        exports.check_target(report, exports.REPORTS)
    elif data is not None:
        raise InputError(f"--data {data} is what --report measures by: give --report, or neither.")
    model = open_run(run)
    real = None if report is None else _real_table(model, run, data)
    is_numbers = isinstance(condition_of(model), CovariateCondition)  # they cannot be drawn
    told = condition_from(model, condition, needed=is_numbers)
    examples = model.sample(n, label=label, temperature=temperature, random_state=seed, **told)
    exports.write_examples(out, examples, columns_of(model))
    if report is not None and real is not None:
        quality = exports.write_report(
            report, with_columns(examples, columns_of(model)), real, seed
        )
        values = {name: measure.value for name, measure in quality.measures.items()}
        lines = {m.title: as_number(m.value, m.error) for m in quality.measures.values()}
        shape = {"out": out, "shape": examples.shape, "report": report, "measures": values}
        say(f"{out}: {len(examples)} rows; {report}:\n{listing(lines)}", shape, as_json)
    else:
        wrote(out, examples, as_json)


def _real_table(model: Any, run: Path, data: str | None) -> Data:
    """The table that a run was trained on, or the one that is named, in two parts."""
    from isthmus.data import load

    source = model.source_ if data is None else {"source": data}
    if columns_of(model) is None:
        raise InputError(
            f"--report measures tables, and {run} was not trained on one: leave it out."
        )
    if source is None:
        raise InputError(
            f"{run} does not say what it was trained on: name the real table with --data."
        )
    return load(**source)


def outliers_command(
    run: Run,
    data: Input,
    out: Annotated[Path, typer.Option("--out", help=".csv or .parquet")],
    figure: Annotated[
        Path | None, typer.Option("--figure", help="also draw the extremes: .png, .svg or .pdf")
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            "--explain", help="also write what each value adds to the cost: .csv, .parquet or .npy"
        ),
    ] = None,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    window: Window = None,
    stride: Stride = None,
    as_json: Json = False,
    **values: Any,
) -> None:
    """Write how typical each example is, and which are outliers by the scores of DATA.

    RUN may be a detector that was saved: it brings its own threshold and criterion. A run that was
    trained on windows of a series (or --window) reads DATA as one, and judges every step.
    """
    from isthmus._cli import exports
    from isthmus.estimators.outliers import OutlierDetector, table

    exports.check_target(out, exports.TABLES)
    if figure is not None:
        exports.check_target(figure, exports.FIGURES)
    if explain is not None:
        exports.check_target(explain, (*exports.TABLES, exports.ARRAY))
    model = open_run_or_detector(run)
    is_settled = isinstance(model, OutlierDetector)
    member = model.member_ if is_settled else model
    if not is_settled and (cut := series.cut_by(model, window, stride)):
        series.mark(model, data, label, cut, (out, figure), as_json, values)
        return
    rows = rows_from(data, member, **options_of(data_dir, label, size, skip_unreadable))
    x = examples_for(member, rows, data)
    if is_settled:
        detector = model
        _refuse_settled(run, detector, values)
    else:
        detector = OutlierDetector.from_run(model, **values).fit(x)
    found = table(detector, rows, detector.score_samples(x))
    exports.write_table(out, found)
    if explain is not None:
        exports.write_shares(explain, detector.explain(x), columns_of(member))
    if figure is not None:
        exports.write_extremes(figure, detector, rows, Path(data).name)
    count, least = int(found["outlier"].sum()), int(found["rank"].argmin())
    name = f" ({rows.files[least]})" if rows.files else ""
    text = (
        f"{out}: {count} of {len(rows)} examples score below {detector.offset_:.4g}; the least"
        f" typical is row {least}{name}"
    )
    result = {
        "out": out,
        "examples": len(rows),
        "outliers": count,
        "threshold": detector.offset_,
        "least_typical": least,
        **({"unread": rows.unread} if rows.unread else {}),
    }
    say(text, result, as_json)


def _refuse_settled(run: Path, detector: Any, values: dict[str, Any]) -> None:
    """Refuse an option that a saved detector has settled already, in another way."""
    for name, value in values.items():
        if value not in ("auto", getattr(detector, name)):
            raise InputError(
                f"--{name} {value}: the detector at {run} was fitted with {name}"
                f" {getattr(detector, name)}: leave it out, or name the run of a member, such as"
                f" {run / 'member-0'}."
            )


def judging() -> dict[str, Field]:
    """What a detector lets one choose of a member that is trained already."""
    declared = declarations.read("isthmus.estimators.outliers:OutlierDetector")
    return {
        name: replace(declared[name], owner="What counts as an outlier")
        for name in ("contamination", "criterion")
    }


def evaluate_command(
    run: Run,
    data: Source,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    as_json: Json = False,
) -> None:
    """Measure a run on a data set: reconstruction, likelihood, and what the codes are good for."""
    from isthmus import metrics
    from isthmus.data.datasets import condition_of

    model = open_run(run)
    options = options_of(data_dir, label, size, skip_unreadable)
    loaded = data_from(data, model, **options, **series.windows_of(model))
    if condition_of(model) is not None:
        require_labels(loaded.test.y, data)
    measures = metrics.evaluate(model, loaded)
    lines = [
        f"{name:<16} {as_number(m.value, m.error):<22} {m.unit}" for name, m in measures.items()
    ]
    say("\n".join(lines), {name: vars(m) for name, m in measures.items()}, as_json)
