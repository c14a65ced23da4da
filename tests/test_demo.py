"""The demo: nothing to choose, and a page that opens where there is a browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import isthmus as ist
from isthmus import registry, report
from isthmus.core import browsers, fields
from isthmus.report import Comparison

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(("words", "opens"), [((), True), (("--no-browser",), False)])
def test_the_demo_compares_two_members_and_opens_the_page(
    isthmus: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    opens: bool,
) -> None:
    """What `compare` does is tested by itself; `make demo` runs the whole of it."""
    made, asked = [], []

    def compare(members: Any, data: ist.data.Data, out: Path, *, overrides: dict[str, Any]) -> Any:
        made.append((members, data.name, out, overrides))
        (tmp_path / "results.json").write_text('{"members": []}')
        return Comparison((), tmp_path / "index.html", tmp_path / "results.json")

    monkeypatch.setattr(report, "compare", compare)
    monkeypatch.setattr(browsers, "open_in_browser", lambda address: not asked.append(address))
    status, printed, said = isthmus("demo", *words, "--epochs", 3, "--out", tmp_path / "page")
    assert status == 0, said
    (members, name, out, overrides) = made[0]
    assert (members, name, out) == (("ae", "vae"), "digits", tmp_path / "page")
    assert overrides["epochs"] == 3
    for member in members:  # every setting is one of theirs, and allowed
        fields.validate(overrides, fields.declared(registry.MEMBERS[member]))
    assert asked == ([(tmp_path / "index.html").as_uri()] if opens else [])
    assert printed.endswith("index.html\n" if opens else "index.html (open it in a browser)\n")


@pytest.mark.parametrize(
    ("browser", "chosen", "opens"),
    [
        (webbrowser.GenericBrowser("lynx"), None, False),  # it would take the terminal over
        (webbrowser.GenericBrowser("lynx"), "lynx", True),  # but here somebody wants it
        (webbrowser.BackgroundBrowser("firefox"), None, True),
        (None, None, False),
    ],
)
def test_a_browser_of_the_terminal_is_none_unless_it_is_chosen(
    browser: webbrowser.BaseBrowser | None,
    chosen: str | None,
    opens: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def get() -> webbrowser.BaseBrowser:
        if browser is None:
            raise webbrowser.Error("could not locate runnable browser")
        return browser

    monkeypatch.setattr(webbrowser, "get", get)
    if browser is not None:
        monkeypatch.setattr(browser, "open", lambda address: not asked.append(address))
    monkeypatch.delenv("BROWSER", raising=False)
    if chosen is not None:
        monkeypatch.setenv("BROWSER", chosen)
    assert browsers.open_in_browser("file:///page.html") is opens
    assert asked == (["file:///page.html"] if opens else [])
