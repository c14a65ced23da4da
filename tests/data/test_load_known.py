"""The well-known sets: small files of the same formats, from folders and from a local server."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import os
import struct
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest

from isthmus.data import load, read
from isthmus.data._sources import downloads
from isthmus.data._sources import servers as sources
from isthmus.errors import InputError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and nothing of the machine's own settings."""
    for name in ("ISTHMUS_DATA", "ISTHMUS_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    return tmp_path / "cache" / "isthmus"


def idx(x: np.ndarray) -> bytes:
    return struct.pack(f">HBB{x.ndim}I", 0, 8, x.ndim, *x.shape) + x.astype(np.uint8).tobytes()


def idx_files(n_train: int = 6, n_test: int = 4) -> dict[str, bytes]:
    """The four files of a small set of images of 3x5 pixels."""
    pixels = np.arange((n_train + n_test) * 15, dtype=np.uint8).reshape(-1, 3, 5)
    labels = np.arange(n_train + n_test) % 10
    train, test = slice(n_train), slice(n_train, None)
    return dict(
        zip(
            NAMES, map(idx, (pixels[train], labels[train], pixels[test], labels[test])), strict=True
        )
    )


def records(n: int, label: int = 3) -> bytes:
    """Records of CIFAR-10: red is 1, green is 2, blue is 3."""
    record = bytes([label]) + b"\1" * 1024 + b"\2" * 1024 + b"\3" * 1024
    return record * n


def write(folder: Path, files: dict[str, bytes], packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / (name + ".gz" * packed)).write_bytes(
            gzip.compress(content) if packed else content
        )
    return folder


def archive(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


class TestFolders:
    @pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
    @pytest.mark.parametrize("packed", [True, False])
    @pytest.mark.parametrize("inside", ["", "{}"])
    def test_idx_files_are_found(self, tmp_path, name, packed, inside):
        write(tmp_path / inside.format(name), idx_files(), packed)
        data = load(name, data_dir=tmp_path)
        assert (data.name, data.shape, len(data.train), len(data.test)) == (name, (1, 3, 5), 6, 4)
        assert (data.train.x.dtype, data.train.x.flags.writeable, data.train.x.base is None) == (
            np.uint8,
            True,
            False,
        )
        np.testing.assert_array_equal(data.test.x.ravel(), np.arange(90, 150))
        assert (data.train.y.tolist(), data.test.y.tolist(), len(data.classes)) == (
            [0, 1, 2, 3, 4, 5],
            [6, 7, 8, 9],
            10,
        )

    def test_the_environment_names_a_folder_and_data_dir_comes_first(self, tmp_path, monkeypatch):
        write(tmp_path / "one" / "mnist", idx_files(n_train=3))
        write(tmp_path / "two", idx_files(n_train=5))
        monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path / "one"))
        assert len(load("mnist").train) == 3
        assert len(load("mnist", data_dir=tmp_path / "two").train) == 5

    def test_the_folder_of_the_set_comes_before_files_beside_it(self, tmp_path):
        write(tmp_path, idx_files(n_train=3))
        write(tmp_path / "kmnist", idx_files(n_train=5))
        assert len(load("kmnist", data_dir=tmp_path).train) == 5

    def test_the_folders_of_other_software_are_known(self, tmp_path):
        write(tmp_path / "FashionMNIST" / "raw", idx_files())
        assert len(load("fashion-mnist", data_dir=tmp_path).train) == 6

    @pytest.mark.parametrize("origin", ["data_dir", "ISTHMUS_DATA"])
    def test_a_folder_that_is_not_there_is_refused(self, monkeypatch, origin):
        monkeypatch.setenv("ISTHMUS_DATA", "nowhere" if origin == "ISTHMUS_DATA" else "")
        with pytest.raises(
            InputError, match=rf"{origin}='nowhere' is not a folder: name one that exists"
        ):
            load("mnist", data_dir="nowhere" if origin == "data_dir" else None)

    @pytest.mark.parametrize("opening", [downloads._OPENINGS["mnist"], (1, 2, 3)])
    def test_the_files_of_a_sister_set_are_refused(self, tmp_path, monkeypatch, opening):
        monkeypatch.setattr(downloads, "_FULL", 12)
        files = idx_files(n_train=12) | {NAMES[1]: idx(np.resize(np.array(opening), 12))}
        write(tmp_path, files)
        with pytest.raises(
            InputError,
            match=r"train-labels-idx1-ubyte is (a file of mnist, not|no file) of fashion-mnist",
        ):
            load("fashion-mnist", data_dir=tmp_path)


