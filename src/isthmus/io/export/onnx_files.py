"""A trained member as files of ONNX, which say of themselves what they are."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from isthmus.core.files import remove_parts, write_with
from isthmus.core.memory import in_words
from isthmus.data.conditions import LabelCondition
from isthmus.data.licences import LICENCES
from isthmus.errors import InputError, RunError, missing_extra
from isthmus.io._configuration import data_of, settings_of
from isthmus.io.export.modules import PARTS, Port, Portable, portable
from isthmus.io.export.units import seen_columns
from isthmus.registry import MEMBERS
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.estimators.base import Estimator

ENDING = ".onnx"
BATCH = "batch"
"""What the axis of examples is called in a file."""
OPSETS = range(18, 24)
"""The versions of the operators that can be asked for."""
_LARGEST = 2**31 - 1  # bytes of a message of protobuf, which a file is


def export(
    model: Estimator, path: Path, parts: Sequence[str] = ("whole",), opset: int = OPSETS[0]
) -> list[Path]:
    """Write parts of a trained member as files of ONNX; gives their paths.

    A single part is written to ``path``, several beside it, each under its name behind that of the
    file: ``model-encoder.onnx``. All of them are made and checked before the first is written.

    Raises:
        InputError: for unknown parts, operators of another version, and models that are no graph.
        MissingExtraError: where onnx is not installed.
        StorageError: where a file cannot be written; what was there is unchanged.
    """
    targets = targets_of(path, parts)
    if opset not in OPSETS or isinstance(opset, bool):
        raise InputError(
            f"opset={opset!r} is not usable: give a whole number from {OPSETS[0]} to {OPSETS[-1]}."
        )
    contents = [_content(model, portable(model, part), part, opset) for part in parts]
    for target, content in zip(targets, contents, strict=True):
        remove_parts(target)
        write_with(target, partial(_write, content), synced=True)
    return targets


def targets_of(path: Path, parts: Sequence[str]) -> list[Path]:
    """Where each part is written; refused where the names are no files' or no parts'."""
    if path.suffix.lower() != ENDING:
        raise InputError(f"{path} cannot be written: give a name that ends in {ENDING}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the name of a file.")
    if isinstance(parts, str) or not parts or len(set(parts)) < len(parts):
        raise InputError(
            f"parts={parts!r} is not usable: give one or several of {', '.join(PARTS)}, each once."
        )
    if len(parts) == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{part}{path.suffix}") for part in parts]


def metadata(model: Estimator, module: Portable, part: str, opset: int) -> dict[str, Any]:
    """What a file says of itself: who made it, of what, and in which units it reads and writes."""
    known, spec = model.preprocessor_, model.preprocessor_.spec
    found: dict[str, Any] = {
        "isthmus": __version__,
        "member": MEMBERS.name_of(type(model)),
        "part": part,
        "opset": opset,
        "example": str(spec),
        "layout": {"shape": module.inward.outer, "channels": known.layout.channels},
        "units": _units(module),
        "scaling": known.scaling.kind,
        "inputs": [_port(port) for port in module.inputs],
        "outputs": [_port(port) for port in module.outputs],
        "likelihood": model.likelihood_,
        "settings": settings_of(model),
        "data": data_of(model),
        "licence of the data": LICENCES.get(data_of(model), "not known"),
    }
    if known.table is not None:
        found["columns"] = seen_columns(known)
    if isinstance(known.condition, LabelCondition):
        found["classes"] = known.condition.labels.names
    if module.is_quantised:
        found["levels"] = [
            {"grid": level.grid, "size": level.size} for level in module.network.bottleneck.levels
        ]
    return found


def _units(module: Portable) -> str:
    """What the numbers of examples are, in words."""
    if module.inward.scaling.kind == "pixels":
        white = 255 if module.inputs[0].dtype == torch.uint8 else 65535
        return f"in: pixels, whole numbers from 0 to {white}; out: from 0 to 1"
    if module.inward.reads_pixels:
        return "in and out: from 0 (black) to 1 (white)"
    missing = "; NaN where a value is missing" if module.inward.masks else ""
    return f"in and out: those of the training data{missing}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _port(port: Port) -> dict[str, Any]:
    dtype = str(port.dtype).removeprefix("torch.")
    return {"name": port.name, "shape": [BATCH, *port.shape], "type": dtype}


def _content(model: Estimator, module: Portable, part: str, opset: int) -> bytes:
    """The bytes of the file of a part."""
    onnx, kind = _onnx(), type(model).__name__
    size = sum(value.numel() * value.element_size() for value in module.state_dict().values())
    if size > _LARGEST:
        raise InputError(
            f"this {kind} has weights of {in_words(size)}, but a file of ONNX holds 2 GB at most:"
            " take to_module() and torch.export, or a smaller network."
        )
    proto = _graph(kind, module, opset)
    proto.producer_name, proto.producer_version = "isthmus", __version__
    said = metadata(model, module, part, opset)
    onnx.helper.set_model_props(proto, {key: _text(value) for key, value in said.items()})
    content: bytes = proto.SerializeToString()
    return content


def _graph(kind: str, module: Portable, opset: int) -> Any:
    """A module as a message of ONNX."""
    traced = module.traced()
    try:
        with _silence():
            program = torch.onnx.export(
                traced,
                dynamo=True,
                opset_version=opset,
                input_names=[port.name for port in module.inputs],
                output_names=[port.name for port in module.outputs],
                verbose=False,
            )
    except Exception as error:  # whatever the exporter meets in a network
        raise InputError(
            f"this {kind} cannot be written as ONNX, because an operator of its graph is not there"
            f" at opset {opset} ({type(error).__name__}): take to_module() and torch.export."
        ) from error
    assert program is not None
    proto = program.model_proto
    if opset not in [each.version for each in proto.opset_import if not each.domain]:
        raise InputError(
            f"this {kind} cannot be written at opset={opset}, which lacks operators of its graph:"
            f" leave it out for {OPSETS[0]}."
        )
    _tidy(proto)
    return proto


def _tidy(proto: Any) -> None:
    """Name the axis of examples, and take out what the exporter notes of this machine's files."""
    graph = proto.graph
    first = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.ClearField("metadata_props")
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == first:
                dim.dim_param = BATCH
    for node in graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for weights in graph.initializer:
        weights.ClearField("metadata_props")
    graph.ClearField("metadata_props")
    graph.ClearField("doc_string")


def _write(content: bytes, file: Path) -> None:
    """Write a file and look at it as a reader will, before it has its name."""
    onnx = _onnx()
    file.write_bytes(content)
    try:
        onnx.checker.check_model(str(file), full_check=True)
    except Exception as error:
        raise RunError(
            f"the model cannot be written as ONNX: what was made of it is no whole graph"
            f" ({type(error).__name__}); tell the authors of isthmus."
        ) from error


def _onnx() -> Any:
    """The package of ONNX, and what torch needs beside it."""
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise missing_extra(error.name or "onnx", "onnx", "writing ONNX") from error
    return onnx


@contextmanager
def _silence() -> Iterator[None]:
    """Without what torch's exporter says of itself and of packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
