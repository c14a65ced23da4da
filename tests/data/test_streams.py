"""Streams: the same numbers as in memory, an order that is known, and what cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
)

import isthmus as ist
from isthmus.core.memory import say_if_large
from isthmus.data._ahead import Ahead
from isthmus.data._given import BatchRows, as_stream
from isthmus.data.streams import GroupedSource, Groups, Source, Stream
from isthmus.errors import DataWarning, InputError
from isthmus.training import checkpoint as checkpoints
from isthmus.training._steps import order_of
from isthmus.training.callbacks import Callback
from isthmus.training.loop import Trainer

X = np.random.default_rng(0).normal(3, 2, size=(150, 6)).astype(np.float32)
SMALL = {"epochs": 2, "batch_size": 32, "random_state": 0, "verbose": 0}


class Batches:
    """Batches that are given anew at each pass."""

    def __init__(self, x: np.ndarray, size: int) -> None:
        self.x, self.size, self.passes = x, size, 0

    def __len__(self) -> int:
        return -(-len(self.x) // self.size)

    def __iter__(self) -> Iterator[np.ndarray]:
        self.passes += 1
        return iter(np.split(self.x, range(self.size, len(self.x), self.size)))


class Counted(GroupedSource):
    """An array in groups, which counts how often each is read."""

    def __init__(self, x: np.ndarray, size: int) -> None:
        starts = np.append(np.arange(0, len(x), size), len(x))
        super().__init__(starts, x.shape[1:], x.dtype)
        self.x, self.reads = x, [0] * (len(starts) - 1)

    def read_group(self, place: int) -> np.ndarray:
        self.reads[place] += 1
        return self.x[self.groups.starts[place] : self.groups.starts[place + 1]]

    def fingerprint(self) -> str:
        return "counted"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(0, 256, size=(90, 8, 8), dtype=np.uint8)
    for place, image in enumerate(pixels):
        sub = path / f"class{place % 3}"
        sub.mkdir(exist_ok=True)
        Image.fromarray(image).save(sub / f"{place:03d}.png")
    return path


def same_weights(first: Any, second: Any) -> bool:
    states = first.module_.state_dict(), second.module_.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def with_workers(x: Any, workers: int) -> Stream:
    assert isinstance(x, Stream)
    return Stream(x.source, x._rows, workers)


# ---------------------------------------------------------------------- images


def test_a_folder_as_a_stream_is_the_folder_in_memory(folder: Path) -> None:
    memory, stream = (ist.data.load(folder, stream=lazily) for lazily in (False, True))
    for part in ("train", "test"):
        whole, lazy = getattr(memory, part), getattr(stream, part)
        assert isinstance(lazy.x, Stream)
        assert np.array_equal(whole.x, lazy.x[:])
        assert np.array_equal(whole.y, lazy.y)
    assert (stream.shape, stream.range, stream.classes) == (
        memory.shape,
        memory.range,
        memory.classes,
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_training_on_a_stream_gives_the_bits_of_training_in_memory(
    folder: Path, workers: int
) -> None:
    memory, stream = (ist.data.load(folder, stream=lazily) for lazily in (False, True))
    values = {**SMALL, "batch_size": 16, "validation": 0.2, "snapshots": 1}
    before = torch.get_rng_state()
    whole = ist.VAE(**values).fit(memory.train.x)
    lazily = ist.VAE(**values).fit(with_workers(stream.train.x, workers))
    assert same_weights(whole, lazily)
    assert np.array_equal(whole.snapshots_[-1].codes, lazily.snapshots_[-1].codes)
    assert np.array_equal(whole.transform(memory.test), lazily.transform(stream.test))
    assert np.array_equal(whole.reconstruct(memory.test), lazily.reconstruct(stream.test))
    assert np.array_equal(whole.score_samples(memory.test), lazily.score_samples(stream.test))
    assert torch.equal(before, torch.get_rng_state())


def test_a_killed_run_on_a_stream_goes_on_in_the_middle_of_an_epoch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = with_workers(ist.data.load(folder, stream=True).train.x, 2)
    values = {**SMALL, "batch_size": 8}
    whole = ist.AE(**values).fit(x)
    monkeypatch.setattr(checkpoints, "_LEAST_INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0)

    class PowerCut(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.finished_steps == 13:  # of 9 in an epoch
                raise RuntimeError("power cut")

    killed = ist.AE(**values, checkpoint_dir=str(tmp_path), callbacks=[PowerCut()])
    with pytest.raises(RuntimeError, match="power cut"):
        killed.fit(x)
    assert same_weights(whole, killed.set_params(callbacks=None).fit(x))


def test_another_folder_is_not_taken_for_the_one_of_a_checkpoint(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "b.png")

    def fingerprint() -> str:
        rows = ist.data.load(tmp_path, stream=True, test_fraction=0.0).train.x
        assert isinstance(rows, Stream)
        return rows.fingerprint()

    first = fingerprint()
    assert first == fingerprint()
    os.utime(tmp_path / "b.png", ns=(0, 0))  # a copy is the same
    assert first == fingerprint()
    Image.fromarray(np.full((4, 4), 2, np.uint8)).save(tmp_path / "b.png")
    assert first != fingerprint()


@pytest.mark.parametrize("kind", ["h5", "parquet", "batches", "array"])
def test_every_value_of_a_stream_counts(kind: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    x = np.random.default_rng(0).normal(size=(3000, 4))

    def fingerprint(x: np.ndarray) -> str:
        path = tmp_path / f"x.{kind}"
        path.unlink(missing_ok=True)
        if kind == "batches":
            found = as_stream(Batches(x, 100))
        elif kind == "parquet":
            pd.DataFrame(x, columns=list("abcd")).to_parquet(path)
            found = ist.data.load(path, stream=True, test_fraction=0.0).train.x
        else:
            with h5py.File(path, "w") as file:
                file["x"] = x
            if kind == "array":  # which nobody says the file of
                with h5py.File(path) as file:
                    stream = as_stream(file["x"])
                    assert stream is not None
                    return stream.fingerprint()
            found = ist.data.load(path, stream=True, test_fraction=0.0).train.x
        assert isinstance(found, Stream)
        return found.fingerprint()

    other = x.copy()
    other[1777, 2] += 1e-9
    assert fingerprint(x) == fingerprint(x.copy())
    assert fingerprint(x) != fingerprint(other)


def test_an_image_that_is_lost_in_training_is_named_by_a_process_too(folder: Path) -> None:
    x = with_workers(ist.data.load(folder, stream=True).train.x, 1)
    ahead = Ahead(x)
    source: Any = x.source
    source._names = source._names.copy()
    source._names[int(x._all()[3])] = b"class0/xyz.png"
    ahead.expect([np.arange(2), np.arange(2, 4)])
    ahead.read(np.arange(2))
    with pytest.raises(InputError, match=r"class0/xyz\.png cannot be read as an image"):
        ahead.read(np.arange(2, 4))
    ahead.expect(())


def test_the_processes_end_with_training(folder: Path) -> None:
    own = os.getpid()
    listed = Path(f"/proc/{own}/task/{own}/children")
    before = set(listed.read_text().split())  # a process of other tests may wait for work
    x = with_workers(ist.data.load(folder, stream=True).train.x, 2)
    ist.AE(**SMALL).fit(x)
    started = set(listed.read_text().split()) - before
    states = [Path(f"/proc/{child}/stat").read_text().split()[2] for child in started]
    assert set(states) <= {"Z"}  # ended, though perhaps not yet noticed


# ---------------------------------------------------------------------- groups


@pytest.mark.parametrize("in_order", [False, True])
def test_an_epoch_holds_every_row_once_and_little_is_held_at_a_time(in_order: bool) -> None:
    groups = Groups(np.arange(0, 1001, 10), window=50, in_order=in_order)
    rows = np.arange(1000)
    order = groups.order(rows, seed=1, epoch=2)
    assert np.array_equal(np.sort(order), rows)
    assert np.array_equal(order, groups.order(rows, seed=1, epoch=2))
    assert not np.array_equal(order, groups.order(rows, seed=1, epoch=3))
    windows = [set(groups.of(order[start : start + 50])) for start in range(0, 1000, 50)]
    assert [len(window) for window in windows] == [5] * 20
    assert (windows[0] == set(range(5))) is in_order


def test_each_group_is_read_once_in_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.streams._WINDOW", 24 * 20)  # bytes: 20 rows
    source = Counted(X, 7)
    stream = Stream(source)
    order = stream.order(0, 0)
    assert order is not None
    for start in range(0, len(X), 16):
        rows = order[start : start + 16]
        assert np.array_equal(stream.read(rows), X[rows])
    assert max(source.reads) == 1
    assert sum(map(len, source._known.values())) <= 2 * (20 + 7)


def test_what_is_read_in_groups_is_cut_at_its_end() -> None:
    source = Counted(X, 10)
    ist.AE(**{**SMALL, "epochs": 1}, validation=0.2).fit(Stream(source))
    first, last = source.reads[:12], source.reads[12:]
    assert min(first) >= 1
    assert max(last) <= 4  # range, scaling, validation, and no training


def test_a_stream_is_scaled_as_the_array() -> None:
    whole = ist.AE(**SMALL).fit(X).preprocessor_
    parts = ist.AE(**SMALL).fit(Batches(X, 13)).preprocessor_
    np.testing.assert_allclose(parts.scaling.offset, X.astype(float).mean(0), rtol=1e-12)
    np.testing.assert_allclose(parts.scaling.scale, X.astype(float).std(0), rtol=1e-12)
    np.testing.assert_allclose(parts.scaling.offset, whole.scaling.offset, rtol=1e-12)


# ---------------------------------------------------------------------- what is handed in


def test_a_dataset_and_a_loader_are_the_array_that_they_hold() -> None:
    whole = ist.AE(**SMALL, validation=0.2).fit(X)
    pairs = TensorDataset(torch.from_numpy(X), torch.zeros(len(X)))
    for given in (pairs, DataLoader(pairs, batch_size=9, shuffle=True)):
        model = ist.AE(**SMALL, validation=0.2).fit(given)
        assert same_weights(whole, model)
        assert np.array_equal(whole.transform(X), model.transform(given))


def test_a_collate_function_is_used() -> None:
    def doubled(items: list[Any]) -> torch.Tensor:
        return torch.stack([item[0] for item in items]) * 2

    loader = DataLoader(TensorDataset(torch.from_numpy(X)), batch_size=9, collate_fn=doubled)
    stream = as_stream(loader)
    assert stream is not None
    assert np.array_equal(stream[:], 2 * X)


def test_a_loader_with_a_sampler_of_its_own_gives_its_batches() -> None:
    dataset = TensorDataset(torch.from_numpy(X))
    stream = as_stream(DataLoader(dataset, batch_size=4, sampler=SubsetRandomSampler(range(10))))
    assert stream is not None
    assert isinstance(stream.source, BatchRows)
    assert stream.shape == (10, 6)


def test_batches_are_gone_through_once_an_epoch() -> None:
    batches = Batches(X, 13)
    model = ist.AE(**{**SMALL, "epochs": 3}).fit(batches)
    # counting, range, scaling, the start of the decoder's bias, epochs, the warning at the end
    assert batches.passes <= 4 + 3 + 2
    assert np.array_equal(model.transform(X), model.transform(batches))


def test_batches_out_of_order_are_the_rows_asked_for() -> None:
    source = BatchRows(Batches(X, 13))
    for rows in ([140, 3, 60], [5], [149, 0]):
        assert np.array_equal(source.read(np.array(rows)), X[rows])


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(torch.from_numpy(X))


class OfDicts(Dataset[Any]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> Any:
        return {"image": X[place]}


class Uneven(Dataset[Any]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, place: int) -> Any:
        return X[0, : 3 + place]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (iter([X]), "X is a list_iterator, which has no length or can be gone through only once"),
        (Endless(), "X is a Endless, which has no length"),
        (DataLoader(Endless()), "X is a DataLoader, which has no length"),
        (OfDicts(), "OfDicts gives a dict where examples are expected"),
        (Uneven(), r"Uneven gives examples of shape \(3,\) and of \(4,\)"),
        (TensorDataset(torch.zeros(0, 3)), "X holds 0 examples"),
        (Batches(np.array([["a", "b"]]), 1), "Batches gives values of type <U1"),
    ],
)
def test_what_cannot_be_read_as_a_stream(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ist.AE(**SMALL).fit(given)


def test_values_that_are_not_finite_are_refused_when_they_come() -> None:
    model = ist.AE(**SMALL).fit(X)
    bad = X.copy()
    bad[140, 2] = np.inf
    for given in (X, bad):
        stream = Batches(given, 13)
        if given is bad:
            with pytest.raises(InputError, match="X holds inf"):
                model.transform(stream)
        else:
            assert model.transform(stream).shape == (150, 2)
    with pytest.raises(InputError, match="X holds inf"):
        ist.AE(**SMALL).fit(Batches(bad, 13))


def test_other_shapes_are_refused() -> None:
    model = ist.AE(**SMALL).fit(X)
    with pytest.raises(InputError, match="X has 5 features, but AE is expecting 6"):
        model.transform(Batches(X[:, :5], 13))


# ---------------------------------------------------------------------- tables


def test_parquet_is_read_in_groups_of_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = np.where(X[:, 0] > 3, "high", "low")
    for place in range(2):
        part = frame[place * 75 : (place + 1) * 75]
        part.to_parquet(tmp_path / f"{place}.parquet", row_group_size=20)
    data = ist.data.load(tmp_path, stream=True, label="kind", test_fraction=0.2)
    train = data.train.x
    assert isinstance(train, Stream)
    assert (data.columns, data.classes) == (tuple("abcdef"), ("high", "low"))
    assert np.array_equal(train[:], X[:120])  # the tail is the test part
    assert data.train.y is not None
    assert np.array_equal(data.train.y == 0, X[:120, 0] > 3)
    assert train.source.groups is not None
    assert train.source.groups.starts.tolist() == [0, 20, 40, 60, 75, 95, 115, 135, 150]
    model = ist.AE(**SMALL).fit(data.train)
    assert list(model.feature_names_in_) == list("abcdef")
    given = frame[list("abcdef")]
    np.testing.assert_allclose(model.transform(given)[120:], model.transform(data.test), rtol=1e-5)


def test_parquet_with_text_is_no_stream(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"column 'b' holds .*string, but a stream takes numbers"):
        ist.data.load(tmp_path / "t.parquet", stream=True)


def test_arrays_on_disk_are_read_by_their_chunks(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=X, chunks=(16, 6))
        file.create_dataset("y", data=np.arange(150) % 2)
    data = ist.data.load(tmp_path / "x.h5", stream=True)
    assert isinstance(data.train.x, Stream)
    assert np.array_equal(data.train.x[:], X[:120])
    assert np.array_equal(data.train.y, np.arange(120) % 2)
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(np.asarray(as_stream(file["x"])), X)


def test_zarr_is_read_by_its_chunks(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(str(tmp_path / "x.zarr"), shape=X.shape, chunks=(16, 6), dtype="f4")
    stored[:] = X
    data = ist.data.load(tmp_path / "x.zarr", stream=True)
    assert isinstance(data.train.x, Stream)
    assert np.array_equal(data.train.x[:], X[:120])


def test_a_stream_of_what_is_none_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(InputError, match=r"x\.npy cannot be read as a stream"):
        ist.data.load(tmp_path / "x.npy", stream=True)
    with pytest.raises(InputError, match="stream=True means nothing for 'digits'"):
        ist.data.load("digits", stream=True)


# ---------------------------------------------------------------------- the order


def test_a_stream_follows_the_order_of_the_loop() -> None:
    asked: list[np.ndarray] = []

    class Asked(Source):
        shape, dtype = X.shape, X.dtype

        def read(self, rows: np.ndarray) -> np.ndarray:
            asked.append(rows)
            return X[rows]

        def fingerprint(self) -> str:
            return "asked"

    model = ist.AE(**{**SMALL, "epochs": 1}).fit(Stream(Asked()))
    wanted = [rows.numpy() for rows in order_of(150, model._seed, 0, 32)]
    starts = range(len(asked) - len(wanted) + 1)
    assert any(
        all(map(np.array_equal, wanted, asked[start : start + len(wanted)])) for start in starts
    )


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).resolve().parents[2] / "docs" / "streams.md"
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S))
    names: dict[str, Any] = {}
    exec(compile(code, page.name, "exec"), names)
    assert names["codes"].shape == (100, 2)


def test_a_folder_is_trained_on_as_a_stream_by_the_command_line(
    folder: Path, tmp_path: Path, status_of: Callable[..., int]
) -> None:
    given = ("--data", folder, "--stream", "--epochs", 1, "--out", tmp_path / "run")
    assert status_of("train", "ae", *given) == 0
    source = ist.load(tmp_path / "run").source_
    assert source is not None
    assert source["stream"] is True


@pytest.mark.parametrize(("size", "said"), [(40, False), (60, True)])
def test_what_takes_much_of_the_memory_is_said(
    size: int, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.core.memory.memory", lambda: 100 * 2**30)
    if not said:
        say_if_large(size * 2**30, "the array of 9 images")
        return
    with pytest.warns(DataWarning, match=r"9 images takes 60 GB of the 100 GB .* pass stream=True"):
        say_if_large(size * 2**30, "the array of 9 images")
