"""Where a run lies: in a folder, in the package, or on a hub."""

from __future__ import annotations

from pathlib import Path

from isthmus.core.paths import as_path
from isthmus.io import hub, pretrained


def run_folder(path: str | Path) -> Path:
    """The folder that stands for a path of a run, ``"pretrained:NAME"`` or ``"hub:USER/NAME"``.

    What lies on a hub is fetched, and kept for the next time.
    """
    text = path.as_posix() if isinstance(path, Path) else str(path)
    if text.startswith(pretrained.PREFIX):
        return pretrained.folder(text.removeprefix(pretrained.PREFIX))
    if text.startswith(hub.PREFIX):
        return hub.fetched(text.removeprefix(hub.PREFIX))
    return as_path(path, "path")


def is_on_hub(path: str | Path) -> bool:
    """Whether a path names a run that somebody else may have written."""
    return str(path).startswith(hub.PREFIX)


def why_fixed(path: str | Path) -> str | None:
    """Why nothing is written into a run; None where it is a folder of the user's own."""
    if str(path).startswith(pretrained.PREFIX):
        return "comes with the package"
    return "lies on a hub" if is_on_hub(path) else None
