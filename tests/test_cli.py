"""The command line, as a user meets it: every command through its real entry point."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import isthmus as ist
from isthmus._cli import app as cli
from isthmus.core.fields import declared

pytestmark = pytest.mark.usefixtures("fewer_digits")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = ist.data.load("digits")
    model = ist.VAE(latent_dim=2, epochs=2, random_state=0, verbose=0).fit(data.train)
    return model.save(tmp_path_factory.mktemp("runs") / "vae")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a conditional member."""
    data = ist.data.load("digits")
    model = ist.VAE(latent_dim=2, condition="label", epochs=1, random_state=0, verbose=0)
    model.fit(data.train)
    with torch.no_grad():  # E starts at zero, and one epoch moves it little
        model.module_.conditioning.shift.weight.normal_(std=5)
    return model.save(tmp_path_factory.mktemp("runs") / "told")


@pytest.mark.parametrize(
    ("words", "tied"),
    [
        (["--tied"], True),
        (["--tied", "--epochs", "1"], True),
        (["--tied=false"], False),
        (["--tied", "false"], False),
    ],
)
def test_a_switch_may_stand_alone(
    isthmus: Command, tmp_path: Path, words: list[str], tied: bool
) -> None:
    given = [
        "--data",
        "digits",
        "--out",
        tmp_path / "run",
        "--epochs",
        "1",
        "--pretrain-epochs",
        "1",
    ]
    assert isthmus("train", "stacked", *given, *words)[0] == 0
    assert ist.load(tmp_path / "run").tied is tied


def test_a_switch_that_is_neither_is_named(isthmus: Command, tmp_path: Path) -> None:
    status, _, diagnostic = isthmus(
        "train", "ae", "--data", "digits", "--out", tmp_path / "run", "--compile", "maybe"
    )
    assert status == 2
    assert "--compile 'maybe' is not usable: give True or False." in diagnostic


def test_a_preset_is_a_start_that_options_change(isthmus: Command, tmp_path: Path) -> None:
    given = ("--preset", "mnist", "--data", "digits", "--out", tmp_path / "run")
    status, _, _ = isthmus("train", "laddervae", *given, "--epochs", 1, "--layers", 2)
    assert status == 0
    model = ist.load(tmp_path / "run")
    assert (model.layers, model.latent_dim, model.activation) == (2, 4, "leaky_relu")
    status, _, diagnostic = isthmus("train", "ae", *given[:-1], tmp_path / "ae")
    assert status == 2
    assert "no setting of AE was published" in diagnostic
    given = ("--preset", "mnist", "--from", tmp_path / "run", "--out", tmp_path / "more")
    status, _, diagnostic = isthmus("train", "laddervae", *given)
    assert status == 2
    assert "--preset mnist sets what the run of --from" in diagnostic


def test_train_takes_every_field_and_writes_a_run(isthmus: Command, tmp_path: Path) -> None:
    status, printed, _ = isthmus(
        "train",
        "vae",
        "--data",
        "digits",
        "--out",
        tmp_path / "vae",
        "--latent-dim",
        3,
        "--hidden",
        "32,16",
        "--epochs",
        2,
        "--beta",
        0.5,
        "--likelihood",
        "gaussian",
        "--scale",
        "0.3",
        "--schedule",
        "cosine",
        "--clip-norm",
        "none",
    )
    assert status == 0
    assert "likelihood: gaussian" in printed
    model = ist.load(tmp_path / "vae")
    expected = {
        "latent_dim": 3,
        "hidden": (32, 16),
        "epochs": 2,
        "beta": 0.5,
        "likelihood": ist.likelihoods.Gaussian(scale=0.3),
    }
    assert {name: getattr(model, name) for name in expected} == expected
    assert model.clip_norm is None
    assert model.checkpoint_dir is None
    assert not (tmp_path / "vae" / "checkpoint.safetensors").exists()


