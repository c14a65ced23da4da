"""The bars: drawn where somebody watches, silent elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from isthmus.data._sources.progress import download_bar, track


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Somebody watches.

    No fixture, since pytest exchanges the stream between a fixture and its test.
    """
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_many_items_get_a_bar_and_all_come_through(monkeypatch):
    terminal = watched(monkeypatch)
    assert list(track(range(3000), "reading images")) == list(range(3000))
    assert "reading images" in terminal.getvalue()


def test_few_items_get_none(monkeypatch):
    terminal = watched(monkeypatch)
    assert list(track(range(10), "reading images")) == list(range(10))
    assert terminal.getvalue() == ""


def test_nobody_watches(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert len(list(track(range(3000), "reading images"))) == 3000
    with download_bar("mnist") as bar:
        bar.update(5)
    assert sys.stderr.getvalue() == ""


def test_a_download_shows_what_has_come(monkeypatch):
    terminal = watched(monkeypatch)
    with download_bar("mnist: images") as bar:
        bar.total = 2000
        bar.update(500)
        bar.reset()
        bar.update(2000)
        bar.close()
        assert bar.total == 2000
    assert "mnist: images" in terminal.getvalue() and "2.0/2.0 kB" in terminal.getvalue()
