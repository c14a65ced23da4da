"""Sound files: windows of a rate, labels, parts, and what is said of files that cannot be used."""

from __future__ import annotations

import builtins
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.data._sources.sounds import resampled

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed: no sound is read")
Command = Callable[..., tuple[int, str, str]]
RATE = 8000


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    """A sine of half the greatest amplitude, ``(time,)``."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path: Path, x: np.ndarray, rate: int = RATE, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, rate, **how)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight tones of a quarter to half a second, in two classes."""
    for place in range(4):
        for label, hertz in (("high", 1000.0), ("low", 200.0)):
            name = f"{label}/{place}.wav"
            write(tmp_path / "tones" / name, tone(hertz + place, 0.25 + 0.05 * place))
    return tmp_path / "tones"


def test_a_folder_of_sounds_is_windows_with_the_labels_of_their_folders(folder: Path) -> None:
    data = ist.data.load(folder, window=500, test_fraction=0.25)
    assert data.classes == ("high", "low") and data.shape == (1, 500)
    sounds = data.train
    assert isinstance(sounds, ist.data.Sounds) and isinstance(data.test, ist.data.Sounds)
    assert (sounds.sample_rate, sounds.stride, sounds.x.dtype) == (RATE, 500, np.float32)
    assert len(sounds.files) == 6 and not {*sounds.files} & {*data.test.files}
    # the classes are kept in both parts, and a window has the label of its file
    assert [name.split("/")[0] for name in data.test.files] == ["high", "low"]
    labels = [sounds.files[place].split("/")[0] for place in sounds.places]
    assert list(sounds.labels) == labels
    whole, _ = soundfile.read(folder / sounds.files[0], dtype="float32")
    np.testing.assert_array_equal(sounds.x[1, 0], whole[500:1000])
    seconds = ist.data.load(folder, window=0.0625, stride=0.03125)
    assert (seconds.train.length, seconds.train.stride) == (500, 250)
    assert repr(sounds) == "Sounds(32 of 500 steps (0.0625 s at 8000 Hz), of 6 files)"


def test_the_source_gives_the_same_data_again(folder: Path) -> None:
    data = ist.data.load(folder, window=0.05, stride=100, mono=True, sample_rate=4000)
    assert data.source == {
        "source": str(folder),
        "window": 200,
        "stride": 100,
        "sample_rate": 4000,
        "mono": True,
        "test_fraction": 0.2,
    }
    again = ist.data.load(**json.loads(json.dumps(data.source)))
    np.testing.assert_array_equal(again.train.x, data.train.x)


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3"])
def test_every_format_is_read(tmp_path: Path, ending: str) -> None:
    stereo = np.stack([tone(440, 1.0), tone(440, 1.0) / 2], axis=1)
    write(tmp_path / f"a{ending}", stereo)
    found = ist.data.read(tmp_path / f"a{ending}")
    assert found.sounds is not None and found.x.shape[:2] == (1, 2)
    assert abs(found.sounds.steps[0] - RATE) < 2000  # an MP3 begins and ends with silence
    middle = found.x[0, :, 3000:5000]
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.05)
    strongest = np.abs(np.fft.rfft(middle[0])).argmax() * RATE / 2000
    assert strongest == pytest.approx(440, abs=4)


def test_short_files_end_in_nan_and_long_ones_in_a_window_that_overlaps(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(440, 0.05))  # 400 steps
    write(tmp_path / "b.wav", tone(440, 0.15))  # 1,200
    found = ist.data.load(tmp_path, window=1000, test_fraction=0).train
    assert found.starts.tolist() == [0, 0, 200] and found.places.tolist() == [0, 1, 1]
    assert np.isnan(found.x[0, 0, 400:]).all() and not np.isnan(found.x[0, 0, :400]).any()
    assert not np.isnan(found.x[1:]).any()
    assert found.names == ("a.wav", "b.wav at 0.000 s", "b.wav at 0.025 s")
    for one, name in zip(found.fold(found.x), ("a.wav", "b.wav"), strict=True):
        whole, _ = soundfile.read(tmp_path / name, dtype="float32", always_2d=True)
        np.testing.assert_allclose(one, whole, atol=1e-6)


