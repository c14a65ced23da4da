"""A comparison: what it trains, what it refuses, what it writes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.branches import BRANCHES
from isthmus.data import Data, Part
from isthmus.diagnosis import Diagnosis, Finding
from isthmus.errors import LearningWarning
from isthmus.report import Comparison, compare
from isthmus.report import _verdict as verdict
from isthmus.report._table import Row

pytestmark = pytest.mark.usefixtures("fewer_digits")


@pytest.fixture
def untrainable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training fails a test that must not come so far."""

    def fit(*args: object, **kwargs: object) -> None:
        raise AssertionError("training has begun")

    monkeypatch.setattr(ist.Estimator, "fit", fit)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page stays empty, for tests that do not look at it."""
    page = '<meta name="generator" content="isthmus 0">'
    monkeypatch.setattr(import_module("isthmus.report._compare"), "page_of", lambda *args: page)


@pytest.fixture(scope="module")
def table() -> Data:
    x = np.random.default_rng(0).normal(5, 3, (60, 4)).astype(np.float32)
    return Data("<b>mine</b>", Part(x[:40]), Part(x[40:]))


def test_pca_always_stands_beside_the_members(comparison: Comparison) -> None:
    assert [(row.label, row.member) for row in comparison.rows] == [
        ("AE", "ae"),
        ("VAE", "vae"),
        ("PCA", "pca"),
    ]
    assert comparison.rows[2].model.transform(np.zeros((1, 1, 8, 8), np.float32)).shape == (1, 2)


def test_results_hold_every_number_with_its_unit(comparison: Comparison, few_digits: Data) -> None:
    record = json.loads(comparison.results.read_text())
    assert record == comparison.to_json()
    assert record["data"] == {
        "name": "digits",
        "train": 300,
        "test": 80,
        "shape": [1, 8, 8],
        "classes": list("0123456789"),
    }
    assert record["versions"]["isthmus"] == ist.__version__
    ae, vae, pca = record["members"]
    assert (ae["member"], ae["run"], ae["likelihood"]) == ("ae", "runs/ae", "bernoulli")
    assert (ae["fields"]["epochs"], vae["fields"]["beta"], pca["fields"]["latent_dim"]) == (
        3,
        0.5,
        2,
    )
    assert vae["fields"]["random_state"] == 0
    assert vae["measures"]["neg_elbo"]["unit"] == "nats per example"
    assert vae["measures"]["neg_elbo"]["error"] > 0
    assert ae["measures"]["seconds"]["value"] > 0
    assert {"squared_error", "knn5", "trustworthiness", "seconds"} <= set(pca["measures"])


def test_runs_are_kept_and_nothing_else(comparison: Comparison, few_digits: Data) -> None:
    out = comparison.page.parent
    again = ist.load(out / "runs" / "vae")
    assert np.allclose(
        again.transform(few_digits.test.x),
        comparison.rows[1].model.transform(few_digits.test.x),
        atol=1e-6,
    )
    assert (again.checkpoint_dir, len(again.snapshots_)) == (None, 4)
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "results.json", "runs"]
    assert not list(out.rglob("checkpoint*"))


def test_snapshots_follow_the_test_examples(comparison: Comparison, few_digits: Data) -> None:
    vae = comparison.rows[1].model
    assert np.allclose(vae.snapshots_[-1].codes, vae.transform(few_digits.test.x), atol=1e-5)


def test_the_table_is_text(comparison: Comparison) -> None:
    lines = comparison.table().splitlines()
    assert lines[0].split() == ["AE", "VAE", "PCA"]
    assert re.fullmatch(r"Squared error +[\d.]+ ± [\d.]+.*squared units per example", lines[1])


def test_the_page_stands_alone(comparison: Comparison) -> None:
    page = comparison.page.read_text()
    assert not re.search(r"https?:", page)
    assert not re.search(r"<script[^>]+src|<link[^>]+stylesheet|@import|url\((?!\"\$)", page)
    assert set(re.findall(r'(?:src|href)="([^":]*:)', page)) == {"data:"}
    assert len(page) < 6e6


def test_the_page_says_that_bits_are_those_of_masses(comparison: Comparison) -> None:
    page = " ".join(comparison.page.read_text().split())
    assert "a density can't be set beside published bits per dimension" in page
    assert 'data-measure="neg_elbo"' in page and 'data-measure="bits_per_dim"' not in page


def test_what_training_warns_of_stands_on_the_page_and_names_are_text(
    table: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("isthmus.report._page"), "FIGURES", {})
    with pytest.warns(LearningWarning, match=r"VAE: all 2 dimensions .* \(posterior collapse\)"):
        found = compare(
            ["vae"], table, tmp_path / "out", snapshots=0, overrides={"epochs": 20, "beta": 1e4}
        )
    page = found.page.read_text()
    (said,) = [text for _, text, _ in found.rows[0].remarks if "(posterior collapse)" in text]
    assert said == found.rows[0].diagnostics["posterior-collapse"]
    assert said[1:].partition(":")[0] in page
    assert "VAE and PCA on &lt;b&gt;mine&lt;/b&gt;" in page
    assert "<b>mine" not in page


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("sizes", "expected"), [((2, 64), 2), ((70, 64), 64)])
def test_a_pca_that_is_the_identity_stands_beside_nothing_smaller(
    sizes: tuple[int, int], expected: int, few_digits: Data, tmp_path: Path
) -> None:
    """Of 64 pixels."""
    members = [ist.AE(epochs=1, latent_dim=size) for size in sizes]
    found = compare(members, few_digits, tmp_path / "out", snapshots=0)
    assert [row.label for row in found.rows[2:]] == ["PCA"]
    reference: Any = found.rows[2].model
    assert reference.latent_dim == expected


@pytest.mark.usefixtures("undrawn")
def test_two_of_one_kind_are_told_apart(few_digits: Data, tmp_path: Path) -> None:
    members = [ist.VAE(epochs=1, beta=beta, latent_dim=dim) for beta, dim in ((1.0, 2), (4.0, 3))]
    found = compare(members, few_digits, tmp_path / "out", snapshots=2)
    labels = [row.label for row in found.rows]
    assert labels == [
        "VAE (beta 1, latent dim 2)",
        "VAE (beta 4, latent dim 3)",
        "PCA (latent dim 2)",
        "PCA (latent dim 3)",
    ]
    assert [row.run for row in found.rows[:2]] == [
        "runs/vae-beta-1-latent-dim-2",
        "runs/vae-beta-4-latent-dim-3",
    ]
    assert not hasattr(members[0], "module_")  # estimators are copied


@pytest.mark.usefixtures("undrawn")
def test_a_comparison_replaces_an_earlier_one(few_digits: Data, tmp_path: Path) -> None:
    first, second = (
        compare(["ae"], few_digits, tmp_path, snapshots=0, overrides={"epochs": n}) for n in (1, 2)
    )
    assert first.page == second.page
    assert second.to_json()["members"][0]["fields"]["epochs"] == 2


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_comparison_goes_on(
    few_digits: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, whole = ["ae", "vae"], {"epochs": 2}
    with monkeypatch.context() as patch:
        patch.setattr(
            ist.VAE, "fit", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            compare(members, few_digits, tmp_path, snapshots=2, overrides=whole)
    assert not (tmp_path / "index.html").exists()
    seconds = ist.load(tmp_path / "runs" / "ae").history_[-1]["seconds"]
    found = compare(members, few_digits, tmp_path, snapshots=2, overrides=whole)
    assert found.rows[0].model.history_[-1]["seconds"] == seconds  # not trained a second time


@pytest.mark.usefixtures("untrainable")
def test_a_foreign_folder_is_refused_before_training(few_digits: Data, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(
        ist.InputError,
        match=r"exists and is not a run of isthmus \(it holds thesis.tex\): choose another folder",
    ):
        compare(["ae"], few_digits, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("untrainable")
@pytest.mark.parametrize(
    ("members", "overrides", "message"),
    [
        (["ae", "vea"], {}, "unknown member 'vea': did you mean 'vae'?"),
        ([], {}, r"members=\[\] is not usable: give a list such as \['ae', 'vae'\]"),
        ("vae", {}, "members='vae' is not usable"),
        ([3], {}, r"the member 3 is not usable: give a name \(ae, stacked, vae"),
        (["ae"], {"epoch": 3}, "unknown field 'epoch': did you mean 'epochs'?"),
        (["ae"], {"beta": 4.0}, "unknown field 'beta'"),  # a VAE has it, but there is none
        (["ae", "vae"], {"beta": -1.0}, "beta=-1.0 is not usable: give a number, at least 0"),
        (["ae"], {"checkpoint_dir": "x"}, "unknown field 'checkpoint_dir'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_training(
    members: list[str], overrides: dict[str, object], message: str, few_digits: Data, tmp_path: Path
) -> None:
    with pytest.raises(ist.InputError, match=message):
        compare(members, few_digits, tmp_path / "out", overrides=overrides)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("untrainable")
def test_data_without_a_test_part_are_refused(table: Data, tmp_path: Path) -> None:
    empty = Data("mine", table.train, table.test.take(slice(0)))
    with pytest.raises(
        ist.InputError,
        match=r"mine has no test part to measure on: load it with test_fraction=0\.2",
    ):
        compare(["ae"], empty, tmp_path / "out")


def test_many_are_counted_in_the_title(few_digits: Data) -> None:
    named = [Row(label, "ae", None, {}, {}, run="runs") for label in "abcdefg"]
    reference = Row("PCA", "pca", None, {}, {})
    assert (
        verdict.heading([*named[:6], reference], few_digits) == "a, b, c, d, e, f and PCA on digits"
    )
    assert verdict.heading([*named, reference], few_digits) == "7 autoencoders and PCA on digits"


@pytest.mark.usefixtures("undrawn")
def test_what_is_trained_already_is_shown_as_it_is(
    few_digits: Data, tmp_path: Path, isthmus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = ist.AE(epochs=1, snapshots=2, random_state=3).fit(few_digits.train)
    run = ist.VAE(epochs=1, random_state=4).fit(few_digits.train).save(tmp_path / "mine")
    with monkeypatch.context() as patch:  # nothing is trained
        patch.setattr(ist.Estimator, "fit", None)
        found = compare(
            [fitted, str(run), "pretrained:vae-digits-2d"], few_digits, tmp_path / "out"
        )
    assert found.rows[0].model is fitted
    assert [row.member for row in found.rows] == ["ae", "vae", "vae", "pca"]
    expected = ist.load(run).transform(few_digits.test.x)
    assert np.array_equal(found.rows[1].model.transform(few_digits.test.x), expected)
    kept = ist.load(tmp_path / "out" / found.rows[2].run)
    known = ist.load("pretrained:vae-digits-2d")
    assert np.array_equal(kept.transform(few_digits.test.x), known.transform(few_digits.test.x))
    status, printed, _ = isthmus("compare", run, "--data", "digits", "--out", tmp_path / "shell")
    assert (status, "VAE" in printed) == (0, True)


def test_a_trained_member_of_other_data_is_refused_before_anything_is_trained(
    few_digits: Data, tmp_path: Path
) -> None:
    rows = ist.AE(epochs=1).fit(np.random.default_rng(0).random((30, 5)))
    with pytest.raises(ist.InputError, match=r"AE cannot read digits: "):
        compare([rows, "vae"], few_digits, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fields_for_what_is_trained_already_are_refused(few_digits: Data, tmp_path: Path) -> None:
    with pytest.raises(ist.InputError, match=r"epochs=3 is for members that are to be trained"):
        compare(["pretrained:vae-digits-2d"], few_digits, tmp_path, overrides={"epochs": 3})


def test_the_page_has_the_diagnosis_of_every_model(comparison: Comparison) -> None:
    page = comparison.page.read_text()
    section = page.partition('<section id="diagnosis">')[2].partition("</section>")[0]
    kept = [member["diagnosis"] for member in comparison.to_json()["members"]]
    for row, plain in zip(comparison.rows, kept, strict=True):
        if row.diagnosis is None:
            assert row.member == "pca" and plain is None
            continue
        assert [one["name"] for one in plain["findings"]] == [one.name for one in row.diagnosis]
        for finding in row.diagnosis:
            statement = finding.statement  # it begins a sentence there
            assert escape(statement[:1].upper() + statement[1:]) in section
    assert "stopped-too-early" in {one["name"] for one in kept[0]["findings"]}


def test_a_branch_stands_for_its_members(table: Data, tmp_path: Path, monkeypatch: Any) -> None:
    class AskedError(Exception):
        pass

    def entrants(members: list[str], *others: object) -> None:
        raise AskedError(members)

    monkeypatch.setattr(import_module("isthmus.report._compare"), "entrants", entrants)
    with pytest.raises(AskedError) as found:
        compare(["ae", "quantised"], table, tmp_path / "run")
    assert found.value.args[0] == ["ae", *BRANCHES["quantised"]]
    with pytest.raises(AskedError) as found:
        compare("quantised", table, tmp_path / "run")
    assert found.value.args[0] == "quantised"  # no list, which is refused


def test_who_was_told_classes_is_said(digits: Data) -> None:
    few = digits.train.take(slice(200))
    settings: dict[str, Any] = {"hidden": (8,), "epochs": 1, "latent_dim": 2, "random_state": 0}
    data = replace(digits, train=few)
    rows = [
        Row(member.__name__, "", member(**settings, **own).fit(few), {}, {}, run="run")
        for member, own in (
            (ist.AE, {}),
            (ist.LadderNetwork, {"n_labels": 50}),
            (ist.SemiSupervisedAAE, {}),
        )
    ]
    assert rows[2].column == "Semi\u200bSupervised\u200bAAE"
    said = verdict.premise(rows, data)
    assert "LadderNetwork and SemiSupervisedAAE were told the classes of some of them" in said
    assert said.endswith("; the code of SemiSupervisedAAE holds the probability of each too.")
    assert "told" not in verdict.premise(rows[:1], data)


def test_what_training_said_is_not_said_twice() -> None:
    now = Finding("worse-than-mean", "it explains 1%", "train for more", "share", 0.01, 0.05)
    row = Row(
        "AE",
        "ae",
        None,
        {},
        {},
        diagnostics={"worse-than-mean": "it explains 2%: train for more.", "other": "it is odd."},
        diagnosis=Diagnosis("AE", (now,), (), ()),
    )
    assert row.remarks == (
        ("warning", "it explains 1%: train for more.", now.bounds),
        ("warning", "it is odd.", ""),
    )
