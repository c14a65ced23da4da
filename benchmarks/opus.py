"""Quantised members of sound beside Opus, at equal bits a second, on prompts nobody trained on.

    python -m benchmarks.opus runs/voice            # or several runs; Opus itself is measured too
    python -m benchmarks.opus --page                # the table into docs/sound.md

A run is measured at every number of its codebooks. Each prompt is coded in one piece: the network
convolves, so that it takes any length. Opus (``opusenc``, ``opusdec`` of opus-tools) codes all
prompts in one file, with a pause between them, so that the headers of files do not count; its bits
are those of the file. Both are judged by the same measures at 8 kHz. Lines go to
benchmarks/results/opus.jsonl.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import isthmus as ist
from benchmarks import sounds
from benchmarks.kept import KeptRows
from benchmarks.pages import DOCS
from isthmus.data._sources.sounds import listed_sounds, read_sound, resampled
from isthmus.metrics import sound

RESULTS = Path(__file__).parent / "results" / "opus.jsonl"
PAGE = DOCS / "sound.md"
BITRATES = (6, 8, 12, 16, 24, 32)  # kbit/s that Opus is asked for
FIRST, LAST = "<!-- opus -->", "<!-- /opus -->"
_PAUSE = 800  # steps between prompts
_FARTHEST = 20  # steps by which a decoder may be late
_INSIDE = 48_000  # the rate at which Opus works
_MEASURES = ("spectral_convergence", "log_mel_distance", "si_sdr")


def prompts(source: Path) -> tuple[list[np.ndarray], int]:
    """The prompts that training does not see, each ``(time,)``, and their rate; not silent ones."""
    recipe = sounds.RECIPES["voice"]
    test = sounds.files_of(recipe, source)[1]
    waves = [sounds.wave_of(test, place) for place in range(len(test.files))]
    return [wave for wave in waves if np.abs(wave).max() > 0.01], recipe.sample_rate


def judged(found: Sequence[np.ndarray], waves: Sequence[np.ndarray], rate: int) -> dict[str, float]:
    """The mean of each measure over prompts."""
    each = [
        sound.of_reconstructions(a[None, None], b[None, None], rate)
        for a, b in zip(found, waves, strict=True)
    ]
    return {name: float(np.mean([one[name].value for one in each])) for name in _MEASURES}


def by_member(
    model: Any, waves: Sequence[np.ndarray], count: int | None
) -> tuple[list[np.ndarray], int]:
    """What comes back of each prompt from the first ``count`` codebooks, all where it is None; and
    how many indices that took.
    """
    restored, indices = [], 0
    for wave in waves:
        whole = model.for_length(len(wave))
        kept = whole.encode(wave[None, None])[..., :count]
        indices += kept.size
        restored.append(np.asarray(whole.decode(kept))[0, 0])
    return restored, indices


def measure_run(folder: Path, waves: Sequence[np.ndarray], rate: int, kept: KeptRows) -> None:
    """A run at every number of its codebooks."""
    model, name = ist.load(folder), folder.name
    levels = model.module_.bottleneck.levels
    bits, depth = np.log2(levels[0].size), len(levels)
    seconds = sum(map(len, waves)) / rate
    for count in range(1, depth + 1):
        found, indices = by_member(model, waves, None if depth == 1 else count)
        size = float(indices * bits / seconds / 1000)
        kept.put((name, count), {"kbit_s": size, **judged(found, waves, rate)})


def by_opus(waves: Sequence[np.ndarray], rate: int, kbit: int) -> tuple[list[np.ndarray], float]:
    """What Opus makes of prompts at a bit rate, and the kbit/s that its file really has."""
    pause = np.zeros(_PAUSE, dtype=np.float32)
    joined = np.concatenate([part for wave in waves for part in (wave, pause)])
    with tempfile.TemporaryDirectory() as place:
        before, coded, after = (str(Path(place, n)) for n in ("a.wav", "a.opus", "b.wav"))
        ist.data.write_sound(before, joined, rate)
        encode = ["opusenc", "--quiet", "--bitrate", str(kbit), "--framesize", "60", "--padding"]
        subprocess.run([*encode, "0", before, coded], check=True)
        size = Path(coded).stat().st_size
        subprocess.run(["opusdec", "--quiet", "--rate", str(_INSIDE), coded, after], check=True)
        clips, _ = listed_sounds(Path(after))
        decoded = read_sound(clips[0])[:, 0]
    aligned = _aligned(decoded, joined, rate)
    starts = np.cumsum([0, *(len(wave) + _PAUSE for wave in waves)])
    found = [aligned[s : s + len(wave)] for s, wave in zip(starts, waves, strict=False)]
    return found, size * 8 / (len(joined) / rate) / 1000


def _aligned(decoded: np.ndarray, wanted: np.ndarray, rate: int) -> np.ndarray:
    """A sound as Opus decodes it, moved by the part of a step or the few steps that it is late, and
    of the length and the rate of the original: otherwise its SI-SDR would be that of the delay.
    """
    moved = []
    for part in range(_INSIDE // rate):
        slow = resampled(decoded[part:], _INSIDE, rate)
        padded = np.pad(slow, (_FARTHEST, _FARTHEST + max(0, len(wanted) - len(slow))))
        moved += [padded[lag : lag + len(wanted)] for lag in range(2 * _FARTHEST + 1)]
    return np.asarray(max(moved, key=lambda one: float(one @ wanted)))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """All that was measured, by bits a second."""
    lines = [
        "| kbit/s | coded by | spectral convergence | log-mel distance in dB | SI-SDR in dB |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    for row in sorted(rows, key=lambda row: float(row["kbit_s"])):
        name = "Opus" if row["codec"] == "opus" else f"`{row['codec']}`, {_codebooks(row['step'])}"
        shown = f"{row['spectral_convergence']:.3f} | {row['log_mel_distance']:.1f}"
        lines.append(f"| {row['kbit_s']:.1f} | {name} | {shown} | {_signed(row['si_sdr'])} |")
    return "\n".join(lines)


def _codebooks(count: int) -> str:
    return "1 codebook" if count == 1 else f"{count} codebooks"


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def fill_page(page: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Put the table into a page, between its marks."""
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(FIRST)
    tail = rest.split(LAST)[1]
    page.write_text(f"{head}{FIRST}\n{table(rows)}\n{LAST}{tail}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.opus")
    parser.add_argument("runs", type=Path, nargs="*", help="folders of quantised runs of speech")
    parser.add_argument("--sounds", type=Path, default=sounds.PROMPTS, help="where prompts lie")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where lines are written")
    parser.add_argument("--page", action="store_true", help="write the table into docs/sound.md")
    options = parser.parse_args()
    kept = KeptRows(options.results, ("codec", "step"))
    if options.runs:
        if shutil.which("opusenc") is None:
            parser.error("opusenc is not there: install opus-tools")
        waves, rate = prompts(options.sounds)
        for kbit in BITRATES:
            if kept.lacks("opus", kbit):
                found, size = by_opus(waves, rate, kbit)
                kept.put(("opus", kbit), {"kbit_s": size, **judged(found, waves, rate)})
        for folder in options.runs:
            measure_run(folder, waves, rate, kept)
    if options.page:
        fill_page(PAGE, kept.rows())


if __name__ == "__main__":
    main()
