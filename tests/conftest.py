"""What tests share: small data, and real MNIST where it lies."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus import registry
from isthmus._cli import app as cli
from isthmus.data._sources import embedded
from isthmus.registry import Registry
from isthmus.report import _compare
from tests.warm import Warm

# Without compiled files on the disk, every process that a test starts compiles the package anew,
# and every run all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
Command = Callable[..., tuple[int, str, str]]


def pytest_collection_finish() -> None:
    """What is imported and collected stays; a collection of garbage need not look at it again."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Weights and examples of a test do not depend on those that ran before it in its process."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture
def doubles() -> Iterator[None]:
    """Numbers of 64 bits, where sums in another order are to give the same.

    Those of 32 bits are off by a few times 1e-6 in an untrained network of many layers.
    """
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def digits() -> ist.data.Data:
    return ist.data.load("digits")


@pytest.fixture(scope="session")
def few(digits: ist.data.Data) -> np.ndarray:
    """129 digits: with batches of 64, one is left over."""
    return digits.train.x[:129]


@pytest.fixture
def fewer_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the digits, for tests that do not ask what is learnt of them."""
    every = embedded.digits

    def fifth(data_dir: Path | None = None) -> ist.data.Data:
        data = every(data_dir)
        return replace(data, train=data.train.take(slice(300)), test=data.test.take(slice(120)))

    monkeypatch.setattr(embedded, "digits", fifth)


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
def warm(tmp_path_factory: pytest.TempPathFactory) -> Warm:
    """Starts processes of their own that need not import the package anew."""
    return Warm(tmp_path_factory.mktemp("warm"))


@pytest.fixture(scope="session")
def operators_read_once() -> Iterator[None]:
    """torch reads its library of ONNX's operators anew for every file, in half of the time."""
    registration = pytest.importorskip("torch.onnx._internal.exporter._registration")
    registry = registration.ONNXRegistry
    with pytest.MonkeyPatch.context() as patch:
        read = staticmethod(functools.cache(registry.from_torchlib))
        patch.setattr(registry, "from_torchlib", read)
        yield


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


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons that write no page: drawing it takes longer than training for a test does.

    For tests of what is around it; the page itself has its own, in tests/report.
    """
    monkeypatch.setattr(_compare, "page_of", lambda *given: "<html></html>")


@pytest.fixture(scope="session")
def status_of() -> Callable[..., int]:
    """Run a command of the package in this process, and give its exit status."""
    app = cli.application()

    def run(*arguments: object) -> int:
        try:
            app(args=[str(argument) for argument in arguments])
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
    """Run commands as if the packages of a folder were installed, and then no longer."""

    searched = list(sys.path)

    @contextlib.contextmanager
    def installed(site: Path) -> Iterator[Command]:
        known = [value for value in vars(registry).values() if isinstance(value, Registry)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "path", [str(site), *searched])
            patch.setenv("COLUMNS", "200")
            for each in known:  # which have looked for packages already
                patch.delitem(vars(each), "_installed", raising=False)
            registry._entry_points.cache_clear()
            with warnings.catch_warnings():  # of names that are taken: their own tests ask for it
                warnings.simplefilter("ignore")
                app = cli.application()
            yield functools.partial(answered, app)
            for each in known:
                vars(each).pop("_installed", None)
        registry._entry_points.cache_clear()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(site)):
                del sys.modules[name]

    return installed


def answered(app: Callable[..., None], *arguments: object) -> tuple[int, str, str]:
    """A command's exit status, what it printed, and its diagnostics."""
    printed, said, status = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(said),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            app(args=[str(argument) for argument in arguments])
        except SystemExit as ending:
            status = int(ending.code or 0)
    return status, printed.getvalue(), said.getvalue()
