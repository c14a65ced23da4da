"""A run on the disk: weights (safetensors), configuration (JSON) and history (JSON lines)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from isthmus.core import fields, files
from isthmus.core.parts import SlotPart, from_plain, plain_values
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError, RunError, unknown
from isthmus.io.pretrained import run_folder
from isthmus.priors import _storage as storage
from isthmus.registry import DETECTORS, MEMBERS
from isthmus.training.callbacks.snapshots import Snapshot
from isthmus.training.checkpoint import FILE
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator

FORMAT = 2
CHECKPOINT = FILE
CONFIG, WEIGHTS, HISTORY, SNAPSHOTS = (
    "config.json",
    "model.safetensors",
    "history.jsonl",
    "snapshots.safetensors",
)


def save(model: Estimator, path: Path) -> Path:
    """Write a fitted member to a folder, which must be new, empty, or hold a run.

    The configuration is written last and carries the checksum of the weights, so that a folder is a
    run only when it is whole.
    """
    module = model._fitted()
    if (bad := files.not_finite(dict(module.named_parameters()))) is not None:
        raise InputError(
            f"this {type(model).__name__} has weights that are not finite ({bad!r}), and is not"
            " saved: train it again, with a smaller learning_rate."
        )
    files.refuse_foreign(path, (CONFIG, CHECKPOINT))
    config = {
        "format": FORMAT,
        "isthmus": __version__,
        "member": MEMBERS.name_of(type(model)),
        "fields": _plain_fields(model),
        "networks": {name: _importable(value) for name, value in _own(model).items()},
        "data": model.preprocessor_.to_json(),
        "columns": list(getattr(model, "feature_names_in_", [])) or None,
        "likelihood": model.likelihood_,
        "source": model.source_,
        "prior": storage.write_prior(model.prior_, path),
        "sha256": files.write_tensors(path / WEIGHTS, module.state_dict()),
    }
    if model.snapshots_:
        tensors = {f"codes.{s.epoch}": torch.from_numpy(s.codes) for s in model.snapshots_}
        tensors |= {
            f"grid.{s.epoch}": torch.from_numpy(np.ascontiguousarray(s.grid))
            for s in model.snapshots_
        }
        files.write_tensors(path / SNAPSHOTS, tensors)
    else:
        (path / SNAPSHOTS).unlink(missing_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in model.history_)
    files.write_bytes(path / HISTORY, lines.encode())
    files.write_json(path / CONFIG, config)
    return path


def load_run(
    path: str | Path,
    *,
    networks: Mapping[str, nn.Module | Callable[..., nn.Module]] | None = None,
    trust: bool = False,
    device: str = "auto",
) -> Estimator:
    """Read a run that :meth:`~isthmus.estimators.base.Estimator.save` wrote: a fitted member.

    A folder that :meth:`isthmus.OutlierDetector.save` wrote gives that detector, whose own ``load``
    says its type.

    Args:
        path: the folder, or ``"pretrained:NAME"`` for one that comes with the package.
        networks: what the run has of the user's own code, such as
            ``{"encoder": ..., "decoder": ...}``, as it was given to the member.
        trust: whether to import own networks from the path that the configuration names, which runs
            their code.
        device: where the model shall compute from now on.

    Raises:
        RunError: for a folder that is missing, foreign, damaged, or of a newer format.
    """
    path = run_folder(path)
    detector = read_any(path).get("detector")
    if detector is not None:
        if detector not in DETECTORS:
            raise unknown("detector", detector, DETECTORS)
        found: Estimator = DETECTORS[detector].load(path, device=device)
        return found
    config = _read_config(path)
    cls = MEMBERS[config["member"]]
    values = _read_fields(config["fields"], cls, path)
    model: Estimator = cls(
        **values | {"device": device},
        **_own_networks(config["networks"], networks or {}, trust, path),
    )
    weights, _ = files.read_tensors(path / WEIGHTS, config["sha256"])
    model._restore(_read_preprocessor(config["data"], path), weights, path / WEIGHTS)
    model.history_, model.snapshots_ = _read_rows(path), _read_snapshots(path)
    model.source_, model.prior_ = (
        config.get("source"),
        storage.read_prior(config.get("prior"), path, device),
    )
    if config["columns"] is not None:
        model.feature_names_in_ = np.asarray(config["columns"], dtype=object)
    return model


def save_prior(model: Estimator, path: str | Path) -> None:
    """Write a fitted member's prior into the run it was loaded from; nothing else is touched."""
    path = Path(path)
    config = _read_config(path)
    files.write_json(path / CONFIG, config | {"prior": storage.write_prior(model.prior_, path)})


