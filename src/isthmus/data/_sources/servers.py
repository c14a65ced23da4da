"""Where the files of the well-known sets lie: in folders of yours, or on a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isthmus.core.paths import as_path
from isthmus.data._sources.progress import download_bar
from isthmus.errors import InputError

_FOLDER = "ISTHMUS_DATA"
_MIRROR = "ISTHMUS_MIRROR"
_TIMEOUT = 30  # seconds without an answer


@dataclass(frozen=True)
class RemoteSet:
    """One data set as its authors publish it.

    Attributes:
        name: what it is called here, and the sub-folder in which it is looked for first.
        url: where its files lie.
        files: the MD5 sum of each file; the order is that in which they are read.
        classes: the names of the classes.
        folders: further sub-folders, those in which other software puts the same files.
    """

    name: str
    url: str
    files: Mapping[str, str]
    classes: tuple[str, ...]
    folders: tuple[str, ...] = ()


def _idx(
    train_images: str, train_labels: str, test_images: str, test_labels: str
) -> dict[str, str]:
    return {
        "train-images-idx3-ubyte.gz": train_images,
        "train-labels-idx1-ubyte.gz": train_labels,
        "t10k-images-idx3-ubyte.gz": test_images,
        "t10k-labels-idx1-ubyte.gz": test_labels,
    }


MNIST = RemoteSet(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    _idx(
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    tuple("0123456789"),
    ("MNIST/raw",),
)

FASHION = RemoteSet(
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    _idx(
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    ("FashionMNIST/raw",),
)

KMNIST = RemoteSet(
    "kmnist",
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist",
    _idx(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ("KMNIST/raw",),
)

CIFAR10 = RemoteSet(
    "cifar10",
    "https://www.cs.toronto.edu/~kriz",
    {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ("cifar-10-batches-bin",),
)


def folders(source: RemoteSet, data_dir: Path | None) -> list[Path]:
    """Where to look: ``data_dir``, then ``ISTHMUS_DATA``; in each the sub-folders first."""
    inside = (source.name, *source.folders, ".")
    return [folder / name for folder in _roots(data_dir) for name in inside]


def present(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, as it is or gzip-compressed; None if there is neither."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def fetch(source: RemoteSet, data_dir: Path | None) -> list[Path]:
    """The files of a set in the cache, downloaded where one is missing or misses its checksum."""
    return [_download(source, name, data_dir) for name in source.files]


def _roots(data_dir: Path | None) -> list[Path]:
    given = {"data_dir": data_dir, _FOLDER: os.environ.get(_FOLDER)}
    roots = {origin: as_path(folder, origin) for origin, folder in given.items() if folder}
    for origin, root in roots.items():
        if not root.is_dir():
            raise InputError(
                f"{origin}={str(root)!r} is not a folder: name one that exists, or leave it out."
            )
    return list(roots.values())


def _download(source: RemoteSet, name: str, data_dir: Path | None) -> Path:
    import pooch

    url = f"{_base(source)}/{name}"
    folder = Path(pooch.os_cache("isthmus")) / source.name
    try:
        with download_bar(f"{source.name}: {name}") as bar:
            downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=_TIMEOUT)
            return Path(
                pooch.retrieve(
                    url, f"md5:{source.files[name]}", name, folder, downloader=downloader
                )
            )
    except OSError as error:  # requests' errors are OSErrors
        raise _unreachable(source, url, data_dir, error) from error
    except ValueError as error:
        raise InputError(
            f"{url} gave a file that does not match its checksum, so it was thrown away: try again,"
            f" or set {_MIRROR} to a server that has the original."
        ) from error


def _base(source: RemoteSet) -> str:
    mirror = os.environ.get(_MIRROR)
    return f"{mirror.rstrip('/')}/{source.name}" if mirror else source.url


def _unreachable(source: RemoteSet, url: str, data_dir: Path | None, error: OSError) -> InputError:
    looked = ", ".join(str(folder) for folder in folders(source, data_dir)) or "no folder"
    return InputError(
        f"{source.name} is not at hand: looked in {looked}, and could not download {url}"
        f" ({_reason(error)}): put {', '.join(source.files)} into a folder and name it with"
        f" data_dir or {_FOLDER}, or take 'digits', which needs nothing."
    )


def _reason(error: OSError) -> str:
    """A few words: what the server or disk answered, else the error's kind, not its long text."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP status {status}" if status else error.strerror or type(error).__name__
