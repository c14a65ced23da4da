"""Links to sounds become players; pictures, code and other links stay."""

from __future__ import annotations

from pathlib import Path

from website import players
from website.sections import DOCS


def test_a_link_to_a_sound_becomes_a_player_with_its_words() -> None:
    page, found = DOCS / "course" / "en" / "sound.md", set[Path]()
    text = (
        "| a | [a *new* sound](../../images/course/sound/x.wav) |\n"
        "![a picture](x.png) [a page](unit.md) `[code](y.wav)`"
    )
    made = players.with_players(text, page, found)
    assert made == (
        '| a | <audio controls preload="none" aria-label="a *new* sound"'
        ' src="../../sounds/images/course/sound/x.wav"></audio> a *new* sound |\n'
        "![a picture](x.png) [a page](unit.md) `[code](y.wav)`"
    )
    assert found == {DOCS / "images" / "course" / "sound" / "x.wav"}
    assert players.in_site(found.pop()) == "sounds/images/course/sound/x.wav"
