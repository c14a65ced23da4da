"""Folders of images through the command line: what goes in, what comes out, under which names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import isthmus as ist
from isthmus._cli.pictures import image_bytes, white_of

Command = Callable[..., tuple[int, str, str]]


def photographs(folder: Path, names: list[str], seed: int = 0, colours: int = 0) -> Path:
    """Images of noise, 10 pixels high and 12 wide."""
    random = np.random.default_rng(seed)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (10, 12, *[colours] * bool(colours))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


NAMES = ["cats/a.png", "cats/deep/b.PNG", "dogs/c.bmp", "loose.tif"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Grey images at several depths, which are no classes."""
    return photographs(tmp_path / "new", NAMES, 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A denoising member, trained on grey images that were brought to 6 by 8."""
    place = tmp_path_factory.mktemp("runs")
    photographs(place / "old", [f"{i}.png" for i in range(20)])
    data = ist.data.load(place / "old", size=(6, 8))
    fields = {"latent_dim": 3, "hidden": (8,), "network": "mlp", "epochs": 1, "verbose": 0}
    return ist.DenoisingAE(**fields, random_state=0).fit(data.train).save(place / "run")


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("command", ["denoise", "reconstruct"])
def test_a_folder_goes_in_and_comes_out(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, command: str
) -> None:
    status, printed, diagnostic = isthmus(command, run, folder, tmp_path / "clean")
    assert (status, diagnostic) == (0, "")
    assert printed == f"{tmp_path / 'clean'}: 4 images of 1 × 6 × 8\n"
    model = ist.load(run)
    rows = ist.data.read(folder, like=model)
    assert rows.files == tuple(NAMES)
    expected = np.rint(model.reconstruct(rows.x).astype(np.float64) * 255)
    for name, image in zip(NAMES, expected, strict=True):
        np.testing.assert_array_equal(pixels_of(tmp_path / "clean" / name), image[0])
    assert isthmus(command, run, folder, tmp_path / "clean")[0] == 0  # it is ours


def test_more_than_inference_takes_at_once(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isthmus("denoise", run, folder, tmp_path / "whole")[0] == 0
    monkeypatch.setattr("isthmus.data.stores.inference_rows", lambda shape: 3)
    assert isthmus("denoise", run, folder, tmp_path / "parts")[0] == 0
    for name in NAMES:
        whole, parts = (pixels_of(tmp_path / place / name) for place in ("whole", "parts"))
        np.testing.assert_array_equal(whole, parts)


def test_colours_and_formats_with_losses_keep_their_names(
    isthmus: Command, run: Path, tmp_path: Path
) -> None:
    names = ["a.jpg", "b.jpeg", "c.webp", "d.gif"]
    folder = photographs(tmp_path / "new", names, colours=3)
    assert isthmus("denoise", run, folder, tmp_path / "clean")[0] == 0
    model = ist.load(run)
    restored = model.denoise(ist.data.read(folder, like=model).x)
    for name, image in zip(names, restored, strict=True):
        with Image.open(tmp_path / "clean" / name) as written:
            assert written.format == Image.registered_extensions()[Path(name).suffix]
            grey = np.asarray(written.convert("L"))
        np.testing.assert_allclose(grey, image[0] * 255, atol=6)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_are_written_where_a_format_holds_them(tmp_path: Path, ending: str) -> None:
    image = np.array([[[0, 1, 0.5], [1 / 65535, 1.5, -1]]], np.float32)
    path = tmp_path / f"a{ending}"
    path.write_bytes(image_bytes(ending, image, white_of(ending, image, True)))
    assert pixels_of(path).dtype == np.uint16
    assert pixels_of(path).tolist() == [[0, 65535, 32768], [1, 65535, 0]]
    assert white_of(".bmp", image, True) == 255
    assert white_of(ending, image.repeat(3, axis=0), True) == 255


def test_sixteen_bits_stay_sixteen_from_end_to_end(isthmus: Command, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "old").mkdir()
    for i in range(20):
        pixels = random.integers(0, 65536, (6, 8)).astype(np.uint16)
        Image.fromarray(pixels).save(tmp_path / "old" / f"{i:02}.png")
    words = ["--out", tmp_path / "run", "--latent-dim", 2, "--hidden", 4, "--epochs", 1]
    assert isthmus("train", "ae", "--data", tmp_path / "old", "--network", "mlp", *words)[0] == 0
    assert isthmus("reconstruct", tmp_path / "run", tmp_path / "old", tmp_path / "new")[0] == 0
    model = ist.load(tmp_path / "run")
    restored = model.reconstruct(ist.data.read(tmp_path / "old").x[:1])[0, 0]
    found = pixels_of(tmp_path / "new" / "00.png")
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found, restored * 65535, atol=1)
    small = photographs(tmp_path / "small", ["a.png"])  # 8 bits stay 8
    assert isthmus("reconstruct", tmp_path / "run", small, tmp_path / "eight")[0] == 0
    assert pixels_of(tmp_path / "eight" / "a.png").dtype == np.uint8


def test_marks_of_0_and_1_stay_0_and_1(isthmus: Command, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "old").mkdir()
    for i in range(20):
        marks = (random.random((6, 8)) < 0.5).astype(np.uint8)
        Image.fromarray(marks).save(tmp_path / "old" / f"{i:02}.png")
    words = ["--out", tmp_path / "run", "--latent-dim", 2, "--hidden", 4, "--epochs", 1]
    assert isthmus("train", "ae", "--data", tmp_path / "old", "--network", "mlp", *words)[0] == 0
    assert isthmus("reconstruct", tmp_path / "run", tmp_path / "old", tmp_path / "new")[0] == 0
    restored = ist.load(tmp_path / "run").reconstruct(ist.data.read(tmp_path / "old").x[:1])[0, 0]
    np.testing.assert_array_equal(pixels_of(tmp_path / "new" / "00.png"), np.rint(restored))


def test_a_photograph_becomes_a_photograph(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path
) -> None:
    one = folder / "cats" / "a.png"
    assert isthmus("denoise", run, folder, tmp_path / "all")[0] == 0
    assert isthmus("denoise", run, one, tmp_path / "one.png")[0] == 0
    assert isthmus("denoise", run, one, tmp_path / "some.v2")[0] == 0  # a folder
    expected = pixels_of(tmp_path / "all" / "cats" / "a.png")
    np.testing.assert_array_equal(pixels_of(tmp_path / "one.png"), expected)
    np.testing.assert_array_equal(pixels_of(tmp_path / "some.v2" / "a.png"), expected)
    assert isthmus("encode", run, one, tmp_path / "z.csv")[0] == 0
    assert pd.read_csv(tmp_path / "z.csv")["file"].tolist() == ["a.png"]


def test_a_folder_may_still_become_one_file(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path
) -> None:
    assert isthmus("denoise", run, folder, tmp_path / "all.npy")[0] == 0
    assert np.load(tmp_path / "all.npy").shape == (4, 1, 6, 8)
    assert isthmus("reconstruct", run, folder, tmp_path / "all.png", "--columns", 4)[0] == 0
    height, width = pixels_of(tmp_path / "all.png").shape[:2]
    assert width / height == pytest.approx((4 * 9 - 1) / (2 * 7 - 1))  # 4 above 4, 1 pixel between


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_codes_stand_beside_the_names_of_their_files(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, ending: str
) -> None:
    assert isthmus("encode", run, folder, tmp_path / f"z{ending}")[0] == 0
    reader = {".csv": pd.read_csv, ".parquet": pd.read_parquet}[ending]
    table = reader(tmp_path / f"z{ending}")
    assert table.columns.tolist() == ["file", *(f"denoisingae{i}" for i in range(3))]
    assert table["file"].tolist() == NAMES
    model = ist.load(run)
    codes = model.transform(ist.data.read(folder, like=model).x)
    np.testing.assert_allclose(table.iloc[:, 1:], codes, rtol=1e-6)


def test_codes_in_an_array_have_a_text_of_names_beside_it(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path
) -> None:
    assert isthmus("encode", run, folder, tmp_path / "z.npy")[0] == 0
    assert (tmp_path / "z.files.txt").read_text().splitlines() == NAMES
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 6, 8), np.float32))
    words = ["encode", run, tmp_path / "x.npy", tmp_path / "z.npy"]
    status, _, diagnostic = isthmus(*words)
    assert (status, "z.npy exists: choose another name, or pass --overwrite" in diagnostic) == (
        2,
        True,
    )
    (tmp_path / "z.npy").unlink()
    status, _, diagnostic = isthmus(*words)
    assert (status, "z.files.txt exists: choose another" in diagnostic) == (2, True)
    assert (tmp_path / "z.files.txt").read_text().splitlines() == NAMES
    assert isthmus(*words, "--overwrite")[0] == 0
    assert not (tmp_path / "z.files.txt").exists()


@pytest.mark.filterwarnings("default::isthmus.errors.DataWarning")
def test_unreadable_images_are_left_out_and_listed(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "cats" / "bad.png").write_text("no image")
    status, _, diagnostic = isthmus("denoise", run, folder, tmp_path / "clean")
    assert (status, (tmp_path / "clean").exists()) == (2, False)
    assert "bad.png cannot be read as an image" in diagnostic
    assert "--skip-unreadable" in diagnostic
    words = ["denoise", run, folder, tmp_path / "clean", "--skip-unreadable", "--json"]
    status, printed, diagnostic = isthmus(*words)
    told = json.loads(printed)
    assert (status, told["images"], told["unread"]) == (0, 4, ["cats/bad.png"])
    assert "left out 1 file that cannot be read as images: cats/bad.png" in diagnostic
    _, printed, _ = isthmus("encode", run, folder, tmp_path / "z.npy", *words[-2:])
    assert json.loads(printed) == {
        "out": str(tmp_path / "z.npy"),
        "shape": [4, 3],
        "unread": ["cats/bad.png"],
    }


def test_originals_and_what_is_foreign_are_never_written_over(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for out in (folder, folder / "cats", folder / "clean", tmp_path):
        status, _, diagnostic = isthmus("denoise", run, folder, out, "--overwrite")
        assert (status, "lie in each other, so that originals could be" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("denoise", run, folder / "loose.tif", folder)
    assert (status, "lie in each other" in diagnostic) == (2, True)
    foreign, other = tmp_path / "foreign", photographs(tmp_path / "other", ["x.png"])
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    status, _, diagnostic = isthmus("denoise", run, folder, foreign)
    assert (status, list(foreign.iterdir())) == (2, [foreign / "letter.txt"])
    assert "is not empty and was not written by isthmus denoise: choose another" in diagnostic
    assert isthmus("denoise", run, other, tmp_path / "clean")[0] == 0
    status, _, diagnostic = isthmus("denoise", run, folder, tmp_path / "clean")
    assert (status, "holds what isthmus made of other data" in diagnostic) == (2, True)
    assert isthmus("denoise", run, folder, foreign, "--overwrite")[0] == 0
    assert (foreign / "letter.txt").read_text() == "dear"
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out", "--columns", 3], "--columns 3 is for a picture of many examples"),
        (["out.jpg"], "give a name that ends in .npy, .png, .csv, .parquet; or, for images from"),
        (["out", "--size", "9"], "size=9 does not fit this DenoisingAE"),
        (["out", "--size", "9,9,9"], "--size '9,9,9' is not usable: give a number of pixels, or a"),
        (["out", "--size", "big"], "--size 'big' is not usable"),
        (["out", "--size", "0"], "--size '0' is not usable"),
        (["out", "--label", "y"], "label='y' means nothing for"),
    ],
)
def test_what_means_nothing_is_refused(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, words: list[object], message: str
) -> None:
    out, *options = words
    status, _, diagnostic = isthmus("reconstruct", run, folder, tmp_path / str(out), *options)
    assert (status, diagnostic.count("\n"), (tmp_path / "out").exists()) == (2, 1, False)
    assert message in diagnostic


def test_values_that_are_no_pixels_are_refused(
    isthmus: Command, folder: Path, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(5, 2, (20, 1, 6, 8)).astype(np.float32)
    model = ist.AE(latent_dim=2, hidden=(4,), network="mlp", epochs=1, verbose=0).fit(x)
    run = model.save(tmp_path / "run")
    status, _, diagnostic = isthmus("reconstruct", run, folder, tmp_path / "out")
    assert (status, (tmp_path / "out").exists()) == (2, False)
    assert "with scaling='standard', which say nothing of black and white: give a" in diagnostic


@pytest.mark.parametrize("size", ["6,8", "6x8"])
def test_the_size_of_a_run_may_be_said_again(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, size: str
) -> None:
    assert isthmus("encode", run, folder, tmp_path / "z.npy", "--size", size)[0] == 0


def test_a_size_is_given_once(isthmus: Command, tmp_path: Path) -> None:
    names = [f"{kind}/{i}.png" for kind in ("cats", "dogs") for i in range(10)]
    folder, run = photographs(tmp_path / "old", names), tmp_path / "run"
    small = ["--latent-dim", 2, "--hidden", 4, "--network", "mlp", "--epochs", 1]
    assert isthmus("train", "ae", "--data", folder, "--size", "6,8", "--out", run, *small)[0] == 0
    assert ist.load(run).preprocessor_.spec.shape == (1, 6, 8)
    for words in (
        ("evaluate", run, "--data", folder),
        ("train", "ae", "--data", folder, "--from", run, "--out", tmp_path / "on", *small),
        ("fit-prior", run),
        ("fit-prior", run, "--data", folder),
        ("outliers", run, folder, "--out", tmp_path / "o.csv"),
    ):
        status, _, diagnostic = isthmus(*words)
        assert (status, diagnostic) == (0, ""), words
    other = photographs(tmp_path / "other", ["x.png"])
    status, _, diagnostic = isthmus("evaluate", run, "--data", other)
    assert (status, "1 row to train and test on" in diagnostic) == (2, True)


def test_what_was_recognised_in_a_table_is_said(isthmus: Command, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "".join(f"{i},5;{i % 3}\n" for i in range(30)))
    words = ["--latent-dim", 1, "--hidden", 4, "--epochs", 1, "--out", tmp_path / "run"]
    status, _, diagnostic = isthmus("train", "ae", "--data", path, *words)
    assert status == 0
    assert diagnostic.splitlines()[:2] == [
        f"isthmus: {path}: read with semicolons between columns.",
        f"isthmus: {path}: read with decimal commas ('0,5' is 0.5).",
    ]


def test_a_folder_that_is_not_there_is_named(isthmus: Command, tmp_path: Path) -> None:
    status, _, said = isthmus("denoise", tmp_path / "run", tmp_path / "gone", tmp_path / "to")
    assert status != 0 and "gone' does not exist" in said


def test_a_run_of_windows_fills_in_nothing(isthmus: Command, tmp_path: Path) -> None:
    wave = np.sin(np.arange(60) / 3)
    ist.AE(epochs=1, verbose=0).fit(ist.data.windows(wave, 16, 4)).save(tmp_path / "run")
    np.savetxt(tmp_path / "wave.csv", wave, header="wave", comments="")
    status, _, said = isthmus("impute", tmp_path / "run", tmp_path / "wave.csv", tmp_path / "o.csv")
    assert status != 0 and "was trained on windows of a series" in " ".join(said.split())


@pytest.mark.parametrize("command", ["reconstruct", "denoise"])
def test_in_tiles_photographs_keep_their_size(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, command: str
) -> None:
    Image.new("L", (31, 7), 90).save(folder / "wide.png")
    status, said, _ = isthmus(command, run, folder, tmp_path / "out", "--tiles", "--overlap", 2)
    assert (status, said.strip()) == (0, f"{tmp_path / 'out'}: 5 images")
    for name in (*NAMES, "wide.png"):
        assert pixels_of(tmp_path / "out" / name).shape == pixels_of(folder / name).shape
    model = ist.load(run)
    tiled = ist.Tiled(model, 2)
    made = tiled.denoise if command == "denoise" else tiled.reconstruct
    whole = made(pixels_of(folder / "wide.png")[None])[0]
    found = pixels_of(tmp_path / "out" / "wide.png")
    np.testing.assert_array_equal(found, np.rint(whole * 255))
    one = tmp_path / "one.png"
    assert isthmus(command, run, folder / "wide.png", one, "--tiles", "--overlap", 2)[0] == 0
    np.testing.assert_array_equal(pixels_of(one), found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out.npy", "--tiles"], "--tiles keeps the size of each photograph, but"),
        (["out", "--overlap", "2"], "--overlap 2 is that of --tiles: pass both, or leave it out."),
        (["out", "--tiles", "--overlap", "5"], "overlap=5 is not usable for tiles of 6 pixels"),
    ],
)
def test_tiles_that_mean_nothing_are_refused(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    out, *options = words
    status, _, said = isthmus("reconstruct", run, folder, tmp_path / out, *options)
    assert status == 2
    assert message in said
    assert not (tmp_path / out).exists()
