"""Sounds in, sounds out: names, formats, rates and lengths, without clicks and without clipping."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.data._sources.sound_files import sound_bytes

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed: no sound is read")
Command = Callable[..., tuple[int, str, str]]
RATE, LENGTH = 8000, 256


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def chirp(seconds: float, rate: int = RATE) -> np.ndarray:
    """From 100 to 1,000 Hz."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (100 * time + 450 * time**2 / seconds))


def sounds_of(x: np.ndarray) -> ist.data.Sounds:
    """Windows of one sound ``(time,)``."""
    cut = ist.data.windows(x.astype(np.float32), LENGTH, LENGTH)
    return ist.data.Sounds(
        x=cut.x,
        kind="signal",
        stride=LENGTH,
        starts=cut.starts,
        places=cut.places,
        files=("a.wav",),
        steps=np.array([len(x)]),
        sample_rate=RATE,
    )


@pytest.fixture(scope="module")
def member() -> ist.AE:
    """A member that learnt hardly anything."""
    fields: dict[str, Any] = {"latent_dim": 8, "network": "mlp", "hidden": (16,), "epochs": 30}
    return ist.AE(**fields, random_state=0).fit(sounds_of(chirp(4.0)))


@pytest.fixture(scope="module")
def run(member: ist.AE, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return member.save(tmp_path_factory.mktemp("runs") / "run")


def same(member: ist.AE) -> Callable[[Any], np.ndarray]:
    """What a perfect member would make of windows."""
    return lambda cut: cut.x


@pytest.mark.parametrize("steps", [100, 256, 5000, 12345])
@pytest.mark.parametrize("channels", [0, 1, 2])
def test_a_sound_keeps_its_length_and_its_channels(
    member: ist.AE, steps: int, channels: int
) -> None:
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (steps, channels) if channels else steps)
    x = x.astype(np.float32)
    assert ist.restore_sound(member, x, RATE).shape == x.shape
    np.testing.assert_allclose(
        ist.restore_sound(member, x, RATE, restore=same(member)), x, atol=1e-6
    )


def test_each_channel_is_restored_by_itself(member: ist.AE) -> None:
    left, right = chirp(1.0), tone(300, 1.0)
    both = ist.restore_sound(member, np.stack([left, right], 1), RATE)
    np.testing.assert_allclose(both[:, 0], ist.restore_sound(member, left, RATE), atol=1e-5)
    np.testing.assert_allclose(both[:, 1], ist.restore_sound(member, right, RATE), atol=1e-5)


@pytest.mark.parametrize("rate", [11025, 16000, 44100])
def test_other_rates_come_back_at_their_own(member: ist.AE, rate: int) -> None:
    x = chirp(1.0, rate)
    found = ist.restore_sound(member, x, rate, restore=same(member))
    assert found.shape == x.shape
    inner = slice(rate // 20, -rate // 20)  # a filter has less to look at near the ends
    np.testing.assert_allclose(found[inner], x[inner], atol=5e-3)


def test_windows_that_disagree_do_not_click(member: ist.AE) -> None:
    """Every second window is another constant: as they are, steps jump by 1; faded, by little."""

    def constants(cut: Any) -> np.ndarray:
        return np.zeros_like(cut.x) + (np.arange(len(cut)) % 2)[:, None, None]

    found = ist.restore_sound(member, np.zeros(5000), RATE, restore=constants)
    assert found.min() >= 0 and found.max() <= 1
    # over a quarter of 256 steps: no step takes more than a few hundredths of the way
    assert np.abs(np.diff(found)).max() < 0.06


def test_windows_of_unlike_loudness_leave_no_clicks(member: ist.AE) -> None:
    """A tone whose windows are 0.5 to 1.5 times as loud bends no more than the loudest tone."""
    x = tone(200, 1.0)
    gains = np.random.default_rng(0).uniform(0.5, 1.5, 100)[:, None, None]
    faded = ist.restore_sound(
        member, x, RATE, restore=lambda cut: cut.x * gains[: len(cut)].astype(np.float32)
    )
    cut = sounds_of(x)
    apart = (cut.x * gains[: len(cut)]).reshape(-1)[: len(cut.x) * LENGTH]
    smooth = 1.5 * np.abs(np.diff(x, 2)).max()
    assert np.abs(np.diff(faded, 2)).max() < 1.1 * smooth
    assert np.abs(np.diff(apart, 2)).max() > 5 * smooth


def test_members_of_other_things_are_refused(member: ist.AE) -> None:
    other = ist.AE(network="mlp", hidden=(4,), epochs=1).fit(np.random.rand(8, 20))
    with pytest.raises(ist.InputError, match="AE was trained on vectors of 20, not on sounds"):
        ist.restore_sound(other, chirp(1.0), RATE)
    with pytest.raises(ist.InputError, match="int is no trained member"):
        ist.restore_sound(3, chirp(1.0), RATE)  # type: ignore[arg-type]
    with pytest.raises(ist.InputError, match=r"sample_rate=0 is not usable"):
        ist.restore_sound(member, chirp(1.0), 0)
    with pytest.raises(ist.InputError, match=r"sample_rate=10+ is not .* one from 80 to 800000\."):
        ist.restore_sound(member, chirp(1.0), 10**9)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint8])
