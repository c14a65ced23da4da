"""The page in a real browser."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

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
    page.get_by_text("before training", exact=True).wait_for()
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


def test_classes_can_be_seen_alone(page: Any) -> None:
    canvas = page.locator(".explorer-plane").first
    buttons = [page.locator(".explorer-legend button").nth(kind) for kind in (3, 4)]
    seen = [canvas.evaluate(PIXELS)]
    for button in buttons:
        button.click()
        settle(page)
        seen.append(canvas.evaluate(PIXELS))
    assert [button.get_attribute("aria-pressed") for button in buttons] == ["true", "true"]
    assert len(set(seen)) == 3  # all, one, two
    for button in buttons:
        button.click()
    settle(page)
    assert canvas.evaluate(PIXELS) == seen[0]


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


def test_a_tile_of_the_map_is_what_the_decoder_makes_of_its_place(
    page: Any, comparison: Comparison
) -> None:
    """Also of the finer tiles that are seen after zooming in."""
    for factor in (1, 5):
        place, tile = page.evaluate(
            """(factor) => {
                const column = explorer.columns[1];
                column.zoomBy(factor, [0.5, -0.5]);
                const lattice = column.map.lattice(column.plane.window);
                const [i, j] = lattice.order[3];
                const place = column.map.placeOf(lattice, i, j);
                return [place, [...column.map.tile(column.model.moment, lattice, i, j)]];
            }""",
            factor,
        )
        left, right, bottom, top = page.evaluate("() => explorer.columns[1].plane.window")
        step = (right - left) / 15  # a tile may reach beyond the edge of the window
        assert left - step < place[0] < right + step
        assert bottom - step < place[1] < top + step
        halves = copy.deepcopy(comparison.rows[1].model.module_).half().float()
        with torch.no_grad():
            expected = halves.decode(torch.tensor([place])).flatten().numpy()
        np.testing.assert_allclose(tile, expected, atol=1e-3)


def test_the_map_lies_under_the_dots_and_can_be_switched_off(page: Any) -> None:
    canvas, switch = page.locator(".explorer-plane").first, page.get_by_role("button", name="map")
    assert switch.get_attribute("aria-pressed") == "true"
    before = canvas.evaluate(PIXELS)
    switch.click()
    settle(page)
    assert canvas.evaluate(PIXELS) != before
    switch.click()
    settle(page)
    assert canvas.evaluate(PIXELS) == before


def test_one_zooms_in_until_the_examples_are_seen_and_out_again(page: Any) -> None:
    canvas = page.locator(".explorer-plane").first
    whole = page.evaluate("() => explorer.columns[0].plane.window")
    box = canvas.bounding_box()
    x, y = canvas.evaluate(COLOURFUL)
    page.mouse.move(x, y)
    settle(page)
    under = page.evaluate("() => explorer.columns[0].coordinates")
    for _ in range(5):
        page.mouse.wheel(0, -200)
    settle(page)
    left, right, bottom, top = page.evaluate("() => explorer.columns[0].plane.window")
    assert (whole[1] - whole[0]) / (right - left) > 3
    # the place under the pointer stays there
    assert left + (x - box["x"]) / box["width"] * (right - left) == pytest.approx(
        under[0], abs=0.05
    )
    assert top - (y - box["y"]) / box["height"] * (top - bottom) == pytest.approx(
        under[1], abs=0.05
    )
    pictures = """() => {
        const { plane } = explorer.columns[0];
        return plane.thumbs.rows(plane.points, plane.window, plane.canvas.clientWidth).length;
    }"""
    assert page.evaluate(pictures) > 0
    page.mouse.dblclick(x, y)
    assert page.evaluate("() => explorer.columns[0].plane.window") == pytest.approx(whole)


def test_the_first_screen_holds_bar_planes_and_pictures(page: Any) -> None:
    for part in (".explorer-bar", ".explorer-plane", ".explorer-pictures", ".explorer-pad"):
        for box in (found.bounding_box() for found in page.locator(part).all()):
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= 768
    bar = page.locator(".explorer-bar").bounding_box()
    below = min(plane.bounding_box()["y"] for plane in page.locator(".explorer-head").all())
    assert bar["y"] + bar["height"] <= below


def test_a_dark_page_is_dark_all_over(comparison: Comparison, opened: Any) -> None:
    size = {"width": 1366, "height": 768}
    with opened(comparison.page, size, color_scheme="dark") as page:
        page.wait_for_function(READY)
        settle(page)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("L")
    assert np.mean(np.asarray(picture) < 60) > 0.8


def test_on_a_telephone_a_tap_keeps_its_tip(comparison: Comparison, opened: Any) -> None:
    size = {"width": 400, "height": 800}
    with opened(comparison.page, size, has_touch=True, reduced_motion="reduce") as page:
        page.wait_for_function(READY)
        settle(page)
        canvas = page.locator(".explorer-plane").first
        canvas.scroll_into_view_if_needed()
        page.touchscreen.tap(*canvas.evaluate(COLOURFUL))
        settle(page)
        tip = page.locator(".explorer-tip")
        assert tip.locator("canvas:visible").count() == 2
        page.touchscreen.tap(5, 5)
        tip.wait_for(state="hidden")
        curves = page.locator("#curves img").all()
        shown = [image.evaluate("image => image.naturalWidth / image.width") for image in curves]
    assert max(shown) < 2.6  # of pixels at two a point: the text is at least 3/4 of its size
