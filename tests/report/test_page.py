"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.report import Comparison

PIXELS = "canvas => canvas.toDataURL()"
COLOURFUL = """canvas => {  // where on the screen the first pixel of a dot is
    const { width, height } = canvas, box = canvas.getBoundingClientRect();
    const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
    for (let i = 0; i < pixels.length; i += 4) {
        const colour = [...pixels.slice(i, i + 3)];
        if (pixels[i + 3] < 200 || Math.max(...colour) - Math.min(...colour) < 90) continue;
        const [column, row] = [(i / 4) % width, Math.floor(i / 4 / width)];
        return [box.x + column * box.width / width, box.y + row * box.height / height];
    }
}"""


@pytest.fixture
def page(comparison: Comparison, opened: Any) -> Iterator[Any]:
    """The page of the comparison, opened from the disk."""
    with opened(comparison.page, {"width": 1280, "height": 900}, reduced_motion="reduce") as page:
        yield page


def test_it_shows_the_end_of_training_first(page: Any) -> None:
    assert page.title() == "AE, VAE and PCA on digits"
    assert page.locator("#epoch").text_content() == "epoch 3 of 3"
    assert page.locator("#player canvas").count() == 3


def test_the_slider_moves_every_trained_plane(page: Any) -> None:
    canvases = page.locator("#player canvas").all()
    before = [canvas.evaluate(PIXELS) for canvas in canvases]
    grids = [image.get_attribute("src") for image in page.locator("img.decoded").all()]
    page.locator("#moment").fill("0")
    page.wait_for_function("document.getElementById('epoch').textContent === 'before training'")
    assert [
        canvas.evaluate(PIXELS) == old for canvas, old in zip(canvases, before, strict=True)
    ] == [False, False, True]
    now = [image.get_attribute("src") for image in page.locator("img.decoded").all()]
    assert [new == old for new, old in zip(now, grids, strict=True)] == [False, False, True]


def test_the_keyboard_moves_it_too(page: Any) -> None:
    page.locator("#moment").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.getElementById('epoch').textContent === 'epoch 2 of 3'")
    assert page.locator("#moment").get_attribute("aria-valuetext") == "epoch 2 of 3"


def test_play_runs_from_the_start_to_the_end(page: Any) -> None:
    play = page.get_by_role("button", name="Play")
    play.click()
    page.wait_for_function("document.getElementById('play').textContent === 'Pause'")
    page.wait_for_function("document.getElementById('play').textContent === 'Play'")
    assert page.locator("#epoch").text_content() == "epoch 3 of 3"


def test_a_dot_shows_its_class_and_its_picture(page: Any) -> None:
    canvas = page.locator("#player canvas").first
    canvas.scroll_into_view_if_needed()
    before = canvas.evaluate(PIXELS)
    page.mouse.move(*canvas.evaluate(COLOURFUL))
    tip = page.locator("#tip")
    tip.wait_for(state="visible")
    assert tip.text_content().removeprefix("class ") in set("0123456789")
    assert "data:image/" in tip.locator("i").get_attribute("style")
    assert canvas.evaluate(PIXELS) != before
    page.mouse.move(0, 0)
    tip.wait_for(state="hidden")


def test_a_class_can_be_seen_alone(page: Any) -> None:
    canvas, button = page.locator("#player canvas").first, page.locator("#legend button").nth(3)
    before = canvas.evaluate(PIXELS)
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert canvas.evaluate(PIXELS) != before
    button.click()
    assert canvas.evaluate(PIXELS) == before


def test_nothing_is_wider_than_the_window(page: Any) -> None:
    for width in (400, 700, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_picture_says_what_it_is(page: Any) -> None:
    pictures = page.locator("img").all()
    assert len(pictures) > 10
    assert all(picture.get_attribute("alt") for picture in pictures)
    assert page.evaluate(
        "[...document.images].every(image => image.loading === 'lazy' || image.naturalWidth > 0)"
    )