def test_whole_numbers_are_shares_of_full_scale(
    member: ist.AE, kind: type[Any], tmp_path: Path
) -> None:
    bits = 8 * np.dtype(kind).itemsize
    silence = 128 if kind is np.uint8 else 0
    share = np.array([-1.0, -0.5, 0.0, 0.5])
    x = (share * 2 ** (bits - 1) + silence).astype(kind)
    assert ist.data.write_sound(tmp_path / "a.wav", x, RATE) == 1
    np.testing.assert_allclose(soundfile.read(tmp_path / "a.wav")[0], share, atol=1e-4)
    np.testing.assert_allclose(
        ist.restore_sound(member, x, RATE), ist.restore_sound(member, share, RATE), atol=1e-6
    )


def test_what_has_no_full_scale_is_refused_or_said(member: ist.AE, tmp_path: Path) -> None:
    x = (16384 * chirp(0.1)).astype(np.int64)
    with pytest.raises(ist.InputError, match=r"x is int64, whose full scale nobody knows as sound"):
        ist.restore_sound(member, x, RATE)
    with pytest.raises(ist.InputError, match=r"give floats in \[-1, 1\], or int16\."):
        ist.data.write_sound(tmp_path / "a.wav", x.tolist(), RATE)
    with pytest.warns(ist.DataWarning, match=r"x reaches 8\d\d\d, but .* divide by full scale"):
        ist.restore_sound(member, x.astype(np.float32), RATE)
    with pytest.warns(ist.DataWarning, match=r"x reaches 8\d\d\d, but sound lies in"):
        assert ist.data.write_sound(tmp_path / "a.wav", x.astype(float), RATE) < 2e-4


def test_places_and_rates_that_are_none_are_named(tmp_path: Path) -> None:
    x = tone(440, 0.1)
    for rate in (0, 8000.5):
        with pytest.raises(
            ist.InputError, match=rf"sample_rate={rate} is not usable: give a whole"
        ):
            ist.data.write_sound(tmp_path / "a.wav", x, rate)  # type: ignore[arg-type]
    with pytest.raises(ist.InputError, match=r" is a folder: give the name of a sound in it"):
        ist.data.write_sound(tmp_path, x, RATE)
    with pytest.raises(ist.InputError, match=r"WAV \(PCM_16: .*\): write fewer channels"):
        ist.data.write_sound(tmp_path / "a.wav", np.zeros((4, 2000)), RATE)
    assert not list(tmp_path.iterdir())


