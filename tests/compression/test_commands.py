"""``isthmus compress`` and ``isthmus decompress``: what is written, and what is not."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.base import clone

import isthmus as ist

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve grey images of 8 by 10 in two folders, one of them a JPEG."""
    folder, draw = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for i in range(12):
        path = folder / "ab"[i % 2] / f"{i}.{'jpg' if i == 5 else 'png'}"
        path.parent.mkdir(exist_ok=True)
        ramp = np.linspace(0, 255 * draw.uniform(), 80).reshape(8, 10)
        Image.fromarray(ramp.astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def run(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = ist.data.load(photographs)
    quantizer = ist.quantizers.VectorQuantizer(codebook_size=4)
    model = ist.VQVAE(quantizer=quantizer, epochs=1, hidden=(4,), random_state=0, verbose=0)
    with pytest.warns(ist.LearningWarning):
        return model.fit(data.train).save(tmp_path_factory.mktemp("runs") / "vqvae")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def restored(run: Path, path: Path) -> np.ndarray:
    model = ist.load(run)
    decoded = model.reconstruct(ist.data.read(path, like=model).x)[0, 0]
    return np.rint(decoded.astype(np.float64) * 255).astype(np.uint8)


def test_a_photograph_comes_back(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path
) -> None:
    source, out, back = photographs / "a/0.png", tmp_path / "0.isth", tmp_path / "back.png"
    status, printed, _ = isthmus("compress", run, source, out)
    size = out.stat().st_size
    assert (status, printed) == (0, f"{out}: 1 example, {size} bytes of 80 in memory\n")
    assert isthmus("decompress", run, out, back)[0] == 0
    assert (pixels(back) == restored(run, source)).all()
    assert isthmus("decompress", run, out, tmp_path / "back.npy")[0] == 0
    assert np.load(tmp_path / "back.npy").shape == (1, 1, 8, 10)


def test_a_folder_becomes_a_folder_and_back(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path
) -> None:
    small, back = tmp_path / "small", tmp_path / "back"
    status, printed, _ = isthmus("compress", run, photographs, small, "--json")
    assert (status, json.loads(printed)["examples"]) == (0, 12)
    names = sorted(path.relative_to(small).as_posix() for path in small.rglob("*.isth"))
    assert len(names) == 12
    assert "b/5.jpg.isth" in names
    status, printed, _ = isthmus("decompress", run, small, back)
    assert (status, printed) == (0, f"{back}: 12 files\n")
    assert (pixels(back / "b/1.png") == restored(run, photographs / "b/1.png")).all()
    assert (back / "b/5.jpg.png").exists()  # a JPEG would lose some more
    assert isthmus("decompress", run, small, back)[0] == 0  # it is ours


def test_a_folder_in_one_file_is_smaller(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "all.isth"
    assert isthmus("compress", run, photographs, out)[0] == 0
    assert isthmus("decompress", run, out, tmp_path / "all.npy")[0] == 0
    model = ist.load(run)
    wanted = model.reconstruct(ist.data.read(photographs, like=model).x)
    assert (np.load(tmp_path / "all.npy") == wanted).all()
    assert out.stat().st_size < 12 * 60


@pytest.mark.parametrize("what", ["damaged", "foreign", "cut"])
def test_damage_is_refused_and_nothing_is_written(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "small"
    assert isthmus("compress", run, photographs, folder)[0] == 0
    path = folder / "a/0.png.isth"
    content = bytearray(path.read_bytes())
    content[-9] ^= 4
    path.write_bytes({"damaged": content, "foreign": b"GIF89a", "cut": content[:20]}[what])
    for source, out in ((path, tmp_path / "one.png"), (folder, tmp_path / "back")):
        status, printed, diagnostic = isthmus("decompress", run, source, out)
        assert (status, printed) == (2, "")
        assert diagnostic.startswith(f"isthmus: {path}: the")
        assert diagnostic.count("\n") == 1
        assert not out.exists()


def test_a_folder_that_fails_late_leaves_nothing(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    assert isthmus("compress", run, photographs, folder)[0] == 0
    last = folder / "b/9.png.isth"
    last.write_bytes(b"GIF89a")
    kept = tmp_path / "back/b/mine.txt"
    kept.parent.mkdir(parents=True)
    kept.touch()
    for out, left in ((tmp_path / "new", []), (tmp_path / "back", ["b", "b/mine.txt"])):
        status, _, diagnostic = isthmus("decompress", run, folder, out, "--overwrite")
        assert (status, diagnostic.startswith(f"isthmus: {last}: these")) == (2, True)
        assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == left
    assert not (tmp_path / "new").exists()


def test_a_file_of_another_run_names_it(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path
) -> None:
    other = clone(ist.load(run))
    with pytest.warns(ist.LearningWarning):
        other.set_params(random_state=1).fit(ist.data.load(photographs).train)
    other.save(tmp_path / "other")
    out = tmp_path / "0.isth"
    assert isthmus("compress", run, photographs / "a/0.png", out)[0] == 0
    status, _, diagnostic = isthmus("decompress", tmp_path / "other", out, tmp_path / "0.png")
    assert status == 2
    assert "were compressed by a VQVAE with the checksum" in diagnostic


def test_what_cannot_be_written_is_refused_first(
    isthmus: Command, run: Path, photographs: Path, tmp_path: Path
) -> None:
    source = photographs / "a/0.png"
    status, _, diagnostic = isthmus("compress", run, source, tmp_path / "x.zip")
    assert (status, "give a name that ends in .isth" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("compress", run, source, tmp_path / "x.isth", "--quality", "3")
    assert (status, "means nothing to VQVAE" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("compress", run, photographs, photographs / "a")
    assert (status, "lie in each other" in diagnostic) == (2, True)
    for out in ("x.png", "x"):
        status, _, diagnostic = isthmus("decompress", run, tmp_path / "no.isth", tmp_path / out)
        assert (status, "no.isth is missing: name a file that" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("compress", run, tmp_path / "no", tmp_path / "x")
    assert (status, "does not exist (looked for" in diagnostic) == (2, True)
    (tmp_path / "empty").mkdir()
    for out in ("x.isth", "x"):
        status, _, diagnostic = isthmus("compress", run, tmp_path / "empty", tmp_path / out)
        assert (status, "empty holds no images (.bmp, " in diagnostic) == (2, True)
        assert ".webp) and no sounds (.flac, " in diagnostic
    status, _, diagnostic = isthmus("compress", run, source, tmp_path / "empty")
    assert (status, "empty is a folder: give the name of a file (.isth)" in diagnostic) == (2, True)
    status, _, diagnostic = isthmus("decompress", run, tmp_path / "empty", tmp_path / "back")
    assert (status, "holds no file that ends in .isth" in diagnostic) == (2, True)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of two tones of unequal length, and the run of a member that was trained on them."""
    place = tmp_path_factory.mktemp("spoken")
    (place / "tones").mkdir()
    for name, steps, pitch in (("low", 1000, 9), ("high", 610, 4)):
        wave = 0.5 * np.sin(np.arange(steps) / pitch)
        ist.data.write_sound(place / "tones" / f"{name}.wav", wave, 8000)
    data = ist.data.load(place / "tones", window=64)
    model = ist.VQVAE(epochs=1, hidden=(4,), random_state=0, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.LearningWarning)
        return place / "tones", model.fit(data.train).save(place / "run")


def test_sounds_come_back_in_their_length(
    isthmus: Command, spoken: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, run = spoken
    small, back = tmp_path / "small", tmp_path / "back"
    assert isthmus("compress", run, folder, small)[0] == 0
    assert isthmus("decompress", run, small, back)[0] == 0
    model = ist.load(run)
    for name, steps in (("low", 1000), ("high", 610)):
        found, rate = soundfile.read(back / f"{name}.wav")
        assert (len(found), rate) == (steps, 8000)
        assert (small / f"{name}.wav.isth").stat().st_size < 2 * steps
        # windows of 64 begin every 56 steps; in the middle of one nothing fades
        given, _ = soundfile.read(folder / f"{name}.wav", dtype="float32")
        alone = model.reconstruct(given[None, None, 56:120])[0, 0]
        np.testing.assert_allclose(found[56 + 10 : 56 + 54], alone[10:54], atol=1e-4)
    status, _, diagnostic = isthmus("compress", run, folder, tmp_path / "all.isth")
    assert (status, "holds 2 sounds, and" in diagnostic) == (2, True)
    one = (run, small / "low.wav.isth", tmp_path / "one.flac")
    assert isthmus("decompress", *one)[0] == 0
    assert soundfile.info(tmp_path / "one.flac").frames == 1000
    for ending, fit in ((".png", ".wav, .flac, .npy"), (".csv", ".wav, .flac, .npy")):
        out = tmp_path / f"one{ending}"
        status, _, diagnostic = isthmus("decompress", run, small / "low.wav.isth", out)
        assert (status, f"give a name that ends in {fit}." in diagnostic) == (2, True)
        assert not out.exists()


def test_a_sound_that_cannot_be_used_is_named(
    isthmus: Command, spoken: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, (_, run) = tmp_path / "mixed", spoken
    folder.mkdir()
    tone = 0.5 * np.sin(np.arange(500) / 4)
    ist.data.write_sound(folder / "a.wav", tone, 8000)
    soundfile.write(folder / "b.wav", np.stack([tone, tone], 1), 8000)
    status, _, diagnostic = isthmus("compress", run, folder, tmp_path / "small")
    assert (status, diagnostic.count("b.wav")) == (2, 1)
    assert diagnostic.startswith(f"isthmus: {folder / 'b.wav'}: x has 2 channels, but VQVAE")
    tone[7] = np.nan
    soundfile.write(folder / "b.wav", tone, 8000, subtype="FLOAT")
    for command in ("compress", "reconstruct"):
        status, _, diagnostic = isthmus(command, run, folder, tmp_path / command)
        assert status == 2
        assert diagnostic.startswith(f"isthmus: {folder / 'b.wav'}: ")
        assert not (tmp_path / command).exists()
