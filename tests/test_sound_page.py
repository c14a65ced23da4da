"""The page of sound: its numbers and files are those of a run, and its sounds can be heard."""

from __future__ import annotations

import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pages, sound_page

PAGE = pytest.mark.parametrize("page", sound_page.PAGES, ids=lambda page: page.parent.name)


@PAGE
def test_the_numbers_are_those_of_the_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    numbers = json.loads(sound_page.NUMBERS.read_text(encoding="utf-8"))
    assert pages.filled(text, numbers) == text
    assert len(pages.MARKED.findall(text)) > 15


@PAGE
def test_every_sound_is_there_and_can_be_heard(page: Path) -> None:
    linked = re.findall(r"\]\((\S+\.wav)\)", page.read_text(encoding="utf-8"))
    files = {(page.parent / name).resolve() for name in linked}
    assert files == set(sound_page.HOME.glob("*.wav"))
    for path in files:
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels()) == (sound_page.RATE, 1)
            x = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        assert len(x) > sound_page.RATE and 0.01 < np.sqrt(np.square(x).mean()) < 0.5


def test_the_longest_run_of_indices_is_found() -> None:
    known = np.array([[0, 1, 2, 3, 9], [7, 2, 1, 1, 1]])
    assert sound_page.longest_run(np.array([7, 1, 2, 3]), known) == 3
    assert sound_page.longest_run(np.array([5, 5]), known) == 0
    assert sound_page.longest_run(np.array([1, 1, 1, 1]), known) == 3
