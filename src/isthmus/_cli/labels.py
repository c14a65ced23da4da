"""The command that draws the error of classifiers over the number of labels."""

from __future__ import annotations

from typing import Annotated

import typer

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
    options_of,
    require_labels,
    say,
)
from isthmus.errors import InputError


def label_curves_command(
    members: Annotated[
        list[str],
        typer.Argument(
            metavar="MEMBER…",
            help="which ones; a classifier is put on those that tell no classes themselves",
        ),
    ],
    data: Source,
    out: Out,
    labels: Annotated[
        str, typer.Option(metavar="N,N,…", help="how many labels to learn from")
    ] = "100,1000",
    seeds: Annotated[int, typer.Option(help="how often, each with other labels", min=1)] = 3,
    epochs: Annotated[
        int | None, typer.Option(help="epochs of each training; none: the member's own", min=1)
    ] = None,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train members on few labels, and draw their test error over the number of labels."""
    from isthmus._cli import exports
    from isthmus.report import classifier_named, label_curves

    exports.check_target(out, exports.FIGURES, overwrite)
    loaded = data_from(data, **options_of(data_dir, label, size, skip_unreadable))
    require_labels(loaded.train.y, loaded.name)
    given = {} if epochs is None else {"epochs": epochs}
    classifiers = {name: classifier_named(name, **given) for name in members}
    curves = label_curves(classifiers, loaded, n_labels=_counts(labels), random_states=range(seeds))
    curves.figure().savefig(out)
    found = {"out": out, "n_labels": curves.n_labels}
    errors = dict(zip(curves.names, curves.errors.tolist(), strict=True))
    say(f"{curves}\n{out}", {**found, "errors": errors}, as_json)


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(
            f"--labels {text!r} is not usable: give whole numbers: 100,1000."
        ) from error
