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
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="trained runs of images")],
    data: Source,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="write one .html file, which needs no server, and end"),
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
    page.
    """
    from isthmus._cli import exports
    from isthmus.explorer._explorer import explore, explore_served
    from isthmus.explorer._server import serve

    if out is not None:
        exports.check_target(out, (".html",), overwrite)
    elif overwrite:
        raise InputError("--overwrite is for --out, and nothing is written: leave it out.")
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
    serve(explore_served(models, loaded), port, opens=not no_browser)
