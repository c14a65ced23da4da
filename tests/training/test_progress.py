"""What is said while it trains, where nobody sees a bar."""

from __future__ import annotations

import time
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.core import fields, notebook
from isthmus.training.callbacks.progress import Bar, Lines, Log, NotebookBar, progress

module = import_module("isthmus.training.callbacks.progress")  # a function has its name too


class Clock:
    """A clock that goes so many seconds further at each step of a training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))


def trained(callback: Any, clock: Clock, epochs: int, step: float) -> None:
    """A training of 5 steps an epoch, each of which takes so many seconds."""
    trainer: Any = SimpleNamespace(
        title="VAE",
        ends=[epochs],
        steps=5,
        finished_steps=0,
        stop_reason=None,
        settings=SimpleNamespace(batch_size=32),
        state=SimpleNamespace(epoch=0, position=0, terms=["objective"]),
        terms=lambda: {"objective": 7.0},
    )
    callback.on_fit_start(trainer)
    for epoch in range(epochs):
        for position in range(5):
            clock.now += step
            trainer.finished_steps += 1
            trainer.state.position = position + 1
            callback.on_step(trainer)
        trainer.state.epoch, trainer.state.position = epoch + 1, 0
        callback.on_epoch_end(trainer, {"epoch": epoch + 1.0, "objective": 9.0 - epoch})
    callback.on_fit_end(trainer)


def said(
    epochs: int,
    step: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[str]:
    trained(Log(), Clock(monkeypatch), epochs, step)
    return capsys.readouterr().err.splitlines()


def test_a_log_has_the_first_epoch_and_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(4, 0.2, monkeypatch, capsys) == [
        "VAE epoch 1/4: objective 9 · 3.0 s left",
        "VAE: 4 epochs in 4.0 s · objective 6",
    ]


def test_a_training_of_a_moment_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(4, 0.05, monkeypatch, capsys) == []


@pytest.mark.parametrize(("epochs", "step"), [(100, 0.3), (100, 3.0), (2000, 0.5)])
def test_a_log_has_a_line_every_tenth_at_the_most(
    epochs: int, step: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(epochs, step, monkeypatch, capsys)
    assert 9 <= len(lines) <= 12, lines
    assert lines[-1].startswith(f"VAE: {epochs} epochs in ")


def test_an_epoch_of_hours_is_not_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(1, 1800.0, monkeypatch, capsys)
    assert lines[0] == "VAE epoch 1/1: objective 7 · 2 h 0 min left"
    assert len(lines) == 5


def test_in_a_notebook_there_is_one_output_that_ends_as_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[str, str]] = []

    class Output:
        def __init__(self, page: str, text: str) -> None:
            self.update(page, text)

        def update(self, page: str, text: str) -> None:
            shown.append((page, text))

    monkeypatch.setattr(module, "LiveOutput", Output)
    trained(NotebookBar(), Clock(monkeypatch), 3, 0.1)
    assert 4 <= len(shown) <= 8, "a message costs more than a step: four a second"
    assert '<progress value="0" max="15"' in shown[0][0]
    assert shown[2][1] == "VAE epoch 2/3 · 0.9 s left · objective 7 · 320 examples/s"
    assert shown[-1] == (
        "<div>VAE: 3 epochs in 1.5 s · objective 7</div>",
        "VAE: 3 epochs in 1.5 s · objective 7",
    )


def test_who_watches_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [[type(one) for one in progress(verbose)] for verbose in (0, 1, 2)]
    assert kinds == [[], [Log], [Lines]]
    field = fields.declared(ist.AE)["verbose"]
    for said in (False, True):  # as scikit-learn's are told
        field.check(said)
        assert [type(one) for one in progress(said)] == kinds[said]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert [type(one) for one in progress(1)] == [Bar]
    monkeypatch.setattr(module, "in_notebook", lambda: True)
    assert [type(one) for one in progress(1)] == [NotebookBar]


def test_watching_takes_no_time(few: np.ndarray) -> None:
    """A step of the log is far below a thousandth of the smallest step of a training."""
    log, trainer = Log(), SimpleNamespace(ends=[10], steps=5, finished_steps=0, state=None)
    log.on_fit_start(trainer)  # type: ignore[arg-type]
    start = time.perf_counter()
    for _ in range(1000):
        log.on_step(trainer)  # type: ignore[arg-type]
    assert time.perf_counter() - start < 0.02
    assert notebook.in_notebook() is False
    assert ist.AE(epochs=1, random_state=0).fit(few).history_[-1]["epoch"] == 1
