"""Loggers: every row of the history goes to a tool that draws it while training goes on.

All write locally and ask no server. They are thin: settings first, then a number for each column
and epoch; under several processes the main one writes.
"""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.core.parts import plain_values
from isthmus.core.paths import as_path
from isthmus.errors import missing_extra
from isthmus.training.callbacks.base import Callback

if TYPE_CHECKING:
    from isthmus.training.loop import Trainer

_NOT_MEASURED = {"epoch", "stage"}


class Logger(Callback):
    """What all loggers do: begin, write a row an epoch, and end, in the main process alone.

    Args:
        folder: where it writes; made when training starts.
        name: what the run is called there; the member's name if nothing is given.

    Raises:
        MissingExtraError: at ``fit``, where the package is not installed.
    """

    package: str
    extra: str

    def __init__(self, folder: str | Path = "logs", name: str | None = None) -> None:
        self.folder, self.name = as_path(folder, "folder"), name
        self._is_open = False

    def on_fit_start(self, trainer: Trainer) -> None:
        if not trainer.runtime.is_main:
            return
        try:
            library = import_module(self.package)
        except ImportError as error:
            raise missing_extra(self.package, self.extra, type(self).__name__) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        values = plain_values(trainer.settings)
        settings = {name: value for name, value in values.items() if name != "callbacks"}
        with redirect_stdout(sys.stderr):  # what a command prints is its result alone
            self._open(library, self.name or trainer.title, settings)
        self._is_open = True

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        if self._is_open:
            measured = {name: value for name, value in row.items() if name not in _NOT_MEASURED}
            self._write(measured, int(row["epoch"]))

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._is_open:
            self._is_open = False
            with redirect_stdout(sys.stderr):
                self._close()

    @abstractmethod
    def _open(self, library: Any, name: str, settings: Mapping[str, Any]) -> None:
        """Start a run of this name, with these settings."""

    @abstractmethod
    def _write(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the numbers of a finished epoch."""

    @abstractmethod
    def _close(self) -> None:
        """End the run; everything is on the disk."""


class TensorBoard(Logger):
    """Writes event files for ``tensorboard --logdir logs``; needs the extra ``tensorboard``."""

    package, extra = "tensorboard", "tensorboard"

    def _open(self, library: Any, name: str, settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder / name))
        table = "\n".join(f"| {key} | {value} |" for key, value in settings.items())
        self._writer.add_text("settings", f"| | |\n| --- | --- |\n{table}")

    def _write(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)

    def _close(self) -> None:
        self._writer.close()


class Trackio(Logger):
    """Writes a project of trackio's, shown by ``TRACKIO_DIR=logs trackio show``.

    A process writes to one folder, that of its first run. Needs the extra ``trackio``.
    """

    package, extra = "trackio", "trackio"

    def on_fit_start(self, trainer: Trainer) -> None:
        # It is read when the package is imported.
        os.environ.setdefault("TRACKIO_DIR", str(self.folder.resolve()))
        super().on_fit_start(trainer)

    def _open(self, library: Any, name: str, settings: Mapping[str, Any]) -> None:
        self._library = library
        library.init(project="isthmus", name=name, config=dict(settings), embed=False)

    def _write(self, values: Mapping[str, float], epoch: int) -> None:
        self._library.log(dict(values), step=epoch)

    def _close(self) -> None:
        self._library.finish()


class MLflow(Logger):
    """Writes an experiment of MLflow's into a SQLite file; needs the extra ``mlflow``.

    ``mlflow ui --backend-store-uri sqlite:///logs/mlflow.db`` shows it.
    """

    package, extra = "mlflow", "mlflow"

    def _open(self, library: Any, name: str, settings: Mapping[str, Any]) -> None:
        self._client = library.MlflowClient(f"sqlite:///{self.folder.resolve()}/mlflow.db")
        found = self._client.get_experiment_by_name("isthmus")
        experiment = (
            self._client.create_experiment(
                "isthmus", artifact_location=(self.folder.resolve() / "artifacts").as_uri()
            )
            if found is None
            else found.experiment_id
        )
        self._run = self._client.create_run(experiment, run_name=name).info.run_id
        for key, value in settings.items():
            self._client.log_param(self._run, key, value)

    def _write(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=epoch)

    def _close(self) -> None:
        self._client.set_terminated(self._run)


class WandB(Logger):
    """Writes a run of Weights & Biases' without a connection; needs the extra ``wandb``.

    ``wandb sync logs/wandb/offline-…`` sends it later.
    """

    package, extra = "wandb", "wandb"

    def _open(self, library: Any, name: str, settings: Mapping[str, Any]) -> None:
        self._run = library.init(
            project="isthmus",
            name=name,
            config=dict(settings),
            dir=str(self.folder),
            mode="offline",
            settings=library.Settings(silent=True),
        )

    def _write(self, values: Mapping[str, float], epoch: int) -> None:
        self._run.log(dict(values), step=epoch)

    def _close(self) -> None:
        self._run.finish()
