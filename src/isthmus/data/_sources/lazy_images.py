"""A folder of images as a stream: every file is decoded when a batch needs it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isthmus.core.digests import Digest
from isthmus.data._sources.folders import labels_of_files
from isthmus.data._sources.images import Wanted, looked_at
from isthmus.data._sources.pixels import Form, decoded, pixel_type
from isthmus.data.rows import Rows
from isthmus.data.streams import Source, Stream


class ImageFiles(Source):
    """Image files, each decoded whenever it is asked for, ``(channels, height, width)``.

    Args:
        folder: where they lie.
        names: their paths below it.
        form: what they are brought to.
    """

    is_costly = True

    def __init__(self, folder: Path, names: Sequence[str], form: Form) -> None:
        self._folder, self._form = folder, form
        # one block of bytes: processes that read share it, where each touch of a text would copy
        self._names = np.array([os.fsencode(name) for name in names])
        self.shape, self.dtype = (len(names), form.channels, *form.size), np.dtype(pixel_type(form))

    def read(self, rows: np.ndarray) -> np.ndarray:
        examples = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for example, name in zip(examples, self._names[rows], strict=True):
            example[:] = decoded(self._path(name), self._form)
        return examples

    def fingerprint(self) -> str:
        digest = Digest()
        for name in self._names:
            digest.add_text(os.fsdecode(name))
            digest.add_file(self._path(name))
        return str(digest)

    def _path(self, name: bytes) -> Path:
        return self._folder / os.fsdecode(name)


def stream_folder(folder: Path, wanted: Wanted) -> Rows:
    """The images of a folder as :func:`isthmus.data._sources.images.read_images` reads them, but
    later; their heads are looked at now.
    """
    images = looked_at(folder, wanted)
    y, classes = labels_of_files(images.files)
    names = tuple(file.name for file in images.files)
    stream = Stream(ImageFiles(folder, names, images.form))
    return Rows(stream, y, classes, files=names, train_rows=images.train)
