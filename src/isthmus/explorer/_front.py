"""The front end: ES modules without a build step, as one script where that is needed."""

from __future__ import annotations

import re
from importlib.resources import files

_MODULES = ("evaluator.js", "model.js", "picture.js", "plane.js", "pad.js", "explorer.js")
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[a-z]+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def script() -> str:
    """All modules as one, in the order in which they need each other."""
    front = files("isthmus.explorer") / "front"
    texts = [(front / name).read_text(encoding="utf-8") for name in _MODULES]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)


def style() -> str:
    """The style sheet."""
    return (files("isthmus.explorer") / "front" / "explorer.css").read_text(encoding="utf-8")
