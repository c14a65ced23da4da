"""Callbacks: when they are called, what they may do, and those that come with the package."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.registry import CALLBACKS
from isthmus.training import checkpoint as checkpoints
from isthmus.training.callbacks import Callback
from isthmus.training.callbacks.base import resolve
from isthmus.training.callbacks.loggers import MLflow, TensorBoard, Trackio, WandB
from isthmus.training.callbacks.stopping import OptunaPruning
from isthmus.training.loop import Trainer


def train(x: np.ndarray, **values: Any) -> Any:
    brief = {"epochs": 3, "random_state": 0, "batch_size": 64, "hidden": (16,), "verbose": 0}
    return ist.AE(**{**brief, **values}).fit(x)


class Diary(Callback):
    def __init__(self, stop_at: int = 99) -> None:
        self.entries: list[str] = []
        self.stop_at = stop_at

    def on_fit_start(self, trainer: Trainer) -> None:
        self.entries.append(f"start {trainer.state.epoch}")

    def on_step(self, trainer: Trainer) -> None:
        assert set(trainer.terms()) == {"objective", "distortion"}
        self.entries.append(f"step {trainer.finished_steps}")
        if trainer.finished_steps == self.stop_at:
            trainer.stop("enough")

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        assert row is trainer.state.history[-1]
        self.entries.append(f"epoch {row['epoch']:.0f}")

    def on_fit_end(self, trainer: Trainer) -> None:
        self.entries.append(f"end {trainer.is_complete}")


def test_a_callback_is_called_at_every_moment(few: np.ndarray) -> None:
    diary = Diary()
    train(few, epochs=2, callbacks=[diary])
    assert diary.entries == (
        ["start 0", "step 1", "step 2", "epoch 1", "step 3", "step 4", "epoch 2", "end True"]
    )


def test_one_that_stops_ends_training_behind_its_epoch(few: np.ndarray) -> None:
    diary = Diary(stop_at=3)
    stopped, brief = train(few, epochs=9, callbacks=[diary]), train(few, epochs=2)
    assert diary.entries[-2:] == ["epoch 2", "end True"]
    assert np.array_equal(stopped.transform(few), brief.transform(few))


class Failing(Diary):
    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        raise RuntimeError("the disk of the logger is full")


def test_an_error_of_a_callback_leaves_fit_and_all_are_told(few: np.ndarray) -> None:
    diary, failing = Diary(), Failing()
    with pytest.raises(RuntimeError, match="the disk of the logger is full"):
        train(few, callbacks=[failing, diary])
    assert failing.entries[-1] == diary.entries[-1] == "end False"


def test_priors_and_classifiers_call_theirs(few: np.ndarray) -> None:
    diary = Diary()
    diary.on_step = lambda trainer: None  # type: ignore[method-assign]
    y = np.arange(len(few)) % 2
    ist.AutoencoderClassifier(ist.AE(epochs=1), epochs=2, callbacks=[diary]).fit(few, y)
    assert diary.entries == ["start 0", "epoch 1", "epoch 2", "end True"]


def test_callbacks_are_no_part_of_a_run(few: np.ndarray, tmp_path: Path) -> None:
    model = train(few, callbacks=[Diary()])
    model.save(tmp_path / "run")
    assert "callbacks" not in json.loads((tmp_path / "run" / "config.json").read_text())["fields"]
    assert ist.load(tmp_path / "run").callbacks is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["tensorbord"], r"unknown callback 'tensorbord': did you mean 'tensorboard'\?"),
        (["optuna"], r"callbacks='optuna' cannot do without arguments: give .*OptunaPruning"),
        ([print], r"callbacks=<built-in function print> is not usable: give an object"),
    ],
)
def test_what_is_no_callback_is_refused(given: list[Any], message: str, few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match=message):
        train(few, callbacks=given)


def test_a_single_callback_is_no_list(few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match=r"callbacks=.* is not usable: give a list of"):
        train(few, callbacks=Diary())


# ---------------------------------------------------------------------- the average of the weights


class WeightsOfSteps(Callback):
    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []

    def on_fit_start(self, trainer: Trainer) -> None:
        self.on_step(trainer)

    def on_step(self, trainer: Trainer) -> None:
        self.kept.append(next(trainer.module.parameters()).detach().numpy().copy())


def test_the_average_of_the_weights_is_what_is_kept(few: np.ndarray) -> None:
    watch = WeightsOfSteps()
    model = train(few, epochs=8, ema_decay=0.5, callbacks=[watch])
    average = watch.kept[0]
    for t, weights in enumerate(watch.kept[1:], 1):
        decay = min(0.5, (1 + t) / (10 + t))
        average = decay * average + (1 - decay) * weights
    kept = next(model.module_.parameters()).detach().numpy()
    np.testing.assert_allclose(kept, average, rtol=1e-5, atol=1e-7)
    assert not np.allclose(kept, watch.kept[-1], atol=1e-5)


def test_validation_and_snapshots_see_the_average(few: np.ndarray) -> None:
    model = ist.AE(epochs=3, ema_decay=0.9, random_state=0, snapshots=2)
    model.fit(few, validation_data=few, probes=few[:9])
    assert model.history_[-1]["val_objective"] == pytest.approx(-model.score(few), rel=1e-5)
    np.testing.assert_allclose(
        model.snapshots_[-1].codes, model.transform(few[:9]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["vae", "vqvae", "sparse"])
def test_a_killed_run_keeps_its_average(
    name: str, few: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"epochs": 4, "batch_size": 64, "random_state": 0, "ema_decay": 0.9}
    whole = ist.MEMBERS[name](**values, validation=0.2, patience=2).fit(few)
    monkeypatch.setattr(checkpoints, "_LEAST_INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0)

    class PowerCut(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.finished_steps == 4:
                raise RuntimeError("power cut")

    killed = ist.MEMBERS[name](
        **values, validation=0.2, patience=2, checkpoint_dir=str(tmp_path), callbacks=[PowerCut()]
    )
    with pytest.raises(RuntimeError, match="power cut"):
        killed.fit(few)
    resumed = killed.set_params(callbacks=None).fit(few)
    states = whole.module_.state_dict(), resumed.module_.state_dict()
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


# ---------------------------------------------------------------------- loggers


def objectives(model: Any) -> list[float]:
    return [row["objective"] for row in model.history_]


def test_tensorboard_writes_events(few: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = train(few, callbacks=[TensorBoard(tmp_path, "mine")])
    events = EventAccumulator(str(tmp_path / "mine")).Reload()
    written = events.Scalars("objective")
    assert [event.step for event in written] == [1, 2, 3]
    assert [event.value for event in written] == pytest.approx(objectives(model), rel=1e-6)
    assert "epochs" in str(events.Tensors("settings/text_summary"))


def test_trackio_writes_a_project(
    few: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    pytest.importorskip("trackio", reason="the extra 'trackio' is not installed")
    model = train(few, callbacks=[Trackio(tmp_path, "mine")])
    with closing(sqlite3.connect(tmp_path / "isthmus.db")) as written:
        rows = written.execute("select run_name, step, metrics from metrics").fetchall()
    assert [(name, step) for name, step, _ in rows] == [("mine", 1), ("mine", 2), ("mine", 3)]
    assert [json.loads(row[2])["objective"] for row in rows] == pytest.approx(objectives(model))


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_mlflow_writes_an_experiment(few: np.ndarray, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")
    pytest.importorskip("sqlalchemy", reason="the extra 'mlflow' is not installed")
    model = train(few, callbacks=[MLflow(tmp_path, "mine")])
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("isthmus")
    (run,) = client.search_runs([experiment.experiment_id])
    written = client.get_metric_history(run.info.run_id, "objective")
    assert [entry.value for entry in written] == pytest.approx(objectives(model))
    assert run.data.params["epochs"] == "3" and run.info.status == "FINISHED"


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_wandb_writes_an_offline_run(few: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra 'wandb' is not installed")
    train(few, callbacks=[WandB(tmp_path, "mine")])
    (written,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 30  # a process of the library's own writes
    while b"objective" not in written.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_missing_package_names_the_extra(
    few: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nowhere(TensorBoard):
        package = "nowhere_to_be_found"

    with pytest.raises(ist.InputError, match=r"Nowhere needs .*'isthmus\[tensorboard\]'"):
        train(few, callbacks=[Nowhere(tmp_path)])


def test_registered_loggers_need_no_arguments() -> None:
    assert len(resolve([name for name in CALLBACKS if name != "optuna"])) == 4


def test_optuna_prunes_a_trial(few: np.ndarray) -> None:
    optuna = pytest.importorskip("optuna", reason="the extra 'optuna' is not installed")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        rate = 1e-2 if trial.number == 0 else 1e-12  # the second learns nothing
        pruning = OptunaPruning(trial, "objective")
        model = train(few, epochs=5, learning_rate=rate, callbacks=[pruning])
        return float(model.history_[-1]["objective"])

    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(1, 1))
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert sorted(study.trials[0].intermediate_values) == [1, 2, 3, 4, 5]


def test_what_optuna_shall_watch_must_be_there(few: np.ndarray) -> None:
    optuna = pytest.importorskip("optuna", reason="the extra 'optuna' is not installed")
    trial = optuna.create_study().ask()
    with pytest.raises(ist.InputError, match=r"measured on validation .* pass validation=0\.1"):
        train(few, callbacks=[OptunaPruning(trial)])
    with pytest.raises(ist.InputError, match=r"unknown monitor 'objectiv': did you mean"):
        train(few, callbacks=[OptunaPruning(trial, "objectiv")])