class TestDamage:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            (
                NAMES[0],
                b"\0\0\x08\x01" + bytes(30),
                r"is no IDX file of 3 dimensions \(magic number 00000803\): get it",
            ),
            (NAMES[0], b"\0\0", r"is no IDX file of 3 dimensions"),
            (
                NAMES[0],
                idx_files()[NAMES[0]][:-1],
                r"announces the shape \(6, 3, 5\), but 89 values follow: get it",
            ),
            (
                NAMES[0],
                idx_files()[NAMES[0]] + b"\0",
                r"announces the shape \(6, 3, 5\), but 91 values follow",
            ),
            (
                NAMES[0],
                idx(np.zeros((0, 3, 5))),
                r"announces the shape \(0, 3, 5\), but 0 values follow",
            ),
            (
                NAMES[1],
                idx(np.arange(5)),
                r"holds 6 images but .*train-labels-idx1-ubyte holds 5 labels: get both",
            ),
            (
                NAMES[3],
                idx(np.arange(9, 13)),
                r"holds the label 12, but they end at 9: get it again",
            ),
            (NAMES[2], idx(np.zeros((4, 2, 2))), r"hold images of different sizes: get both again"),
        ],
    )
    def test_a_damaged_idx_file_is_named(self, tmp_path, name, content, message):
        write(tmp_path, idx_files() | {name: content})
        with pytest.raises(InputError, match=message) as caught:
            load("mnist", data_dir=tmp_path)
        assert str(tmp_path / name) in str(caught.value)

    @pytest.mark.parametrize("cut", [0, 5, 60])
    def test_a_truncated_gzip_file_is_named(self, tmp_path, cut):
        write(tmp_path, idx_files(), packed=True)
        path = tmp_path / f"{NAMES[0]}.gz"
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(
            InputError, match=rf"{NAMES[0]}.gz is (damaged or incomplete|no IDX file)"
        ):
            load("mnist", data_dir=tmp_path)

    @pytest.mark.parametrize("content", [b"", records(2)[:-1], b"not records"])
    def test_a_truncated_cifar_file_is_named(self, tmp_path, content):
        write(tmp_path, {BATCHES[0]: content, "test_batch.bin": records(1)})
        with pytest.raises(
            InputError,
            match=r"data_batch_1.bin holds [\d,]+ bytes, which is no whole number of CIFAR",
        ):
            load("cifar10", data_dir=tmp_path)

    def test_a_cifar_label_that_cannot_be_is_refused(self, tmp_path):
        write(tmp_path, {BATCHES[0]: records(2), "test_batch.bin": records(1, label=10)})
        with pytest.raises(
            InputError, match=r"test_batch.bin holds the label 10, but they end at 9"
        ):
            load("cifar10", data_dir=tmp_path)


