"""Settings, arguments and arrays that nobody should hand in."""

from __future__ import annotations

import copy
import datetime
import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import isthmus as ist
from benchmarks.torture import specimens
from benchmarks.torture.trials import Kind, Outcome, judged
from isthmus.core import fields
from isthmus.core.fields import Field
from isthmus.core.parts import configured

_STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    3,
    2**31,
    2**32,
    2**63,
    10**30,
    -(10**30),
    0.0,
    0.5,
    -0.5,
    1e-300,
    1e308,
    math.nan,
    math.inf,
    -math.inf,
    1j,
    "",
    "x",
    "auto",
    "None",
    "\x00",
    "\ud800",
    "long " * 2000,
    b"bytes",
    (),
    (0,),
    (-1,),
    (8, "x"),
    (10**12,),
    (8, math.nan),
    [],
    [None],
    [[8]],
    {},
    {"a": 1},
    {1: "a"},
    set(),
    object(),
    np.int64(2),
    np.float32("nan"),
    np.zeros(3),
    np.zeros((2, 2)),
    np.array("text"),
    torch.zeros(2),
    datetime.date(2024, 1, 1),
    Path("nowhere"),
    range(3),
    Ellipsis,
)
_CODE = (int, len, print, lambda *values: None, torch.nn.Linear(2, 2))
"""Code of somebody's own, which may raise what it likes where a field takes some."""
_LASTING = {"epochs", "pretrain_epochs", "patience", "compile", "device"}
"""Fields whose large values are honest wishes that take long, or that start a compiler."""


class Fields(Kind):
    """A field of a member, or of a part in one of its slots, gets a value of another kind."""

    name = "fields"
    group = "inputs"
    promise = (
        "Every setting of every member and part is checked: a value is used, or refused in one"
        " sentence that names the setting, the value and the remedy."
    )
    target = 3_000
    share = 2.0

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(list(ist.MEMBERS))
        declared = fields.declared(ist.MEMBERS[name])
        chosen = draw.choice([field for key, field in declared.items() if key not in _LASTING])
        values = _of_part(chosen, draw) if chosen.registry and draw.random() < 0.7 else None
        if values is None:
            is_code = "Callable" in chosen.type or "Module" in chosen.type
            values = {chosen.name: draw.choice(_STRANGE if is_code else (*_STRANGE, *_CODE))}
        brief = {
            key: value
            for key, value in specimens.BRIEF.items()
            if key in declared and key not in values
        }
        settings = {"epochs": 1, "batch_size": 16, **brief, **values}
        what = f"{name} with {', '.join(f'{k}={_short(v)}' for k, v in values.items())}"
        yield judged(what, lambda: _trained(name, settings))


def _of_part(slot: Field, draw: random.Random) -> dict[str, Any] | None:
    """A registered part in a slot, with a strange value in one of its fields."""
    if slot.registry is None:
        return None
    part = draw.choice(list(slot.registry))
    declared = fields.declared(slot.registry[part])
    usual = [key for key in declared if key not in _LASTING]
    if not usual:
        return None
    return {slot.name: part, f"{slot.name}__{draw.choice(usual)}": draw.choice(_STRANGE)}


def _trained(name: str, settings: dict[str, Any]) -> Any:
    model = configured(ist.MEMBERS[name], settings)
    model.fit(specimens.examples(name))
    return model.transform(specimens.examples(name)[:2])


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) < 60 else f"{text[:50]}…"


class Arrays(Kind):
    """Arrays and numbers of every shape and type go into every method; hypothesis makes them."""

    name = "arrays"
    group = "inputs"
    promise = (
        "Whatever is handed in as examples, labels, weights, codes or counts is used, or refused in"
        " one sentence."
    )
    target = 4_000
    share = 2.0

    def prepare(self) -> None:
        self.models = {name: specimens.with_everything(name) for name in ("ae", "vae", "vqvae")}
        self.models["recurrent"] = specimens.with_everything("recurrent")
        for strategy in _STRATEGIES.values():  # the first time, hypothesis lists all characters
            _made(strategy, random.Random(0))

    def trial(self, draw: random.Random) -> Iterator[Outcome]:
        name = draw.choice(list(self.models))
        deed = draw.choice(list(_DEEDS))
        for value in _made(_STRATEGIES[draw.choice(list(_STRATEGIES))], draw):
            what = f"{deed} of {name}, {_described(value)}"
            yield judged(what, partial(_DEEDS[deed], self.models[name], name, value))


def _fit(model: Any, name: str, value: Any) -> Any:
    return specimens.brief(name, epochs=1).fit(value)


def _fit_labels(model: Any, name: str, value: Any) -> Any:
    condition = {"condition": "label"} if name == "vae" else {}
    return specimens.brief(name, epochs=1, **condition).fit(specimens.examples(name), value)


def _fit_weights(model: Any, name: str, value: Any) -> Any:
    x = specimens.examples(name)
    return specimens.brief(name, epochs=1).fit(x, sample_weight=value)


_DEEDS: dict[str, Callable[[Any, str, Any], Any]] = {
    "fit": _fit,
    "fit with labels": _fit_labels,
    "fit with weights": _fit_weights,
    "transform": lambda model, name, value: model.transform(value),
    "reconstruct": lambda model, name, value: model.reconstruct(value),
    "score_samples": lambda model, name, value: model.score_samples(value),
    "inverse_transform": lambda model, name, value: model.inverse_transform(value),
    "sample": lambda model, name, value: model.sample(value, random_state=0),
    "sample with a seed": lambda model, name, value: model.sample(2, random_state=value),
    "impute": lambda model, name, value: model.impute(value),
    "fit_prior": lambda model, name, value: copy.copy(model).fit_prior(value),
    "load": lambda model, name, value: ist.load(value),
    "data.load": lambda model, name, value: ist.data.load(value),
    "OutlierDetector.fit": lambda model, name, value: ist.OutlierDetector(
        specimens.brief("ae", epochs=1)
    ).fit(value),
}

_TYPES = npst.scalar_dtypes() | npst.unicode_string_dtypes(max_len=3)
_SHAPES = st.one_of(
    npst.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6),
    st.sampled_from([(32, 8, 8), (4, 8, 8), (32,), (4, 2), (4, 64), (4, 8, 2), (32, 1)]),
)
_COUNTS = st.integers(max_value=200) | st.integers(min_value=10**10)  # those between take long
_NUMBERS = st.one_of(_COUNTS, st.floats(), st.text(max_size=5))
_SCALARS = st.one_of(st.sampled_from((*_STRANGE, *_CODE)), _NUMBERS)
_CELLS = st.one_of(st.none(), st.integers(-9, 9), st.floats(width=16), st.text(max_size=2))
_STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "arrays": npst.arrays(_TYPES, _SHAPES),
    "numbers": npst.arrays(np.float64, _SHAPES, elements=st.floats(-10, 10)),
    "scalars": _SCALARS,
    "lists": st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=8),
    "tables": st.lists(st.tuples(_CELLS, _CELLS, _CELLS), max_size=8),
    "named": st.dictionaries(st.text(max_size=3), st.lists(_CELLS, max_size=4), max_size=3),
}


def _made(strategy: st.SearchStrategy[Any], draw: random.Random) -> list[Any]:
    """Some values of a strategy, the same for the same chance."""
    found: list[Any] = []

    @seed(draw.randrange(2**32))
    @settings(
        max_examples=8,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value: Any) -> None:
        found.append(value)

    keep()
    return found


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype}, {value.shape}, {_short(value.ravel()[:3].tolist())}"
    return f"{type(value).__name__} {_short(value)}"
