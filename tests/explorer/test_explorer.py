"""The explorer in a real browser: the pointer moves, and the decoder answers."""

from __future__ import annotations

import base64
import dataclasses
import re
import socket
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn
from torch import nn

import isthmus as ist
from isthmus.explorer._front import script
from isthmus.explorer._server import app_of

PIXELS = "canvas => canvas.toDataURL()"


@pytest.fixture(scope="module")
def models(digits: ist.data.Data) -> dict[str, ist.Estimator]:
    return {
        "flat": ist.load("pretrained:vae-digits-2d"),
        "wide": ist.AE(latent_dim=5, network="conv", epochs=8, random_state=0).fit(
            digits.train.x[:200]
        ),
    }


@pytest.fixture(scope="module")
def file(models: dict[str, ist.Estimator], digits: ist.data.Data, tmp_path_factory: Any) -> Path:
    out: Path = ist.explore(models, digits).save(tmp_path_factory.mktemp("explorer") / "x.html")
    return out


@pytest.fixture
def page(file: Path, opened: Any) -> Iterator[Any]:
    """The explorer, opened from the disk."""
    with opened(file, {"width": 1366, "height": 768}) as page:
        page.wait_for_function("() => window.explorer?.columns?.[0].took")
        yield page


def settled(page: Any) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))")


