"""The course: its code runs, its pictures and numbers are those of a run, in every language."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from benchmarks import course, pages

LANGUAGE = pytest.mark.parametrize("language", course.LANGUAGES)
PAGE = pytest.mark.parametrize("page", course.PAGES)
# numbers with a point that are chosen, not measured: settings, places, ln 2, ln 10
CHOSEN = {"0.05", "0.95", "0.5", "0.69", "0.1", "0.2", "0.4", "0.6", "0.8", "1.0", "2.3", "0.01"}


def text_of(page: str, language: str) -> str:
    return (course.HOME / language / f"{page}.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files such as MNIST's, of scikit-learn's digits three times as large."""
    folder = tmp_path_factory.mktemp("mnist")
    digits = ist.data.load("digits", test_fraction=0)
    x = np.pad(np.kron(digits.train.x[:, 0], np.ones((3, 3))), ((0, 0), (2, 2), (2, 2)))
    x, y = (255 * x).astype(np.uint8), np.asarray(digits.train.y).astype(np.uint8)
    for part, rows in (("train", slice(1000, None)), ("t10k", slice(1000))):
        for kind, values in (("images-idx3", x[rows]), ("labels-idx1", y[rows])):
            sizes = b"".join(side.to_bytes(4, "big") for side in values.shape)
            head = bytes([0, 0, 8, values.ndim]) + sizes
            (folder / f"{part}-{kind}-ubyte").write_bytes(head + values.tobytes())
    return folder


def run(page: str, monkeypatch: pytest.MonkeyPatch, folder: Path, mnist: Path) -> dict[str, Any]:
    """The names that a page defines, with one epoch for every training."""
    monkeypatch.setenv("ISTHMUS_DATA", str(mnist))
    blocks = [
        re.sub(r"frames=\d+", "frames=2", re.sub(r"epochs=\d+", "epochs=1", block))
        for block in course.code_of(page)
    ]
    monkeypatch.setattr(course, "code_of", lambda page: blocks)
    return course.run(page, folder)


@pytest.mark.slow
@pytest.mark.usefixtures("no_page")
def test_the_python_of_the_unit_runs(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = run("unit", monkeypatch, tmp_path, small_mnist)
    assert names["h"].shape == (1000, 2) and 0 <= names["h"].min() <= names["h"].max() <= 1
    assert names["by_hand"] == pytest.approx(names["vae"].terms(names["data"].test.x[:1])["rate"])
    assert names["formula"] == pytest.approx(float(names["known"]))
    assert names["formula"] == pytest.approx(float(names["simulated"]), abs=0.01)
    assert written(tmp_path) == shown("unit", "en")
    assert set(course.measure_unit(names)) >= {"ae", "vae", "pca", "digit", "data"}


@pytest.mark.slow
@pytest.mark.usefixtures("no_page")
@pytest.mark.filterwarnings("ignore::isthmus.LearningWarning")
def test_the_python_of_the_family_runs(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = run("family", monkeypatch, tmp_path, small_mnist)
    assert written(tmp_path) == shown("family", "en")
    found = course.measured_itself("family", names)
    assert tuple(found) == course.MEASURED["family"]
    assert all(np.isfinite(value) for values in found.values() for value in values.values())
    assert found["diffusion"]["error-0.2"] < found["diffusion"]["error-1"]


@pytest.mark.slow
def test_the_python_of_diffusion_runs(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = run("diffusion", monkeypatch, tmp_path, small_mnist)
    assert written(tmp_path) == shown("diffusion", "en")
    found = course.measured_itself("diffusion", names)
    assert tuple(found) == course.MEASURED["diffusion"]
    assert all(np.isfinite(value) for values in found.values() for value in values.values())
    # the sampler of the solutions is the package's own
    vae = names["vae"]
    own, ours = vae.prior_.module_, names["noise"]
    drawn = own.restored(names["z"]).numpy()
    vae.prior_._set_anew()
    monkeypatch.setattr(torch, "randn", lambda *sizes, **given: ours.clone())
    with torch.inference_mode():
        np.testing.assert_allclose(own.draw(10, torch.eye(10), 1.0), drawn, atol=1e-4)


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def shown(page: str, language: str) -> set[str]:
    return set(re.findall(r"images/course/([\w-]+\.\w+)\)", text_of(page, language)))


@LANGUAGE
def test_the_pictures_are_those_that_are_shown(language: str) -> None:
    kept = {path.name for path in course.PICTURES.iterdir() if path.suffix in {".png", ".gif"}}
    assert set.union(*(shown(page, language) for page in course.PAGES)) == kept


@LANGUAGE
@PAGE
def test_the_numbers_of_the_course_are_those_of_its_run(page: str, language: str) -> None:
    text = text_of(page, language)
    assert pages.filled(text, course.numbers()) == text
    assert len(pages.MARKED.findall(text)) > 30
    prose = pages.MARKED.sub("", re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", text, flags=re.DOTALL))
    assert set(re.findall(r"\d+\.\d+", prose)) - CHOSEN - {"1312.6114", "1606.05908"} == set()


@pytest.mark.parametrize(("member", "name"), [("AE", "course-ae"), ("VAE", "course-vae")])
def test_the_trainings_of_the_unit_are_those_of_the_prepared_models(member: str, name: str) -> None:
    prepared = ist.load(f"pretrained:{name}").get_params()
    calls = [
        node
        for block in course.code_of("unit")
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"ist.{member}"
    ]
    assert len(calls) == 1
    said = {str(word.arg): ast.literal_eval(word.value) for word in calls[0].keywords}
    assert said.pop("epochs") == 1
    assert {key: prepared[key] for key in said} == said
    defaults = getattr(ist, member)().get_params()
    # what the text does not say is left at its default, but for what the moving pictures need
    unsaid = {key for key in defaults if prepared[key] != defaults[key]} - set(said)
    assert unsaid <= {"epochs", "snapshots"}