def test_windows_fade_into_each_other() -> None:
    """Where one window says 0 and the next says 1, no step of the fold jumps."""
    steps = np.array([1500])
    cut = ist.data.Sounds(
        x=np.zeros((2, 1, 1000), np.float32),
        kind="signal",
        stride=500,
        starts=np.array([0, 500]),
        places=np.array([0, 0]),
        files=("a.wav",),
        steps=steps,
        sample_rate=RATE,
    )
    (folded,) = cut.fold([0.0, 1.0])
    assert folded[:500].max() == 0 and folded[1000:].min() == 1
    # sin² of the second, over the sum of both, which is 1 where they overlap by half
    np.testing.assert_allclose(
        folded[500:1000], np.sin(np.pi * (np.arange(500) + 0.5) / 1000) ** 2, atol=1e-6
    )
    assert np.abs(np.diff(folded)).max() < 0.004
    with pytest.raises(ist.InputError, match=r"values have the shape \(3,\), but there are 2"):
        cut.fold([1.0, 2.0, 3.0])


def test_without_a_window_sounds_are_whole_up_to_about_a_second(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(440, 0.5))
    write(tmp_path / "b.wav", tone(440, 0.9))
    assert ist.data.load(tmp_path, test_fraction=0).shape == (1, 7200)
    write(tmp_path / "c.wav", tone(440, 2.0))
    data = ist.data.load(tmp_path, test_fraction=0)
    assert data.shape == (1, 8192)  # the power of two next to 8,000
    (note,) = data.notes
    assert note.startswith("sounds of up to 2 s are cut into windows of 8192 steps (1.02 s)")


def test_several_rates_and_channels_are_refused_or_brought_together(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(440, 0.5))
    write(tmp_path / "b.wav", tone(440, 0.5, 16000), 16000)
    with pytest.raises(ist.InputError, match=r"a\.wav has 8000 .* 16000: pass sample_rate=8000"):
        ist.data.load(tmp_path)
    data = ist.data.load(tmp_path, sample_rate=8000, test_fraction=0)
    assert data.train.x.shape == (2, 1, 4000)
    np.testing.assert_allclose(
        data.train.x[0, 0, 500:3500], data.train.x[1, 0, 500:3500], atol=2e-3
    )
    write(tmp_path / "c.wav", np.stack([tone(440, 0.5), 0 * tone(440, 0.5)], axis=1))
    with pytest.raises(ist.InputError, match=r"c\.wav has 2: pass mono=True to mix them all"):
        ist.data.load(tmp_path, sample_rate=8000)
    mixed = ist.data.load(tmp_path, sample_rate=8000, mono=True, test_fraction=0).train
    np.testing.assert_allclose(mixed.x[2], mixed.x[0] / 2, atol=1e-4)


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 8000), (8000, 22050), (16000, 8000)])
def test_a_stream_reads_what_lies_in_the_whole_file(tmp_path: Path, rate: int, wanted: int) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, rate)
    write(tmp_path / "a.wav", noise, rate, subtype="FLOAT")
    write(tmp_path / "b.wav", noise[: rate // 3], rate, subtype="FLOAT")
    how: dict[str, Any] = {"window": 1000, "stride": 700, "sample_rate": wanted}
    now = ist.data.load(tmp_path, test_fraction=0, **how).train
    later = ist.data.load(tmp_path, test_fraction=0, stream=True, **how).train
    assert isinstance(later.x, ist.data.Stream) and later.x.shape == now.x.shape
    np.testing.assert_allclose(later.x[:], now.x, atol=1e-6)
    np.testing.assert_allclose(now.fold(now.x)[0][:, 0], resampled(noise, rate, wanted), atol=1e-6)


def test_a_single_file_is_tested_on_its_end(tmp_path: Path) -> None:
    x = np.arange(10_000) / 20_000
    path = write(tmp_path / "a.flac", x, subtype="PCM_24")
    data = ist.data.load(path, window=1000, test_fraction=0.2)
    np.testing.assert_allclose(data.test.fold(data.test.x)[0][:, 0], x[8000:], atol=1e-6)
    np.testing.assert_allclose(data.train.fold(data.train.x)[0][:, 0], x[:8000], atol=1e-6)
    with pytest.raises(ist.InputError, match="too few for a training and a test part"):
        ist.data.load(path, window=6000)


def test_folders_of_two_parts_keep_them(tmp_path: Path) -> None:
    for name in ("train/a/1.wav", "train/b/2.wav", "test/a/3.wav"):
        write(tmp_path / name, tone(440, 0.1))
    data = ist.data.load(tmp_path, test_fraction=0.5)
    assert data.train.files == ("train/a/1.wav", "train/b/2.wav")
    assert data.test.files == ("test/a/3.wav",) and data.test.labels is not None
    assert list(data.test.labels) == ["a"]


def test_sounds_beside_folders_have_no_labels(folder: Path) -> None:
    write(folder / "loose.wav", tone(440, 0.1))
    data = ist.data.load(folder)
    assert data.train.y is None
    assert data.notes[0].endswith("and beside them (loose.wav): none has a label.")


@pytest.mark.parametrize("broken", ["text", "empty", "header", "cut"])
def test_what_cannot_be_read_is_named(folder: Path, broken: str) -> None:
    path = folder / "low" / "9.flac"
    if broken == "header":
        write(path, np.zeros(0))
    elif broken == "cut":
        write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 40_000))
        path.write_bytes(path.read_bytes()[:20_000])
    else:
        path.write_text("no sound" if broken == "text" else "")
    with pytest.raises(ist.InputError, match=r"low/9\.flac (is damaged|holds no sound)"):
        ist.data.load(folder, window=500)
    with pytest.warns(ist.DataWarning, match=r"left out 1 file that cannot be read as sounds: low"):
        data = ist.data.load(folder, window=500, skip_unreadable=True, test_fraction=0)
    assert "low/9.flac" in data.unread and np.abs(np.nan_to_num(data.train.x)).max() < 0.6


