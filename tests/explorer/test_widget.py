"""The explorer in a notebook: messages of the widget, and the widget in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist

# a model of ipywidgets in the page, whose messages the test carries to Python and back
STUB = """
window.heard = [];
window.saved = [];
const values = { given: window.given };
window.model = {
  get: (name) => values[name],
  set: (name, value) => (values[name] = value),
  save_changes: () => window.saved.push({ code: values.code, marked: values.marked }),
  on: (name, listener) => (window.listener = listener),
  send: (message, callbacks, buffers) =>
    window.heard.push({ message, numbers: Array.from(new Float32Array(buffers[0])) }),
};
"""


class Odd(nn.Module):
    """A decoder that a page cannot evaluate."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 64)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.special.bessel_j0(z)).reshape(-1, 1, 8, 8)


@pytest.fixture(scope="module")
def odd(digits: ist.data.Data) -> ist.AE:
    return ist.AE(decoder=Odd(), epochs=1, likelihood="mse").fit(digits.train.x[:100])


@pytest.fixture
def widget(odd: ist.AE, digits: ist.data.Data) -> Iterator[Any]:
    made: Any = ist.explore(odd, digits).widget
    yield made
    made.close()


def ask(widget: Any, message: dict[str, Any], *buffers: Any) -> tuple[dict[str, Any], list[bytes]]:
    """What Python answers to a message of the page."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    widget._handle_custom_msg(message, list(buffers))
    (found,) = sent
    return found


def test_python_answers_messages(widget: Any, odd: ist.AE) -> None:
    code = np.array([[0.5, -1.0]], np.float32)
    said, (numbers,) = ask(
        widget, {"id": 7, "place": 0, "kind": "decode"}, memoryview(code.tobytes())
    )
    assert said == {"id": 7}
    np.testing.assert_allclose(
        np.frombuffer(numbers, np.float32), odd.inverse_transform(code).ravel(), atol=1e-5
    )


@pytest.mark.parametrize(
    ("message", "buffers", "error"),
    [
        ({"id": 1, "place": 0, "kind": "train"}, [b""], "there is no network train of a model 0"),
        ({"id": 1, "place": 4, "kind": "decode"}, [b""], "there is no network decode of a model 4"),
        ({"id": 1, "place": 0, "kind": "decode"}, [b"123"], "2 numbers of 4 bytes each are wanted"),
    ],
)
def test_a_message_without_an_answer_says_why(
    widget: Any, message: dict[str, Any], buffers: list[bytes], error: str
) -> None:
    said, numbers = ask(widget, message, *buffers)
    assert (said["id"], numbers) == (1, [])
    assert said["error"].startswith(error)


@pytest.fixture
def rendered(browser: Any, widget: Any) -> Iterator[Any]:
    """The widget's own module in a page, with what a notebook would give it."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    page.set_content("<body style='background: #111'><div id='el'></div></body>")
    page.evaluate("(given) => { window.given = given; }", widget.given)
    page.add_script_tag(content=STUB)
    page.add_style_tag(content=str(widget._css))
    page.add_script_tag(
        content=str(widget._esm).replace("export default", "window.widget =")
        + "\nwidget.render({ model: window.model, el: document.getElementById('el') });",
        type="module",
    )
    page.wait_for_function("() => document.getElementById('el').explorer")
    yield page
    page.close()


def carry(page: Any, widget: Any) -> None:
    """Carry what the page has asked to Python, and the answers back."""
    for heard in page.evaluate("() => window.heard.splice(0)"):
        numbers = np.array(heard["numbers"], np.float32).tobytes()
        said, buffers = ask(widget, heard["message"], numbers)
        page.evaluate(
            """([said, numbers]) => window.listener(said,
                numbers.map((one) => new DataView(Float32Array.from(one).buffer)))""",
            [said, [np.frombuffer(one, np.float32).tolist() for one in buffers]],
        )


def test_the_page_of_a_notebook_asks_python(rendered: Any, widget: Any, odd: ist.AE) -> None:
    page = rendered
    page.evaluate(
        """() => {
            const { model } = document.getElementById("el").explorer.columns[0];
            model.decode([0.5, -1]).then((made) => (window.made = Array.from(made)));
        }"""
    )
    carry(page, widget)
    page.wait_for_function("() => window.made")
    expected = odd.inverse_transform(np.array([[0.5, -1]], np.float32))
    np.testing.assert_allclose(page.evaluate("() => window.made"), expected.ravel(), atol=1e-5)


def test_python_knows_what_is_touched(rendered: Any) -> None:
    page = rendered
    page.evaluate("() => document.getElementById('el').explorer.columns[0].showCode([0.25, -0.5])")
    page.wait_for_function("() => window.saved.length > 0")
    assert page.evaluate("() => window.saved.at(-1).code") == [0.25, -0.5]


def test_the_widget_is_dark_where_the_notebook_is(rendered: Any) -> None:
    ink = rendered.evaluate(
        "() => getComputedStyle(document.querySelector('.explorer')).getPropertyValue('--ink')"
    )
    assert ink.strip() == "#e8edf2"


def test_a_notebook_that_is_only_read_has_the_page(digits: ist.data.Data) -> None:
    shown = ist.explore(ist.load("pretrained:vae-digits-2d"), digits)
    data, _ = shown._repr_mimebundle_()
    assert set(data) == {
        "application/vnd.jupyter.widget-view+json",
        "text/html",
        "text/plain",
    }
    assert data["text/html"].startswith("<iframe srcdoc=")
    assert "<script" not in data["text/html"]  # all of it is escaped
    assert json.loads(shown.widget.given)["models"][0]["label"] == "VAE"  # type: ignore[attr-defined]


def test_without_anywidget_the_page_stands_in_a_frame(
    monkeypatch: pytest.MonkeyPatch, odd: ist.AE, digits: ist.data.Data
) -> None:
    monkeypatch.setattr("isthmus.explorer._explorer.find_spec", lambda name: None)
    found = ist.explore(ist.load("pretrained:vae-digits-2d"), digits)._repr_mimebundle_()
    assert found["text/html"].startswith("<iframe srcdoc=")
    lacking = ist.explore(odd, digits)._repr_mimebundle_()["text/html"]
    assert lacking.startswith("<p>AE cannot be explored in a page alone: its networks hold")
