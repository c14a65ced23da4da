"""Tensors and JSON on the disk: written atomically, checked when read, never pickled."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from isthmus.errors import InputError, RunError

_META = "isthmus"


def write_bytes(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Write a whole file or nothing: a crash leaves the old file, or none, never half of one.

    Unless ``synced``, that holds for a crash of the program and not of the machine, and costs a
    tenth of the time: for many small files that are easily made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read JSON; what cannot be read raises :class:`RunError` with the file's name."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(
            f"{path} is missing: the folder holds no finished run of isthmus."
        ) from error
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged ({error}): restore it from a copy, or train again."
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Any = None) -> str:
    """Write tensors in the safetensors format, a JSON value in the header; gives its SHA-256."""
    content = save(_apart(tensors), metadata={_META: json.dumps(meta)})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_tensors(path: Path, sha256: str | None = None) -> tuple[dict[str, Tensor], Any]:
    """Read what :func:`write_tensors` wrote; a damaged or foreign file raises :class:`RunError`."""
    if not path.is_file():
        raise RunError(f"{path} is missing: restore it from a copy, or train again.")
    if sha256 is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise RunError(
            f"{path} does not match its checksum, so it was damaged or exchanged: restore it, or"
            " train again."
        )
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get(_META, "null"))
            return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(
            f"{path} is no safetensors file, or is damaged ({error}): restore it, or train again."
        ) from error


def read_meta(path: Path) -> Any:
    """Only the JSON value in the header of what :func:`write_tensors` wrote."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get(_META, "null"))
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(
            f"{path} is no safetensors file, or is damaged ({error}): remove or restore it."
        ) from error


def pack(value: Any, tensors: dict[str, Tensor], prefix: str) -> Any:
    """Split a tree of dictionaries and lists into JSON and tensors, which go to ``tensors``.

    Such a tree is an optimiser's state.
    """
    if isinstance(value, Tensor):
        tensors[prefix] = value
        return {"tensor": prefix}
    if isinstance(value, Mapping):
        return {
            "map": [[key, pack(item, tensors, f"{prefix}.{key}")] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        return {"list": [pack(item, tensors, f"{prefix}.{i}") for i, item in enumerate(value)]}
    return {"value": value}


def unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of :func:`pack`; tuples come back as lists."""
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "map" in tree:
        return {key: unpack(item, tensors) for key, item in tree["map"]}
    if "list" in tree:
        return [unpack(item, tensors) for item in tree["list"]]
    return tree["value"]


def load_state(module: torch.nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Put weights into a module; what does not fit raises :class:`RunError` and changes nothing.

    A weight does not fit where it is missing, foreign, misshapen, or not finite.
    """
    expected = module.state_dict()
    wrong = [*sorted(set(expected) - set(state)), *sorted(set(state) - set(expected))]
    if wrong:
        raise RunError(
            f"{source} does not fit the model: {wrong[0]!r} stands in only one of the two."
        )
    for name, tensor in expected.items():
        if tensor.shape != state[name].shape:
            raise RunError(
                f"{source} does not fit the model: {name!r} has the shape"
                f" {tuple(state[name].shape)}, the model wants {tuple(tensor.shape)}."
            )
    if (
        bad := not_finite({name: state[name] for name, _ in module.named_parameters()})
    ) is not None:
        raise RunError(
            f"{source} holds weights that are not finite ({bad!r}), with which nothing can be"
            " computed: train again, with a smaller learning_rate."
        )
    module.load_state_dict(dict(state))


def not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of the first weight that holds NaN or infinity, or None."""
    return next((name for name, value in weights.items() if not bool(value.isfinite().all())), None)


def refuse_foreign(folder: Path, marks: tuple[str, ...]) -> None:
    """Refuse to write into something that exists and was not written by isthmus."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder that is new or holds a run.")
    if (
        folder.is_dir()
        and any(folder.iterdir())
        and not any((folder / mark).exists() for mark in marks)
    ):
        raise InputError(
            f"{folder} exists and is not a run of isthmus: choose another folder; nothing was"
            " written."
        )


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, with memory of their own: the format refuses tied ones and views."""
    apart: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        ready = tensor.detach().to("cpu").contiguous()
        storage = ready.untyped_storage().data_ptr()
        apart[name] = ready.clone() if storage in seen else ready
        seen.add(storage)
    return apart


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
