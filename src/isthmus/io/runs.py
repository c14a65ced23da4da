"""A run on the disk: weights (safetensors), configuration (JSON) and history (JSON lines)."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core import claims, editions, fields, files, tensor_files
from isthmus.core.editions import Edition, edition
from isthmus.core.flags import require_flags
from isthmus.core.parts import from_plain
from isthmus.core.paths import as_path
from isthmus.core.records import Record, items, unusable
from isthmus.core.weights import not_finite
from isthmus.data._column import column_name
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError, RunError, RunWarning
from isthmus.io._configuration import configuration_of, own_networks, require_readable
from isthmus.io.manifests import (
    CHECKPOINT,
    CONFIG,
    FILES,
    FORMAT,
    HISTORY,
    SNAPSHOTS,
    WEIGHTS,
    damaged_file,
    read_as_it_is,
    read_whole,
    require_folder,
    require_member,
)
from isthmus.io.places import is_on_hub, run_folder
from isthmus.priors import _storage as storage
from isthmus.registry import DETECTORS, MEMBERS
from isthmus.training.callbacks.snapshots import Snapshot, from_tensors, to_tensors

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator


def save(model: Estimator, path: Path, *, is_end: bool = False) -> Path:
    """Write a fitted member to a folder, which must be new, empty, or hold a run.

    The configuration names every file with its checksum, and its replacement makes the new run the
    present one: a run that was there stays whole until then. Where this ``is_end`` of a training
    that is kept in the same folder, its checkpoint goes by the same act.
    """
    module = model._fitted()
    if (bad := not_finite(dict(module.named_parameters()))) is not None:
        raise InputError(
            f"this {type(model).__name__} has weights that are not finite ({bad!r}), and is not"
            " saved: train it again, with a smaller learning_rate."
        )
    require_readable(model)
    config = configuration_of(model) | {"format": FORMAT}
    claims.refuse_foreign(path, (CONFIG, CHECKPOINT), FILES)
    with claims.claimed(path), edition(path, FILES) as new:
        if is_end:
            new.end(CHECKPOINT)
        new.write_tensors(WEIGHTS, module.state_dict())
        _write_snapshots(model.snapshots_, new)
        lines = "".join(json.dumps(row) + "\n" for row in model.history_)
        new.write(HISTORY, lines.encode())
        new.publish(config | {"prior": storage.write_prior(model.prior_, new)})
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
        path: the folder; ``"pretrained:NAME"`` for one that comes with the package, or
            ``"hub:USER/NAME"``, ``"hub:USER/NAME@REVISION"`` for one that is fetched from a hub.
        networks: what the run has of the user's own code, such as
            ``{"encoder": ..., "decoder": ...}``, as it was given to the member.
        trust: whether to import own networks from the path that the configuration names, which runs
            their code.
        device: where the model shall compute from now on.

    Raises:
        RunError: for a folder that is missing, foreign, damaged, changed by hand, or of another
            format.
    """
    require_flags(trust=trust)
    if trust and is_on_hub(path):
        raise InputError(
            f"trust=True would run code that {path} names, and of a hub nothing is trusted but"
            " safetensors and JSON: pass networks={...}."
        )
    path = run_folder(path)
    config, contents = read_whole(path)
    detector = config.get("detector")
    if detector is not None:
        with files.reading(path / CONFIG, files.RESTORE):
            cls = DETECTORS[detector]
        found: Estimator = cls.load(path, device=device)
        return found
    return _loaded(path, config, contents, networks or {}, trust, device)


def save_prior(model: Estimator, path: str | Path) -> None:
    """Write a fitted member's prior into the run it was loaded from; nothing else is touched.

    Raises:
        RunError: where the run holds other weights by now, to whose codes the prior does not
            belong.
    """
    path = as_path(path, "path")
    require_folder(path)
    with claims.claimed(path):
        config, contents = read_whole(path)
        require_member(config, path)
        weights = _tensors(path, WEIGHTS, contents)
        if not _are_equal(weights, model._fitted().state_dict()):
            raise RunError(
                f"{path} holds other weights than those whose codes the prior was fitted to, so it"
                " was written anew meanwhile: load it, and fit the prior again."
            )
        with edition(path, FILES) as new:
            new.keep(config, set(FILES) - {storage.FILE})
            new.publish(config | {"prior": storage.write_prior(model.prior_, new)})


def info(path: str | Path) -> dict[str, Any]:
    """The configuration of a run and the last row of its history, without loading weights.

    ``changed`` lists what is not as it was written, each with how.
    """
    path = run_folder(path)
    config, contents = read_as_it_is(path)
    require_member(config, path)
    history = path / HISTORY
    content = contents.get(HISTORY) or (files.content_of(history) if history.is_file() else b"")
    rows = _rows(content, history)
    return config | {"history": rows[-1:], "changed": changed(path, config, contents)}


def changed(path: Path, config: Mapping[str, Any], contents: Mapping[str, bytes]) -> dict[str, str]:
    """What of a run is not as it was written: entries of its configuration, and files."""
    entries = {f"{CONFIG}: {name}": "changed" for name in editions.changes(config)}
    others = [name for name in config["files"] if name not in contents]
    return entries | {name: "changed" if (path / name).is_file() else "missing" for name in others}


