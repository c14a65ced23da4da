"""Commands that look something up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from isthmus._cli.shared import Json, Run, described, listing, say
from isthmus.errors import InputError
from isthmus.registry import DATA, MEMBERS, PRIORS


def models_command(
    ready: Annotated[
        bool, typer.Option("--pretrained", help="list the trained ones that come with the package")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the members, or those that come trained."""
    from isthmus.io import pretrained

    if ready:
        known = {
            pretrained.PREFIX + name: pretrained.summary(name) for name in pretrained.available()
        }
    else:
        known = {name: described(MEMBERS, name) for name in MEMBERS}
    say(listing(known), known, as_json)


def priors_command(as_json: Json = False) -> None:
    """List the distributions that can be fitted to codes."""
    known = {name: described(PRIORS, name) for name in PRIORS}
    say(listing(known), known, as_json)


def data_command(as_json: Json = False) -> None:
    """List the data sets that are known by name."""
    known = {name: described(DATA, name) for name in DATA}
    say(
        listing(known)
        + "\nor a path: .npy, .npz, .h5, .zarr, .csv, .tsv, .parquet, a sound, or a folder of"
        " images or of sounds",
        known,
        as_json,
    )


def info_command(run: Run, as_json: Json = False) -> None:
    """Show what a run is: its member, fields, data and last epoch."""
    from isthmus.io import runs

    known = runs.info(run)
    layout, last = known["data"]["layout"], (known["history"] or [{}])[-1]
    lines = {
        "member": known["member"],
        "written by": f"isthmus {known['isthmus']}",
        "likelihood": known["likelihood"],
        "fitted prior": (known.get("prior") or {"name": "none"})["name"],
        "examples": f"{known['data']['kind']}, {' × '.join(map(str, layout['outer']))}",
        **_sound(known["data"]),
        "condition": _condition(known["data"]["condition"]),
        "scaling": known["data"]["scaling"]["kind"],
        **_shown(known["fields"]),
        **{f"last {name}": f"{value:.6g}" for name, value in last.items()},
        **{f"not as written: {name}": how for name, how in known["changed"].items()},
    }
    say(listing(lines), known, as_json)


def repair_command(run: Run, as_json: Json = False) -> None:
    """Accept a run or a detector that somebody changed on purpose, as it is now.

    `info` says what was changed. It must load: what is damaged is not repaired.
    """
    from isthmus.io import detectors, places

    if (why := places.why_fixed(run)) is not None:
        raise InputError(f"{run} {why} and stays as it is: train your own.")
    accepted = detectors.repair_any(run)
    said = "\n".join(f"accepted: {name} ({how})" for name, how in accepted.items())
    text = said or f"{run} is as it was written: nothing was changed"
    say(text, {"run": run, "accepted": accepted}, as_json)


def _sound(data: Mapping[str, Any]) -> dict[str, str]:
    """The rate of a run of sounds, as config.json has it; nothing of other runs."""
    rate = data.get("sample_rate")
    if rate is None:
        return {}
    return {"sample rate": f"{rate} Hz ({data['layout']['outer'][-1] / rate:.3g} s)"}


def _condition(known: Mapping[str, Any] | None) -> str:
    """What a run is told of each example, as config.json has it."""
    if known is None:
        return "none"
    if "label" in known:
        return f"label: {', '.join(known['label']['names'])}"
    count = len(known["covariates"]["mean"])
    return "1 covariate" if count == 1 else f"{count} covariates"


def _shown(fields: Mapping[str, Any], indent: str = "  ") -> dict[str, Any]:
    """Fields as lines; those of a part stand under its name."""
    lines: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            lines[indent + name] = value["name"]
            lines |= _shown(value["fields"], f"{indent}  {name} ")
        else:
            lines[indent + name] = value
    return lines
