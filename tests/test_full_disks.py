"""A disk that is full, or refuses: the file is named, and what was there is unchanged."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.errors import StorageError
from isthmus.figures import evolution_gif
from isthmus.io import runs
from isthmus.report import compare, write_quality

Command = Callable[..., tuple[int, str, str]]
Writer = Callable[[Path], object]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A limit of the system, as a quota is; what is written beyond it fails."""
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, kept[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


def untrained(seed: int = 0, **fields: object) -> ist.VAE:
    return ist.VAE(epochs=1, latent_dim=2, random_state=seed, verbose=0, **fields)


@pytest.fixture
def writers(x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> dict[str, Writer]:
    """All that writes in Python, each into a folder."""
    import pandas as pd

    model = untrained(1, snapshots=2).fit(x)
    fitted = untrained().fit(x).fit_prior(x, prior="mixture")
    detector = ist.OutlierDetector(untrained(1), contamination=0.1).fit(x)
    frame = pd.DataFrame(x, columns=list("abcd"))
    data = Data("mine", Part(x[:30]), Part(x[30:]))
    fields = {"epochs": 1, "latent_dim": 2, "verbose": 0}
    given: dict[str, Any] = {"snapshots": 0, "overrides": fields}
    monkeypatch.setattr(import_module("isthmus.report._page"), "FIGURES", {})
    return {
        "save": lambda place: model.save(place / "run"),
        "fit_prior": lambda place: runs.save_prior(fitted, place / "run"),
        "detector": lambda place: detector.save(place / "detector"),
        "checkpoint": lambda place: untrained(checkpoint_dir=str(place / "new")).fit(x),
        "compare": lambda place: compare(["vae"], data, place / "page", **given),
        "quality": lambda place: write_quality(place / "report.html", frame, frame),
        "animation": lambda place: evolution_gif(model, data, place / "film.gif", frames=2),
    }


@pytest.fixture
def place(x: np.ndarray, tmp_path: Path) -> Path:
    """A folder that holds an older edition of all that is written."""
    untrained().fit(x).save(tmp_path / "run")
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "film.gif").write_text("old")
    return tmp_path


def everything(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}


NAMES = ["save", "fit_prior", "detector", "checkpoint", "compare", "quality", "animation"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("limit", [0, 700])
def test_a_quota_is_named_and_everything_stays(
    name: str, limit: int, writers: dict[str, Writer], place: Path
) -> None:
    before = everything(place)
    with (
        no_file_larger_than(limit),
        pytest.raises(
            StorageError, match=r"cannot be written \(File too large\): free some space"
        ) as caught,
    ):
        writers[name](place)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)
    after = everything(place)
    assert {path: after[path] for path in before} == before
    assert all(path.endswith("results.json") for path in set(after) - set(before))  # its mark
    writers[name](place)  # with space again


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("act", ["fsync", "replace"])
def test_a_disk_that_refuses_is_named_and_everything_stays(
    name: str, act: str, writers: dict[str, Writer], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    before = everything(place)
    with (
        monkeypatch.context() as patch,
        pytest.raises(StorageError, match=r"cannot be written \(Read-only file system\): choose"),
    ):
        patch.setattr(os, act, refuse)
        writers[name](place)
    assert everything(place) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("free", [0, 4096, 65536])
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_named_and_everything_stays(
    name: str, free: int, writers: dict[str, Writer], small_disk: Path, x: np.ndarray
) -> None:
    untrained().fit(x).save(small_disk / "run")
    before = everything(small_disk)
    with (small_disk / "filling").open("wb", buffering=0) as filling:
        try:
            while filling.write(bytes(4096)) == 4096:
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
        filling.truncate(max(0, filling.tell() - free))
    try:
        writers[name](small_disk)
    except StorageError as error:
        assert "No space left on device" in str(error) and str(small_disk) in str(error)
        after = everything(small_disk)
        assert {path: after[path] for path in before} == before
    else:
        assert free
    (small_disk / "filling").unlink()
    assert ist.load(small_disk / "run").transform(x).shape == (40, 2)


@pytest.mark.parametrize(
    "words",
    [
        ["encode", "{run}", "{rows}", "{out}/z.csv"],
        ["encode", "{run}", "{rows}", "{out}/z.npy"],
        ["reconstruct", "{run}", "{rows}", "{out}/x.parquet"],
        ["sample", "{run}", "--out", "{out}/x.npy"],
        ["outliers", "{run}", "{rows}", "--out", "{out}/o.csv"],
        ["train", "ae", "--data", "digits", "--epochs", "1", "--out", "{out}"],
    ],
    ids=lambda words: f"{words[0]} {words[-1][-4:]}",
)
def test_a_command_says_which_file_and_ends_with_2(
    words: list[str], x: np.ndarray, isthmus: Command, place: Path
) -> None:
    np.save(place / "rows.npy", x)
    out = place / "out"
    before = everything(place)
    named = {"run": place / "run", "rows": place / "rows.npy", "out": out}
    with no_file_larger_than(100):
        status, _, diagnostic = isthmus(*(word.format(**named) for word in words))
    assert (status, diagnostic.count("\n")) == (2, 1)
    assert diagnostic.startswith(f"isthmus: {out}/") and "(File too large)" in diagnostic
    assert everything(place) == before
