"""The command that shows what the package does, with nothing to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus._cli.options import SEED
from isthmus._cli.shared import Json, say

MEMBERS = ("ae", "vae")
SETTINGS: dict[str, Any] = {"latent_dim": 2, "batch_size": 64, "learning_rate": 0.003}


def demo_command(
    out: Annotated[Path, typer.Option("--out", help="the folder that is written")] = Path("demo"),
    epochs: Annotated[
        int, typer.Option(help="passes over the 1,438 training digits", min=1, show_default=True)
    ] = 100,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="open no browser")] = False,
    as_json: Json = False,
) -> None:
    """Train an autoencoder and a VAE on handwritten digits, and open the page that compares them.

    Nothing is downloaded, and it takes less than a minute.
    """
    from isthmus.core.browsers import open_in_browser
    from isthmus.data import load
    from isthmus.report import compare

    given = {"random_state": SEED, "epochs": epochs, **SETTINGS}
    result = compare(MEMBERS, load("digits"), out, overrides=given)
    is_shown = not no_browser and open_in_browser(result.page.resolve().as_uri())
    hint = "" if is_shown else " (open it in a browser)"
    say(f"{result.table()}\n\n{result.page}{hint}", result.to_json(), as_json)
