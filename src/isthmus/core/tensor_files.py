"""Tensors on the disk: safetensors with a JSON value and a checksum in the header, never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from isthmus.core.files import RESTORE, content_of, reading, write_bytes
from isthmus.core.paths import require_regular
from isthmus.errors import RunError

_META = "isthmus"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Any = None) -> None:
    """Write tensors in the safetensors format, a JSON value in the header, and a checksum."""
    write_bytes(path, tensor_bytes(tensors, meta))


def tensor_bytes(tensors: Mapping[str, Tensor], meta: Any = None) -> bytes:
    """What :func:`write_tensors` writes."""
    apart = _apart(tensors)
    said = {"value": meta, "sha256": _checksum(apart, json.dumps(meta))}
    return save(apart, metadata={_META: json.dumps(said)})


def read_tensors(path: Path, remedy: str = RESTORE) -> tuple[dict[str, Tensor], Any]:
    """Read what :func:`write_tensors` wrote; a damaged or foreign file raises :class:`RunError`."""
    if not path.is_file():
        raise RunError(f"{path} is missing: {remedy}.")
    with reading(path, remedy):
        return parse_tensors(content_of(path, remedy), path, remedy)


def parse_tensors(
    content: bytes, path: Path, remedy: str = RESTORE
) -> tuple[dict[str, Tensor], Any]:
    """The tensors and the value of what :func:`tensor_bytes` made, checked; ``path`` is said."""
    with reading(path, remedy):
        size = int.from_bytes(content[:8], "little")
        said = _said(json.loads(content[8 : 8 + size]).get("__metadata__"))
        tensors = load(content)
        if said.get("sha256") != _checksum(tensors, json.dumps(said.get("value"))):
            raise RunError(
                f"{path} does not match its checksum, so it was damaged or exchanged: {remedy}."
            )
        return tensors, said.get("value")


def read_meta(path: Path) -> Any:
    """Only the JSON value in the header of what :func:`write_tensors` wrote, unchecked."""
    with _opened(path) as file:
        return _said(file.metadata()).get("value")


def is_marked(path: Path) -> bool:
    """Whether :func:`write_tensors` wrote a file."""
    with _opened(path) as file:
        return _META in (file.metadata() or {})


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


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A file of tensors, of which the head alone is read."""
    with reading(path, "remove or restore it"):
        require_regular(path)
        with safe_open(path, framework="pt") as file:
            yield file


def _said(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What isthmus wrote into the header of a safetensors file; nothing in a foreign one."""
    said = json.loads((metadata or {}).get(_META, "{}"))
    return said if isinstance(said, dict) else {}


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """What changes when a name, a type, a shape, a value, or the text beside them does."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


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
