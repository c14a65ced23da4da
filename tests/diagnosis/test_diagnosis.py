"""What a diagnosis is: sentences, values, a table, a command, a section of a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import isthmus as ist
from isthmus.core.findings import Finding
from isthmus.data import Data, Part

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def broken(healthy: Callable[..., Any]) -> Any:
    model = healthy("vae")
    for parameter in model.module_.bottleneck.parameters():
        parameter.data.zero_()
    model.kl_warmup = 100.0
    return model


def test_it_prints_as_sentences_the_worst_first(broken: Any, spots: Data) -> None:
    found = ist.diagnose(broken, spots)
    head, *lines = str(found).splitlines()
    assert head == f"VAE on spots: {len(found)} findings in {found.checks} checks."
    assert [line.strip().partition(":")[0] for line in lines] == [one.severity for one in found]
    order = ["fault", "warning", "note"]
    assert [*map(order.index, (one.severity for one in found))] == sorted(
        order.index(one.severity) for one in found
    )
    for finding, line in zip(found, lines, strict=True):
        assert str(finding) in line and finding.remedy in str(finding) and finding.bounds in line
    assert repr(found).startswith("Diagnosis(VAE on spots: posterior-collapse, ")


def test_it_is_a_sequence_of_findings_and_plain_values(broken: Any, spots: Data) -> None:
    found = ist.diagnose(broken, spots)
    assert found and isinstance(found[0], Finding) and found[:1] == (found[0],)
    plain = json.loads(json.dumps(found.to_json()))
    assert [one["name"] for one in plain["findings"]] == [one.name for one in found]
    assert plain["findings"][0]["text"] == str(found[0])
    assert "posterior collapse" in found._repr_html_() and "rate" in found._repr_html_()


def test_a_healthy_one_is_falsy_and_says_what_was_looked_at(
    healthy: Callable[..., Any], spots: Data
) -> None:
    found = ist.diagnose(healthy("vae"), spots)
    assert not found and str(found) == f"VAE on spots: nothing found in {found.checks} checks."
    assert {"rate", "better than PCA"} <= {*found.fine}
    assert "strength of the adversary" in found.skipped
    assert len(found.fine) == found.checks


def test_what_cannot_be_diagnosed_is_refused(healthy: Callable[..., Any], spots: Data) -> None:
    with pytest.raises(ist.InputError, match="model is a OutlierDetector, but a fitted member"):
        ist.diagnose(ist.OutlierDetector(), spots)  # type: ignore[arg-type]
    with pytest.raises(ist.InputError, match="data is a ndarray, but a data set with its parts"):
        ist.diagnose(healthy("vae"), spots.train.x)  # type: ignore[arg-type]
    empty = replace(spots, test=Part(spots.test.x[:0]))
    with pytest.raises(ist.InputError, match="spots has no test part to judge by: load it with"):
        ist.diagnose(healthy("vae"), empty)


def test_the_findings_at_the_end_of_a_training_are_the_same(spots: Data) -> None:
    model = ist.VAE(beta=1e4, hidden=(8,), epochs=10, learning_rate=1e-2, random_state=0)
    with pytest.warns(ist.LearningWarning) as warned:
        model.fit(spots.train)
    said = [str(one.message).removeprefix("VAE: ") for one in warned]
    found = [str(one) for one in ist.diagnose(model, spots)]
    assert any("posterior collapse" in text for text in said) and said[0] in found


def test_the_command_says_it_of_what_a_run_was_trained_on(isthmus: Command, tmp_path: Path) -> None:
    status, out, _ = isthmus("diagnose", "pretrained:vae-digits-2d", "--data", "digits")
    assert status == 0 and out.startswith("VAE on digits: nothing found in ")
    run = tmp_path / "run"
    trained = isthmus("train", "ae", "--data", "digits", "--epochs", 3, "--out", run)
    assert trained[0] == 0
    status, out, _ = isthmus("diagnose", run, "--json")
    names = [one["name"] for one in json.loads(out)["findings"]]
    assert status == 0 and "stopped-too-early" in names


def test_the_command_asks_for_data_where_the_run_knows_none(
    isthmus: Command, tmp_path: Path, healthy: Callable[..., Any]
) -> None:
    status, _, err = isthmus("diagnose", healthy("vae").save(tmp_path / "run"))
    assert status == 2 and "does not say what it was trained on: pass --data" in err


def test_a_conditional_run_needs_labels(spots: Data) -> None:
    model = ist.VAE(condition="label", hidden=(8,), epochs=2, random_state=0).fit(spots.train)
    bare = replace(spots, train=Part(spots.train.x), test=Part(spots.test.x))
    with pytest.raises(ist.InputError, match="was trained with condition='label': pass condition"):
        ist.diagnose(model, bare)
