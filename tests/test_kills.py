"""A process that is killed between any two writes leaves the old state or the new one.

A cut is what SIGKILL is to the disk: nothing behind it happens, no clean-up either.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import isthmus as ist
from isthmus.core import editions
from isthmus.core.claims import LOCK
from isthmus.data import Data, Part
from isthmus.io import runs
from isthmus.report import compare
from isthmus.training import checkpoint

Command = Callable[..., tuple[int, str, str]]
_ACTS = ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync")


class Cut(BaseException):
    """The process is gone."""


def every_cut(
    act: Callable[[], object], prepare: Callable[[], object], *, is_gone: bool = True
) -> Iterator[int]:
    """Cut an act before its first write, its second and so on, until it ends, each time anew.

    Gives the number of writes that were made. What happens before, ``prepare``, is whole. The
    system frees the locks of a process that ended, so the lock of a folder is let go. A process
    that is not ``is_gone`` was interrupted, and cleans up.
    """
    for count in range(1000):
        prepare()
        with _cut_after(count, is_gone):
            try:
                act()
            except Cut:
                pass
            else:
                assert count > 3, "an act that writes next to nothing was not cut"
                return
        yield count
    raise AssertionError("the act never ends")


@contextmanager
def _cut_after(count: int, is_gone: bool) -> Iterator[None]:
    made = 0

    def counted(act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        nonlocal made
        if str(arguments[0]).endswith(LOCK):
            return act(*arguments, **named)
        made += 1
        if made > count and (is_gone or made == count + 1):
            raise Cut
        return act(*arguments, **named)

    def opened(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        act = kept_open if "r" in mode else lambda *a, **k: counted(kept_open, *a, **k)
        return act(path, mode, *arguments, **named)

    kept_open = Path.open
    with pytest.MonkeyPatch.context() as patch:
        for name in _ACTS:
            act = getattr(os, name)
            patch.setattr(os, name, lambda *a, act=act, **k: counted(act, *a, **k))
        patch.setattr(Path, "open", opened)
        yield


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


def trained(x: np.ndarray, seed: int = 0, **fields: object) -> ist.AE:
    given = {"epochs": 1, "latent_dim": 2, "hidden": (4,), "random_state": seed, "verbose": 0}
    return ist.AE(**given | fields).fit(x)


def is_first_old_then_new(found: list[str]) -> bool:
    """Whether some cuts left the old state, and all after them the new one."""
    return set(found) == {"old", "new"} and found == sorted(found, reverse=True)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_save_leaves_the_old_run_or_the_new(x: np.ndarray, tmp_path: Path, is_gone: bool) -> None:
    run, new = tmp_path / "run", trained(x, 1, latent_dim=3)
    old = trained(x, snapshots=2)
    found = []
    for _ in every_cut(lambda: new.save(run), lambda: old.save(run), is_gone=is_gone):
        again = ist.load(run)
        is_old = again.latent_dim == 2
        assert np.array_equal(again.transform(x), (old if is_old else new).transform(x))
        assert len(again.snapshots_) == (2 if is_old else 0)
        found.append("old" if is_old else "new")
    assert is_first_old_then_new(found)


def test_a_first_save_leaves_nothing_or_a_run_and_can_be_made_again(
    x: np.ndarray, tmp_path: Path
) -> None:
    run, model = tmp_path / "run", trained(x)
    for _ in every_cut(lambda: model.save(run), lambda: shutil.rmtree(run, ignore_errors=True)):
        if (run / "config.json").exists():
            assert np.array_equal(ist.load(run).transform(x), model.transform(x))
        model.save(run)
        assert len(list(run.iterdir())) == 3


def test_a_prior_is_there_or_not_and_the_run_is_whole(x: np.ndarray, tmp_path: Path) -> None:
    run, bare = tmp_path / "run", trained(x)
    bare.save(run)
    fitted = ist.load(run).fit_prior(x, prior=ist.priors.Mixture(components=2, random_state=0))
    found = []
    for _ in every_cut(lambda: runs.save_prior(fitted, run), lambda: bare.save(run)):
        again = ist.load(run)
        assert np.array_equal(again.transform(x), bare.transform(x))
        found.append("old" if again.prior_ is None else "new")
        if again.prior_ is not None:
            expected = fitted.sample(5, random_state=0)
            assert np.array_equal(again.sample(5, random_state=0), expected)
    assert is_first_old_then_new(found)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_detector_is_the_old_one_or_the_new(x: np.ndarray, tmp_path: Path, is_gone: bool) -> None:
    place = tmp_path / "detector"
    members = (ist.AE(epochs=1, latent_dim=2, random_state=seed, verbose=0) for seed in (0, 1))
    old, new = (ist.OutlierDetector(member, contamination=0.1).fit(x) for member in members)
    found = []
    for _ in every_cut(lambda: new.save(place), lambda: old.save(place), is_gone=is_gone):
        scores = ist.OutlierDetector.load(place).score_samples(x)
        is_old = np.array_equal(scores, old.score_samples(x))
        assert is_old or np.array_equal(scores, new.score_samples(x))
        found.append("old" if is_old else "new")
    assert is_first_old_then_new(found)
    new.save(place)
    assert len(list(place.iterdir())) == 2 + len(new.members_)  # nothing of a killed one is left


def test_a_checkpoint_that_is_cut_anywhere_never_stands_in_the_way(
    x: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_LEAST_INTERVAL", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 0)
    place, wanted = tmp_path / "run", trained(x, batch_size=20, epochs=2)

    def train() -> ist.AE:
        return trained(x, batch_size=20, epochs=2, checkpoint_dir=str(place))

    for _ in every_cut(train, lambda: shutil.rmtree(place, ignore_errors=True)):
        model = train()
        assert np.array_equal(model.transform(x), wanted.transform(x))  # to the last bit
        model.save(place)
        names = {"checkpoint.safetensors", "config.json", "history.jsonl", "model.safetensors"}
        assert {path.name for path in place.iterdir()} == names


def test_a_checkpoint_goes_with_the_run_that_it_led_to(x: np.ndarray, tmp_path: Path) -> None:
    place, other = tmp_path / "run", trained(x, 1)
    place.mkdir()
    kept: list[ist.AE] = []

    def prepare() -> None:
        shutil.rmtree(place)
        other.save(place)
        kept[:] = [trained(x, checkpoint_dir=str(place))]

    for _ in every_cut(lambda: runs.save(kept[0], place, is_end=True), prepare):
        is_new = ist.load(place).random_state == 0
        editions.settle(place)  # the next start
        assert (place / "checkpoint.safetensors").exists() == (not is_new)
        if is_new:  # and nothing of it stands in the way of another training
            trained(x, 2, checkpoint_dir=str(place))


@pytest.mark.slow
def test_the_page_and_the_numbers_of_a_comparison_are_of_one_edition(
    x: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of = import_module("isthmus.report._compare")
    mark = '<meta name="generator" content="isthmus 0">'
    monkeypatch.setattr(made_of, "evaluate", lambda *_: {})
    monkeypatch.setattr(made_of, "page_of", lambda rows, *_: f"{mark} beta {rows[0].model.beta}")
    data, out = Data("mine", Part(x[:30]), Part(x[30:])), tmp_path / "page"
    fields = {"epochs": 1, "hidden": (4,), "verbose": 0}

    def compared(beta: float) -> None:
        compare(["vae"], data, out, snapshots=0, overrides=fields | {"beta": beta})

    compared(1.0)
    first = shutil.copytree(out, tmp_path / "first")

    def prepare() -> None:
        shutil.rmtree(out)
        shutil.copytree(first, out)

    found = []
    for _ in every_cut(lambda: compared(4.0), prepare):
        editions.settle(out, (), made_of.RESULTS)  # the next start
        record = json.loads((out / "results.json").read_text())
        beta = record["members"][0]["fields"]["beta"]
        assert (out / "index.html").read_text() == f"{mark} beta {beta}"
        assert editions.changes(record) == []
        found.append("old" if beta == 1.0 else "new")
        made_of.move_in(out)
        assert ist.load(out / "runs" / "vae").beta == beta
        compared(4.0)  # goes on, or does it again
        assert sorted(path.name for path in out.rglob("*") if path.is_file()) == [
            *("config.json", "history.jsonl", "index.html", "model.safetensors", "results.json")
        ]
    assert is_first_old_then_new(found)


@pytest.mark.slow
def test_a_folder_of_images_is_the_old_one_or_the_new(isthmus: Command, tmp_path: Path) -> None:
    random, photos, out = np.random.default_rng(0), tmp_path / "photos", tmp_path / "out"
    (photos / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        Image.fromarray(random.integers(0, 256, (6, 8)).astype(np.uint8)).save(photos / name)
    shown = random.integers(0, 256, (20, 6, 8)).astype(np.uint8)
    for seed in (0, 1):
        ist.AE(epochs=1, hidden=(4,), random_state=seed, verbose=0).fit(shown).save(
            tmp_path / f"run{seed}"
        )

    def restore(seed: int) -> None:
        assert isthmus("reconstruct", tmp_path / f"run{seed}", photos, out)[0] == 0

    def pixels() -> list[bytes]:
        return [(out / name).read_bytes() for name in ("a.png", "deep/b.png")]

    restore(0)
    old, first = pixels(), shutil.copytree(out, tmp_path / "first")

    def prepare() -> None:
        shutil.rmtree(out)
        shutil.copytree(first, out)

    restore(1)
    new = pixels()
    found = []
    for _ in every_cut(lambda: restore(1), prepare):
        editions.settle(out, (), ".isthmus.json")  # the next start
        assert pixels() in (old, new)
        found.append("old" if pixels() == old else "new")
        restore(1)
        assert len([path for path in out.rglob("*") if path.is_file()]) == 3
    assert is_first_old_then_new(found)
