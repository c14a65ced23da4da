"""Translated pages follow the English ones: what lags behind is named by its section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import translations


def test_every_translation_is_up_to_date() -> None:
    assert list(translations.faults()) == []


PAGE_TEXT = (
    "# Title\n\nText.\n\n## Part\n\nAn error of 1.5<!--ae.error-->,\nas said.\n\n"
    "```python\n# no heading\nx = 1\n```\n\n![a](a.png)\n"
)


def test_a_translation_lags_where_the_english_text_has_changed() -> None:
    known = {section.heading: section.digest() for section in translations.sections(PAGE_TEXT)}
    assert list(known) == ["Title", "Part"]
    same = PAGE_TEXT.replace("1.5<", "2.5<").replace(",\nas", ", as")  # a rerun, another line break
    assert translations.lagging(same, known) == []
    assert translations.lagging(PAGE_TEXT.replace("as said", "as shown"), known) == ["Part"]
    assert translations.lagging(PAGE_TEXT + "\n## New\n", known) == ["New"]
    assert translations.lagging("# Title\n\nText.\n", known) == ["Part"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("x = 1", "x = 2", "code differ in 'Part'"),
        ("a.png", "b.png", "pictures differ in 'Part'"),
        ("ae.error", "vae.error", "measured numbers differ in 'Part'"),
        ("## Part", "### Part", r"the headings differ: levels \[1, 2\] and \[1, 3\]"),
    ],
)
def test_a_translation_has_the_code_the_pictures_and_the_numbers_of_the_page(
    old: str, new: str, what: str
) -> None:
    assert translations.unlike(PAGE_TEXT, PAGE_TEXT.replace("as said", "wie gesagt")) == []
    (sentence,) = translations.unlike(PAGE_TEXT, PAGE_TEXT.replace(old, new))
    assert re.match(what, sentence)


def test_the_sentence_about_a_lag_names_page_section_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(PAGE_TEXT, encoding="utf-8")
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    monkeypatch.setattr(translations, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(translations, "PAIRS", {"b.md": "a.md"})
    translations.renew()
    assert list(translations.faults()) == []
    (tmp_path / "a.md").write_text(PAGE_TEXT.replace("Text.", "More."), encoding="utf-8")
    assert list(translations.faults()) == [
        "b.md lags behind a.md in 'Title': translate the section, then run"
        " python -m benchmarks.translations renew"
    ]