def test_the_same_command_gives_the_same_weights(isthmus: Command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert (
            isthmus("train", "ae", "--data", "digits", "--out", tmp_path / name, "--epochs", 1)[0]
            == 0
        )
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("name", list(ist.MEMBERS))
def test_every_plain_field_is_an_option_with_its_help(
    name: str, isthmus: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    status, printed, _ = isthmus("train", name, "--help")
    assert status == 0
    for field in declared(ist.MEMBERS[name]).values():
        elsewhere = ("checkpoint_dir", "warm_start")  # --out and --from take their places
        is_there = re.search(rf"{field.flag}(?![\w-])", printed) is not None
        assert is_there == (field.is_plain and field.name not in elsewhere)


def test_a_run_goes_on_from_another(isthmus: Command, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    assert isthmus("train", "ae", "--data", "digits", "--out", first, "--epochs", 2)[0] == 0
    common = ("train", "ae", "--epochs", 1, "--from")
    assert isthmus(*common, first, "--out", second, "--learning-rate", 0.01)[0] == 0
    other = ("--data", tmp_path / "x.npy")
    np.save(other[1], ist.data.load("digits").test.x)
    assert isthmus(*common, second, "--out", third, *other)[0] == 0
    model = ist.load(third)
    assert [row["epoch"] for row in model.history_] == [1, 2, 3, 4]
    assert model.learning_rate == 0.01 and not model.warm_start
    assert model.source_["source"] == str(other[1])


def test_what_cannot_go_on_is_refused(isthmus: Command, run: Path, tmp_path: Path) -> None:
    status, _, message = isthmus("train", "ae", "--from", run, "--out", tmp_path / "new")
    assert status == 2
    assert "holds a run of 'vae', not of 'ae': use isthmus train vae" in message
    status, _, message = isthmus("train", "vae", "--from", run, "--out", tmp_path / "new")
    assert status == 2
    assert "does not say what it was trained on: pass --data" in message
    status, _, message = isthmus("train", "vae", "--out", tmp_path / "new")
    assert status == 2
    assert "--data is missing: give one of digits, shapes, mnist" in message


def test_only_train_runs_under_torchrun(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(sys, "argv", ["isthmus", "fit-prior", "run"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "isthmus fit-prior runs in one process: start it without" in capsys.readouterr().err


def test_a_log_is_written_beside_the_run(isthmus: Command, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    out = tmp_path / "run"
    command = ("train", "ae", "--data", "digits", "--epochs", 1, "--out", out)
    assert isthmus(*command, "--log", "tensorboard")[0] == 0
    assert list((tmp_path / "run-logs" / "run").glob("events.*"))
    status, _, message = isthmus(*command, "--overwrite", "--log", "tensorbord")
    assert status == 2
    assert "unknown value of --log 'tensorbord': did you mean 'tensorboard'?" in message


@pytest.mark.parametrize(
    ("arguments", "shown", "hidden"),
    [
        (["vae"], ["--beta1"], ["--scale", "--momentum", "--codebook-size"]),
        (["vae", "--likelihood", "gaussian"], ["likelihood gaussian", "--scale"], ["--momentum"]),
        (["vae", "--likelihood=mse"], ["likelihood mse", "--output"], ["--scale"]),
        (["vae", "--optimizer", "sgd"], ["optimizer sgd", "--momentum"], ["--beta1"]),
        (["vqvae"], ["quantizer vq", "--codebook-size"], []),
        (["denoising"], ["corruption gaussian", "standard deviation of the noise"], ["set to 0"]),
        (["denoising", "--corruption", "masking"], ["that are set to 0"], []),
        (["recurrent"], ["--cell"], []),
        (["vae", "--network", "conv"], ["--widths", "--network-activation"], ["--cell"]),
    ],
)
def test_help_shows_the_fields_of_the_parts_that_are_chosen(
    arguments: list[str],
    shown: list[str],
    hidden: list[str],
    isthmus: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    printed = isthmus("train", *arguments, "--help")[1]
    assert [text for text in shown if text not in printed] == []
    assert [text for text in hidden if text in printed] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["vae", "--scale", "0.1"],
            "--scale is a setting of 'gaussian' and 'spectral', not of 'auto': leave it out, or"
            " choose another --likelihood.",
        ),
        (
            ["vae", "--likelihood", "mse", "--scale", "0.1"],
            "--scale is a setting of 'gaussian' and 'spectral', not of 'mse'",
        ),
        (["vae", "--momentum", "0.5"], "--momentum is a setting of 'sgd', not of 'adam'"),
        (["denoising", "--level", "-1"], "level=-1.0 is not usable: give a number, above 0."),
        (
            ["vae", "--likelihood", "gausian"],
            "unknown value of likelihood 'gausian': did you mean 'gaussian'?",
        ),
    ],
)
def test_fields_of_parts_that_are_not_chosen_are_refused(
    arguments: list[str], message: str, isthmus: Command, tmp_path: Path
) -> None:
    status, _, diagnostic = isthmus(
        "train", *arguments, "--data", "digits", "--out", tmp_path / "run"
    )
    assert (status, message in " ".join(diagnostic.split())) == (2, True), diagnostic


def test_fields_of_parts_reach_the_run(isthmus: Command, tmp_path: Path) -> None:
    given = ["--data", "digits", "--epochs", 1, "--out", tmp_path / "run"]
    parts = ["--codebook-size", 20, "--optimizer", "sgd", "--momentum", 0.5, "--hidden", 8]
    assert isthmus("train", "vqvae", *given, *parts)[0] == 0
    fields = json.loads((tmp_path / "run" / "config.json").read_text())["fields"]
    assert fields["quantizer"]["name"] == "vq"
    assert fields["quantizer"]["fields"]["codebook_size"] == 20
    assert fields["optimizer"] == {"name": "sgd", "fields": {"momentum": 0.5, "nesterov": False}}
    assert fields["likelihood"] == "auto"
    assert ist.load(tmp_path / "run").module_.bottleneck.levels[0].size == 20
    told = isthmus("info", tmp_path / "run")[1]
    assert "codebook_size" in told


def test_a_second_run_into_the_same_folder_needs_overwrite(
    isthmus: Command, tmp_path: Path
) -> None:
    command = ("train", "ae", "--data", "digits", "--epochs", 1, "--out", tmp_path / "run")
    assert isthmus(*command)[0] == 0
    status, _, diagnostic = isthmus(*command)
    assert status == 2
    assert "holds a finished run: choose another folder, or pass --overwrite" in diagnostic
    assert isthmus(*command, "--overwrite")[0] == 0


@pytest.mark.parametrize("ending", ["npy", "csv", "parquet"])
def test_encode_then_decode(ending: str, run: Path, isthmus: Command, tmp_path: Path) -> None:
    codes = tmp_path / f"codes.{ending}"
    assert isthmus("encode", run, "digits", codes)[0] == 0
    model, data = ist.load(run), ist.data.load("digits")
    np.testing.assert_allclose(ist.data.read(codes).x, model.transform(data.test.x), rtol=1e-6)
    assert isthmus("decode", run, codes, tmp_path / "x.npy")[0] == 0
    np.testing.assert_allclose(
        np.load(tmp_path / "x.npy"), model.reconstruct(data.test.x), atol=1e-5
    )


def test_reconstruct_writes_originals_above_reconstructions(
    run: Path, isthmus: Command, tmp_path: Path
) -> None:
    assert isthmus("reconstruct", run, "digits", tmp_path / "x.png", "--columns", 5)[0] == 0
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.height > 4 * picture.width  # 100 examples in rows of 5, each row twice
    assert isthmus("reconstruct", run, "digits", tmp_path / "x.npy")[0] == 0
    assert np.load(tmp_path / "x.npy").shape == (120, 1, 8, 8)


def test_denoise_writes_cleaned_examples(run: Path, isthmus: Command, tmp_path: Path) -> None:
    data = ist.data.load("digits")
    model = ist.DenoisingAE(epochs=2, random_state=0).fit(data.train)
    model.save(tmp_path / "run")
    noisy = np.random.default_rng(0).normal(data.test.x, 0.3).astype(np.float32)
    np.save(tmp_path / "noisy.npy", noisy)
    assert (
        isthmus("denoise", tmp_path / "run", tmp_path / "noisy.npy", tmp_path / "clean.npy")[0] == 0
    )
    np.testing.assert_allclose(np.load(tmp_path / "clean.npy"), model.denoise(noisy), atol=1e-6)
    status, _, diagnostic = isthmus("denoise", run, tmp_path / "noisy.npy", tmp_path / "x.npy")
    assert (status, "VAE does not clean examples: train 'denoising'" in diagnostic) == (2, True)


def test_outliers_of_a_data_set_by_its_own_scores(
    run: Path, isthmus: Command, tmp_path: Path
) -> None:
    import pandas as pd

    out, picture = tmp_path / "outliers.csv", tmp_path / "outliers.png"
    status, printed, _ = isthmus(
        "outliers", run, "digits", "--out", out, "--contamination", 0.05, "--figure", picture
    )
    assert status == 0
    found, scores = pd.read_csv(out), -ist.load(run).squared_error(ist.data.load("digits").test.x)
    limit, least = np.quantile(scores, 0.05), scores.argmin()
    assert f"6 of 120 examples score below {limit:.4g}; the least typical is row {least}" in printed
    np.testing.assert_allclose(found["score"], scores, rtol=1e-5)
    assert found["outlier"].sum() == 6 and found["rank"][least] == 1
    with Image.open(picture) as image:
        assert image.width > 900
    status, printed, _ = isthmus(
        "outliers", run, "digits", "--out", tmp_path / "o.parquet", "--criterion", "score", "--json"
    )
    told = json.loads(printed)
    assert told["outliers"] == pd.read_parquet(tmp_path / "o.parquet")["outlier"].sum()
    status, _, diagnostic = isthmus(
        "outliers", run, "digits", "--out", tmp_path / "p.csv", "--figure", tmp_path / "x.gif"
    )
    assert (
        status,
        "x.gif cannot be written: give a name that ends in .png, .svg, .pdf" in diagnostic,
    ) == (2, True)


def test_outliers_are_explained_and_a_saved_detector_brings_its_threshold(
    isthmus: Command, tmp_path: Path
) -> None:
    import pandas as pd

    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=list("abc"))
    frame.loc[7, "b"] = 12
    frame.to_csv(tmp_path / "t.csv", index=False)
    detector = ist.OutlierDetector(ist.AE(epochs=2, random_state=0, verbose=0), contamination=0.1)
    detector.fit(frame).save(tmp_path / "detector")
    out, shares = tmp_path / "o.csv", tmp_path / "shares.csv"
    words = ("outliers", tmp_path / "detector", tmp_path / "t.csv", "--out", out)
    status, printed, _ = isthmus(*words, "--explain", shares)
    assert status == 0
    assert f"8 of 80 examples score below {detector.offset_:.4g}" in printed
    assert "the least typical is row 7" in printed
    found, explained = pd.read_csv(out), pd.read_csv(shares)
    assert list(explained) == list("abc") and explained.loc[7].idxmax() == "b"
    np.testing.assert_allclose(explained.sum(axis=1), -found["score"], rtol=1e-6)
    words = (*words, "--overwrite")
    assert isthmus(*words, "--explain", tmp_path / "s.npy")[0] == 0
    assert np.load(tmp_path / "s.npy").shape == (80, 3)
    assert isthmus(*words, "--contamination", 0.1)[0] == 0
    status, _, diagnostic = isthmus(*words, "--criterion", "error")
    assert (status, "was fitted with criterion auto: leave it out" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus(*words, "--explain", out)
    assert (status, "--out and --explain both name" in diagnostic) == (2, True)
    words = ("encode", tmp_path / "detector", tmp_path / "t.csv", out, "--overwrite")
    status, _, diagnostic = isthmus(*words)
    assert (status, "holds a detector" in diagnostic) == (2, True)


def test_a_long_series_from_training_to_its_marked_steps(isthmus: Command, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    hours = pd.date_range("2026-01-01", periods=400, freq="h", name="time")
    load = np.sin(np.arange(400) / 3)
    load[250:254] = 0
    frame = pd.DataFrame({"load": load, "is_odd": 0}, index=hours)
    file, run, table = tmp_path / "series.csv", tmp_path / "run", tmp_path / "marks.csv"
    frame.to_csv(file)
    options = ("--window", 16, "--stride", 4, "--label", "is_odd", "--network", "mlp")
    train = ("train", "ae", "--data", file, "--out", run, "--epochs", 60, *options)
    assert isthmus(*train)[0] == 0
    spec = ist.load(run).preprocessor_.spec
    assert (spec.kind, spec.shape) == ("signal", (1, 16))
    picture = tmp_path / "marks.png"
    marking = ("outliers", run, file, "--label", "is_odd", "--out", table, "--figure", picture)
    status, printed, _ = isthmus(*marking)
    assert status == 0
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"
    marks = pd.read_csv(table, parse_dates=["time"])
    assert list(marks.columns) == ["time", "load", "score", "outlier"] and len(marks) == 400
    np.testing.assert_allclose(marks["load"], load)
    least = marks["time"][marks["score"].idxmin()]
    assert (
        hours[250] <= least < hours[254]
        and f"the least typical is time {least:%Y-%m-%dT%H}" in printed
    )
    marking = (*marking, "--overwrite")
    found = json.loads(isthmus(*marking, "--contamination", 0.02, "--json")[1])
    assert (found["steps"], found["outliers"]) == (400, 8)
    restored = tmp_path / "restored.csv"
    assert isthmus("reconstruct", run, file, restored, "--label", "is_odd")[0] == 0
    again = pd.read_csv(restored)
    assert list(again.columns) == ["time", "load"]
    assert np.square(again["load"] - load).mean() < 0.1 * load.var()
    assert isthmus("encode", run, file, tmp_path / "z.npy", "--label", "is_odd")[0] == 0
    assert np.load(tmp_path / "z.npy").shape == (97, 2)
    assert isthmus("evaluate", run, "--data", file, "--label", "is_odd")[0] == 0
    assert isthmus("fit-prior", run, "--components", 2)[0] == 0  # of what the run says
    status, _, said = isthmus(*marking, "--window", 20)
    assert (status, "--window 20 does not fit this AE" in said) == (2, True)
    other = ("train", "ae", "--data", file, "--out", tmp_path / "other", "--stride", 4)
    status, _, said = isthmus(*other)
    assert (status, "--stride 4 means nothing without --window: give both" in said) == (2, True)


def test_outliers_in_a_folder_of_images_are_named_by_their_files(
    isthmus: Command, tmp_path: Path
) -> None:
    import pandas as pd

    x = (ist.data.load("digits").test.x[:40, 0] * 255).astype(np.uint8)
    x[7] = 255 - x[7]
    (tmp_path / "images").mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image).save(tmp_path / "images" / f"{i:02}.png")
    ist.AE(epochs=10, random_state=0).fit(ist.data.read(tmp_path / "images").x).save(
        tmp_path / "run"
    )
    status, printed, _ = isthmus(
        "outliers", tmp_path / "run", tmp_path / "images", "--out", tmp_path / "o.csv"
    )
    assert status == 0
    assert "the least typical is row 7 (07.png)" in printed
    assert pd.read_csv(tmp_path / "o.csv")["file"].tolist() == [f"{i:02}.png" for i in range(40)]


def test_sample_is_the_same_for_the_same_seed(run: Path, isthmus: Command, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert (
            isthmus("sample", run, "-n", 9, "--seed", seed, "--out", tmp_path / f"{name}.npy")[0]
            == 0
        )
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    assert a.shape == (9, 1, 8, 8)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert isthmus("sample", run, "--out", tmp_path / "grid.png")[0] == 0


def test_a_synthetic_table_is_measured_beside_the_real_one(
    run: Path, isthmus: Command, tmp_path: Path
) -> None:
    import pandas as pd
    from sklearn.datasets import load_wine

    load_wine(as_frame=True).frame.iloc[:, [0, 1, 2, -1]].to_csv(tmp_path / "wine.csv", index=False)
    out, new, page = tmp_path / "run", tmp_path / "new.csv", tmp_path / "report.html"
    told = ("--data", tmp_path / "wine.csv", "--label", "target", "--epochs", 3, "--out", out)
    assert isthmus("train", "vae", *told)[0] == 0
    sample = ("sample", out, "-n", 50, "--out", new)
    status, said, _ = isthmus(*sample, "--report", page)
    assert status == 0
    assert f"{new}: 50 rows; {page}:\nColumns " in said
    assert "Synthetic rows of wine.csv" in page.read_text()
    assert pd.read_csv(new).shape == (50, 3)
    sample = (*sample, "--overwrite")
    # the whole table, given by name, holds the column of the classes too
    record = tmp_path / "report.json"
    named = isthmus(*sample, "--report", record, "--data", tmp_path / "wine.csv", "--json")
    measures = json.loads(record.read_text())["measures"]
    assert json.loads(named[1])["measures"]["pairs"] == measures["pairs"]["value"]
    status, _, diagnostic = isthmus(*sample, "--data", tmp_path / "wine.csv")
    assert (status, "give --report, or neither" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus(*sample, "--report", tmp_path / "report.pdf")
    assert (status, "report.pdf cannot be written: give a name" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("sample", run, "--out", new, "--report", page, "--overwrite")
    assert (status, "--report measures tables" in diagnostic) == (2, True)


def test_a_table_from_end_to_end(isthmus: Command, tmp_path: Path) -> None:
    import pandas as pd
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame
    frame.to_csv(tmp_path / "wine.csv", index=False)
    wine = ("--label", "target")
    out = tmp_path / "run"
    assert (
        isthmus("train", "ae", "--data", tmp_path / "wine.csv", *wine, "--epochs", 3, "--out", out)[
            0
        ]
        == 0
    )
    assert isthmus("reconstruct", out, tmp_path / "wine.csv", tmp_path / "again.csv", *wine)[0] == 0
    assert list(pd.read_csv(tmp_path / "again.csv").columns) == [
        c for c in frame.columns if c != "target"
    ]
    frame.rename(columns={"alcohol": "water"}).to_csv(tmp_path / "other.csv", index=False)
    status, _, diagnostic = isthmus(
        "encode", out, tmp_path / "other.csv", tmp_path / "codes.npy", *wine
    )
    assert status == 2
    assert "feature names should match those that were passed during fit" in diagnostic
    assert diagnostic.count("\n") == 1


def test_a_conditional_member_is_told_the_labels_of_data(
    told: Path, isthmus: Command, tmp_path: Path
) -> None:
    model, digits = ist.load(told), ist.data.load("digits")
    x, y = digits.test.x, digits.test.labels
    assert isthmus("encode", told, "digits", tmp_path / "z.npy")[0] == 0
    codes = np.load(tmp_path / "z.npy")
    np.testing.assert_allclose(codes, model.transform(x, y), atol=1e-5)
    assert not np.allclose(codes, model.transform(x, np.roll(y, 1)))
    assert isthmus("reconstruct", told, "digits", tmp_path / "x.npy")[0] == 0
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), model.reconstruct(x, y), atol=1e-5)
    table, figure = tmp_path / "o.csv", tmp_path / "o.png"
    assert isthmus("outliers", told, "digits", "--out", table, "--figure", figure)[0] == 0
    scores = np.loadtxt(table, delimiter=",", skiprows=1, usecols=1)
    np.testing.assert_allclose(scores, -model.squared_error(x, y), rtol=1e-4)
    measures = json.loads(isthmus("evaluate", told, "--data", "digits", "--json")[1])
    expected = model.squared_error(x, y).mean()
    assert measures["squared_error"]["value"] == pytest.approx(expected, rel=1e-4)


def test_the_condition_of_new_examples_is_an_option(
    told: Path, isthmus: Command, tmp_path: Path
) -> None:
    model, digits, out = ist.load(told), ist.data.load("digits"), tmp_path / "x.npy"
    assert isthmus("sample", told, "--condition", 3, "-n", 4, "--seed", 1, "--out", out)[0] == 0
    wanted = model.sample(4, condition=3, random_state=1)
    np.testing.assert_allclose(np.load(out), wanted, atol=1e-5)
    np.save(tmp_path / "z.npy", np.zeros((2, 2), np.float32))
    words = ("decode", told, tmp_path / "z.npy", out, "--condition", 7, "--overwrite")
    assert isthmus(*words)[0] == 0
    np.testing.assert_allclose(np.load(out), model.decode(np.zeros((2, 2)), 7), atol=1e-5)
    assert isthmus("reconstruct", told, "digits", out, "--condition", 7, "--overwrite")[0] == 0
    moved = model.reconstruct(digits.test, condition=7)
    np.testing.assert_allclose(np.load(out), moved, atol=1e-5)
    assert not np.allclose(moved, model.reconstruct(digits.test))
    assert isthmus("reconstruct", told, "digits", tmp_path / "x.png", "--condition", 7)[0] == 0


@pytest.mark.usefixtures("no_page")
def test_a_conditional_member_from_training_to_its_prior(isthmus: Command, tmp_path: Path) -> None:
    given = ("--data", "digits", "--condition", "label", "--epochs", 1, "--latent-dim", 2)
    run, still = tmp_path / "run", ("--snapshots", 0)
    assert isthmus("train", "vae", *given, "--out", run)[0] == 0
    shown = isthmus("info", run)[1]
    assert "label: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in shown
    assert "image, 1 × 8 × 8" in shown
    status, printed, _ = isthmus("fit-prior", run, "--json")
    assert (status, set(json.loads(printed)["log_prob"])) == (0, {"training", "test"})
    assert isthmus("sample", run, "--condition", 3, "--out", tmp_path / "x.png")[0] == 0
    assert isthmus("compare", "ae", "vae", *given, *still, "--out", tmp_path / "page")[0] == 0
    assert ist.load(tmp_path / "page" / "runs" / "vae").condition == "label"


def test_covariates_are_numbers_with_commas(isthmus: Command, tmp_path: Path) -> None:
    random, run, out = np.random.default_rng(0), tmp_path / "run", tmp_path / "x.npy"
    x, known = random.random((60, 4), np.float32), random.random((60, 2))
    model = ist.VAE(latent_dim=2, condition="covariates", epochs=1, random_state=0)
    model.fit(x, known).save(run)
    assert "2 covariates" in isthmus("info", run)[1]
    assert isthmus("sample", run, "--condition", "0.5,2", "-n", 3, "--out", out)[0] == 0
    wanted = model.sample(3, condition=[0.5, 2], random_state=0)
    np.testing.assert_allclose(np.load(out), wanted, atol=1e-5)
    for words, message in (
        ((), "was trained with --condition covariates: say with --condition what"),
        (("--condition", "1"), "give as many numbers as this run knows covariates, 2, with"),
        (("--condition", "a,b"), "--condition 'a,b' is not usable"),
    ):
        status, _, diagnostic = isthmus("sample", run, *words, "--out", tmp_path / "y.npy")
        assert (status, message in diagnostic) == (2, True), diagnostic


def test_one_covariate_is_the_column_that_label_names(isthmus: Command, tmp_path: Path) -> None:
    age, run = np.arange(20, 80), tmp_path / "run"
    rows = [f"{a / 10},{a / 20},{a}" for a in age]
    (tmp_path / "t.csv").write_text("\n".join(["u,v,age", *rows]))
    given = ("--data", tmp_path / "t.csv", "--label", "age", "--condition", "covariates")
    assert isthmus("train", "vae", *given, "--epochs", 1, "--out", run)[0] == 0
    known = ist.load(run).preprocessor_.condition
    assert (known.size, 40 < known.mean[0] < 60) == (1, True)
    assert isthmus("fit-prior", run)[0] == 0
    out = tmp_path / "x.csv"
    assert isthmus("encode", run, tmp_path / "t.csv", out, "--label", "age")[0] == 0
    words = ("outliers", run, tmp_path / "t.csv", "--label", "age", "--out", tmp_path / "o.csv")
    assert isthmus(*words)[0] == 0
    assert isthmus("sample", run, "--condition", "30", "--out", tmp_path / "y.csv")[0] == 0


def test_a_condition_that_is_missing_or_means_nothing(
    told: Path, run: Path, isthmus: Command, tmp_path: Path
) -> None:
    bare, out = tmp_path / "x.npy", tmp_path / "out.npy"
    np.save(bare, ist.data.load("digits").test.x)
    np.save(tmp_path / "z.npy", np.zeros((2, 2), np.float32))
    train = ("--data", bare, "--condition", "label", "--out", tmp_path / "run")
    for words, message in (
        (("encode", told, bare, out), "x.npy has no labels, which a conditional member must be"),
        (("reconstruct", told, bare, out), "x.npy has no labels"),
        (("evaluate", told, "--data", bare), "x.npy has no labels"),
        (("fit-prior", told, "--data", bare), "has no labels"),
        (("train", "vae", *train), "has no labels"),
        (("compare", "vae", *train), "has no labels, which conditional members must be told"),
        (("decode", told, tmp_path / "z.npy", out), "this VAE was trained with --condition label"),
        (("sample", told, "--condition", "k", "--out", out), "unknown label 'k'"),
        (("sample", told, "--label", "3", "--out", out), "pass --condition 3"),
        (("sample", run, "--condition", "3", "--out", out), "--condition 3 means nothing to this"),
    ):
        status, _, diagnostic = isthmus(*words)
        assert (status, message in diagnostic) == (2, True), diagnostic
        assert diagnostic.count("\n") == 1
    assert not out.exists() and not (tmp_path / "run").exists()
    assert isthmus("reconstruct", told, bare, out, "--condition", "3")[0] == 0


def test_json_everywhere(run: Path, isthmus: Command, tmp_path: Path) -> None:
    def read(*arguments: object) -> Any:
        status, printed, _ = isthmus(*arguments, "--json")
        assert status == 0
        return json.loads(printed)

    assert set(read("models")) == set(ist.MEMBERS)
    assert "digits" in read("data")
    assert read("info", run)["member"] == "vae"
    assert read("evaluate", run, "--data", "digits")["squared_error"]["value"] > 0
    assert read("encode", run, "digits", tmp_path / "z.npy")["shape"] == [120, 2]
    trained = read("train", "ae", "--data", "digits", "--epochs", 1, "--out", tmp_path / "run")
    assert trained["epoch"] == 1


BAD: list[tuple[list[str], str]] = [
    (["train", "vae", "--data", "digitz"], "did you mean 'digits'?"),
    (["train", "vae", "--data", "nowhere/x.npy"], "x.npy"),
    (
        ["train", "vae", "--data", "digits", "--epochs", "0"],
        "epochs=0 is not usable: give a whole number or None, at least 1.",
    ),
    (
        ["train", "vae", "--data", "digits", "--epochs", "ten"],
        "--epochs 'ten' is not usable: give a whole number",
    ),
    (["train", "vae", "--data", "digits", "--likelihood", "bernouli"], "did you mean 'bernoulli'?"),
    (
        ["train", "vae", "--data", "digits", "--beta", "nan"],
        "beta=nan is not usable: give a number, at least 0.",
    ),
    (["train", "vae", "--data", "digits", "--device", "gpu"], "device='gpu' cannot be used here"),
    (
        ["train", "vae", "--data", "digits", "--patience", "3"],
        "patience=3 needs examples to measure",
    ),
    (
        ["train", "vae", "--data", "digits", "--image-shape", "1,7,7"],
        "image_shape=(1, 7, 7) does not hold the 64 values",
    ),
    (["train", "vea", "--data", "digits"], "Did you mean 'vae'?"),
    (["train", "SparseAE", "--data", "digits"], "Did you mean 'sparse'?"),
    (["train", "vae", "--data", "digits", "--bta", "1"], "--bta"),
    (["compare", "ae", "vea", "--data", "digits"], "unknown member 'vea': did you mean 'vae'?"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    BAD,
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_message_and_nothing_is_written(
    arguments: list[str], message: str, isthmus: Command, tmp_path: Path
) -> None:
    status, _, diagnostic = isthmus(*arguments, "--out", tmp_path / "out")
    assert status == 2
    assert message in " ".join(diagnostic.replace("│", " ").split())
    assert "Traceback" not in diagnostic
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_a_run_is_left_alone(isthmus: Command, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    for command in (["train", "ae"], ["compare", "ae"]):
        status, _, diagnostic = isthmus(*command, "--data", "digits", "--out", tmp_path)
        assert status == 2
        assert "exists and is not a" in diagnostic
    assert isthmus("encode", tmp_path, "digits", tmp_path / "z.npy")[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_wrong_targets_and_wrong_shapes(run: Path, isthmus: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((5, 9, 9), np.float32))
    cases = [
        (
            ["encode", run, "digits", tmp_path / "z.txt"],
            "give a name that ends in .npy, .csv, .parquet",
        ),
        (
            ["encode", run, tmp_path / "wide.npy", tmp_path / "z.npy"],
            "X has examples of shape (9, 9), but the model",
        ),
        (
            ["decode", run, tmp_path / "wide.npy", tmp_path / "x.npy"],
            "codes have the shape (5, 9, 9), but this model",
        ),
        (["sample", run, "--out", tmp_path / "x.csv"], "cannot hold examples of shape"),
    ]
    for arguments, message in cases:
        status, _, diagnostic = isthmus(*arguments)
        assert (status, message in diagnostic) == (2, True), diagnostic
    assert [path.name for path in tmp_path.iterdir()] == ["wide.npy"]


def test_a_place_that_cannot_be_written_to(run: Path, isthmus: Command) -> None:
    for arguments in (
        ["sample", run, "--out", "/proc/x/y.npy"],
        ["train", "ae", "--data", "digits", "--out", "/proc/x"],
    ):
        status, _, diagnostic = isthmus(
            *arguments, *(["--epochs", "1"] if arguments[0] == "train" else [])
        )
        assert status == 2
        assert "/proc/x" in diagnostic
        assert "cannot be written (No such file or directory): choose another place" in diagnostic


def test_an_ae_has_nothing_to_sample_from(isthmus: Command, tmp_path: Path) -> None:
    ist.AE(epochs=1, random_state=0).fit(ist.data.load("digits").train).save(tmp_path / "ae")
    status, _, diagnostic = isthmus("sample", tmp_path / "ae", "--out", tmp_path / "x.png")
    assert status == 2
    assert "AE has no prior over its codes" in diagnostic


@pytest.mark.parametrize(
    ("command", "option"), [(["train", "vae"], "--kl-warmup"), (["fit-prior"], "--transforms")]
)
def test_help_imports_nothing_heavy(command: list[str], option: str) -> None:
    probe = textwrap.dedent(f"""
        import sys
        from isthmus._cli import app as cli
        sys.argv = ["isthmus", *{command}, "--help"]
        try:
            cli.main()
        except SystemExit:
            pass
        heavy = {{"torch", "sklearn", "numpy", "pandas", "matplotlib", "scipy"}} & set(sys.modules)
        assert not heavy, heavy
    """)
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert option in done.stdout


def test_the_module_is_a_command_and_names_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isthmus", "--version"], capture_output=True, text=True
    )
    assert done.stdout.strip() == ist.__version__


def test_one_process_answers_one_command_after_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["train", "ae", "--help"], ["train", "vae", "--help"], ["models"]) * 2:
        monkeypatch.setattr(sys, "argv", ["isthmus", *words])
        with pytest.raises(SystemExit) as ending:
            cli.main()
        said = capsys.readouterr().out
        assert ending.value.code == 0
        assert ("--learning-rate" in said) == (words[0] == "train")
        assert ("--kl-warmup" in said) == ("vae" in words)


def test_import_is_light() -> None:
    code = "import isthmus, sys; assert not {'torch', 'sklearn', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_remedy_names_the_options_of_the_command(isthmus: Command, tmp_path: Path) -> None:
    for name, size in (("a", (6, 4)), ("b", (5, 8))):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("L", size).save(tmp_path / "images" / f"{name}.png")
    status, _, said = isthmus(
        "train", "ae", "--data", tmp_path / "images", "--out", tmp_path / "run"
    )
    assert (status, "such as --size 4, to resize" in said) == (2, True), said


def test_a_film_of_a_run_without_moments_says_which_option_keeps_them(
    isthmus: Command, tmp_path: Path
) -> None:
    isthmus("train", "ae", "--data", "digits", "--epochs", 1, "--out", tmp_path / "run")
    film = ("draw", "evolution", tmp_path / "run", "--data", "digits", "--out", tmp_path / "x.gif")
    status, _, said = isthmus(*film)
    assert (status, "train it with --snapshots 8" in said) == (2, True), said


def test_a_judge_learns_from_the_labels_of_a_data_set(isthmus: Command, tmp_path: Path) -> None:
    words = ["--judge", "vqgan", "--feature-widths", "4", "--feature-epochs", 1, "--epochs", 1]
    words += ["--patch-widths", "4", "--hidden", "4,8", "--code", "map", "--channels", 2]
    status, said, _ = isthmus("train", "ae", "--data", "digits", "--out", tmp_path / "run", *words)
    assert status == 0
    assert "perceptual" in said
    model = ist.load(tmp_path / "run")
    assert model.judge == ist.judges.VQGAN(feature_widths=(4,), feature_epochs=1, patch_widths=(4,))
    assert model.module_.bottleneck.code_shape == (2, 2, 2)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((20, 8, 8)))
    status, _, said = isthmus(
        *("train", "ae", "--data", tmp_path / "x.npy", "--out", tmp_path / "other", *words)
    )
    assert status == 2
    assert "learns from labels, but there are none" in said
