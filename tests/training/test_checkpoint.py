"""Checkpoints refuse another run's settings and data, and damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.core import tensor_files
from isthmus.data.examples import Examples


def train(folder: Path, x: np.ndarray, **values: Any) -> Any:
    return ist.AE(**{"epochs": 2, "random_state": 0, "checkpoint_dir": str(folder), **values}).fit(
        x
    )


def test_a_finished_run_is_taken_up_at_its_end(few: np.ndarray, tmp_path: Path) -> None:
    first, second = train(tmp_path, few), train(tmp_path, few)
    assert np.array_equal(first.transform(few), second.transform(few))
    assert first.history_ == second.history_


def test_without_a_seed_the_kept_one_goes_on(few: np.ndarray, tmp_path: Path) -> None:
    first = train(tmp_path, few, random_state=None, validation=0.2)
    second = train(tmp_path, few, random_state=None, validation=0.2)
    assert np.array_equal(first.transform(few), second.transform(few))


def test_other_settings_are_named(few: np.ndarray, tmp_path: Path) -> None:
    train(tmp_path, few)
    with pytest.raises(
        ist.RunError,
        match=r"with learning_rate=0\.001, but now learning_rate=0\.01: use the same value",
    ):
        train(tmp_path, few, learning_rate=0.01)


def test_other_data_are_noticed(few: np.ndarray, tmp_path: Path) -> None:
    train(tmp_path, few)
    with pytest.raises(ist.RunError, match=r"a run with data="):
        train(tmp_path, few * 0.5)


def test_a_damaged_checkpoint_is_named(few: np.ndarray, tmp_path: Path) -> None:
    train(tmp_path, few)
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ist.RunError, match=r"checkpoint\.safetensors is damaged or foreign"):
        train(tmp_path, few)


def forge(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> None:
    """Another checkpoint, with the checksum that it would have."""
    file = folder / "checkpoint.safetensors"
    tensors, meta = tensor_files.read_tensors(file)
    change(tensors, meta)
    tensor_files.write_tensors(file, tensors, meta)


def said(meta: dict[str, Any], name: str, value: Any) -> None:
    """Another value of an entry of the state."""
    pairs = meta["state"]["map"]
    next(pair for pair in pairs if pair[0] == name)[1] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(format=2), r"is not a checkpoint that this version reads: remove"),
        (lambda t, m: m.update(seed="x"), r"checkpoint\.seed='x' is not usable: a whole number"),
        (lambda t, m: m.pop("identity"), r"checkpoint lacks identity"),
        (lambda t, m: m.update(module={"map": []}), r"stands in only one of the two"),
        (lambda t, m: m.update(state=7), r"damaged or foreign.*: remove it to start anew\.$"),
        (lambda t, m: said(m, "epoch", {"value": None}), r"state\.epoch=None is not usable"),
        (lambda t, m: said(m, "history", {"value": [{}]}), r"row of the history lacks epoch"),
        (lambda t, m: said(m, "average", {"map": []}), r"stands in only one of the two"),
        (lambda t, m: said(m, "snapshots", {"map": [["codes.1", {"value": 0}]]}), r"codes and gr"),
        (
            lambda t, m: t.update({"optimizers.0.first.0": t["optimizers.0.first.0"][:1]}),
            r"the moments of an optimizer are those of other parameters",
        ),
        (
            lambda t, m: t["optimizers.0.second.0"].fill_(float("nan")),
            r"the moments of an optimizer are those of other parameters",
        ),
        (lambda t, m: m.update(optimizers={"list": []}), r"optimizers are others than those that"),
        (lambda t, m: t.pop("generator"), r"KeyError: 'generator'"),
    ],
)
def test_a_forged_checkpoint_says_what_is_wrong(
    change: Any, message: str, few: np.ndarray, tmp_path: Path
) -> None:
    train(tmp_path, few, ema_decay=0.9)
    forge(tmp_path, change)
    with pytest.raises(ist.RunError, match=message):
        train(tmp_path, few, ema_decay=0.9, epochs=3)
    (tmp_path / "checkpoint.safetensors").unlink()
    train(tmp_path, few, ema_decay=0.9)


def test_without_a_checkpoint_the_data_are_not_looked_through(
    few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Examples) -> str:
        raise AssertionError("the data were looked through")

    monkeypatch.setattr(Examples, "fingerprint", refuse)
    assert len(ist.AE(epochs=1).fit(few).history_) == 1
