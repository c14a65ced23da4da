"""The explorer as one HTML page that needs nothing beside it, and in a notebook."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus.core import files
from isthmus.data.datasets import Data, Part, require_data
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.explorer._front import script, style
from isthmus.explorer._given import examples_of, given
from isthmus.explorer._shown import Shown

_PAGE = """<!doctype html>
<html lang="en" data-scheme="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
body {{ margin: 20px; }}
{style}
</style>
</head>
<body>
<main id="live"></main>
<script type="application/json" id="given">{given}</script>
<script type="module">
{script}
window.explorer = await explore(
  document.getElementById("live"), JSON.parse(document.getElementById("given").textContent),
);
</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Explorer:
    """Planes of codes that answer: a notebook shows it, :meth:`save` writes it as one page.

    Attributes:
        title: of the page.
        given: what it shows, as JSON.
        shown: the members.
    """

    title: str
    given: Mapping[str, Any] = field(repr=False)
    shown: Sequence[Shown] = field(repr=False)

    @property
    def served(self) -> list[str]:
        """The models that answer only where the explorer is served."""
        return [str(model["label"]) for model in self.given["models"] if "served" in model]

    def save(self, path: str | Path) -> Path:
        """Write it as one HTML file, which needs no network and nothing beside it."""
        files.write_bytes(Path(path), self.to_html().encode(), synced=False)
        return Path(path)

    def to_html(self) -> str:
        """The page."""
        return _PAGE.format(
            title=html.escape(self.title), style=style(), script=script(), given=safe(self.given)
        )

    def _repr_html_(self) -> str:
        """In a notebook: the page in a frame of its own, so that its style meets no other."""
        return (
            f'<iframe srcdoc="{html.escape(self.to_html())}" width="100%" height="760"'
            ' style="border: 0"></iframe>'
        )


def explore(
    models: Estimator | Sequence[Estimator] | Mapping[str, Estimator], data: Data
) -> Explorer:
    """Codes that one can touch: drag in the plane and the decoder answers, draw and be encoded.

    The networks themselves are in the page, in half precision, and are evaluated there.

    Args:
        models: one trained member or several, of images of one shape; a mapping names them.
        data: whose test part is shown: up to 10,000 examples as dots, up to 2,000 with pictures.

    Returns:
        What a notebook shows as it is, and ``save(path)`` writes as one page.

    Raises:
        InputError: for members of other data than images, and networks of one's own with operators
            that the page does not know.

    >>> import isthmus as ist
    >>> data = ist.data.load("digits")
    >>> ist.explore(ist.load("pretrained:vae-digits-2d"), data).title
    'VAE on digits'
    """
    shown, part = _shown(_named(models), data)
    for one in shown:
        if one.lack is not None:
            raise InputError(f"{one.label} cannot be explored: {one.lack}.")
    return Explorer(_title(shown, data), given(shown, part, data), shown)


def explore_served(models: Mapping[str, Estimator], data: Data) -> Explorer:
    """As :func:`explore`, for a page that is served: networks that it does not know, or that are
    too large for it, stay where they are.
    """
    shown, part = _shown(models, data)
    served = [one.label for one in shown if one.lack is not None]
    return Explorer(_title(shown, data), given(shown, part, data, served), shown)


def _shown(models: Mapping[str, Estimator], data: Data) -> tuple[list[Shown], Part]:
    require_data(data)
    if len(data.test) == 0 or not models:
        raise InputError(
            f"there is nothing to explore: give a model, and a test part ({data.name} has"
            f" {len(data.test)} test examples; load it with test_fraction=0.2)."
        )
    part = examples_of(data, list(models.values()))
    return [Shown(label, model, part) for label, model in models.items()], part


def _title(shown: Sequence[Shown], data: Data) -> str:
    return f"{' and '.join(one.label for one in shown)} on {data.name}"


def safe(value: Any) -> str:
    """JSON that can stand inside of a script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _named(
    models: Estimator | Sequence[Estimator] | Mapping[str, Estimator],
) -> dict[str, Estimator]:
    if isinstance(models, Mapping):
        return {str(label): model for label, model in models.items()}
    given = list(models) if isinstance(models, Sequence) else [models]
    found: dict[str, Estimator] = {}
    for model in given:
        name = type(model).__name__
        label, count = name, 2
        while label in found:
            label, count = f"{name} {count}", count + 1
        found[label] = model
    return found
