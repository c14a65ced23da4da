"""Real signals to real processes: a killed run goes on as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus._cli import app as cli
from isthmus._cli.commands import Command
from isthmus.training._interruption import Terminated
from isthmus.training.callbacks import Callback
from isthmus.training.loop import Trainer
from tests.warm import Started, Warm

TRAIN = """
import sys
import numpy as np
import isthmus as ist
from isthmus._cli import app as cli
from isthmus._cli.commands import Command
from isthmus.training import checkpoint

checkpoint._LEAST_INTERVAL, checkpoint._SHARE = 0.0, 0
folder, out, epochs = sys.argv[1:]
x = ist.data.load("digits").train.x[:300]
checkpoint_dir = None if folder == "-" else folder
model = ist.VAE(
    epochs=int(epochs), batch_size=32, random_state=0, checkpoint_dir=checkpoint_dir
)
model.fit(x)
np.save(out, np.concatenate([p.detach().numpy().ravel() for p in model.module_.parameters()]))
"""


def wait_for(path: Path, process: Started) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finish(process: Started) -> None:
    message = process.communicate()[1]
    assert process.returncode == 0, message


@pytest.mark.slow
def test_sigkill_at_any_moment_and_start_again(warm: Warm, tmp_path: Path) -> None:
    def start(folder: Path | str, out: Path, epochs: int) -> Started:
        return warm.start("-c", TRAIN, folder, out, epochs)

    epochs = 25
    finish(start("-", tmp_path / "whole.npy", epochs))
    folder = tmp_path / "run"
    for delay in (0.05, 0.13):
        process = start(folder, tmp_path / "resumed.npy", epochs)
        wait_for(folder / "checkpoint.safetensors", process)
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, (
            "the run ended before it was killed: train longer"
        )
    finish(start(folder, tmp_path / "resumed.npy", epochs))
    assert np.array_equal(np.load(tmp_path / "whole.npy"), np.load(tmp_path / "resumed.npy"))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_writes_a_checkpoint_says_how_to_go_on_and_exits(
    number: int, status: int, warm: Warm, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    options = ["--data", "digits", "--epochs", "100000", "--out", out]
    process = warm.start("-m", "isthmus", "train", "vae", *options)
    wait_for(out / "checkpoint.safetensors", process)
    process.send_signal(number)
    message = process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert "start the same training again and it goes on from there" in message
    assert "Traceback" not in message
    assert not (out / "config.json").exists()


class AtTheEnd(Callback):
    """Signals its own process in the close of the last epoch."""

    def __init__(self, number: int) -> None:
        self.number = number

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        if trainer.is_over:
            signal.raise_signal(self.number)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_signal_in_the_close_of_the_last_epoch_is_not_swallowed(
    number: int, raised: type[BaseException], few: np.ndarray, tmp_path: Path
) -> None:
    def model(**values: Any) -> ist.AE:
        return ist.AE(
            latent_dim=2, epochs=2, random_state=0, checkpoint_dir=str(tmp_path), **values
        )

    before = signal.getsignal(number)
    with pytest.raises(raised, match="after the last epoch"):
        model(callbacks=[AtTheEnd(number)]).fit(few)
    assert signal.getsignal(number) is before
    again = model().fit(few)
    assert len(again.history_) == 2
    lone = ist.AE(latent_dim=2, epochs=2, random_state=0).fit(few)
    assert np.array_equal(again.transform(few), lone.transform(few))


LOADING = """
import runpy, sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == stop:
            raise KeyboardInterrupt
stop = sys.argv[1]
sys.meta_path.insert(0, Interrupted())
sys.argv[1:] = ["info", "pretrained:course-ae"]
runpy.run_module("isthmus", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("module", ["typer", "isthmus._cli.judging", "torch", "sklearn.base"])
def test_ctrl_c_while_a_command_is_loading_ends_it_with_one_line(module: str) -> None:
    """Here it comes while a module is imported."""
    process = subprocess.run(
        [sys.executable, "-c", LOADING, module], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (130, "isthmus: interrupted\n")


def test_ctrl_c_while_options_are_read_ends_a_command_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "parse_args", interrupted)
    monkeypatch.setattr(sys, "argv", ["isthmus", "models"])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert (ending.value.code, capsys.readouterr().err) == (130, "isthmus: interrupted\n")


def test_what_a_command_says_of_ctrl_c_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt("stopped in epoch 3")

    monkeypatch.setattr("isthmus.io.runs.load_run", interrupted)
    monkeypatch.setattr(
        sys, "argv", ["isthmus", "encode", "pretrained:course-ae", "digits", "x.csv"]
    )
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert (ending.value.code, capsys.readouterr().err) == (130, "isthmus: stopped in epoch 3\n")
