"""The command that opens the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus._cli.shared import (
    DataDir,
    Json,
    Label,
    Overwrite,
    Size,
    Skip,
    Source,
    data_from,
    open_run,
    options_of,
    say,
)
from isthmus.errors import InputError


def explore_command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="trained runs of images or of sounds")
    ],
    data: Source,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="write one .html file, which needs no server, and end"),
    ] = None,
    atlas: Annotated[
        Path | None,
        typer.Option("--atlas", help="write all codes as a .parquet for embedding-atlas, and end"),
    ] = None,
    port: Annotated[
        int, typer.Option(help="of this machine, where it is served", min=1, max=65535)
    ] = 8642,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="open no browser")] = False,
    data_dir: DataDir = None,
    label: Label = None,
    size: Size = None,
    skip_unreadable: Skip = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Touch the codes of trained members: drag, draw, replay the training.

    It is served on this machine alone, under an address with a token, until Ctrl-C; or written as a
    page. Millions of codes are written as a table, which embedding-atlas shows.
    """
    from isthmus._cli import exports
    from isthmus.explorer import explore, write_atlas
    from isthmus.explorer._server import serve

    if out is not None and atlas is not None:
        raise InputError("--out and --atlas are two things: give one of them.")
    if (target := out or atlas) is not None:
        exports.check_target(target, (".html",) if out else (".parquet",), overwrite)
    elif overwrite:
        raise InputError(
            "--overwrite is for --out and --atlas, and nothing is written: leave it out."
        )
    if atlas is not None and len(runs) > 1:
        raise InputError(f"--atlas holds the codes of one run, not of {len(runs)}: give one.")
    models = {}
    for run in runs:
        name = run.name if run.name not in models else str(run)
        models[name] = open_run(run)
    first = next(iter(models.values()))
    loaded = data_from(data, first, **options_of(data_dir, label, size, skip_unreadable))
    if out is not None:
        explore(models, loaded).save(out)
        say(f"{out}: {', '.join(models)}", {"out": out, "models": list(models)}, as_json)
        return
    if atlas is not None:
        write_atlas(first, loaded, atlas)
        shown = " --image image" if first.preprocessor_.spec.kind == "image" else ""
        opener = f"embedding-atlas {atlas} --x x --y y{shown}"
        rows = len(loaded.train) + len(loaded.test)
        say(f"{atlas}: {rows:,} codes; look at them with {opener}", {"out": atlas}, as_json)
        return
    serve(explore(models, loaded), port, opens=not no_browser)
