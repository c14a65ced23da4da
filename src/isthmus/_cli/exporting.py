"""Commands that give a trained member to others: a file of ONNX, a run on a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus._cli.shared import (
    DataDir,
    Json,
    Label,
    Overwrite,
    Run,
    examples_for,
    open_run,
    options_of,
    rows_from,
    say,
)


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


def push_command(
    run: Run,
    name: Annotated[
        str, typer.Argument(metavar="USER/NAME", help="on the hub; USER/NAME@BRANCH for a branch")
    ],
    licence: Annotated[
        str, typer.Option(help="of the model, as the hub writes it: mit, cc-by-4.0, …")
    ] = "unknown",
    data: Annotated[
        str | None,
        typer.Option("--data", help="data on whose test part the card's errors are measured"),
    ] = None,
    data_dir: DataDir = None,
    label: Label = None,
    private: Annotated[
        bool, typer.Option("--private", help="make a new repository private")
    ] = False,
    message: Annotated[str, typer.Option(help="of the commit")] = "A run of isthmus",
    as_json: Json = False,
) -> None:
    """Send a run to a hub (huggingface_hub), with a card of what it is.

    The token is that of `hf auth login`, or HF_TOKEN. `hub:USER/NAME` then stands for the run
    wherever a RUN is asked for.
    """
    model, test = open_run(run), None
    if data is not None:
        rows = rows_from(data, model, **options_of(data_dir, label, None, False))
        test = examples_for(model, rows, data)
    sent = model.push_to_hub(name, licence=licence, test=test, private=private, message=message)
    say(sent, {"run": run, "sent": sent}, as_json)
