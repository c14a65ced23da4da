"""The page of features says what was counted, and shows the examples that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import isthmus as ist
from isthmus._cli.app import application
from isthmus.metrics import features
from isthmus.report import write_features


@pytest.fixture(scope="module")
def model(digits: ist.data.Data) -> Any:
    sparsity = ist.sparsities.TopK(k=5)
    return ist.DictionaryAE(
        latent_dim=80, sparsity=sparsity, epochs=2, learning_rate=3e-3, random_state=0
    ).fit(digits.train)


def test_the_page_says_what_was_counted(model: Any, digits: ist.data.Data, tmp_path: Path) -> None:
    found = write_features(tmp_path / "features.html", model, digits.test)
    page = (tmp_path / "features.html").read_text()
    again = features(model, digits.test.x)
    np.testing.assert_array_equal(found.frequency, again.frequency)
    alike = again.similarity.argmax()
    assert (
        f"An example uses 5.0 units; {len(again.dead)} are used by none,"
        f" {len(again.dense())} by more than 10%; the two directions most alike, of {alike} and"
        f" {again.nearest[alike]}, have a cosine of {again.similarity[alike]:.2f}."
    ) in page
    shown = [int(unit) for unit in re.findall(r'id="unit-(\d+)"', page)]
    assert len(shown) == min(60, 80 - len(again.dead)) == len(set(shown))
    assert shown[0] == again.frequency.argmax()
    assert (np.diff(again.frequency[shown]) <= 0).all()
    assert f"used by {again.frequency[shown[0]]:.2%}, {again.mean[shown[0]]:.2f} on average" in page
    assert page.count("data:image/png") == 2 * len(shown)
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_activations_are_shown_by_their_names(model: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    names = [f"<w{row}>" for row in range(60)]
    dictionary = ist.DictionaryAE(latent_dim=12, epochs=1, random_state=0).fit(x)
    found = write_features(
        tmp_path / "page.html", dictionary, x, names=names, units=[7, 2], count=3
    )
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r'id="unit-(\d+)"', page) == ["7", "2"]
    first, strongest = found.top[7][0], found.strongest[7][0]
    assert f'<span>&lt;w{first}&gt;</span><span class="number">{strongest:.2f}</span>' in page
    assert "data:image" not in page


def test_the_command_writes_it(model: Any, tmp_path: Path, capsys: Any) -> None:
    model.save(tmp_path / "run")
    app = application(("features",))
    out = tmp_path / "page.html"
    words = ["features", str(tmp_path / "run"), "digits", "--out", str(out), "--units", "3,4"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["active"] == pytest.approx(5)
    assert re.findall(r'id="unit-(\d+)"', out.read_text()) == ["3", "4"]
    wrong = CliRunner().invoke(app, [*words[:-1], "3;4", "--overwrite"])
    assert wrong.exit_code != 0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"path": "page.pdf"}, "cannot be written: give a name that ends in .html"),
        ({"names": ["one"]}, "names holds 1 names, X 359 examples: give each example one"),
        ({"units": [80]}, "units holds 80, but the code has 80 units: give numbers from 0 to 79"),
    ],
)
def test_what_cannot_be_written_is_said(
    model: Any, digits: ist.data.Data, tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / values.pop("path", "page.html")
    with pytest.raises(ist.InputError, match=sentence):
        write_features(path, model, digits.test, **values)