class TestCifar:
    def test_channels_come_first_and_nothing_is_copied(self, tmp_path):
        write(
            tmp_path,
            {BATCHES[2]: records(3), "test_batch_first_2.bin": records(2, label=7)},
            packed=True,
        )
        data = load("cifar10", data_dir=tmp_path)
        assert (data.name, data.shape, data.train.x.dtype) == (
            "cifar10 (part)",
            (3, 32, 32),
            np.uint8,
        )
        assert data.train.x[:, :, 5, 6].tolist() == [[1, 2, 3]] * 3
        assert (data.train.y.tolist(), data.test.y.tolist(), data.classes[7]) == (
            [3, 3, 3],
            [7, 7],
            "horse",
        )
        assert data.train.x.strides == (3073, 1024, 32, 1)

    def test_all_batches_make_the_whole_set_in_order(self, tmp_path):
        batches = {name: records(2, label=i) for i, name in enumerate(BATCHES)}
        write(tmp_path / "cifar-10-batches-bin", {**batches, "test_batch.bin": records(2, 9)})
        data = load("cifar10", data_dir=tmp_path)
        assert (data.name, data.train.y.tolist()) == ("cifar10", [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])

    @pytest.mark.parametrize("missing", [BATCHES[4], "test_batch.bin"])
    def test_a_missing_batch_makes_it_a_part(self, tmp_path, missing):
        files = {
            name: records(1) for name in (*BATCHES, "test_batch.bin", "test_batch_first_1.bin")
        }
        write(tmp_path, {name: content for name, content in files.items() if name != missing})
        assert load("cifar10", data_dir=tmp_path).name == "cifar10 (part)"

    def test_the_packed_archive_may_lie_in_the_folder(self, tmp_path):
        batches = {name: records(2, label=i) for i, name in enumerate(BATCHES)}
        files = {
            "readme.html": b"hello",
            "test_batch.bin": records(1, 9),
            **dict(reversed(batches.items())),
        }
        archive(tmp_path / "cifar10" / "cifar-10-binary.tar.gz", files)
        data = load("cifar10", data_dir=tmp_path)
        assert (data.name, data.test.y.tolist()) == ("cifar10", [9])
        assert data.train.y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]

    def test_a_damaged_archive_is_named(self, tmp_path):
        path = archive(tmp_path / "cifar-10-binary.tar.gz", {name: records(1) for name in BATCHES})
        with pytest.raises(
            InputError, match=r"cifar-10-binary.tar.gz \(test_batch.bin\) holds 0 bytes"
        ):
            load("cifar10", data_dir=tmp_path)
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(InputError, match=r"cifar-10-binary.tar.gz is damaged or incomplete"):
            load("cifar10", data_dir=tmp_path)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A mirror on this machine that serves the folder ``served``."""
    (tmp_path / "served").mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path / "served"))
    http.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("ISTHMUS_MIRROR", f"http://127.0.0.1:{http.server_port}/")
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def trust(monkeypatch: pytest.MonkeyPatch, constant: str, folder: Path) -> None:
    """Let the checksums of a set be those of the small files that are served."""
    source = getattr(sources, constant)
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in source.files}
    monkeypatch.setattr(downloads, constant, dataclasses.replace(source, files=sums))


class TestDownload:
    def test_files_are_downloaded_once(self, tmp_path, monkeypatch, server, cache):
        trust(
            monkeypatch,
            "FASHION",
            write(tmp_path / "served" / "fashion-mnist", idx_files(), packed=True),
        )
        assert len(load("fashion-mnist").train) == 6
        assert sorted(server.asked) == sorted(f"/fashion-mnist/{name}.gz" for name in NAMES)
        assert sorted(path.name for path in (cache / "fashion-mnist").iterdir()) == sorted(
            f"{name}.gz" for name in NAMES
        )
        # nobody listens there: the cache must be enough
        monkeypatch.setenv("ISTHMUS_MIRROR", "http://127.0.0.1:9")
        rows = read("fashion-mnist")
        assert (len(rows), rows.train_rows, len(server.asked)) == (10, 6, 4)

    def test_the_archive_of_cifar_is_downloaded(self, tmp_path, monkeypatch, server, cache):
        folder = tmp_path / "served" / "cifar10"
        archive(
            folder / "cifar-10-binary.tar.gz",
            {name: records(1) for name in (*BATCHES, "test_batch.bin")},
        )
        trust(monkeypatch, "CIFAR10", folder)
        data = load("cifar10")
        assert (data.name, len(data.train), len(data.test)) == ("cifar10", 5, 1)

    def test_a_wrong_checksum_leaves_nothing_behind(self, tmp_path, server, cache):
        write(tmp_path / "served" / "mnist", idx_files(), packed=True)
        with pytest.raises(
            InputError,
            match=r"/mnist/train-images.*.gz gave a file that does not match its checksum, so",
        ):
            load("mnist")
        assert list((cache / "mnist").iterdir()) == []

    def test_a_damaged_file_in_the_cache_is_downloaded_again(
        self, tmp_path, monkeypatch, server, cache
    ):
        trust(monkeypatch, "MNIST", write(tmp_path / "served" / "mnist", idx_files(), packed=True))
        write(cache / "mnist", {f"{NAMES[0]}.gz": b"half a file"})
        assert len(load("mnist").train) == 6

    def test_a_file_that_the_server_lacks(self, server, cache):
        with pytest.raises(
            InputError,
            match=r"could not download http://127.*train-images.*.gz \(HTTP status 404\)",
        ):
            load("mnist")
        assert list((cache / "mnist").iterdir()) == []

    def test_no_network(self, tmp_path, monkeypatch, cache):
        monkeypatch.setenv("ISTHMUS_MIRROR", "http://127.0.0.1:9")
        with pytest.raises(InputError) as caught:
            load("mnist", data_dir=tmp_path)
        message = str(caught.value)
        assert message.startswith(f"mnist is not at hand: looked in {tmp_path / 'mnist'}, ")
        assert (
            "could not download http://127.0.0.1:9/mnist/train-images-idx3-ubyte.gz"
            " (ConnectionError)" in message
        )
        assert all(f"{name}.gz" in message for name in NAMES)
        assert message.endswith(
            "name it with data_dir or ISTHMUS_DATA, or take 'digits', which needs nothing."
        )
        assert list((cache / "mnist").iterdir()) == []

    def test_no_network_and_no_folder(self, monkeypatch):
        monkeypatch.setenv("ISTHMUS_MIRROR", "http://127.0.0.1:9")
        with pytest.raises(
            InputError,
            match=r"cifar10 is not at hand: looked in no folder, .*cifar-10-binary.tar.gz",
        ):
            load("cifar10")

    def test_a_mirror_that_is_no_address(self, monkeypatch):
        monkeypatch.setenv("ISTHMUS_MIRROR", "localhost")
        with pytest.raises(
            InputError, match=r"could not download localhost/kmnist/.* \(MissingSchema\)"
        ):
            load("kmnist")

    def test_a_cache_that_cannot_be_written(self, cache):
        cache.parent.mkdir()
        cache.write_text("a file where a folder is needed")
        with pytest.raises(
            InputError, match=r"mnist is not at hand: .*\((Not a directory|File exists)\)"
        ):
            load("mnist")

    def test_without_a_mirror_the_authors_are_asked(self):
        assert sources._base(sources.MNIST) == "https://ossci-datasets.s3.amazonaws.com/mnist"


REAL = Path(os.environ.get("ISTHMUS_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.mark.skipif(
    not (REAL / "mnist").is_dir(), reason=f"the real MNIST is not in {REAL}: set ISTHMUS_DATA"
)
def test_the_real_mnist():
    data = load("mnist", data_dir=REAL)
    assert repr(data) == "Data('mnist', train=60000, test=10000, shape=(1, 28, 28), 10 classes)"
    assert data.train.y[:10].tolist() == list(downloads._OPENINGS["mnist"])
    assert data.train.x.mean() == pytest.approx(33.318, abs=1e-3)
    assert hashlib.md5(data.test.x.tobytes()).hexdigest() == "240610fa99e73bfa49df8e7fc24d3206"


@pytest.mark.skipif(
    not (REAL / "mnist").is_dir(), reason=f"the real MNIST is not in {REAL}: set ISTHMUS_DATA"
)
def test_the_real_mnist_is_not_taken_for_its_sister():
    with pytest.raises(
        InputError,
        match=r"is a file of mnist, not of kmnist: put the files of kmnist into a folder",
    ):
        load("kmnist", data_dir=REAL / "mnist")


@pytest.mark.skipif(
    not (REAL / "cifar10").is_dir(), reason=f"the real CIFAR-10 is not in {REAL}: set ISTHMUS_DATA"
)
def test_the_real_cifar10():
    data = load("cifar10", data_dir=REAL)
    assert data.name in ("cifar10", "cifar10 (part)")
    assert data.shape == (3, 32, 32)
    assert [data.classes[label] for label in data.test.y[:4]] == ["cat", "ship", "ship", "airplane"]
    assert 100 < data.train.x.mean() < 140
