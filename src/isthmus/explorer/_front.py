"""The front end: ES modules without a build step, as one script where that is needed."""

from __future__ import annotations

import posixpath
import re
from importlib.resources import files

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def script(*entries: str) -> str:
    """Modules and all that they import as one script, which ends in the names that they export.

    Every module stands in a function of its own, after those that it needs, so that two of them may
    use the same name for different things. Without ``entries`` it is the explorer.
    """
    joined: dict[str, str] = {}
    wanted = entries or ("explorer.js",)
    for entry in wanted:
        _join(entry, joined)
    ends = [f"const {_names(_text(entry))} = {_variable(entry)};" for entry in wanted]
    return "\n".join([*joined.values(), *ends])


def style() -> str:
    """The style sheet."""
    return _text("explorer.css")


def _join(path: str, joined: dict[str, str]) -> None:
    """Add a module, after the modules that it imports, unless it is there."""
    if path in joined:
        return
    text = _text(path)
    folder = posixpath.dirname(path)
    found = [
        (names, posixpath.normpath(posixpath.join(folder, other)))
        for names, other in _IMPORT.findall(text)
    ]
    for _, other in found:
        _join(other, joined)
    needed = [f"const {names} = {_variable(other)};" for names, other in found]
    body = _EXPORT.sub("", _IMPORT.sub("", text))
    lines = [f"const {_variable(path)} = (() => {{", *needed, body, f"return {_names(text)};"]
    joined[path] = "\n".join([*lines, "})();"])


def _names(text: str) -> str:
    return f"{{ {', '.join(_EXPORT.findall(text))} }}"


def _variable(path: str) -> str:
    return "from_" + re.sub(r"\W", "_", path.removesuffix(".js"))


def _text(path: str) -> str:
    return (files("isthmus.explorer") / "front" / path).read_text(encoding="utf-8")
