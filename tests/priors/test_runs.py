"""A prior in the folder of its run, and on the command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import isthmus as ist
from isthmus.core import editions, files
from isthmus.core.fields import declared
from isthmus.io import runs
from isthmus.registry import PRIORS

pytestmark = pytest.mark.usefixtures("fewer_digits")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, status_of: Callable[..., int]) -> Path:
    """A run as `isthmus train` leaves it."""
    out = tmp_path_factory.mktemp("runs") / "ae"
    assert status_of("train", "ae", "--data", "digits", "--epochs", 2, "--out", out) == 0
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def with_prior(run: Path, digits: ist.data.Data) -> Path:
    ist.load(run).fit_prior(digits.train, prior=ist.priors.Mixture(components=2)).save(run)
    return run


def test_a_run_without_prior_is_as_before_and_a_refit_replaces_it(
    with_prior: Path, digits: ist.data.Data
) -> None:
    model = ist.load(with_prior)
    first = (with_prior / "prior.safetensors").read_bytes()
    model.fit_prior(digits.train, prior=ist.priors.Mixture(components=3, fewer=False)).save(
        with_prior
    )
    assert (with_prior / "prior.safetensors").read_bytes() != first
    assert len(ist.load(with_prior).prior_.means_) == 30  # three for each of ten classes
    with pytest.warns(UserWarning, match="fit trains from the start"):
        model.fit(digits.train).save(with_prior)
    assert not (with_prior / "prior.safetensors").exists()
    assert ist.load(with_prior).prior_ is None
    assert json.loads((with_prior / "config.json").read_text())["prior"] is None


def test_a_prior_that_could_not_be_read_again_is_not_written(
    with_prior: Path, tmp_path: Path
) -> None:
    model = ist.load(with_prior)
    model.prior_.__dict__["components"] = 0  # behind the field's back
    with pytest.raises(ist.InputError, match="components=0 is not usable: give a whole number"):
        model.save(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ist.InputError, match="components=0 is not usable: give a whole number"):
        runs.save_prior(model, with_prior)
    again = ist.load(with_prior).prior_
    assert again.components == 2
    with pytest.raises(ist.InputError, match="components=3 cannot be set on a fitted Mixture"):
        again.components = 3


@pytest.mark.parametrize("damage", ["cut", "gone", "noise", "flip"])
def test_a_damaged_prior_is_named(damage: str, with_prior: Path) -> None:
    file = with_prior / "prior.safetensors"
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        file.write_bytes(
            {"cut": content[: len(content) // 2], "noise": b"\x80" + content, "flip": flipped}[
                damage
            ]
        )
    with pytest.raises(
        ist.RunError, match=r"prior\.safetensors (is missing|does not match its checksum)"
    ):
        ist.load(with_prior)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "mixtur"},
            r"unknown prior 'mixtur': did you mean 'mixture'\?",
        ),
        ({"fields": {"component": 3}}, r"unknown field 'component': did you mean 'components'\?"),
        ({"fields": 3}, r"config\.json: 3 is no table of names and values"),
        ({"values": {}}, r"run: prior lacks code_shape"),
        ({"name": "flow", "fields": {}}, r"Flow does not fit the model"),
    ],
)
def test_a_damaged_entry_says_what_is_wrong(
    values: dict[str, object], message: str, with_prior: Path
) -> None:
    config = json.loads((with_prior / "config.json").read_text())
    config["prior"] |= values
    files.write_json(with_prior / "config.json", editions.sealed(config))
    with pytest.raises(ist.InputError, match=message):
        ist.load(with_prior)


def test_an_unregistered_prior_says_how_to_register(run: Path, digits: ist.data.Data) -> None:
    class Mine(ist.priors.Mixture):
        pass

    with pytest.raises(ist.InputError, match=r"registry\.PRIORS\.add\('mine', "):
        ist.load(run).fit_prior(digits.train, prior=Mine()).save(run)


# ---------------------------------------------------------------------- the command line


def test_fit_prior_then_sample(
    run: Path, isthmus: Command, tmp_path: Path, digits: ist.data.Data
) -> None:
    weights = (run / "model.safetensors").read_bytes()
    status, _, diagnostic = isthmus("sample", run, "--out", tmp_path / "x.npy")
    assert (status, "call fit_prior(X) once (isthmus fit-prior RUN" in diagnostic) == (2, True)
    status, printed, _ = isthmus("fit-prior", run)  # on what it was trained on
    assert status == 0
    assert "mixture: -log p of a code is" in printed
    assert "nats on the test part" in printed
    first = (run / "prior.safetensors").read_bytes()
    assert isthmus("fit-prior", run, "--data", "digits")[0] == 0
    assert (run / "prior.safetensors").read_bytes() == first
    assert (run / "model.safetensors").read_bytes() == weights
    arguments = ("-n", 5, "--label", 3, "--temperature", 0.5, "--seed", 1)
    assert isthmus("sample", run, *arguments, "--out", tmp_path / "x.npy")[0] == 0
    expected = ist.load(run).sample(5, label=3, temperature=0.5, random_state=1)
    assert np.array_equal(np.load(tmp_path / "x.npy"), expected)
    status, _, diagnostic = isthmus("sample", run, "--label", "eleven", "--out", tmp_path / "y.npy")
    assert (status, "unknown label 'eleven': Known: 0, 1" in diagnostic) == (2, True)
    assert "fitted prior        mixture" in isthmus("info", run)[1]


def test_settings_of_the_prior_are_options(run: Path, isthmus: Command) -> None:
    options = (
        "--prior",
        "flow",
        "--epochs",
        1,
        "--hidden",
        "8",
        "--transforms",
        1,
        "--random-state",
        4,
    )
    status, printed, _ = isthmus("fit-prior", run, *options, "--json")
    assert status == 0
    assert json.loads(printed)["prior"] == "flow"
    prior = ist.load(run).prior_
    assert (prior.epochs, prior.hidden, prior.transforms, prior.random_state) == (1, (8,), 1, 4)
    assert json.loads(printed)["log_prob"]["test"] == pytest.approx(
        ist.load(run).score_prior(ist.data.load("digits").test.x)
    )


def test_a_bound_is_shown_as_one_for_the_first_codes(run: Path, isthmus: Command) -> None:
    options = ("--prior", "diffusion", "--epochs", 1, "--width", 8, "--blocks", 1)
    status, printed, _ = isthmus("fit-prior", run, *options, "--guidance", 0.5, "--steps", 5)
    assert status == 0
    assert re.search(r"-log p of a code is at most \d\S* nats on the training part, at", printed)
    prior = ist.load(run).prior_
    assert (prior.width, prior.blocks, prior.guidance, prior.steps) == (8, 1, 0.5, 5)
    test = ist.data.load("digits").test.take(slice(1000))
    score = -ist.load(run).score_prior(test.x, test.y)
    assert f"{score:.4g} nats on the test part" in printed


@pytest.mark.parametrize("name", ["transformer", "masked"])
def test_a_prior_over_indices_is_fitted_saved_and_drawn_from(
    name: str, isthmus: Command, tmp_path: Path
) -> None:
    out, options = tmp_path / "run", ("--epochs", 1, "--channels", 16, "--layers", 1)
    assert isthmus("train", "vqvae", "--data", "digits", "--epochs", 1, "--out", out)[0] == 0
    status, printed, _ = isthmus("fit-prior", out, "--prior", name, *options, "--top-p", 0.9)
    known = {"transformer": "-log p of a code is", "masked": "fitted; it knows no log p of a code"}
    assert (status, known[name] in printed) == (0, True)
    assert (
        isthmus("sample", out, "-n", 5, "--label", 3, "--seed", 1, "--out", tmp_path / "x.npy")[0]
        == 0
    )
    model = ist.load(out)
    assert (model.prior_.channels, model.prior_.top_p) == (16, 0.9)
    again = model.sample(5, label=3, random_state=1)
    assert np.array_equal(np.load(tmp_path / "x.npy"), again)


def test_every_setting_of_every_prior_is_offered(
    isthmus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    printed = isthmus("fit-prior", "--help")[1]
    fields = [field for name in PRIORS for field in declared(PRIORS[name]).values()]
    flags = [field.flag for field in fields if field.is_plain]
    assert [flag for flag in flags if flag not in printed] == []
    shared = [declared(PRIORS[name]) for name in ("flow", "pixelcnn")]
    for name in set(shared[0]) & set(shared[1]):  # one option stands for both, so they must agree
        assert shared[0][name] == shared[1][name]
    assert set(json.loads(isthmus("priors", "--json")[1])) == set(PRIORS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--prior", "flow", "--components", 3],
            "--components is a setting of 'mixture', not of 'flow': leave it out",
        ),
        (["--reach", 3], "--reach is a setting of 'pixelcnn', not of 'mixture'"),
        (["--epochs", 3], "--epochs is a setting of 'flow' and 'two-stage' and 'diffusion'"),
        (["--prior", "flwo"], "unknown value of prior 'flwo': did you mean 'flow'?"),
        (
            ["--prior", "pixelcnn"],
            "PixelCNN does not fit codes that are vectors: pass --prior mixture",
        ),
        (["--components", 0], "components=0 is not usable: give a whole number, at least 1."),
        (["--data", "digitz"], "did you mean 'digits'?"),
        (["--size", 3], "size=3 means nothing for 'digits'"),
    ],
)
def test_what_cannot_be_fitted_leaves_the_run_as_it_was(
    arguments: list[object], message: str, run: Path, isthmus: Command
) -> None:
    before = (run / "config.json").read_bytes()
    status, _, diagnostic = isthmus("fit-prior", run, *arguments)
    assert (status, message in " ".join(diagnostic.split())) == (2, True), diagnostic
    assert (run / "config.json").read_bytes() == before
    assert not (run / "prior.safetensors").exists()


def test_a_table_is_found_again_with_its_labels(isthmus: Command, tmp_path: Path) -> None:
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "red", 1: "white", 2: "pink"})
    frame.to_csv(tmp_path / "wine.csv", index=False)
    out = tmp_path / "run"
    assert (
        isthmus(
            "train",
            "ae",
            "--data",
            tmp_path / "wine.csv",
            "--label",
            "target",
            "--epochs",
            2,
            "--out",
            out,
        )[0]
        == 0
    )
    assert json.loads((out / "config.json").read_text())["source"] == {
        "source": str(tmp_path / "wine.csv"),
        "label": "target",
        "test_fraction": 0.2,
    }
    assert isthmus("fit-prior", out)[0] == 0
    assert isthmus("sample", out, "--label", "pink", "--out", tmp_path / "pink.csv")[0] == 0
    assert runs.info(out)["prior"]["values"]["classes"]["names"] == ["pink", "red", "white"]


def test_a_run_that_does_not_say_what_it_was_trained_on(
    isthmus: Command, few: np.ndarray, tmp_path: Path
) -> None:
    ist.AE(epochs=1, random_state=0).fit(few).save(tmp_path / "run")
    status, _, diagnostic = isthmus("fit-prior", tmp_path / "run")
    assert status == 2
    assert (
        "does not say what it was trained on: pass --data, and --label or --size, as they were for"
        " train." in diagnostic
    )
    assert isthmus("fit-prior", tmp_path / "run", "--data", "digits")[0] == 0


def test_what_comes_with_the_package_stays_as_it_is(isthmus: Command) -> None:
    status, _, diagnostic = isthmus("fit-prior", "pretrained:vae-digits-2d", "--data", "digits")
    assert status == 2
    assert "comes with the package and stays as it is: train your own run" in " ".join(
        diagnostic.split()
    )