def test_what_would_clip_is_made_quieter(tmp_path: Path) -> None:
    x = 2 * tone(440, 0.5)
    assert ist.data.write_sound(tmp_path / "a.wav", x, RATE) == pytest.approx(1.0, abs=1e-3)
    assert ist.data.write_sound(tmp_path / "a.wav", 4 * x, RATE) == pytest.approx(0.25, abs=1e-3)
    found, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE
    np.testing.assert_allclose(found, x, atol=1e-3)
    with pytest.raises(ist.InputError, match=r"as '\.txt': give a name that ends in \.flac"):
        ist.data.write_sound(tmp_path / "a.txt", x, RATE)
    with pytest.raises(ist.InputError, match=r"x holds NaN or inf at step 1 "):
        ist.data.write_sound(tmp_path / "a.wav", [0.0, np.nan], RATE)
    with pytest.raises(ist.InputError, match=r"cannot be written as OGG \(OPUS"):
        sound_bytes(".opus", x, 11025)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sounds of several formats, rates, channels and lengths, in two folders."""
    place = tmp_path / "in"
    for name, x, rate, how in (
        ("a.wav", chirp(0.7), RATE, {}),
        ("b.flac", chirp(1.0, 16000), 16000, {"subtype": "PCM_24"}),
        ("deep/c.wav", np.stack([chirp(0.5), tone(300, 0.5)], 1), RATE, {"subtype": "FLOAT"}),
        ("deep/d.ogg", chirp(0.5), RATE, {}),
        ("deep/short.wav", chirp(0.01), RATE, {}),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / name, x, rate, **how)
    return place


def test_a_folder_goes_in_and_comes_out(
    isthmus: Command, run: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, printed, said = isthmus("reconstruct", run, folder, out)
    assert (status, said) == (0, "")
    assert printed == f"{out}: 5 sounds, 2.71 s\n"
    names = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*") if p.name[0] != ".")
    assert names == ["a.wav", "b.flac", "deep/c.wav", "deep/d.ogg", "deep/short.wav"]
    for name in names:
        before, after = soundfile.info(folder / name), soundfile.info(out / name)
        for what in ("samplerate", "channels", "frames", "format", "subtype"):
            assert getattr(after, what) == getattr(before, what), (name, what)
    model = ist.load(run)
    x, _ = soundfile.read(folder / "a.wav", dtype="float32")
    found, _ = soundfile.read(out / "a.wav")
    np.testing.assert_allclose(found, ist.restore_sound(model, x, RATE), atol=1e-4)
    assert isthmus("reconstruct", run, folder, out)[0] == 0  # ours, of the same data
    status, _, said = isthmus("reconstruct", run, folder / "deep", out)
    assert status == 2 and "holds what isthmus made of other data" in said
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.txt").write_text("mine")
    status, _, said = isthmus("reconstruct", run, folder, tmp_path / "own")
    assert status == 2 and "is not empty and was not written by isthmus reconstruct" in said
    status, _, said = isthmus("reconstruct", run, folder, folder / "out")
    assert status == 2 and "lie in each other" in said


@pytest.mark.filterwarnings("default::isthmus.errors.DataWarning")
def test_a_sound_becomes_a_sound(isthmus: Command, run: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.flac"
    status, printed, _ = isthmus("reconstruct", run, folder / "a.wav", out, "--json")
    assert status == 0 and json.loads(printed)["sounds"] == 1
    assert soundfile.info(out).frames == soundfile.info(folder / "a.wav").frames
    status, _, said = isthmus("reconstruct", run, folder / "a.wav", out)
    assert status == 2 and "exists: choose another name" in said
    status, _, said = isthmus("reconstruct", run, folder, tmp_path / "all.wav")
    assert status == 2 and "is one sound, but" in said
    status, _, said = isthmus("reconstruct", run, folder, tmp_path / "o", "--size", 8)
    assert status == 2 and "--size means nothing for" in said
    (folder / "bad.wav").write_text("no sound")
    status, _, said = isthmus("reconstruct", run, folder, tmp_path / "o")
    assert status == 2 and "bad.wav is damaged" in said
    status, printed, said = isthmus("reconstruct", run, folder, tmp_path / "o", "--skip-unreadable")
    assert status == 0 and "5 sounds" in printed
    assert "left out 1 file that cannot be read as sounds: bad.wav" in said


@pytest.mark.filterwarnings("default::isthmus.errors.DataWarning")
def test_what_is_made_quieter_is_said(
    isthmus: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(0.5), RATE)
    monkeypatch.setattr(
        "isthmus.estimators.sounds.restore_sound", lambda model, x, rate, **_: np.full_like(x, 2.0)
    )
    status, _, said = isthmus("reconstruct", run, tmp_path / "a.wav", tmp_path / "b.wav")
    assert status == 0 and "1 sound was made quieter, by up to 6 dB" in said
    assert np.abs(soundfile.read(tmp_path / "b.wav")[0]).max() == pytest.approx(1, abs=1e-3)


def test_new_sounds_are_files(isthmus: Command, run: Path, tmp_path: Path) -> None:
    assert isthmus("fit-prior", run, "--prior", "mixture", "--data", "digits")[0] == 2
    model = ist.load(run)
    model.fit_prior(sounds_of(chirp(4.0)))
    model.save(tmp_path / "run")
    out = tmp_path / "new"
    status, printed, _ = isthmus("sample", tmp_path / "run", "-n", 3, "--out", out)
    assert status == 0 and printed == f"{out}: 3 sounds of 0.032 s at 8000 Hz\n"
    assert sorted(p.name for p in out.glob("*.wav")) == [f"sample-0{i}.wav" for i in range(3)]
    found = model.sample(3, random_state=0)
    np.testing.assert_allclose(
        soundfile.read(out / "sample-01.wav")[0],
        found[1, 0] / max(1, np.abs(found[1]).max()),
        atol=1e-4,
    )
    one = tmp_path / "one.flac"
    assert isthmus("sample", tmp_path / "run", "--out", one)[0] == 0
    assert soundfile.info(one).frames == LENGTH
    status, _, said = isthmus("sample", tmp_path / "run", "-n", 2, "--out", tmp_path / "two.wav")
    assert status == 2 and "-n 2 sounds do not fit into" in said
    longer = ("sample", tmp_path / "run", "--seconds", 2, "--out", one, "--overwrite")
    status, _, said = isthmus(*longer)
    assert status == 2 and "the weights of this AE are for (1, 256) alone" in said
    assert soundfile.info(one).frames == LENGTH  # as it was


def test_other_runs_make_no_sounds(isthmus: Command, tmp_path: Path) -> None:
    model = ist.VAE(network="mlp", hidden=(4,), epochs=1).fit(np.random.rand(40, 8, 8))
    run = model.save(tmp_path / "run")
    status, _, said = isthmus("sample", run, "--out", tmp_path / "new")
    assert status == 2 and "would hold sounds, but" in said and "images of 1 × 8 × 8" in said
    status, _, said = isthmus("sample", run, "--out", tmp_path / "a.npy", "--seconds", 2)
    assert status == 2 and "--seconds 2 is for runs of sounds" in said
