"""The comparison with Opus: what is aligned, what is written, and what the page says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import opus

pytest.importorskip("soundfile", reason="soundfile is not installed: no sound is read")


def test_a_decoder_that_is_late_is_aligned() -> None:
    wave = np.random.default_rng(0).standard_normal(4000)
    slow = np.convolve(wave, np.ones(4) / 4, "same")  # so that half a step is not noise
    fast = opus.resampled(slow, 8000, 48_000)
    late = np.pad(fast, (27, 0))  # four and a half steps of 8 kHz
    found = opus._aligned(late, slow, 8000)
    assert opus.sound.si_sdr(found[None, None, 50:-50], slow[None, None, 50:-50])[0] > 30


@pytest.mark.skipif(shutil.which("opusenc") is None, reason="opus-tools are not installed")
def test_more_bits_come_closer() -> None:
    time = np.arange(12_000) / 8000
    waves = [(0.4 * np.sin(2 * np.pi * (300 + 200 * time) * time)).astype(np.float32)] * 2
    scores = []
    for kbit in (6, 32):
        found, size = opus.by_opus(waves, 8000, kbit)
        assert 0.4 * kbit < size < 1.5 * kbit
        assert [len(one) for one in found] == [12_000, 12_000]
        scores.append(opus.judged(found, waves, 8000))
    assert scores[1]["log_mel_distance"] < scores[0]["log_mel_distance"]
    assert scores[1]["si_sdr"] > 15


def test_the_page_has_the_table_of_what_was_kept(tmp_path: Path) -> None:
    rows = [
        {"codec": "opus", "step": 8, "kbit_s": 7.4, **dict.fromkeys(opus._MEASURES, 1.0)},
        {"codec": "voice", "step": 1, "kbit_s": 0.5, **dict.fromkeys(opus._MEASURES, -2.0)},
    ]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{opus.FIRST}\nold\n{opus.LAST}\nafter\n")
    opus.fill_page(page, rows)
    head, *lines = page.read_text().splitlines()
    assert (head, lines[0], lines[-2:]) == ("before", opus.FIRST, [opus.LAST, "after"])
    assert lines[3] == "| 0.5 | `voice`, 1 codebook | -2.000 | -2.0 | −2.0 |"
    assert lines[4] == "| 7.4 | Opus | 1.000 | 1.0 | 1.0 |"


def test_the_table_in_the_documentation_is_that_of_the_results() -> None:
    rows = opus.KeptRows(opus.RESULTS, ("codec", "step")).rows()
    assert rows and opus.table(rows) in opus.PAGE.read_text(encoding="utf-8")