def repair(
    path: str | Path,
    *,
    networks: Mapping[str, nn.Module | Callable[..., nn.Module]] | None = None,
    trust: bool = False,
) -> dict[str, str]:
    """Accept a run as it is now, where somebody changed it on purpose; gives what is accepted.

    The run must load: what is damaged is not repaired, and a file that is missing is no longer a
    part of it.

    Args:
        path: the folder.
        networks: as for :func:`load_run`.
        trust: as for :func:`load_run`.

    Raises:
        RunError: where it cannot be loaded as it is; nothing is changed then.
    """
    path = as_path(path, "path")
    require_folder(path)
    with claims.claimed(path):
        editions.settle(path)
        config, whole = read_as_it_is(path)
        require_member(config, path)
        accepted = changed(path, config, whole)
        contents = {
            name: files.content_of(path / name) for name in FILES if (path / name).is_file()
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RunWarning)
            _loaded(path, config, contents, networks or {}, trust, "cpu")
        with edition(path, FILES) as new:
            for name, content in contents.items():
                new.write(name, content)
            new.publish(config)
    return accepted


def refuse_target(path: Path, overwrite: bool) -> None:
    """Refuse a folder that is something else, or a finished run which nobody asked to replace."""
    claims.refuse_foreign(path, (CONFIG, CHECKPOINT), FILES)
    if (path / CONFIG).exists() and not overwrite:
        raise InputError(
            f"{path} holds a finished run: choose another folder, or pass --overwrite."
        )


def _loaded(
    path: Path,
    config: Mapping[str, Any],
    contents: Mapping[str, bytes],
    networks: Mapping[str, Any],
    trust: bool,
    device: str,
) -> Estimator:
    """The member that a configuration and the files beside it describe."""
    require_member(config, path)
    # all files are looked at before anything is built, which takes longer
    weights = _tensors(path, WEIGHTS, contents)
    history = _said(path, HISTORY, config, contents, _rows)
    snapshots = _said(path, SNAPSHOTS, config, contents, _snapshots)
    has_prior = config.get("prior") is not None
    learnt = _tensors(path, storage.FILE, contents) if has_prior else {}
    cls = MEMBERS[config["member"]]
    with files.reading(path / CONFIG, files.RESTORE):
        values = from_plain(config["fields"], fields.declared(cls))
        preprocessor = Preprocessor.from_json(config["data"])
        own = own_networks(config["networks"], networks, trust, path)
        model: Estimator = cls(**values | {"device": device}, **own)
        chosen = Record(config.get("chosen", {}), "chosen").entries()
        for name, value in from_plain(chosen, fields.declared(cls)).items():
            suited = model._suited(preprocessor.spec)
            if getattr(model, name) is None and getattr(suited, name) != value:  # a rule of before
                setattr(model, name, value)
    # the user's own code may raise what it likes
    with nullcontext() if own else files.reading(path / CONFIG, files.RESTORE):
        model._restore(preprocessor, weights, path / WEIGHTS)
    with files.reading(path / SNAPSHOTS, files.RESTORE):
        model._recall(history, snapshots)
    model.source_ = config.get("source")
    if has_prior:
        model.prior_ = storage.read_prior(config["prior"], learnt, path, device)
        _require_prior(model, path)
    if config["columns"] is not None:
        model.feature_names_in_ = _columns(config["columns"], model, path)
    return model


def _require_prior(model: Estimator, path: Path) -> None:
    """Refuse a prior over other codes than those of the member."""
    prior, levels = model.prior_, tuple(model._levels)
    shapes = [level.grid for level in levels] or [model.module_.bottleneck.code_shape]
    size = sum(map(math.prod, shapes))
    if prior is not None and (math.prod(prior.code_shape_) != size or prior.levels_ != levels):
        raise RunError(
            f"{path / storage.FILE} is a prior over codes of shape {prior.code_shape_}, but those"
            f" of the member have {size} numbers on {len(levels)} levels: fit the prior again."
        )


def _columns(names: Any, model: Estimator, path: Path) -> np.ndarray:
    """What the columns of training were called."""
    with files.reading(path / CONFIG, files.RESTORE):
        found = [column_name("columns", name) for name in items("columns", names)]
        if len(found) != model.n_features_in_:
            raise unusable("columns", found, f"{model.n_features_in_} names")
    return np.asarray(found, dtype=object)


def _said(
    path: Path,
    name: str,
    config: Mapping[str, Any],
    contents: Mapping[str, bytes],
    read: Callable[[bytes, Path], list[Any]],
) -> list[Any]:
    """A file that a model can do without: its absence is said, damage is refused."""
    if name in contents:
        with files.reading(path / name, files.RESTORE):
            return read(contents[name], path / name)
    if name in config["files"]:
        if (path / name).is_file():
            raise damaged_file(path, name)
        warnings.warn(
            f"{path / name} is missing: the model is whole, but what the file told of its training"
            f" is lost; isthmus repair {path} accepts that.",
            RunWarning,
            stacklevel=4,
        )
    return []


def _tensors(path: Path, name: str, contents: Mapping[str, bytes]) -> dict[str, Tensor]:
    """The tensors of a file that a model cannot do without."""
    if name not in contents:
        raise damaged_file(path, name)
    return tensor_files.parse_tensors(contents[name], path / name)[0]


def _are_equal(kept: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> bool:
    """Whether a model still has the weights of a file, in the types that it computes with."""
    return set(kept) == set(now) and all(
        torch.equal(kept[name].to(value.dtype), value.to("cpu")) for name, value in now.items()
    )


def _rows(content: bytes, path: Path) -> list[dict[str, float]]:
    with files.reading(path, files.RESTORE):
        rows = [json.loads(line) for line in content.decode("utf-8").splitlines()]
        return [{str(name): float(value) for name, value in row.items()} for row in rows]


def _snapshots(content: bytes, path: Path) -> list[Snapshot]:
    return from_tensors(tensor_files.parse_tensors(content, path)[0])


def _write_snapshots(snapshots: list[Snapshot], new: Edition) -> None:
    if snapshots:
        new.write_tensors(SNAPSHOTS, to_tensors(snapshots))
