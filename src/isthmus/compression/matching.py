"""Which model compressed data belong to: checksums of models, and finding the one that fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from isthmus.compression.container import Identity, read_coded
from isthmus.core.files import content_of
from isthmus.core.paths import as_path
from isthmus.errors import InputError, InputTypeError
from isthmus.io.runs import load_run

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator
    from isthmus.priors.base import Prior

_BYTES = 8


def decompress(data: bytes | str | Path, model: Any = None) -> Any:
    """The examples of compressed data, by the model that made them.

    Args:
        data: what :meth:`~isthmus.Estimator.compress` gave, or the path of a file of it.
        model: a member, the folder of a run, or several of them, of which the one that fits is
            taken.

    Raises:
        InputError: for data that are damaged or foreign, and where no model fits: the message
            names the one that they need.
    """
    content = _content(data)
    coded, identity = read_coded(content)
    given = model if isinstance(model, list | tuple) else [] if model is None else [model]
    for one in given:
        member = _member(one)
        if identity_of(member, with_prior=coded.by_prior) == identity:
            return member.decompress(content)
    if len(given) == 1:
        return member.decompress(content)  # which says how it differs
    none = f", which is none of the {len(given)} models given" if given else ""
    raise InputError(
        f"the data were compressed by a {identity}{none}: pass that member, or the folder of its"
        " run, as model=..."
    )


def identity_of(model: Estimator, *, with_prior: bool = False) -> Identity:
    """What tells a trained member from every other, and its prior where that matters."""
    data = json.dumps(model.preprocessor_.to_json(), sort_keys=True)
    checksum = _digest(model._fitted().state_dict(), type(model).__name__ + data)
    if not with_prior or model.prior_ is None:
        return Identity(type(model).__name__, checksum)
    return Identity(type(model).__name__, checksum, _prior_digest(model.prior_))


def _content(data: object) -> bytes:
    """The bytes that are meant by data, or by the path of a file of them."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if not isinstance(data, str | PathLike):
        raise InputTypeError(
            f"data is of type {type(data).__name__}: give the bytes that compress made, or the"
            " path of a file of them, as ist.decompress(data, model)."
        )
    return content_of(as_path(data, "data"), "restore it from a copy")


def _member(model: Any) -> Estimator:
    """A member, or that of a run."""
    if isinstance(model, str | PathLike):
        return load_run(Path(model))
    if not hasattr(model, "decompress"):
        raise InputTypeError(
            f"model is of type {type(model).__name__}: give a trained member, the folder of a run,"
            " or a list of them, as ist.decompress(data, model)."
        )
    member: Estimator = model
    return member


def require_same(wanted: Identity, model: Identity) -> None:
    """Refuse data of another model than the one that is to read them.

    Raises:
        InputError: which names the model that they need.
    """
    if (wanted.member, wanted.model) != (model.member, model.model):
        raise InputError(
            f"the data were compressed by a {wanted}, and this is a {model}: give the model that"
            " made them."
        )
    if wanted.prior != model.prior:
        raise InputError(
            f"the data were compressed under another prior of this {wanted.member}, with the"
            f" checksum {wanted.prior.hex()}: give the model with the prior that it had then."
        )


def _prior_digest(prior: Prior) -> bytes:
    tensors, values = prior.state()
    classes = values["classes"]
    said = [
        type(prior).__name__,
        values["code_shape"],
        values["levels"],
        None if classes is None else [list(classes["names"]), list(classes["shares"])],
    ]
    return _digest(tensors, json.dumps(said))


def _digest(tensors: Mapping[str, Tensor], text: str) -> bytes:
    """A checksum over names, types, shapes and values of tensors, and a text."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return total.digest()[:_BYTES]
