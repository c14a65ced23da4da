"""A cloud of any size, written for embedding-atlas, which shows millions of points."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from isthmus.core import files
from isthmus.core.paths import as_path
from isthmus.data.datasets import Data, Part, require_data
from isthmus.errors import InputError, missing_extra
from isthmus.estimators.base import Estimator
from isthmus.explorer._shown import units_of

if TYPE_CHECKING:
    from pyarrow import Schema, Table

_ROWS = 16_384  # encoded, and written, at once
_FOR_AXES = 20_000  # examples by whose codes the plane's axes are found


def write_atlas(model: Estimator, data: Data, path: str | Path, *, pictures: bool = True) -> Path:
    """Write the codes of all examples as a Parquet file that embedding-atlas opens.

    A row is an example: ``x`` and ``y``, where its code lies in the plane (the code itself where it
    is one number or two, else its first two principal components), its ``label``, its ``part``, and
    its ``image``, a PNG. Some thousands are encoded and written at a time, so that a million need
    no more memory than these.

    Args:
        model: a trained member.
        data: both parts are written, the training part first.
        path: of the file.
        pictures: whether images are written too; those of a million digits take 220 MB.

    Raises:
        InputError: for data that are no data set, and another ending of the name.
        MissingExtraError: without pyarrow, of the extra ``atlas``.

    Reference:
        D. Ren, F. Hohman, H. Lin and D. Moritz, Embedding Atlas: low-friction, interactive
        embedding visualization, 2025, arXiv:2505.06386.
    """
    path = as_path(path, "path")
    if path.suffix.lower() != ".parquet":
        raise InputError(f"path={str(path)!r} is no table: give a name that ends in .parquet.")
    require_data(data)
    parts = {name: part for name, part in _parts(data).items() if len(part)}
    if not parts:
        raise InputError(f"{data.name} has no examples, so there is nothing to write.")
    cloud = _Cloud(model, next(iter(parts.values())), pictures)
    files.write_with(path, lambda beside: _write(beside, cloud, parts), synced=False)
    return path


def _parts(data: Data) -> dict[str, Part]:
    return {"train": data.train, "test": data.test}


class _Cloud:
    """How examples become rows of the table.

    Args:
        model: which encodes them.
        part: examples by which the plane, and the greys of pictures, are settled.
        pictures: whether images are wanted.
    """

    def __init__(self, model: Estimator, part: Part, pictures: bool) -> None:
        self.model = model
        rows = np.linspace(0, len(part) - 1, min(len(part), _FOR_AXES)).astype(int)
        some = part.take(rows)
        self.centre, self.directions = _axes(self._codes(some))
        spec = model.preprocessor_.spec
        self.pictured = pictures and spec.kind == "image" and spec.shape[0] in (1, 3)
        if self.pictured:
            self.scale, self.offset = units_of(model, self._inside(some))

    def table(self, part: Part, name: str, schema: Schema) -> Table:
        """The rows of some examples."""
        import pyarrow

        places = (self._codes(part) - self.centre) @ self.directions.T  # (n, 2)
        labels = part.labels
        columns = {
            "x": places[:, 0],
            "y": places[:, 1],
            "label": [None] * len(part) if labels is None else labels.astype(str),
            "part": [name] * len(part),
        }
        if self.pictured:
            shown = self._inside(part) * self.scale + self.offset
            pixels = (shown * 255).clamp(0, 255).round().byte().numpy()
            columns["image"] = [{"bytes": png_of(picture)} for picture in pixels]
        return pyarrow.table(columns, schema=schema)

    def _inside(self, part: Part) -> Tensor:
        return torch.cat([batch.x.float().cpu() for batch in self.model._batches(part).chunks()])

    def _codes(self, part: Part) -> np.ndarray:
        return np.asarray(self.model.codes(part), dtype=np.float32)  # (n, code)


def _axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of the plane and its directions, ``(code,)`` and ``(2, code)``."""
    size = codes.shape[1]
    if size <= 2:
        return np.zeros(size, np.float32), np.eye(2, size, dtype=np.float32)
    centre = codes.mean(0)
    directions = np.linalg.eigh(np.cov((codes - centre).T))[1]
    return centre, directions[:, ::-1][:, :2].T.astype(np.float32)


def _write(path: Path, cloud: _Cloud, parts: Mapping[str, Part]) -> None:
    """Write the table, some rows at a time."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_extra("pyarrow", "atlas", "the cloud of codes") from error
    fields = [("x", pyarrow.float32()), ("y", pyarrow.float32())]
    fields += [("label", pyarrow.string()), ("part", pyarrow.string())]
    if cloud.pictured:
        fields.append(("image", pyarrow.struct([("bytes", pyarrow.binary())])))
    schema = pyarrow.schema(fields)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for name, part in parts.items():
            for start in range(0, len(part), _ROWS):
                some = part.take(slice(start, start + _ROWS))
                writer.write_table(cloud.table(some, name, schema))


def png_of(picture: np.ndarray) -> bytes:
    """A picture ``(1 or 3, h, w)`` of bytes as a PNG.

    A file of a few hundred bytes is made in a tenth of the time that a library of images takes.
    """
    channels, height, width = picture.shape
    rows = picture.transpose(1, 2, 0).reshape(height, width * channels)
    filtered = np.zeros((height, 1 + width * channels), np.uint8)  # a row begins with its filter
    filtered[:, 1:] = rows
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(filtered.tobytes(), 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(itertools.starmap(_chunk, chunks))


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
