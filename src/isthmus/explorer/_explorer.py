"""The explorer as one HTML page that needs nothing beside it, and in a notebook."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.core import files
from isthmus.data.datasets import Data, Part, require_data
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.explorer._front import script, style
from isthmus.explorer._given import given, shown_examples
from isthmus.explorer._shown import Shown, lack_of
from isthmus.explorer._still import Still
from isthmus.explorer._widget import widget_of
from isthmus.figures._sounds import rate_of

if TYPE_CHECKING:
    from isthmus.explorer._widget import ExplorerWidget

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


_STATIC = 4 * 2**20  # bytes of a page that a notebook keeps, to be shown where no Python runs


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
        """The models whose networks stay in Python."""
        return [str(model["label"]) for model in self.given["models"] if "served" in model]

    def save(self, path: str | Path) -> Path:
        """Write it as one HTML file, which needs no network and nothing beside it.

        Raises:
            InputError: where a network cannot be in a page.
        """
        self._require_alone()
        files.write_bytes(Path(path), self.to_html().encode(), synced=False)
        return Path(path)

    def to_html(self) -> str:
        """The page; :attr:`served` models answer only where it is served."""
        return _PAGE.format(
            title=html.escape(self.title), style=style(), script=script(), given=safe(self.given)
        )

    @cached_property
    def widget(self) -> ExplorerWidget:
        """What a notebook shows: a widget whose ``code`` and ``marked`` follow what is touched.

        Raises:
            MissingExtraError: without the extra ``notebook``.
        """
        return widget_of(self.given, self.shown)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """In a notebook: a widget to which Python answers; without anywidget, and where a notebook
        is only read, the page in a frame of its own.
        """
        if find_spec("anywidget") is None:
            return {"text/plain": repr(self), "text/html": self._framed()}
        bundle = self.widget._repr_mimebundle_(**options)
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        if not self.served and len(self.to_html()) <= _STATIC:
            data = {**data, "text/html": self._framed()}
        return (data, *metadata) if metadata else data

    def _framed(self) -> str:
        if self.served:
            lacks = next(one for one in self.shown if one.label == self.served[0])
            return f"<p>{html.escape(_alone(lacks))}</p>"
        return (
            f'<iframe srcdoc="{html.escape(self.to_html())}" width="100%" height="760"'
            ' style="border: 0"></iframe>'
        )

    def _require_alone(self) -> None:
        for one in self.shown:
            if one.label in self.served:
                raise InputError(_alone(one))


def explore(
    models: Estimator | Sequence[Estimator] | Mapping[str, Estimator], data: Data
) -> Explorer:
    """Codes that one can touch: drag in the plane and the decoder answers, draw and be encoded.

    Networks are in the page, in half precision, and are evaluated there. Those that it does not
    know, or that are too large for it, answer from Python, in a notebook or served.

    Args:
        models: one trained member or several, of images of one shape, or of sounds, which are
            shown as spectrograms and can be heard; a mapping names them.
        data: whose test part is shown: up to 10,000 examples as dots, up to 2,000 with pictures.

    Returns:
        What a notebook shows as it is, and ``save(path)`` writes as one page.

    Raises:
        InputError: for members of other data than images and sounds.

    >>> import isthmus as ist
    >>> data = ist.data.load("digits")
    >>> ist.explore(ist.load("pretrained:vae-digits-2d"), data).title
    'VAE on digits'
    """
    shown, part = _shown(_named(models), data)
    live = [one for one in shown if isinstance(one, Shown)]
    served = [one.label for one in live if one.lack is not None]
    return Explorer(_title(shown, data), given(shown, part, data, served), live)


def _alone(one: Shown) -> str:
    return (
        f"{one.label} cannot be explored in a page alone: {one.lack}; show it in a notebook, with"
        " pip install 'isthmus[notebook]', or serve it with isthmus explore."
    )


def _shown(models: Mapping[str, Estimator], data: Data) -> tuple[list[Shown | Still], Part]:
    require_data(data)
    if len(data.test) == 0 or not models:
        raise InputError(
            f"there is nothing to explore: give a model, and a test part ({data.name} has"
            f" {len(data.test)} test examples; load it with test_fraction=0.2)."
        )
    for label, model in models.items():
        if not hasattr(model, "preprocessor_"):
            raise InputError(
                f"{label} is no trained member ({type(model).__name__}): fit it, or load it with"
                " ist.load."
            )
    part = shown_examples(data, list(models.values()))
    return [_one(label, model, part, data) for label, model in models.items()], part


def _one(label: str, model: Estimator, part: Part, data: Data) -> Shown | Still:
    """A member that answers; one of sounds shows spectrograms, and lets them be heard."""
    if rate_of(model) is not None:
        return Still(label, model, part, data, f"{lack_of(model)}.")
    return Shown(label, model, part)


def _title(shown: Sequence[Shown | Still], data: Data) -> str:
    return f"{' and '.join(one.label for one in shown)} on {data.name}"


def safe(value: Any) -> str:
    """JSON that can stand inside of a script element."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _named(
    models: Estimator | Sequence[Estimator] | Mapping[str, Estimator],
) -> dict[str, Estimator]:
    if isinstance(models, Mapping):
        return {str(label): model for label, model in models.items()}
    given = (
        [models] if isinstance(models, str) or not isinstance(models, Sequence) else list(models)
    )
    found: dict[str, Estimator] = {}
    for model in given:
        name = type(model).__name__
        label, count = name, 2
        while label in found:
            label, count = f"{name} {count}", count + 1
        found[label] = model
    return found
