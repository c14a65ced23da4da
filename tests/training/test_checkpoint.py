"""Checkpoints refuse another run's settings and data, and damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist


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
