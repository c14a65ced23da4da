"""What the configuration of a run says of a member, and the user's own code that it names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from isthmus.core import fields
from isthmus.core.parts import SlotPart, plain_values
from isthmus.errors import InputError, RunError
from isthmus.registry import MEMBERS
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator


def require_readable(model: Estimator) -> None:
    """Refuse fields that a run could not be read with, or that give the weights another meaning."""
    fields.validate(model.get_params(deep=False), fields.declared(type(model)))
    now = model._settings_of_weights()
    for name, value in getattr(model, "_learnt_under", now).items():  # a pickle may lack them
        if now[name] != value:
            raise InputError(
                f"{name}={now[name]!r} was set after training, which went by {name}={value!r}: fit"
                " again, or set it back, and then save."
            )


def configuration_of(model: Estimator) -> dict[str, Any]:
    """All that is written of a member beside its weights, its history and its prior."""
    return {
        "isthmus": __version__,
        "member": MEMBERS.name_of(type(model)),
        "fields": _plain_fields(model),
        "chosen": _chosen(model),
        "networks": {name: _importable(value) for name, value in _own(model).items()},
        "data": model.preprocessor_.to_json(),
        "columns": list(getattr(model, "feature_names_in_", [])) or None,
        "likelihood": model.likelihood_,
        "source": model.source_,
    }


def _chosen(model: Estimator) -> dict[str, int]:
    """What the data decided where nobody said it: the rule may change, a run may not."""
    if getattr(model, "latent_dim", 0) is not None:
        return {}
    return {"latent_dim": model._suited(model.preprocessor_.spec)._code_size}


def _own(model: Estimator) -> dict[str, Any]:
    """What the user brought as code, by the name of its field: networks, a corruption."""
    return {name: value for name, value in model.get_params(deep=False).items() if _is_code(value)}


def _is_code(value: Any) -> bool:
    return callable(value) and not isinstance(value, SlotPart)


def _plain_fields(model: Estimator) -> dict[str, Any]:
    """The fields as JSON; own networks are recorded apart, and a generator is no seed."""
    values = {
        name: value
        for name, value in plain_values(model).items()
        if name not in {"callbacks", *_own(model)}  # they watched the training, which is over
    }
    if isinstance(values["random_state"], str):
        values["random_state"] = None
    return values


def settings_of(model: Estimator) -> dict[str, Any]:
    """The fields that say what was trained, and how; nothing of the machine that did it."""
    of_the_machine = {"checkpoint_dir", "device"}
    return {k: v for k, v in _plain_fields(model).items() if k not in of_the_machine}


def data_of(model: Estimator) -> str:
    """What a member was trained on, by its name alone: where it lay is nobody else's concern."""
    source = (model.source_ or {}).get("source")
    return "not known" if source is None else Path(str(source)).name


def _importable(own: Any) -> str | None:
    """Where a callable can be imported from; None for a module that was handed in as an object."""
    if (
        isinstance(own, nn.Module)
        or "<" in getattr(own, "__qualname__", "<")
        or own.__module__ == "__main__"
    ):
        return None
    return f"{own.__module__}:{own.__qualname__}"


def own_networks(
    recorded: Mapping[str, str | None], given: Mapping[str, Any], trust: bool, path: Path
) -> dict[str, Any]:
    """The networks that a run has of the user's own code: as given, or imported with trust."""
    for name in given:
        if name not in recorded:
            raise InputError(
                f"networks[{name!r}]: the run at {path} has no {name} of its own: leave it out."
            )
    return {
        name: given[name] if name in given else _import_own(name, target, trust, path)
        for name, target in recorded.items()
    }


def _import_own(name: str, target: str | None, trust: bool, path: Path) -> Any:
    if target is None or not trust:
        remedy = f", or trust=True to import {target}" if target else ""
        raise RunError(
            f"the run at {path} has its own {name}: pass load(..., networks={{{name!r}:"
            f" ...}}){remedy}."
        )
    module, _, attribute = target.partition(":")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise RunError(
            f"the {name} of the run at {path}, {target}, cannot be imported ({error})."
        ) from error
    return found
