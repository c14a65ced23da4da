"""What tests share: small data, and real MNIST where it lies."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus._cli import app as cli

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def digits() -> ist.data.Data:
    return ist.data.load("digits")


@pytest.fixture(scope="session")
def few(digits: ist.data.Data) -> np.ndarray:
    """129 digits: with batches of 64, one is left over."""
    return digits.train.x[:129]


@pytest.fixture(scope="session")
def mnist() -> ist.data.Data:
    """Real MNIST from ISTHMUS_DATA, or from the folder shared/data beside the checkout."""
    folder = Path(os.environ.get("ISTHMUS_DATA", ROOT.parent / "shared" / "data"))
    if not any(folder.rglob("train-images-idx3-ubyte*")):
        pytest.skip(
            f"MNIST's files are not in {folder}: set ISTHMUS_DATA to a folder that holds them"
        )
    return ist.data.load("mnist", data_dir=folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser; what needs one is skipped where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed, so no page can be opened"
    )
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no browser at {CHROMIUM}, so no page can be opened")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture
def opened(browser: Any) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """Open a page from the disk; a word on the console or a question to the net fails a test."""

    @contextlib.contextmanager
    def open_(file: Path, viewport: dict[str, int], **options: Any) -> Iterator[Any]:
        said: list[str] = []

        def note(request: Any) -> None:
            if not request.url.startswith(("file:", "data:")):
                said.append(request.url)

        page = browser.new_page(viewport=viewport, **options)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", note)
        page.goto(file.resolve().as_uri())
        yield page
        page.close()
        assert said == []

    return open_


@pytest.fixture(scope="session")
def status_of() -> Callable[..., int]:
    """Run a command of the package in this process, and give its exit status."""
    cli._assemble()

    def run(*arguments: object) -> int:
        try:
            cli.app(args=[str(argument) for argument in arguments])
        except SystemExit as ending:
            return int(ending.code or 0)
        return 0

    return run


@pytest.fixture
def isthmus(status_of: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process: its exit status, what it printed, and its diagnostics."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = status_of(*arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def commands_with() -> Callable[[Path], contextlib.AbstractContextManager[Command]]:
    """Run commands in one other process, in which the packages of a folder are installed."""

    @contextlib.contextmanager
    def started(site: Path) -> Iterator[Command]:
        path = os.pathsep.join([str(site), str(Path(ist.__file__).parents[1])])
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("commands.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        )
        assert process.stdin is not None and process.stdout is not None

        def run(*arguments: object) -> tuple[int, str, str]:
            print(json.dumps([str(each) for each in arguments]), file=process.stdin, flush=True)
            status, printed, said = json.loads(process.stdout.readline())
            return status, printed, said

        yield run
        process.communicate()

    return started
