"""The site: every page has its place, links lead somewhere, both languages find each other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from website import gallery, languages, links, notebooks, staging
from website.search import pairs
from website.sections import DOCS, ROOT, address, sections, sources


def test_every_page_stands_in_one_section() -> None:
    placed = Counter(
        page
        for section in sections()
        for page in (*section.pages, *([section.head] if section.head else []))
    )
    assert {page: times for page, times in placed.items() if times > 1} == {}
    assert set(placed) == {address(path) for path in sources()}


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("README.md", "overview"),
        ("docs/data.md", "data"),
        ("docs/members/README.md", "members/index"),
        ("docs/members/vae.md", "members/vae"),
        ("CONTRIBUTING.md", "contributing"),
    ],
)
def test_a_page_keeps_its_place_in_the_site(source: str, place: str) -> None:
    assert address(ROOT / source) == place


def test_links_of_the_repository_become_links_of_the_site() -> None:
    text = (
        "[a](../training.md#callbacks) ![b](../images/styles.png) [`c` d](../../CONTRIBUTING.md)"
        " [d](../../benchmarks/members.py) [e](https://example.org/x.md) [f](#here)"
        " `[g](data.md)`\n```\n[h](data.md)\n```\n"
    )
    source, wanted = DOCS / "members" / "vae.md", set[Path]()
    assert links.relinked(text, source, links.in_site(source, wanted)) == (
        "[a](../training.md#callbacks) ![b](../images/styles.png) [`c` d](../contributing.md)"
        " [d](../code/benchmarks/members.py.md) [e](https://example.org/x.md) [f](#here)"
        " `[g](data.md)`\n```\n[h](data.md)\n```\n"
    )
    assert wanted == {ROOT / "benchmarks" / "members.py"}


def test_links_to_the_net_are_written_well() -> None:
    found = {link for page in sources() for link in links.external(page.read_text("utf-8"))}
    assert [link for link in sorted(found) if not links.is_well_formed(link)] == []
    assert len(found) > 3


@pytest.mark.parametrize(
    "link",
    ["http://example.org", "https://localhost", "https://example.org/a b", "https://例.org/"],
)
def test_a_link_that_is_written_badly_is_seen(link: str) -> None:
    assert not links.is_well_formed(link)


def test_each_picture_has_a_page_and_code_that_draws_it() -> None:
    for picture in gallery.pictures():
        assert picture.file.exists(), picture.name
        assert picture.maker.exists(), picture.name
        assert len(picture.says) > 10
    front = dict(gallery.pages())["index"]
    assert front.count('class="tile"') == len(gallery.pictures()) > 30
    drawn = [picture for picture in gallery.pictures() if picture.name.startswith("members/")]
    assert all("def " in (gallery.drawing(picture) or "") for picture in drawn)


def test_a_page_leads_to_its_counterpart() -> None:
    assert languages.counterpart("course/en/unit") == "course/zh-Hant/unit"
    assert languages.counterpart("course/zh-Hant/unit") == "course/en/unit"
    assert languages.counterpart("overview.zh-TW") == "overview"
    assert languages.counterpart("data") is None
    assert languages.language_of("overview.zh-TW") == "zh-Hant"


def test_chinese_is_found_by_pairs_of_letters() -> None:
    assert pairs("自編碼器") == ["自編", "編碼", "碼器"]
    assert pairs("碼") == ["碼"]
    assert pairs("encoder") == ["encoder"]


def test_a_card_says_the_title_and_the_first_sentence() -> None:
    assert notebooks.opening("# `A`: b\n\n```python\nx\n```\n\n**One** [t](u.md). Two.\n") == (
        "A: b",
        "One t.",
    )
    for section in sections():
        for page in section.pages:
            assert staging.told(page)[0], page


def test_the_sections_of_the_site_are_reached_from_its_front() -> None:
    front = dict(gallery.pages())["index"]
    listed = re.findall(r"^[\w ]+ </([\w/.-]+)>$", front.partition("{toctree}")[2], re.MULTILINE)
    firsts = [section.first for section in sections()]
    assert listed == [*firsts[:4], "api/index", *firsts[4:]]