def test_silent_and_loud_sounds_are_named(folder: Path) -> None:
    write(folder / "low" / "8.wav", np.zeros(2000))
    write(folder / "low" / "9.wav", 3 * tone(200, 0.25), subtype="FLOAT")
    with pytest.warns(ist.DataWarning) as said:
        ist.data.load(folder, test_fraction=0)
    first, second = (str(one.message) for one in said)
    assert first.startswith("1 sound is silent ('low/8.wav'): take out")
    assert second.startswith("1 sound is beyond [-1, 1] ('low/9.wav'): divide")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, r"window=0 is not usable: give steps"),
        ({"window": True}, r"window=True is not usable"),
        ({"stride": -1.0}, r"stride=-1\.0 is not usable"),
        ({"sample_rate": 8000.0}, r"sample_rate=8000\.0 is not usable: give a whole number"),
        ({"sample_rate": 10**9}, r"sample_rate=10+ .* 8000 steps .* one from 80 to 800000\."),
        ({"sample_rate": 79}, r"sample_rate=79 is not usable beside sounds of 8000"),
        ({"size": 8}, r"size=8 means nothing for .*, which is sound"),
        ({"label": "a"}, r"label='a' means nothing for .*, which is sound"),
        ({"kind": "sequence"}, r"kind='sequence' does not fit .* sounds are signals"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    folder: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.data.load(folder, **options)


def test_what_is_said_of_sounds_means_nothing_elsewhere(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((10, 20)))
    with pytest.raises(ist.InputError, match=r"mono=True means nothing for .*x\.npy"):
        ist.data.load(tmp_path / "x.npy", mono=True)
    with pytest.raises(ist.InputError, match=r"sample_rate=8000 means nothing for 'digits'"):
        ist.data.load("digits", sample_rate=8000)
    with pytest.raises(ist.InputError, match=r"window=1\.5 is in seconds, but .* is no sound"):
        ist.data.load(tmp_path / "x.npy", window=1.5)


def test_without_soundfile_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "soundfile":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    for skips in (False, True):
        with pytest.raises(ist.InputError, match=r"'soundfile': pip install 'isthmus\[sound\]'"):
            ist.data.load(folder, skip_unreadable=skips)


def fitted(data: ist.data.Data, **settings: Any) -> ist.AE:
    fields = {"latent_dim": 4, "network": "mlp", "hidden": (8,), "epochs": 1, "verbose": 0}
    return ist.AE(**{**fields, **settings}, random_state=0).fit(data.train)


def test_a_model_knows_the_rate_and_keeps_silence(folder: Path, tmp_path: Path) -> None:
    data = ist.data.load(folder, window=500)
    model = fitted(data)
    spec, scaling = model.preprocessor_.spec, model.preprocessor_.scaling
    assert (spec.kind, spec.sample_rate, spec.support) == ("signal", RATE, "real")
    assert str(spec) == "sounds of up to 1 × 500 (channels × time), 0.0625 s at 8000 Hz"
    power = np.sqrt(np.mean(np.square(data.train.x.astype(np.float64))))
    assert scaling.kind == "rms" and scaling.offset.tolist() == [0.0]
    np.testing.assert_allclose(scaling.scale, power, rtol=1e-6)
    np.testing.assert_array_equal(scaling.transform(np.zeros((1, 1, 500))), 0)
    again = ist.load(model.save(tmp_path / "run"))
    assert again.preprocessor_.spec == spec
    np.testing.assert_array_equal(again.transform(data.test), model.transform(data.test))


def test_other_sounds_are_brought_to_what_a_model_knows(folder: Path, tmp_path: Path) -> None:
    model = fitted(ist.data.load(folder, window=500))
    other = write(tmp_path / "other" / "a.wav", np.stack(2 * [tone(440, 1.0, 44100)], 1), 44100)
    found = ist.data.read(other, like=model).sounds
    assert found is not None and (found.sample_rate, found.x.shape) == (RATE, (16, 1, 500))
    for notes in (ist.data.read(other, like=model).notes, ist.data.load(other, like=model).notes):
        assert notes == (
            "1 sound is resampled from 44,100 to 8,000 steps a second, and 1 sound is mixed down to"
            " one channel, which AE was trained on.",
        )
    assert ist.data.load(folder, like=model).notes == ()
    assert ist.data.read(other, like=model, sample_rate=RATE, mono=True).notes == ()
    with pytest.raises(ist.InputError, match=r"X has 44100 .* trained on 8000: load it with"):
        model.transform(ist.data.read(other, mono=True).sounds)
    with pytest.raises(ist.InputError, match=r"window=400 does not fit this AE, .* leave it out"):
        ist.data.load(other, like=model, window=400)
    with pytest.raises(ist.InputError, match=r"sample_rate=44100 does not fit this AE"):
        ist.data.load(other, like=model, sample_rate=44100)


def test_windows_of_padding_are_said(folder: Path) -> None:
    with pytest.warns(ist.DataWarning, match=r"window=1\.0 is 8,000 steps .* longest .* has 3,200"):
        data = ist.data.load(folder, window=1.0)
    assert data.shape == (1, 8000)
    model = fitted(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ist.data.load(folder, like=model)
        ist.data.load(folder, window=6400)


def test_a_command_says_what_it_resampled(isthmus: Command, folder: Path, tmp_path: Path) -> None:
    run = fitted(ist.data.load(folder, window=500)).save(tmp_path / "run")
    for label in ("low", "high"):
        for place in range(2):
            path = tmp_path / "other" / label / f"{place}.wav"
            write(path, tone(440, 0.3, 16000), 16000)
    status, _, said = isthmus("evaluate", run, "--data", tmp_path / "other")
    assert status == 0
    assert "isthmus: 4 sounds are resampled from 16,000 to 8,000 steps a second, which AE" in said


def test_streams_train_as_arrays_do(folder: Path) -> None:
    settings: dict[str, Any] = {"network": "conv", "hidden": (4, 4), "learning_rate": 1e-3}
    now = fitted(ist.data.load(folder, window=2048), **settings)
    later = fitted(ist.data.load(folder, window=2048, stream=True), **settings)
    np.testing.assert_allclose(now.preprocessor_.scaling.scale, later.preprocessor_.scaling.scale)
    np.testing.assert_allclose(
        now.history_[-1]["objective"], later.history_[-1]["objective"], rtol=0.05
    )


def test_members_of_sequences_say_what_sounds_are(folder: Path) -> None:
    data = ist.data.load(folder, window=50)
    with pytest.raises(ist.InputError, match="X holds sounds, which are signals, but RecurrentAE"):
        ist.RecurrentAE(epochs=1).fit(data.train)


def test_the_command_line_trains_on_sounds(isthmus: Command, folder: Path, tmp_path: Path) -> None:
    settings = ("--epochs", 1, "--network", "mlp", "--hidden", 8)
    run, codes = tmp_path / "run", tmp_path / "codes.csv"
    ended = isthmus("train", "vae", "--data", folder, "--window", "0.0625", "--out", run, *settings)
    assert ended[0] == 0
    assert "8000 Hz (0.0625 s)" in isthmus("info", run)[1]
    status, printed, _ = isthmus("encode", run, folder, codes)
    assert status == 0 and "× 2" in printed
    assert "high/0.wav at 0.000 s" in codes.read_text()
    status, _, said = isthmus(
        "train", "vae", "--data", folder, "--window", "soon", "--out", tmp_path / "new"
    )
    assert status == 2 and "--window 'soon' is not usable: give steps" in said
    status, _, said = isthmus(
        "outliers", run, folder, "--window", "500", "--out", tmp_path / "o.csv"
    )
    assert status == 2 and "--window 500 means nothing for a run of sounds" in said
    write(folder / "high" / "8.wav", tone(1000, 0.1, 16000), 16000)
    status, _, said = isthmus("train", "vae", "--data", folder, "--out", tmp_path / "other")
    assert status == 2 and said.strip().endswith("pass --sample-rate 8000 to resample them all.")
