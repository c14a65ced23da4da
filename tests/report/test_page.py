"""The page in a real browser."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from isthmus.core.batch import Batch
from isthmus.data import Data
from isthmus.report import Comparison

READY = "() => window.explorer?.columns?.every((column) => column.took)"
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
    with opened(comparison.page, {"width": 1366, "height": 768}, reduced_motion="reduce") as page:
        page.wait_for_function(READY)
        settle(page)
        yield page


def settle(page: Any) -> None:
    """Wait until nothing more is decoded and drawn."""
    page.evaluate(
        """() => new Promise((done) => {
            for (const column of explorer.columns) {
                column.map.work(column.plane.window, 10_000);
                column.map.version += 1;
                column.show();
            }
            requestAnimationFrame(() => setTimeout(done, 30));
        })"""
    )


def test_it_shows_the_end_of_training_first(page: Any) -> None:
    assert page.title() == "AE, VAE and PCA on digits"
    assert page.locator(".explorer-bar output").text_content() == "epoch 3 of 3"
    assert page.locator(".explorer-plane").count() == 3


def test_the_slider_moves_every_trained_plane_and_decoder(page: Any) -> None:
    canvases = page.locator(".explorer-plane, .explorer-pictures canvas").all()
    before = [canvas.evaluate(PIXELS) for canvas in canvases]
    page.get_by_label("epoch of the training").fill("0")
    page.get_by_text("before training").wait_for()
    settle(page)
    same = [canvas.evaluate(PIXELS) == old for canvas, old in zip(canvases, before, strict=True)]
    # the plane, what is decoded, the example, its reconstruction
    assert same == [False, False, True, False, False, False, True, False, *[True] * 4]


def test_the_keyboard_moves_it_too(page: Any) -> None:
    slider = page.get_by_label("epoch of the training")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("epoch 2 of 3").wait_for()
    assert slider.get_attribute("aria-valuetext") == "epoch 2 of 3"


def test_play_runs_from_the_start_to_the_end(page: Any) -> None:
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert page.locator(".explorer-bar output").text_content() == "epoch 3 of 3"


def test_between_two_moments_codes_are_on_the_straight_line(page: Any) -> None:
    rows = page.evaluate(
        """() => [0, 0.5, 1].map((epoch) => {
            const { model } = explorer.columns[0];
            model.goTo(epoch);
            return Array.from(model.codeOf(5));
        })"""
    )
    np.testing.assert_allclose(rows[1], np.mean([rows[0], rows[2]], axis=0), atol=1e-5)


def test_codes_and_decoders_of_every_moment_are_those_of_the_member(
    page: Any, comparison: Comparison, few_digits: Data
) -> None:
    for place, row in enumerate(comparison.rows):
        shots = {shot.epoch: shot for shot in row.model.snapshots_}
        for epoch in (0, 2, 3) if shots else (0,):
            code, made = page.evaluate(
                """([place, epoch]) => {
                    const { model } = explorer.columns[place];
                    model.goTo(epoch);
                    return [model.codeOf(7), model.decodeNow(model.codeOf(7))].map((x) => [...x]);
                }""",
                [place, epoch],
            )
            then = copy.deepcopy(row.model.module_)
            if shots:
                known = {k: torch.from_numpy(v).float() for k, v in shots[epoch].weights.items()}
                then.load_state_dict(known, strict=False)
            x = torch.from_numpy(few_digits.test.x[7:8] / few_digits.test.x.max()).float()
            with torch.no_grad():
                z = then.encode(Batch(x.reshape(1, 1, 8, 8)))[0]
                expected = then.decode(torch.tensor([code]))
            np.testing.assert_allclose(code, z[0].numpy(), atol=2e-3)
            np.testing.assert_allclose(made, expected.flatten().numpy(), atol=4e-3)  # 1/255


def test_a_dot_shows_its_class_its_picture_and_its_reconstruction(page: Any) -> None:
    canvas = page.locator(".explorer-plane").first
    before = canvas.evaluate(PIXELS)
    page.mouse.move(*canvas.evaluate(COLOURFUL))
    tip = page.locator(".explorer-tip")
    tip.wait_for(state="visible")
    assert tip.text_content() in set("0123456789")
    assert tip.locator("canvas:visible").count() == 2
    settle(page)
    assert canvas.evaluate(PIXELS) != before
    page.mouse.move(0, 0)
    tip.wait_for(state="hidden")


def test_a_class_can_be_seen_alone(page: Any) -> None:
    canvas = page.locator(".explorer-plane").first
    button = page.locator(".explorer-legend button").nth(3)
    before = canvas.evaluate(PIXELS)
    button.click()
    settle(page)
    assert button.get_attribute("aria-pressed") == "true"
    assert canvas.evaluate(PIXELS) != before
    button.click()
    settle(page)
    assert canvas.evaluate(PIXELS) == before


def test_nothing_is_wider_than_the_window(page: Any) -> None:
    for width in (400, 700, 1366):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_picture_says_what_it_is(page: Any) -> None:
    pictures = page.locator("img").all()
    assert len(pictures) > 8
    assert all(picture.get_attribute("alt") for picture in pictures)
    assert page.evaluate(
        "[...document.images].every(image => image.loading === 'lazy' || image.naturalWidth > 0)"
    )
