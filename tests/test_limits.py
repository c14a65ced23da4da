"""Sizes that no memory holds: refused in one sentence, before anything of that size is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core import allocations, editions, memory
from isthmus.errors import MemoryLimitError
from isthmus.training.callbacks import Callback
from isthmus.training.callbacks.snapshots import snapshot_epochs

X = np.random.default_rng(0).random((40, 12)).astype(np.float32)
FAST: dict[str, Any] = {"epochs": 1, "verbose": 0, "random_state": 0}


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1536, "1.5 kB"), (3 * 2**30, "3 GB"), (1000 * 2**40, "1,000 TB")],
)
def test_bytes_in_words(size: int, words: str) -> None:
    assert memory.in_words(size) == words


def test_the_room_is_what_container_and_system_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "mount" / "outer" / "inner"
    group.mkdir(parents=True)
    for folder, limit, used in ((group, "max", 10), (group.parent, 2**30, 700 * 2**20)):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {200 * 2**20}\n")
    (tmp_path / "cgroup").write_text("4:cpu:/elsewhere\n0::/outer/inner\n")
    (tmp_path / "meminfo").write_text("MemTotal: 99999999 kB\nMemAvailable: 2097152 kB\n")
    monkeypatch.setattr(memory, "_MOUNT", tmp_path / "mount")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "meminfo")
    assert memory.room() == 2**30 - 500 * 2**20  # a cache of files is given back on demand
    (group.parent / "memory.max").write_text("max\n")
    assert memory.room() == 2 * 2**30


@pytest.mark.parametrize(
    ("member", "asked"),
    [
        (ist.AE(latent_dim=10**9, **FAST), "latent_dim=1000000000"),
        (ist.AE(hidden=(10**6, 10**6), **FAST), r"hidden=\(1000000, 1000000\)"),
        (ist.AAE(critic_hidden=(10**6, 10**6), **FAST), "critic_hidden"),
        (ist.MADE(latent_dim=2**40, **FAST), "latent_dim"),
    ],
)
def test_a_network_beyond_the_memory_is_refused_before_it_is_made(member: Any, asked: str) -> None:
    with pytest.raises(MemoryLimitError, match=rf"{asked}.* would take [\d.]+ TB of memory"):
        member.fit(X)
    assert not hasattr(member, "module_")


def test_layers_without_end_are_refused() -> None:
    refuse = allocations.for_training(lambda: "AE(hidden=(1, 1, …))")
    with pytest.raises(ist.InputError, match=r"more than 100,000 layers"), refuse:
        for _ in range(100_001):
            torch.empty(1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(2**40),
        lambda: torch.arange(5, 2**41, 2),
        lambda: torch.randperm(2**40),
        lambda: torch.zeros(2**20, 2**20),
    ],
)
def test_tensors_beyond_the_memory_are_refused_however_they_are_made(make: Any) -> None:
    refuse = allocations.for_training(lambda: "MADE(latent_dim=…)")
    with pytest.raises(MemoryLimitError, match="the training of MADE"), refuse:
        make()


def test_a_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(ist.InputError, match=r"batch_size=1000.* is too large for any computer"):
        ist.AE(batch_size=10**30, verbose=0).fit(X)


@pytest.mark.parametrize("n", [10**12, np.int64(10**10)])
def test_samples_beyond_the_memory_are_refused(n: Any) -> None:
    model = ist.VAE(**FAST).fit(X)
    with pytest.raises(MemoryLimitError, match=r"n=1.* examples would take .* draw fewer"):
        model.sample(n)


def test_any_number_of_snapshots_takes_each_epoch_once() -> None:
    assert set(snapshot_epochs(10**9, 3)) == {0, 1, 2, 3}
    with pytest.raises(MemoryLimitError, match=r"snapshots=1,000,000,000 would take"):
        ist.AE(snapshots=10**9, **FAST | {"epochs": 10**9}).fit(X)


@pytest.mark.parametrize("seed", [-1, 2**32, "one", 1.5])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ist.InputError, match=r"random_state=.* is not usable"):
        ist.AE(epochs=1, verbose=0, random_state=seed).fit(X)
    model = ist.VAE(**FAST).fit(X)
    with pytest.raises(ist.InputError, match=r"random_state=.* is not usable"):
        model.sample(2, random_state=seed)
    with pytest.raises(ist.InputError, match=r"random_state=.* is not usable"):
        model.nll(X[:2], 5, random_state=seed)


def test_the_greatest_seed_is_one() -> None:
    fitted = ist.AE(epochs=1, verbose=0, random_state=2**32 - 1).fit(X)
    assert fitted.transform(X).shape == (40, 2)


@pytest.mark.parametrize("value", [10**5, 10**9, 2**62])
@pytest.mark.parametrize("name", ["latent_dim", "hidden"])
def test_a_configuration_cannot_order_memory(tmp_path: Path, name: str, value: int) -> None:
    run = ist.AE(hidden=(8,), **FAST).fit(X).save(tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["fields"][name] = [value] if name == "hidden" else value
    (run / "config.json").write_text(json.dumps(editions.sealed(config)))
    with pytest.raises(ist.RunError, match=r"model.safetensors does not fit the model"):
        ist.load(run)


def test_what_was_trained_is_kept_where_memory_runs_out() -> None:
    class Hungry(Callback):
        def on_step(self, trainer: Any) -> None:
            if trainer.state.epoch == 2:
                torch.empty(2**50)

    model = ist.AE(epochs=5, verbose=0, random_state=0, callbacks=[Hungry()])
    with pytest.raises(MemoryLimitError, match=r"ran out in epoch 3, with batch_size=128: .*keeps"):
        model.fit(X)
    whole = ist.AE(epochs=2, verbose=0, random_state=0).fit(X)
    assert len(model.history_) == 2
    assert np.array_equal(model.transform(X), whole.transform(X))
