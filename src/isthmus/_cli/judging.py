"""Commands that judge: what is an outlier, how good a run is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli import series
from isthmus._cli.shared import (
    DataDir,
    Input,
    Json,
    Label,
    Overwrite,
    Run,
    Size,
    Skip,
    Source,
    Stride,
    Window,
    as_number,
    columns_of,
    data_from,
    examples_for,
    open_run,
    open_run_or_detector,
    options_of,
    require_labels,
    rows_from,
    say,
    trained_on,
)
from isthmus.core import declarations
from isthmus.core.fields import Field
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data import Rows


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
    overwrite: Overwrite = False,
    as_json: Json = False,
    **values: Any,
) -> None:
    """Write how typical each example is, and which are outliers by the scores of DATA.

    RUN may be a detector that was saved: it brings its own threshold and criterion. A run that was
    trained on windows of a series (or --window) reads DATA as one, and judges every step.
    """
    from isthmus._cli import exports
    from isthmus.estimators.outliers import OutlierDetector, table

    exports.check_target(out, exports.TABLES, overwrite)
    if figure is not None:
        exports.check_target(figure, exports.FIGURES, overwrite)
    if explain is not None:
        exports.check_target(explain, (*exports.TABLES, exports.ARRAY), overwrite)
        if explain.resolve() == out.resolve():
            raise InputError(f"--out and --explain both name {out}: give each a name of its own.")
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
    _say_outliers(out, found, rows, detector.offset_, as_json)


def _say_outliers(
    out: Path, found: Mapping[str, Any], rows: Rows, threshold: float, as_json: bool
) -> None:
    """How many examples are outliers, and which is the least typical."""
    count, least = int(found["outlier"].sum()), int(found["rank"].argmin())
    name = f" ({rows.files[least]})" if rows.files else ""
    text = (
        f"{out}: {count} of {len(rows)} examples score below {threshold:.4g}; the least"
        f" typical is row {least}{name}"
    )
    result = {
        "out": out,
        "examples": len(rows),
        "outliers": count,
        "threshold": threshold,
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


def choices() -> dict[str, Field]:
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


def diagnose_command(
    run: Run,
    data: Annotated[
        str | None,
        typer.Option("--data", help="as for train; what the run was trained on if not given"),
    ] = None,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a run, in plain sentences: data, training, codes, reconstructions."""
    from isthmus.data.datasets import condition_of
    from isthmus.diagnosis import diagnose

    model = open_run(run)
    given = options_of(data_dir, label, size, skip_unreadable)
    cut = {} if data is None else series.windows_of(model)
    loaded = trained_on(run, model, data, {**given, **cut})
    if condition_of(model) is not None:
        require_labels(loaded.test.y, loaded.name)
    found = diagnose(model, loaded)
    say(str(found), found.to_json(), as_json)


def features_command(
    run: Run,
    data: Input,
    out: Annotated[Path, typer.Option("--out", help="the page: .html")],
    units: Annotated[
        str | None, typer.Option("--units", help="numbers of the units to show, such as 3,17,40")
    ] = None,
    count: Annotated[int, typer.Option(help="examples that are shown for each", min=1)] = 8,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a page of what the units of a sparse code answer to, dead and dense ones named."""
    from isthmus._cli import exports
    from isthmus.report import write_features

    exports.check_target(out, (".html",), overwrite)
    model = open_run(run)
    rows = rows_from(data, model, **options_of(data_dir, label, size, skip_unreadable))
    x = examples_for(model, rows, data)
    found = write_features(out, model, x, names=rows.files, units=_numbers(units), count=count)
    result = {
        "out": out,
        "examples": len(rows),
        "active": found.active,
        "dead": found.dead.tolist(),
        "dense": found.dense().tolist(),
    }
    text = (
        f"{out}: {len(found.frequency)} units, of which an example uses {found.active:.1f};"
        f" {len(found.dead)} dead, {len(found.dense())} dense"
    )
    say(text, result, as_json)


def _numbers(text: str | None) -> list[int] | None:
    """The whole numbers of a list with commas between."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdigit() for word in words):
        raise InputError(f"--units {text!r} is no list of numbers: write it as 3,17,40.")
    return [int(word) for word in words]
