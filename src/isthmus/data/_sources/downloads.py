"""The well-known image sets: read where they lie, else downloaded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isthmus.data._sources.binaries import (
    read_cifar,
    read_cifar_archive,
    read_idx_images,
    read_idx_labels,
)
from isthmus.data._sources.servers import (
    CIFAR10,
    FASHION,
    KMNIST,
    MNIST,
    RemoteSet,
    fetch,
    folders,
    present,
)
from isthmus.data.datasets import Data, Part
from isthmus.errors import InputError

_BATCHES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_TEST_BATCH = "test_batch.bin"

# The first labels of two sets whose files have the same names and the same sizes.
_OPENINGS = {
    "mnist": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
    "fashion-mnist": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
}
_FULL = 60_000


def mnist(data_dir: Path | None = None) -> Data:
    """70,000 handwritten digits of 28x28 grey pixels (LeCun et al., 1998); 11 MB to download."""
    return _idx_set(MNIST, data_dir)


def fashion_mnist(data_dir: Path | None = None) -> Data:
    """70,000 articles of clothing of 28x28 grey pixels (Xiao et al., 2017); 30 MB to download."""
    return _idx_set(FASHION, data_dir)


def kmnist(data_dir: Path | None = None) -> Data:
    """70,000 cursive Japanese characters of 28x28 grey pixels (Clanuwat et al., 2018); 21 MB."""
    return _idx_set(KMNIST, data_dir)


def cifar10(data_dir: Path | None = None) -> Data:
    """60,000 photographs of 32x32 colour pixels in 10 classes (Krizhevsky, 2009); 170 MB.

    Some of the binary batches are enough if they lie in a folder of yours; the name then says that
    it is a part.
    """
    for folder in folders(CIFAR10, data_dir):
        (archive,) = CIFAR10.files
        if (folder / archive).is_file():
            return _cifar_archive(folder / archive)
        train, test = _present_batches(folder), _test_batch(folder)
        if train and test:
            return _cifar_batches(train, test)
    return _cifar_archive(fetch(CIFAR10, data_dir)[0])


def _idx_set(source: RemoteSet, data_dir: Path | None) -> Data:
    paths = _idx_files(source, data_dir)
    train, test = (_idx_part(*paths[i : i + 2]) for i in (0, 2))
    _check_identity(source.name, train, paths[1])
    if train.x.shape[1:] != test.x.shape[1:]:
        raise InputError(
            f"{paths[0]} and {paths[2]} hold images of different sizes: get both again."
        )
    return Data(source.name, train, test, source.classes)


def _idx_files(source: RemoteSet, data_dir: Path | None) -> list[Path]:
    names = [name.removesuffix(".gz") for name in source.files]
    for folder in folders(source, data_dir):
        found = [path for name in names if (path := present(folder, name))]
        if len(found) == len(names):
            return found
    return fetch(source, data_dir)


def _idx_part(images: Path, labels: Path) -> Part:
    x, y = read_idx_images(images), read_idx_labels(labels)
    if len(x) != len(y):
        raise InputError(
            f"{images} holds {len(x):,} images but {labels} holds {len(y):,} labels: get both"
            " again."
        )
    return Part(x, y)


def _check_identity(name: str, train: Part, path: Path) -> None:
    """Refuse the files of a sister set: only their content tells them apart."""
    opening = tuple(np.asarray(train.y)[:10].tolist())
    for other, known in _OPENINGS.items():
        if len(train) == _FULL and (opening == known) != (other == name):
            raise InputError(
                f"{path} {f'is a file of {other}, not' if opening == known else 'is no file'} of"
                f" {name}: put the files of {name} into a folder of that name beside it."
            )


def _present_batches(folder: Path) -> list[Path]:
    return [path for name in _BATCHES if (path := present(folder, name))]


def _test_batch(folder: Path) -> Path | None:
    """The whole test batch, or else a part of it."""
    parts = (
        path
        for suffix in ("bin", "bin.gz")
        for path in sorted(folder.glob(f"test_batch_first_*.{suffix}"))
    )
    return present(folder, _TEST_BATCH) or next(parts, None)


def _cifar_batches(train: Sequence[Path], test: Path) -> Data:
    whole = len(train) == len(_BATCHES) and test.name.startswith(_TEST_BATCH)
    parts = [read_cifar(path) for path in train]
    return Data(
        "cifar10" if whole else "cifar10 (part)", _joined(parts), read_cifar(test), CIFAR10.classes
    )


def _cifar_archive(path: Path) -> Data:
    *train, test = read_cifar_archive(path, (*_BATCHES, _TEST_BATCH))
    return Data("cifar10", _joined(train), test, CIFAR10.classes)


def _joined(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    return Part(
        np.concatenate([part.x for part in parts]),
        np.concatenate([np.asarray(part.y) for part in parts]),
    )
