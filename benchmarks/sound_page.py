"""What the course's page of sound plays and shows: files, a picture, and its numbers.

    python -m benchmarks.sound_page --voice runs/voice --speech runs/speech

``runs/voice`` is what ``python -m benchmarks.sounds voice`` wrote, ``runs/speech`` what
``python -m benchmarks.papers speech`` did. Files go to docs/images/course/sound, numbers there and
into the pages of all languages. Without arguments the numbers that are kept are put in again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from matplotlib import pyplot as plt

import isthmus as ist
from benchmarks import sounds
from benchmarks.pages import DOCS, fill, rounded, save
from isthmus.data.spectra import decibels, mel_spectrogram
from isthmus.metrics import sound

HOME = DOCS / "images" / "course" / "sound"
NUMBERS = HOME / "numbers.json"
PAGES = tuple(DOCS / "course" / language / "sound.md" for language in ("en", "zh-Hant"))
HOPS, DEPTHS = (8, 32, 128), (1, 2, 4)
SHOWN = "vm-nomore.wav"
RATE = sounds.RECIPES["voice"].sample_rate
# what is drawn: a name, a label, seconds, and the seed
DRAWN = (
    ("prompt-1", "prompts", 4.0, 1),
    ("prompt-2", "prompts", 4.0, 2),
    ("digits-1", "digits", 1.2, 1),
    ("digits-2", "digits", 1.2, 2),
    ("letters", "letters", 1.2, 1),
)
_DEPTH = 70  # dB below the loudest that a picture shows


def prompt(source: Path) -> np.ndarray:
    """The prompt that is played, of those that training did not see, ``(1, 1, time)``."""
    test = sounds.files_of(sounds.RECIPES["voice"], source)[1]
    return sounds.wave_of(test, test.files.index(SHOWN))[None, None]


def write(name: str, x: np.ndarray) -> None:
    """Keep a sound ``(time,)``."""
    HOME.mkdir(parents=True, exist_ok=True)
    soundfile.write(HOME / f"{name}.wav", x / max(1.0, float(np.abs(x).max())), RATE)


def measures(restored: np.ndarray, x: np.ndarray) -> dict[str, float]:
    """How close a reconstruction comes."""
    return {name: m.value for name, m in sound.of_reconstructions(restored, x, RATE).items()}


def reconstructed(folder: Path, x: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """One prompt through each hop with all indices, and through the longest with fewer."""
    numbers: dict[str, float] = {}
    heard: dict[str, np.ndarray] = {}
    for hop in HOPS:
        model = ist.load(folder / f"hop-{hop}").for_length(x.shape[2])
        indices = model.encode(x)
        for depth in DEPTHS if hop == HOPS[-1] else DEPTHS[-1:]:
            name = f"hop-{hop}-{depth}"
            restored = model.decode(indices[..., :depth])
            write(name, restored[0, 0])
            heard[name] = restored[0, 0]
            numbers |= {f"{name}.{key}": v for key, v in measures(restored, x).items()}
            numbers[f"{name}.kbit"] = RATE / hop * 8 * depth / 1000
    return numbers, heard


def drawn(folder: Path, source: Path) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """New sounds, and how much of each is word for word in a training prompt."""
    voice = ist.load(folder)
    recipe = sounds.RECIPES["voice"]
    train = sounds.sounds(recipe, source, stride=recipe.window // 4).train
    known = voice.encode(train.x)[..., 0]  # (n, places), of the coarsest index
    numbers: dict[str, float] = {}
    heard: dict[str, np.ndarray] = {}
    for name, label, seconds, seed in DRAWN:
        x = voice.sample(1, label=label, seconds=seconds, temperature=0.9, random_state=seed)
        write(name, x[0, 0])
        heard[name] = x[0, 0]
        again = voice.for_length(x.shape[2]).encode(x)[0, :, 0]
        numbers[f"{name}.longest"] = longest_run(again, known) * recipe.hop / RATE
    apart = np.asarray(sounds.sounds(recipe, source, stride=recipe.window).test.x)
    restored = measures(voice.reconstruct(apart), apart)
    numbers |= {f"voice.{key}": value for key, value in restored.items()}
    new = voice.sample(len(apart), temperature=0.9, random_state=0)
    numbers["voice.apart"] = apart_in_colour(new, apart)
    numbers["voice.apart-real"] = apart_in_colour(apart[::2], apart[1::2])
    return numbers, heard


def apart_in_colour(some: np.ndarray, others: np.ndarray) -> float:
    """How far the mean loudness of two sets of sounds is apart, in dB, averaged over bands."""
    means = [decibels(mel_spectrogram(x, RATE).mean((0, 1, 3)), 1e-12) for x in (some, others)]
    return float(np.abs(means[0] - means[1]).mean())


def longest_run(row: np.ndarray, known: np.ndarray) -> int:
    """How many neighbouring indices of ``row (places,)`` stand so in a row of ``known``.

    Example:
        >>> longest_run(np.array([7, 1, 2, 3]), np.array([[0, 1, 2, 3, 9], [7, 2, 1, 1, 1]]))
        3
    """
    runs = np.zeros((len(known), known.shape[1] + 1), dtype=np.int64)
    longest = 0
    for index in row:
        runs[:, 1:] = np.where(known == index, runs[:, :-1] + 1, 0)
        longest = max(longest, int(runs.max()))
    return longest


def picture(original: np.ndarray, heard: dict[str, np.ndarray]) -> None:
    """Mel spectrograms of what is heard, one below another."""
    rows = {
        "the prompt": original,
        "hop 8, 32 kbit/s": heard["hop-8-4"],
        "hop 32, 8 kbit/s": heard["hop-32-4"],
        "hop 128, 2 kbit/s": heard["hop-128-4"],
        "hop 128, 0.5 kbit/s": heard["hop-128-1"],
    }
    figure, panels = plt.subplots(len(rows), 1, figsize=(7, 7.2), layout="constrained")
    for axes, (name, x) in zip(panels, rows.items(), strict=True):
        mel = decibels(mel_spectrogram(x[None, None], RATE), 1e-12)[0, 0]
        end = len(x) / RATE
        top = float(decibels(mel_spectrogram(original[None, None], RATE), 1e-12).max())
        axes.imshow(
            mel, origin="lower", aspect="auto", extent=(0, end, 0, 80), vmin=top - _DEPTH, vmax=top
        )
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_ylabel("mel band", fontsize=8)
    panels[-1].set_xlabel("seconds", fontsize=8)
    save(figure, HOME / "hops.png", dpi=130)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sound_page")
    parser.add_argument("--voice", type=Path, help="the run of benchmarks.sounds")
    parser.add_argument("--speech", type=Path, help="the folder of the runs of the three hops")
    parser.add_argument("--sounds", type=Path, default=sounds.PROMPTS, help="the prompts")
    options = parser.parse_args()
    numbers: dict[str, Any] = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    if options.speech is not None:
        x = prompt(options.sounds)
        write("original", x[0, 0])
        found, heard = reconstructed(options.speech, x)
        picture(x[0, 0], heard)
        numbers |= found
    if options.voice is not None:
        numbers |= drawn(options.voice, options.sounds)[0]
    NUMBERS.write_text(json.dumps(rounded(numbers), indent=1) + "\n", encoding="utf-8")
    for page in PAGES:
        fill(page, numbers)


if __name__ == "__main__":
    main()
