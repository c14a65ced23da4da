"""In a notebook: a real kernel, what it is shown, and how little of it."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.core import notebook
from isthmus.core.notebook import HTMLCell, curve, html_table
from isthmus.training.history import History

CELLS = {
    "data": "import isthmus as ist\ndata = ist.data.load('digits')\ndata",
    "fit": "vae = ist.VAE(latent_dim=2, epochs=6, random_state=0)\nvae.fit(data.train)",
    "figure": "ist.figures.grid(vae, data, side=4)",
    "history": "vae.history_",
    "inline": "%matplotlib inline\nist.figures.plane(vae, data)",
    "film": "vae.set_params(epochs=1, snapshots=2, verbose=0).fit(data.train)\n"
    "ist.figures.evolution_gif(vae, data, 'film.gif', frames=2)",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Any]]]:
    """What each cell shows, after all have been run in a fresh kernel."""
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    code = ["import warnings\nwarnings.simplefilter('ignore')", *CELLS.values()]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in code])
    place = {"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3", resources=place).execute()
    yield dict(zip(CELLS, (cell.outputs for cell in book.cells[1:]), strict=True))


@pytest.mark.slow
def test_a_fresh_kernel_shows_everything_by_itself_and_little_of_it(
    outputs: dict[str, list[Any]],
) -> None:
    bar, fitted = outputs["fit"]
    assert re.match(r"VAE: 6 epochs in .* · objective \d+", bar.data["text/plain"])
    assert "<progress" not in bar.data["text/html"], "the bar has ended as one line"
    assert "images of 1 × 8 × 8" in fitted.data["text/html"]
    (figure,) = outputs["figure"]
    assert set(figure.data) == {"image/png", "text/plain"}
    assert figure.metadata["image/png"]["width"] < 700
    (inline,) = outputs["inline"]
    assert "image/png" in inline.data, "shown once, also where matplotlib shows figures itself"
    assert set(outputs["film"][0].data) == {"image/gif", "text/plain"}
    for name in ("data", "history"):
        (shown,) = outputs[name]
        assert "<table" in shown.data["text/html"]
    words = [
        text
        for shown in outputs.values()
        for output in shown
        for kind, text in output.data.items()
        if kind.startswith("text/")
    ]
    assert sum(map(len, words)) < 9_000
    assert max(len(o.data["text/plain"]) for shown in outputs.values() for o in shown) < 700


def test_a_history_is_a_list_in_all_that_is_done_with_it(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.AE(epochs=2, random_state=0).fit(few)
    plain = [dict(row) for row in model.history_]
    assert model.history_ == plain and isinstance(model.history_, list)
    for twin in (pickle.loads(pickle.dumps(model.history_)), copy.deepcopy(model.history_)):
        assert twin == plain and isinstance(twin, History)
    assert repr(model.history_) == repr(plain)
    loaded = ist.load(model.save(tmp_path / "run"))
    assert loaded.history_ == plain and isinstance(loaded.history_, History)
    pd = pytest.importorskip("pandas")
    pd.testing.assert_frame_equal(loaded.history_.to_frame(), pd.DataFrame(plain))


def test_a_history_without_pandas_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ist.errors.MissingExtraError, match=r"pip install 'isthmus\[tables\]'"):
        History([{"epoch": 1.0}]).to_frame()


def test_a_long_history_is_shown_by_its_ends() -> None:
    history = History([{"epoch": float(i), "objective": 100.0 / i} for i in range(1, 301)])
    page = history._repr_html_()
    assert "<td>100</td>" in page and "<td>0.3333</td>" in page and "<td>0.6667</td>" not in page
    assert "… 289 more …" in page and page.count("<polyline") == 1 and len(page) < 3000
    assert history.summary() == "300 epochs: objective 100 → 0.3333"


def test_a_curve_falls_where_its_values_fall() -> None:
    points = re.findall(r"(\d+),(\d+)", curve([4.0, 2.0, 0.0, float("nan")]))
    assert points == [("1", "1"), ("36", "9"), ("71", "17")]


def test_what_somebody_named_is_no_html() -> None:
    page = html_table("<b>", [("<script>", 1)], foot=HTMLCell("<i>mine</i>"))
    assert "&lt;b&gt;" in page and "&lt;script&gt;" in page and "<i>mine</i>" in page
    data = ist.data.Data("<img>", *[ist.data.Part(np.zeros((2, 3)), np.array(["<a>", "b"]))] * 2)
    assert "<img>" not in data._repr_html_() and "&lt;a&gt;" in data._repr_html_()


def test_a_data_set_shows_its_parts_and_an_example_of_each_class(digits: ist.data.Data) -> None:
    page = digits._repr_html_()
    assert "<td>1,438</td><td>1 × 8 × 8</td><td>float32</td>" in page
    assert page.count("data:image/png") == 1 and len(page) < 3000
    assert repr(digits.train) == "Part(1,438 of (1, 8, 8), float32, 10 classes)"


def test_a_table_shows_its_first_rows() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({f"column {i}": np.arange(5) * i for i in range(20)})
    page = ist.data.Data("table", *[ist.data.Part(frame)] * 2)._repr_html_()
    assert "column 7" in page and "column 8" not in page and "12 more" in page
    assert page.count("<tr") == 3 + 4


def test_a_member_says_what_it_is_and_scikit_learn_may_forbid_it(few: np.ndarray) -> None:
    import sklearn

    model = ist.VAE(latent_dim=3, epochs=1, random_state=0)
    assert "none yet: call fit" in model._repr_mimebundle_()["text/html"]
    page = model.fit(few)._repr_mimebundle_()["text/html"]
    assert "3, around N(0, I)" in page and "1 epoch: objective" in page and len(page) < 2000
    assert model._repr_html_() == page
    many = ist.VAE(
        latent_dim=3, epochs=77, hidden=(64, 64, 64), learning_rate=0.002, validation=0.1
    )
    assert "\\n" not in many._repr_html_(), "settings that take two lines in a terminal"
    with sklearn.config_context(display="text"):
        assert set(model._repr_mimebundle_()) == {"text/plain"}


def test_measures_and_detectors_are_tables(digits: ist.data.Data) -> None:
    model = ist.AE(epochs=1, random_state=0).fit(digits.train)
    measures = ist.evaluate(model, digits)
    error = measures["squared_error"]
    assert str(measures).splitlines()[0] == f"squared_error: {error}"
    assert str(error) == f"{error.value:,.4g} ± {error.error:.2g} squared units per example"
    assert f"<td>{error.value:,.4g} ± {error.error:.2g}</td>" in measures._repr_html_()
    assert dict(measures) == measures and pickle.loads(pickle.dumps(measures)) == measures
    detector = ist.OutlierDetector(ist.AE(epochs=1, random_state=0)).fit(digits.train.x[:200])
    page = detector._repr_mimebundle_()["text/html"]
    assert f"{detector.offset_:.4g}" in page and len(page) < 1000


def test_outside_of_a_notebook_nothing_is_a_notebook() -> None:
    assert not notebook.in_notebook()
