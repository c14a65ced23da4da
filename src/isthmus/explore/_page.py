"""The explorer as one HTML file that needs nothing beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from isthmus.core.files import write_bytes
from isthmus.data.datasets import Data
from isthmus.estimators.base import Estimator
from isthmus.explore._given import given

_MODULES = ("evaluator.js", "model.js", "picture.js", "plane.js", "pad.js", "explorer.js")


def script() -> str:
    """All modules of the front end as one, in the order in which they need each other."""
    front = files("isthmus.explore") / "front"
    joined = "\n".join((front / name).read_text(encoding="utf-8") for name in _MODULES)
    without = re.sub(r"^import .* from \"\./.*\";\n", "", joined, flags=re.MULTILINE)
    return re.sub(r"^export ", "", without, flags=re.MULTILINE)


def style() -> str:
    """The style sheet of the front end."""
    return (files("isthmus.explore") / "front" / "explorer.css").read_text(encoding="utf-8")


def page(models: Sequence[Estimator], data: Data, out: str | Path) -> Path:
    """Write the explorer of some models as one HTML file.

    Args:
        models: trained members, all on images of the same shape.
        data: whose test part is shown.
        out: the file.
    """
    labels = [type(model).__name__ for model in models]
    values = json.dumps(given(models, labels, data)).replace("<", "\\u003c")
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{' and '.join(labels)} on {data.name}</title><style>body{{margin:24px}}{style()}"
        '</style></head><body><main id="explorer"></main>'
        f'<script type="application/json" id="given">{values}</script>'
        f'<script type="module">{script()}\n'
        'window.explorer = explore(document.getElementById("explorer"),'
        ' JSON.parse(document.getElementById("given").textContent));</script></body></html>'
    )
    write_bytes(Path(out), text.encode(), synced=False)
    return Path(out)
