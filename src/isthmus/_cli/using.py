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
    require_labels,
    rows_from,
    say,
    wrote,
)
from isthmus.core import declarations
from isthmus.core.fields import Field
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data import Data


def encode_command(
    run: Run,
    data: Input,
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".npy, .csv or .parquet")],
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    as_json: Json = False,
) -> None:
    """Write the codes of examples; of a run that was trained on windows, those of a series."""
    from isthmus._cli import exports

    exports.check_target(out, (exports.ARRAY, *exports.TABLES))
    model = open_run(run)
    if series.windows_of(model):
        examples = series.series_for(model, data, label)
    else:
        examples = examples_for(model, rows_from(data, data_dir, label, size), data)
    codes = model.transform(examples)
    exports.write_codes(out, codes, model.get_feature_names_out())
    wrote(out, codes, as_json)


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
    model, rows = open_run(run), rows_from(str(codes), None, None, None)
    told = condition_from(model, condition, needed=True)
    examples = model.inverse_transform(numbers_of(rows.x, str(codes)), **told)
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


def reconstruct_command(
    run: Run,
    data: Input,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help=".npy, .png; .csv or .parquet for a table")
    ],
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    condition: Condition = None,
    columns: Annotated[int, typer.Option(help="examples side by side in a picture", min=1)] = 10,
    as_json: Json = False,
) -> None:
    """Write reconstructions; a picture shows the first hundred, below their examples.

    A run that was trained on windows of a series rebuilds every step of one. A conditional member
    is told the labels of DATA. Under --condition it is told that while it decodes: the same style
    as another class.
    """
    from isthmus._cli import exports

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model = open_run(run)
    if series.windows_of(model):
        series.rebuild(model, data, label, out, as_json)
        return
    rows = rows_from(data, data_dir, label, size)
    if out.suffix.lower() == exports.PICTURE:
        rows = rows.first(100)
    told = condition_from(model, condition)
    examples = model.reconstruct(examples_for(model, rows, data, needed=not told), **told)
    if out.suffix.lower() == exports.PICTURE:
        from isthmus.figures import as_images

        exports.write_picture(
            out,
            exports.interleave(as_images(rows.x), as_images(examples), columns),
            columns,
        )
    else:
        exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


def denoise_command(
    run: Run,
    data: Input,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help=".npy, .png; .csv or .parquet for a table")
    ],
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    as_json: Json = False,
) -> None:
    """Write cleaned examples, by a denoising member."""
    from isthmus._cli import exports
    from isthmus.data.rows import with_columns

    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES))
    model, rows = open_run(run), rows_from(data, data_dir, label, size)
    if not hasattr(model, "denoise"):
        raise InputError(f"{type(model).__name__} does not clean examples: train 'denoising'.")
    examples = model.denoise(with_columns(rows.x, rows.columns))
    exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


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
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    window: Window = None,
    stride: Stride = None,
    as_json: Json = False,
    **values: Any,
) -> None:
    """Write how typical each example is, and which are outliers by the scores of DATA.

    A run that was trained on windows of a series (or --window) reads DATA as one, and judges every
    step.
    """
    from isthmus._cli import exports
    from isthmus.estimators.outliers import OutlierDetector, table

    exports.check_target(out, exports.TABLES)
    if figure is not None:
        exports.check_target(figure, exports.FIGURES)
    model = open_run(run)
    if cut := series.cut_by(model, window, stride):
        series.mark(model, data, label, cut, (out, figure), as_json, values)
        return
    rows = rows_from(data, data_dir, label, size)
    detector = OutlierDetector.from_run(model, **values).fit(examples_for(model, rows, data))
    found = table(detector, rows)
    exports.write_table(out, found)
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
    }
    say(text, result, as_json)


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
    as_json: Json = False,
) -> None:
    """Measure a run on a data set: reconstruction, likelihood, and what the codes are good for."""
    from isthmus import metrics
    from isthmus.data.datasets import condition_of

    model = open_run(run)
    loaded = data_from(data, data_dir, label, size, **series.windows_of(model))
    if condition_of(model) is not None:
        require_labels(loaded.test.y, data)
    measures = metrics.evaluate(model, loaded)
    lines = [
        f"{name:<16} {as_number(m.value, m.error):<22} {m.unit}" for name, m in measures.items()
    ]
    say("\n".join(lines), {name: vars(m) for name, m in measures.items()}, as_json)