def info(path: str | Path) -> dict[str, Any]:
    """The configuration of a run and the last row of its history, without loading weights."""
    path = run_folder(path)
    return _read_config(path) | {"history": _read_rows(path)[-1:]}


def refuse_target(path: Path, overwrite: bool) -> None:
    """Refuse a folder that is something else, or a finished run which nobody asked to replace."""
    files.refuse_foreign(path, (CONFIG, CHECKPOINT))
    if (path / CONFIG).exists() and not overwrite:
        raise InputError(
            f"{path} holds a finished run: choose another folder, or pass --overwrite."
        )


def read_any(path: Path) -> dict[str, Any]:
    """The configuration of a member's run, or of a detector's, whose format this isthmus reads."""
    if not path.is_dir():
        raise RunError(
            f"there is no run at {path}:"
            f" {'it is a file' if path.exists() else 'the folder does not exist'}."
        )
    if not (path / CONFIG).exists():
        raise RunError(f"{path} is not a finished run of isthmus: it holds no {CONFIG}.")
    config = files.read_json(path / CONFIG)
    version = config.get("format") if isinstance(config, dict) else None
    if not isinstance(version, int):
        raise RunError(
            f"{path / CONFIG} is not the configuration of a run of isthmus: it names no format."
        )
    if version > FORMAT:
        raise RunError(
            f"{path} has format {version}, this isthmus ({__version__}) reads up to {FORMAT}:"
            " upgrade isthmus."
        )
    if version < FORMAT:
        raise RunError(
            f"{path} has format {version}, which isthmus {__version__} no longer reads: train it"
            " again."
        )
    return dict(config)


def _read_config(path: Path) -> dict[str, Any]:
    config = read_any(path)
    if "detector" in config:
        raise RunError(
            f"{path} holds a detector, which is no member: load it with isthmus.load, or name one"
            f" of its members, such as {path / 'member-0'}."
        )
    missing = {"member", "fields", "networks", "data", "columns", "sha256"} - set(config)
    if missing:
        raise RunError(
            f"{path / CONFIG} is damaged: it lacks {', '.join(sorted(missing))}; restore it, or"
            " train again."
        )
    strange = [
        name for name in ("fields", "networks", "data") if not isinstance(config[name], dict)
    ]
    if strange:
        raise RunError(
            f"{path / CONFIG} is damaged: {strange[0]} is no table of names and values; restore it,"
            " or train again."
        )
    if config["member"] not in MEMBERS:
        raise unknown("member", config["member"], MEMBERS)
    return config


def _read_preprocessor(values: dict[str, Any], path: Path) -> Preprocessor:
    try:
        return Preprocessor.from_json(values)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path / CONFIG} is damaged: its data cannot be read ({error!r}); restore it, or train"
            " again."
        ) from error


def _read_rows(path: Path) -> list[dict[str, float]]:
    try:
        lines = (path / HISTORY).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path / HISTORY} is damaged or missing ({error}): restore it, or train again."
        ) from error


def _read_snapshots(path: Path) -> list[Snapshot]:
    if not (path / SNAPSHOTS).exists():
        return []
    tensors, _ = files.read_tensors(path / SNAPSHOTS)
    epochs = sorted(int(name.partition(".")[2]) for name in tensors if name.startswith("codes."))
    return [
        Snapshot(epoch, tensors[f"codes.{epoch}"].numpy(), tensors[f"grid.{epoch}"].numpy())
        for epoch in epochs
    ]


def _own(model: Estimator) -> dict[str, Any]:
    """What the user brought as code, by the name of its field: networks, a corruption."""
    return {name: value for name, value in model.get_params(deep=False).items() if _is_code(value)}


def _is_code(value: Any) -> bool:
    return callable(value) and not isinstance(value, SlotPart)


def _read_fields(values: Mapping[str, Any], cls: type, path: Path) -> dict[str, Any]:
    try:
        return from_plain(values, fields.declared(cls))
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{path / CONFIG} is damaged: its fields cannot be read ({error!r}); restore it, or"
            " train again."
        ) from error


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


def _importable(own: Any) -> str | None:
    """Where a callable can be imported from; None for a module that was handed in as an object."""
    if (
        isinstance(own, nn.Module)
        or "<" in getattr(own, "__qualname__", "<")
        or own.__module__ == "__main__"
    ):
        return None
    return f"{own.__module__}:{own.__qualname__}"


def _own_networks(
    recorded: Mapping[str, str | None], given: Mapping[str, Any], trust: bool, path: Path
) -> dict[str, Any]:
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
