"""Who is compared: members from names or estimators, each with a label and a folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.base import clone

from isthmus.core import fields
from isthmus.core.parts import plain_values
from isthmus.errors import InputError, unknown
from isthmus.estimators.base import Estimator
from isthmus.io import places, runs
from isthmus.registry import MEMBERS

_NOT_TOLD = {"snapshots", "verbose", "device", "checkpoint_dir"}
_SEED = 0


@dataclass(frozen=True)
class Entrant:
    """One member of a comparison: before it is trained, or trained already.

    Attributes:
        label: what the page calls it, such as ``"VAE"``, or ``"VAE (beta 4)"`` beside another VAE.
        member: its registered name.
        folder: the name of the folder of its run.
        model: the estimator; fitted where it was handed in so, or is a run.
    """

    label: str
    member: str
    folder: str
    model: Estimator

    @property
    def is_trained(self) -> bool:
        """Whether it is shown as it is."""
        return hasattr(self.model, "module_")


def entrants(
    members: Sequence[str | Estimator], overrides: Mapping[str, Any], snapshots: int
) -> list[Entrant]:
    """Build every member and check every field, before anything is trained.

    Raises:
        InputError: for unknown members and fields, and for values that cannot be used.
    """
    if isinstance(members, str) or not members:
        raise InputError(f"members={members!r} is not usable: give a list such as ['ae', 'vae'].")
    drafts = [_draft(member) for member in members]
    new = [draft for draft in drafts if not hasattr(draft, "module_")]
    known = {name: field for draft in new for name, field in fields.declared(type(draft)).items()}
    known.pop("checkpoint_dir", None)  # every member's own folder
    heads = {name: value for name, value in overrides.items() if "__" not in name}
    if new:
        fields.validate({**heads, "snapshots": snapshots}, known)
    elif odd := sorted(set(overrides) - {"random_state"}):
        raise InputError(
            f"{odd[0]}={overrides[odd[0]]!r} is for members that are to be trained, and all of"
            " these are trained already: leave it out."
        )
    models = [_prepared(draft, overrides, snapshots) if draft in new else draft for draft in drafts]
    for name in set(overrides) - set(heads):  # a field of a part: somebody's part must have it
        if not any(name in model.get_params() for model in models):
            raise unknown("field", name, {key for model in models for key in model.get_params()})
    names = [MEMBERS.name_of(type(model)) for model in models]
    labels = _labels(models)
    folders = _distinct(
        [_slug(name, label) for name, label in zip(names, labels, strict=True)], "-{}"
    )
    return [Entrant(*found) for found in zip(labels, names, folders, models, strict=True)]


def told_fields(model: Any) -> dict[str, Any]:
    """The fields of a model that a reader wants to know, as JSON can hold them."""
    return {name: value for name, value in plain_values(model).items() if name not in _NOT_TOLD}


def is_conditional(model: Estimator) -> bool:
    """Whether a member is told of each example what ``y`` says."""
    return getattr(model, "condition", "none") != "none"


def unusual(model: Any) -> dict[str, Any]:
    """The fields of a model that differ from their defaults."""
    usual = told_fields(type(model)())
    return {name: value for name, value in told_fields(model).items() if value != usual[name]}


def is_run(name: str) -> bool:
    """Whether a name is that of a run: a folder, one that comes with the package, or of a hub."""
    return name not in MEMBERS and (places.why_fixed(name) is not None or Path(name).is_dir())


def _draft(member: str | Estimator) -> Estimator:
    """What a name stands for, or a member that was handed in: a copy, unless it is trained."""
    if isinstance(member, str):
        if is_run(member):
            return runs.load_run(member)
        built: Estimator = MEMBERS[member](random_state=_SEED)
        return built
    if isinstance(member, Estimator):
        return member if hasattr(member, "module_") else clone(member)
    raise InputError(
        f"the member {member!r} is not usable: give a name ({', '.join(MEMBERS)}), an estimator, or"
        " the folder of a run."
    )


def _prepared(model: Estimator, overrides: Mapping[str, Any], snapshots: int) -> Estimator:
    declared = fields.declared(type(model))
    seed = _SEED if model.random_state is None else model.random_state
    values = {"random_state": seed, "snapshots": snapshots, **overrides}
    model.set_params(**{name: value for name, value in values.items() if name in declared})
    inside = set(model.get_params()) - set(declared)
    model.set_params(**{name: value for name, value in values.items() if name in inside})
    fields.validate(model.get_params(deep=False), declared)
    return model


def _labels(models: Sequence[Estimator]) -> list[str]:
    """The class of each, with the fields in which it differs from others of its class."""
    names = []
    for model in models:
        differences = ", ".join(_differences(model, models))
        names.append(type(model).__name__ + (f" ({differences})" if differences else ""))
    return _distinct(names, " {}")


def _differences(model: Estimator, models: Sequence[Estimator]) -> list[str]:
    mine, others = (
        told_fields(model),
        [told_fields(other) for other in models if type(other) is type(model)],
    )
    return [
        f"{name.replace('_', ' ')} {_word(value)}"
        for name, value in mine.items()
        if any(other[name] != value for other in others)
    ]


def _distinct(names: Sequence[str], mark: str) -> list[str]:
    """The names; those that stand there twice are numbered."""
    counts, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name + mark.format(seen[name]) if counts[name] > 1 else name)
    return numbered


def _slug(member: str, label: str) -> str:
    differences = label.partition(" (")[2]
    return re.sub(r"[^a-z0-9.]+", "-", f"{member} {differences}".lower()).strip("-")


def _word(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else "×".join(map(str, value))
        if isinstance(value, list)
        else " ".join([value["name"], *(f"{k} {_word(v)}" for k, v in value["fields"].items())])
        if isinstance(value, dict)
        else str(value)
    )