def test_the_decoder_answers_where_the_pointer_is(
    page: Any, models: dict[str, ist.Estimator]
) -> None:
    box = page.locator(".explorer-plane").first.bounding_box()
    seen = set()
    for x, y in ((0.3, 0.3), (0.7, 0.6)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        settled(page)
        left, right, bottom, top = page.evaluate("() => explorer.columns[0].model.view")
        code = page.evaluate("() => explorer.columns[0].coordinates")
        assert code == pytest.approx(
            [left + x * (right - left), top - y * (top - bottom)], abs=(right - left) / 200
        )
        shown = page.evaluate("(code) => Array.from(explorer.columns[0].model.decode(code))", code)
        expected = models["flat"].inverse_transform(np.array([code], dtype=np.float32))
        np.testing.assert_allclose(shown, expected.ravel(), atol=2e-3)  # weights of 16 bits
        seen.add(page.locator(".explorer-picture").first.evaluate(PIXELS))
    assert len(seen) == 2


def test_every_plane_marks_the_same_example(page: Any) -> None:
    place = page.evaluate("() => Array.from(explorer.columns[0].plane.points.slice(14, 16))")
    page.evaluate("(place) => explorer.columns[0].point(place)", place)
    marked = page.evaluate("() => explorer.columns.map((column) => column.plane.marked)")
    assert marked[0] is not None
    assert marked == [marked[0]] * 2


def test_the_joined_script_imports_and_exports_nothing() -> None:
    joined = script()
    assert not re.search(r"^(import|export)\b", joined, re.MULTILINE)
    assert joined.endswith("const { explore } = from_explorer;")


def test_one_picture_is_the_same_in_every_type_and_layout(digits: ist.data.Data) -> None:
    """A model of pixels and one of intensities, asked with either, in colours first or last."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
    pixels[0, 0, 0] = (0, 255, 0)
    shares = (pixels / 255).astype(np.float32)
    for trained in (pixels, shares):
        model = ist.AE(epochs=1, random_state=0).fit(trained)
        found = []
        for x in (pixels, shares):
            part = ist.data.Part(x)
            found.append(ist.explore(model, ist.data.Data("t", part, part)))
        first, second = (one.given for one in found)
        assert first["examples"] == second["examples"]
        content = zlib.decompress(base64.b64decode(first["examples"]["packed"]))
        bright = np.frombuffer(content, np.uint8).reshape(40, 3, 6, 5)
        np.testing.assert_array_equal(bright, pixels.transpose(0, 3, 1, 2))
        np.testing.assert_allclose(found[1].shown[0].codes(), model.transform(shares), atol=1e-5)
        np.testing.assert_allclose(found[0].shown[0].codes(), model.transform(pixels), atol=1e-5)


def test_values_beyond_intensities_are_shown_between_their_least_and_greatest() -> None:
    x = np.random.default_rng(0).normal(3, 2, (40, 6, 5)).astype(np.float32)
    model, part = ist.AE(epochs=1, random_state=0).fit(x), ist.data.Part(x)
    one = ist.explore(model, ist.data.Data("t", part, part)).shown[0]
    expected = (x - x.min()) / (x.max() - x.min())
    np.testing.assert_allclose(one.pictures[:, 0].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(one.codes(), model.transform(x), atol=1e-4)


def test_examples_that_a_model_cannot_read_are_refused(digits: ist.data.Data) -> None:
    mnist = ist.load("pretrained:course-vae")
    with pytest.raises(ist.InputError, match=r"VAE cannot read the examples: X has examples of"):
        ist.explore(mnist, digits)
    empty = dataclasses.replace(digits, test=digits.test.take(slice(0)))
    with pytest.raises(ist.InputError, match=r"there is nothing to explore.*test_fraction=0\.2"):
        ist.explore(ist.load("pretrained:vae-digits-2d"), empty)


def test_a_port_that_is_taken_is_one_sentence(
    models: dict[str, ist.Estimator], isthmus: Any, tmp_path: Path
) -> None:
    run = models["flat"].save(tmp_path / "run")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, said = isthmus("explore", run, "--data", "digits", "--port", port)
    assert (status, f"port {port} of this machine cannot be had" in said) == (2, True)


def test_what_cannot_be_shown_says_why(digits: ist.data.Data) -> None:
    rows = ist.AE(epochs=1).fit(np.random.default_rng(0).random((20, 5)))
    with pytest.raises(ist.InputError, match=r"AE cannot be explored: .* only images are shown"):
        ist.explore(rows, digits)

    odd = ist.AE(decoder=Odd(), epochs=1, likelihood="mse").fit(digits.train.x[:50])
    shown = ist.explore(odd, digits)
    with pytest.raises(
        ist.InputError,
        match=r"AE cannot be explored in a page alone: .* special_bessel_j0, unknown to the page; "
        r"show it in a notebook, with pip install 'isthmus\[notebook\]', or serve it",
    ):
        shown.save("x.html")


class Odd(nn.Module):
    """A decoder that a page cannot evaluate."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 64)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.special.bessel_j0(z)).reshape(-1, 1, 8, 8)


@pytest.fixture
def served(models: dict[str, ist.Estimator], digits: ist.data.Data) -> Iterator[tuple[str, Any]]:
    """The address of a served explorer, and the model whose networks stay there."""
    odd = ist.AE(decoder=Odd(), epochs=1, likelihood="mse").fit(digits.train.x[:100])
    both = {"flat": models["flat"], "odd": odd}
    shown = ist.explore(both, digits)
    assert shown.served == ["odd"]
    server = uvicorn.Server(uvicorn.Config(app_of(shown, "secret"), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", odd
    server.should_exit = True
    thread.join(5)


def test_a_network_that_the_page_does_not_know_answers_from_the_server(
    browser: Any, served: tuple[str, ist.AE], digits: ist.data.Data
) -> None:
    address, odd = served
    page = browser.new_page()
    page.goto(f"{address}/?token=secret")
    page.wait_for_function("() => window.explorer?.columns?.[1].took")
    shown = page.evaluate(
        "async () => Array.from(await explorer.columns[1].model.decode([0.5, -1]))"
    )
    expected = odd.inverse_transform(np.array([[0.5, -1]], dtype=np.float32))
    np.testing.assert_allclose(shown, expected.ravel(), atol=1e-5)
    code = page.evaluate(
        "async (x) => Array.from((await explorer.columns[1].model.encode(x))[0])",
        digits.test.x[3].ravel().tolist(),
    )
    np.testing.assert_allclose(code, odd.transform(digits.test.x[3:4])[0], atol=1e-5)
    page.close()


def test_nobody_asks_the_server_without_the_token(served: tuple[str, ist.AE]) -> None:
    address, _ = served
    numbers = np.zeros(2, dtype="<f4").tobytes()

    def status(path: str, body: bytes | None = None, token: str = "") -> int:
        request = urllib.request.Request(f"{address}{path}", body, {"X-Token": token})
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert status("/") == 403
    assert status("/decode/1", numbers) == 403
    assert status("/decode/1", numbers, "guess") == 403
    assert status("/decode/1", numbers, "secret") == 200
    assert status("/decode/1", numbers[:5], "secret") == 400
    assert status("/decode/7", numbers, "secret") == 404
    assert status("/train/1", numbers, "secret") == 404


def test_the_page_of_runs_is_written_from_a_shell(
    models: dict[str, ist.Estimator], isthmus: Any, tmp_path: Path
) -> None:
    run = models["flat"].save(tmp_path / "run")
    out = tmp_path / "x.html"
    status, printed, _ = isthmus("explore", run, "--data", "digits", "--out", out)
    assert (status, printed.strip()) == (0, f"{out}: run")
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    status, _, diagnostic = isthmus("explore", run, "--data", "digits", "--out", out)
    assert (status, "exists: choose another name, or pass --overwrite" in diagnostic) == (2, True)


@pytest.mark.parametrize("given", ["pretrained:vae-digits-2d", ist.VAE(), [ist.VAE()]])
def test_what_is_not_trained_cannot_be_explored(given: Any, digits: ist.data.Data) -> None:
    with pytest.raises(ist.InputError, match=r"no trained member .*: fit it, or load it with"):
        ist.explore(given, digits)
