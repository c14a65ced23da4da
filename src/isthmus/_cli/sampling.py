"""The command that draws new examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli.options import SEED
from isthmus._cli.shared import (
    Condition,
    Json,
    Overwrite,
    Run,
    as_number,
    columns_of,
    condition_from,
    listing,
    open_run,
    say,
    wrote,
)
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data import Data


def sample_command(
    run: Run,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help=".npy, .png; .csv or .parquet for rows of a table; of sounds a folder, or .wav,"
            " .flac, .ogg, .mp3",
        ),
    ],
    n: Annotated[
        int | None,
        typer.Option("-n", help="how many; 64 if not given, 8 sounds, 1 to a sound file", min=1),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="the class to draw, where the prior was fitted with labels")
    ] = None,
    condition: Condition = None,
    temperature: Annotated[
        float, typer.Option(help="below 1: closer to what is most likely", min=0)
    ] = 1.0,
    seconds: Annotated[
        float | None, typer.Option(help="how long new sounds are; a window if not given")
    ] = None,
    seed: Annotated[int, typer.Option(help="the same seed gives the same samples", min=0)] = SEED,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="also measure a synthetic table: .html for a page, or .json"),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="the real table to measure by; the run's own if not given"),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write new examples, drawn from the prior and decoded.

    Under --report they are measured beside the real table: how alike its columns are and how they
    depend on each other, what learners gain from them, and whether they are copies.
    """
    from isthmus._cli import exports, sounds
    from isthmus.data.conditions import CovariateCondition
    from isthmus.data.datasets import condition_of
    from isthmus.data.rows import with_columns

    are_sounds = sounds.may_hold_samples(out)
    if not are_sounds:
        exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES), overwrite)
    if report is not None:
        exports.check_target(report, exports.REPORTS, overwrite)
    elif data is not None:
        raise InputError(f"--data {data} is what --report measures by: give --report, or neither.")
    model = open_run(run)
    rate = model.preprocessor_.spec.sample_rate
    count = n or (64 if rate is None else sounds.default_count(out))
    if seconds is not None and rate is None:
        raise InputError(
            f"--seconds {seconds:g} is for runs of sounds, and {run} was trained on"
            f" {model.preprocessor_.spec}: leave it out."
        )
    if are_sounds:
        sounds.require_sounds(model, run, out)
        sounds.check_samples(run, out, count, overwrite)
    real = None if report is None else _real_table(model, run, data)
    is_numbers = isinstance(condition_of(model), CovariateCondition)  # they cannot be drawn
    told = condition_from(model, condition, needed=is_numbers)
    told |= {} if seconds is None else {"seconds": seconds}
    examples = model.sample(count, label=label, temperature=temperature, random_state=seed, **told)
    if are_sounds:
        sounds.write_samples(model, run, out, examples, label or condition, overwrite, as_json)
        return
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
