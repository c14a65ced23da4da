"""The card of a run on a hub: what it is, of which data, with which settings and errors."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.wording import printable
from isthmus.data.conditions import LabelCondition
from isthmus.data.licences import LICENCES
from isthmus.io._configuration import configuration_of, data_of, settings_of
from isthmus.registry import MEMBERS
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator

UNKNOWN = "unknown"
"""The licence of a model whose owner says none; a hub knows this word."""


def hub_card(model: Estimator, name: str, licence: str, measured: Mapping[str, str]) -> str:
    """The card of a trained member as Markdown, with the head that a hub reads.

    Args:
        model: the member.
        name: ``user/name`` on the hub.
        licence: of the model, as a hub writes it: ``"mit"``, ``"cc-by-4.0"``, …
        measured: what was measured, each with its value and unit in words.
    """
    kind, member = type(model).__name__, MEMBERS.name_of(type(model))
    head = {
        "library_name": "isthmus",
        "license": licence,
        "tags": ["isthmus", "autoencoder", member],
    }
    title = (inspect.getdoc(type(model)) or kind).partition("\n")[0]
    sections = [
        "---\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items()) + "---",
        f"# {_plain(name)}",
        f"`{kind}` of [isthmus](https://pypi.org/project/isthmus/) {__version__}. {title}",
        _loading(model, name),
        f"## Data\n\n{_lines(_data(model))}",
        f"## Settings\n\n{_lines(_settings(model))}",
        f"## Measured\n\n{_lines(measured)}" if measured else "",
        f"## Licence\n\n{_licence(licence)}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def last_measured(model: Estimator) -> dict[str, str]:
    """What the last epoch of training had, each in words."""
    last = dict(model.history_[-1]) if model.history_ else {}
    epoch = last.pop("epoch", None)
    last.pop("seconds", None)
    where = "in training" if epoch is None else f"in training, epoch {epoch:g}"
    return {f"{name} ({where})": f"{value:.5g}" for name, value in last.items()}


def measured_on(model: Estimator, examples: Any) -> dict[str, str]:
    """What a member does to examples that it was not trained on, each with its standard error."""
    errors, scores = model.squared_error(examples), model.score_samples(examples)
    where = f"on {len(errors):,} examples"
    return {
        f"squared error of an example, in the model's units ({where})": _mean(errors),
        f"score of an example, −distortion − rate ({where})": _mean(scores),
    }


def _mean(values: np.ndarray) -> str:
    error = float(values.std()) / math.sqrt(len(values))
    return f"{float(values.mean()):.4g} ± {error:.2g}"


def _loading(model: Estimator, name: str) -> str:
    """How the model is loaded, as a block of Python."""
    own = configuration_of(model)["networks"]
    brought = "".join(f'"{field}": …, ' for field in own).rstrip(", ")
    networks = f", networks={{{brought}}}" if own else ""
    told = "" if model.preprocessor_.condition is None else ", condition=…"
    return (
        "```python\nimport isthmus as ist\n\n"
        f'model = ist.load("hub:{name}"{networks})\n'
        f"codes = model.transform(x{told})\n"
        f"reconstructions = model.reconstruct(x{told.replace('condition=', 'y=')})\n```"
    )


def _data(model: Estimator) -> dict[str, str]:
    known = model.preprocessor_
    data = data_of(model)
    found = {
        "trained on": data,
        "licence of the data": LICENCES.get(data, "not known"),
        "examples": str(known.spec),
        "shape of an example": str(known.layout.outer),
        "scaling": known.scaling.kind,
        "likelihood": model.likelihood_,
    }
    if isinstance(known.condition, LabelCondition):
        found["classes"] = ", ".join(known.condition.labels.names[:20])
    return found


def _settings(model: Estimator) -> dict[str, str]:
    """The fields that differ from their defaults."""
    usual = settings_of(type(model)())
    return {
        name: json.dumps(value)
        for name, value in settings_of(model).items()
        if value != usual.get(name)
    }


def _licence(licence: str) -> str:
    if licence == UNKNOWN:
        return "Who pushed this model did not say under which licence it stands."
    return f"The model: {_plain(licence)}. The data have licences of their own."


def _lines(values: Mapping[str, Any]) -> str:
    rows = "".join(f"| {_plain(name)} | {_plain(value)} |\n" for name, value in values.items())
    return f"| | |\n| --- | --- |\n{rows}".rstrip()


def _plain(value: Any) -> str:
    """A text as a cell of a table: no sign of it is one of Markdown's or of HTML's."""
    text = printable(" ".join(str(value).split()))
    for sign in "\\`|<>*[]":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text
