"""Tensors and JSON on the disk: written atomically, checked when read, never pickled."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from isthmus.core.memory import require
from isthmus.core.paths import require_regular
from isthmus.errors import InputError, MissingExtraError, RunError, StorageError

PART = ".isthmus-part"
"""How a file ends that is being written; one that a killed process left is removed later."""

RESTORE = "restore it, or train again"
"""What to do about a file of a run that cannot be read."""
LONGEST = 255
"""Bytes of a name that common file systems take."""

_META = "isthmus"
_ABANDONED = 3600  # seconds after which nobody writes on


def write_bytes(
    path: Path, content: bytes, *, synced: bool = True, named: Path | None = None
) -> None:
    """Write a whole file or nothing: a crash leaves the old file, or none, never half of one.

    Unless ``synced``, that holds for a crash of the program and not of the machine, and costs a
    tenth of the time: for many small files that are easily made again. An error speaks of ``path``
    or, where that is a name for the meantime, of the file that is ``named``.

    Raises:
        StorageError: where the disk is full or refuses; what was there is unchanged.
    """
    write_with(path, lambda part: _write_out(part, content, synced), synced=synced, named=named)


def write_with(
    path: Path, write: Callable[[Path], None], *, synced: bool = False, named: Path | None = None
) -> None:
    """Let ``write`` make a file under another name, and put it in its place when it is whole."""
    with storing(named or path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = meanwhile(path, f".{secrets.token_hex(4)}{PART}")
        try:
            write(part)
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        if synced:
            sync_folder(path.parent)


def meanwhile(path: Path, ending: str) -> Path:
    """The hidden name of a file until it is whole; a very long one is cut, and told by its hash."""
    name, room = os.fsencode(path.name), LONGEST - len(ending) - 1
    if len(name) > room:
        mark = hashlib.sha256(name).hexdigest()[:8]
        return path.with_name(f".{name[: room - 8].decode(errors='ignore')}{mark}{ending}")
    return path.with_name(f".{path.name}{ending}")


def remove_parts(path: Path) -> None:
    """Remove what killed processes left of a file; what is younger may still be written."""
    start = meanwhile(path, ".00000000" + PART).name.removesuffix("00000000" + PART)
    for part in path.parent.glob(f"{glob.escape(start)}*{PART}"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a crash of the machine, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # no folder can be opened on Windows
        return
    try:
        os.fsync(handle)
    except OSError:  # some file systems know no sync of a folder
        pass
    finally:
        os.close(handle)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Say in one sentence which file cannot be written, and why."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free some space" if full else "choose another place, or allow it"
        raise StorageError(
            f"{path} cannot be written ({error.strerror or error}): {remedy}; what was there is"
            " unchanged."
        ) from error
    except UnicodeError as error:
        raise StorageError(
            f"{path} is no name that the system takes: choose another; nothing was written."
        ) from error


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """The door through which a file comes: whatever reading it raises becomes one sentence.

    Errors of ours keep their sentence. A damaged file can make a reader raise anything, and the
    name of that says nothing to whoever handed the file in.
    """
    try:
        yield
    except (RunError, MissingExtraError, Warning):  # a warning is ours, where it is raised
        raise
    except InputError as error:
        raise RunError(f"{path}: {error}") from error
    except MemoryError as error:
        raise RunError(f"{path} is too large for the memory: {remedy}.") from error
    except Exception as error:
        said = readable(str(error))
        raise RunError(
            f"{path} is damaged or foreign, and cannot be read ({type(error).__name__}: {said}):"
            f" {remedy}."
        ) from error


def readable(text: str) -> str:
    """A text of another library's, or of a file, on one line and in signs that can be printed."""
    line = " ".join(text.split())[:200]
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in line)


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A value as readable JSON."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def content_of(path: Path, remedy: str = RESTORE) -> bytes:
    """All bytes of a file; refused where it never ends, or is larger than the memory.

    Raises:
        RunError: which names the file.
    """
    with reading(path, remedy):
        require_regular(path)
        require(path.stat().st_size, "its content", remedy)
        return path.read_bytes()


def read_json(path: Path) -> Any:
    """Read JSON; what cannot be read raises :class:`RunError` with the file's name."""
    if not path.is_file():
        raise RunError(f"{path} is missing: the folder holds no finished run of isthmus.")
    with reading(path, "restore it from a copy, or train again"):
        return json.loads(content_of(path))


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


def sha256(content: bytes) -> str:
    """The checksum of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


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
    """Put weights into a module; what does not fit raises :class:`RunError` and changes nothing."""
    require_fit(module, state, source)
    module.load_state_dict(dict(state))


def require_fit(module: torch.nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Refuse weights that are no module's, which ``source`` holds.

    A weight does not fit where it is missing, foreign, misshapen, of another type, or not finite. A
    buffer may be infinite: how far training has come stands in some, and the end of it is there.
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
        if not _is_kin(tensor.dtype, state[name].dtype):
            raise RunError(
                f"{source} does not fit the model: {name!r} holds {_short(state[name].dtype)}, the"
                f" model wants {_short(tensor.dtype)}."
            )
    learnt = {name for name, _ in module.named_parameters()}
    bad = not_finite({name: state[name] for name in expected if name in learnt})
    if bad is None:
        bad = next((name for name in expected if bool(state[name].isnan().any())), None)
    if bad is not None:
        raise RunError(
            f"{source} holds weights that are not finite ({bad!r}), with which nothing can be"
            " computed: train again, with a smaller learning_rate."
        )


def _is_kin(wanted: torch.dtype, given: torch.dtype) -> bool:
    """Whether values of one type may stand for another: floating point of any width may."""
    return wanted == given or (wanted.is_floating_point and given.is_floating_point)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of the first weight that holds NaN or infinity, or None."""
    return next((name for name, value in weights.items() if not bool(value.isfinite().all())), None)


def _write_out(part: Path, content: bytes, synced: bool) -> None:
    """Write and, where asked, let it reach the disk; the system's umask decides who may read."""
    with part.open("xb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())


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
