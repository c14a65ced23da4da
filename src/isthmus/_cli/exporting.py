"""Commands that give a trained member to others: a file of ONNX, a run on a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus._cli.shared import Json, Overwrite, Run, open_run, say


def export_command(
    run: Run,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="a name that ends in .onnx")],
    parts: Annotated[
        str,
        typer.Option(
            help="what is written, with commas between: whole (codes and reconstructions of"
            " examples), encoder, decoder, reconstruct, posterior; each of several in a file of its"
            " own, OUT with the part in its name"
        ),
    ] = "whole",
    opset: Annotated[int, typer.Option(help="version of the operators, 18 to 23")] = 18,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a trained member as ONNX, scaling included, for programs that do not know isthmus.

    The batch may have any size; nothing is drawn, a code is its mean.
    """
    from isthmus._cli import exports
    from isthmus.io.export import targets_of

    wanted = tuple(part.strip() for part in parts.split(","))
    for target in targets_of(out, wanted):
        exports.refuse_existing(target, overwrite)
    written = open_run(run).export(out, parts=wanted, opset=opset)
    say("\n".join(map(str, written)), {"out": written, "opset": opset}, as_json)
