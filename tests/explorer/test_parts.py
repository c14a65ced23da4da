"""What stands below a plane, in a real browser: sliders, walks, sums, classes, tiles, drawings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist

Opening = Callable[[ist.Estimator], Any]


@pytest.fixture
def open_page(opened: Any, digits: ist.data.Data, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """The explorer of a model, opened from the disk."""
    pages = []

    def open_(model: ist.Estimator, **viewport: int) -> Any:
        file = ist.explore({"m": model}, digits).save(tmp_path / f"{len(pages)}.html")
        pages.append(opened(file, {"width": 1366, "height": 900, **viewport}))
        page = pages[-1].__enter__()
        page.wait_for_function("() => window.explorer?.columns[0].took")
        return page

    yield open_
    for page in pages:
        page.__exit__(None, None, None)


@pytest.fixture(scope="module")
def flat() -> ist.Estimator:
    return ist.load("pretrained:vae-digits-2d")


def open_tab(page: Any, name: str) -> Any:
    page.get_by_role("tab", name=name).click()
    page.wait_for_timeout(150)
    return page.get_by_role("tabpanel", name=name)


def code_of(page: Any) -> list[float]:
    return page.evaluate("() => Array.from(explorer.columns[0].code)")


def tap(page: Any, row: int) -> None:
    """Tap the dot of an example."""
    x, y = page.evaluate(
        """(row) => {
            const { plane } = explorer.columns[0], box = plane.canvas.getBoundingClientRect();
            const paper = plane.paper();
            return [box.x + paper.across(plane.points[2 * row]),
                    box.y + paper.down(plane.points[2 * row + 1])];
        }""",
        row,
    )
    page.mouse.click(x, y)


def draw(page: Any, places: list[tuple[float, float]]) -> None:
    """Draw a stroke on the pad, through places of its square."""
    box = page.locator(".explorer-pad canvas").bounding_box()
    for turn, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        if turn == 0:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(100)


def test_a_slider_moves_along_its_direction_alone(open_page: Any, digits: ist.data.Data) -> None:
    model = ist.VAE(latent_dim=4, epochs=2, random_state=0).fit(digits.train.x[:300])
    page = open_page(model)
    rows = open_tab(page, "directions").locator(".explorer-direction")
    before = np.array(page.evaluate("() => explorer.columns[0].coordinates"))
    slider = rows.nth(2).locator("input")
    wanted = float(slider.get_attribute("max")) * 0.5
    slider.fill(str(wanted))
    after = np.array(page.evaluate("() => explorer.columns[0].coordinates"))
    np.testing.assert_allclose(after[[0, 1, 3]], before[[0, 1, 3]], atol=1e-5)
    assert after[2] == pytest.approx(wanted, abs=0.02)


def test_a_strip_shows_what_a_direction_changes(open_page: Any, flat: ist.Estimator) -> None:
    row = open_tab(open_page(flat), "directions").locator(".explorer-direction").first
    shown = row.locator("canvas").evaluate_all("(all) => all.map((one) => one.toDataURL())")
    assert len(set(shown)) == 5
    row.locator("canvas").last.click()
    words = row.locator(".explorer-ends").inner_text().split("\n")
    assert words == ["←\u00a06", "z₁", "2\u00a0→"]  # as the plane of this model lies


def test_a_walk_goes_from_one_example_to_another(
    open_page: Any, flat: ist.Estimator, digits: ist.data.Data
) -> None:
    page = open_page(flat)
    walk = open_tab(page, "walk")
    first, last = page.evaluate("""() => {
        const { model } = explorer.columns[0];
        return [model.codeOf(0), model.codeOf(4)].map((code) => Array.from(code));
    }""")
    tap(page, 0)
    tap(page, 4)
    slider = walk.get_by_label("how far along the way")
    for share in (0, 0.25, 1):
        slider.fill(str(share))
        expected = (1 - share) * np.array(first) + share * np.array(last)
        np.testing.assert_allclose(code_of(page), expected, atol=1e-5)
    walk.get_by_role("button", name="start").click()
    page.wait_for_timeout(300)
    assert 0 < float(slider.input_value()) < 1
    walk.get_by_role("button", name="stop").click()


def test_an_arc_keeps_its_distance_from_the_middle(open_page: Any, flat: ist.Estimator) -> None:
    page = open_page(flat)
    source = (Path(ist.__file__).parent / "explorer/front/parts/walk.js").read_text("utf-8")
    start = source.index("export function between")
    function = source[start : source.index("\n}\n", start) + 2].removeprefix("export ")
    ends = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0]]
    found = page.evaluate(
        f"([a, b]) => [0, 1 / 3, 1].map((t) => Array.from(({function})(a, b, t, true)))", ends
    )
    expected = [[3, 0, 0], [3 * np.cos(np.pi / 6), 1.5, 0], [0, 3, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_codes_are_added_and_subtracted(open_page: Any, flat: ist.Estimator) -> None:
    page = open_page(flat)
    panel = open_tab(page, "arithmetic")
    for row in (3, 8, 12):
        tap(page, row)
    a, b, c = page.evaluate(
        "() => [3, 8, 12].map((row) => Array.from(explorer.columns[0].model.codeOf(row)))"
    )
    np.testing.assert_allclose(code_of(page), np.array(a) - b + c, atol=1e-5)
    assert panel.locator(".explorer-near canvas").count() == 5


def test_a_button_goes_to_the_mean_code_of_a_class(
    open_page: Any, flat: ist.Estimator, digits: ist.data.Data
) -> None:
    page = open_page(flat)
    open_tab(page, "class means").get_by_role("button", name="7").click()
    codes = flat.transform(digits.test.x[digits.test.y == 7])
    np.testing.assert_allclose(code_of(page), codes.mean(0), atol=2e-3)


def test_a_conditional_model_shows_one_style_under_every_class(
    open_page: Any, digits: ist.data.Data
) -> None:
    model = ist.VAE(latent_dim=2, condition="label", epochs=3, random_state=0).fit(digits.train)
    page = open_page(model)
    panel = open_tab(page, "class × style")
    assert panel.get_by_role("button").count() == 10
    panel.get_by_role("button", name="4").click()
    code = [0.5, -1.0]
    shown = page.evaluate(
        """(code) => {
            const column = explorer.columns[0];
            column.showCode(code);
            return Array.from(column.model.decode(column.code, column.condition));
        }""",
        code,
    )
    expected = model.inverse_transform(np.array([code], np.float32), condition=4)
    np.testing.assert_allclose(shown, expected.ravel(), atol=2e-3)
    draw(page, [(0.5, 0.2), (0.5, 0.8)])
    assert "the model rebuilds it best as" in page.locator(".explorer-near").first.inner_text()
    page.locator(".explorer-question").get_by_role("button", name="1").click()
    page.wait_for_timeout(50)
    assert "rebuilds it best" not in page.locator(".explorer-near").first.inner_text()


def test_covariates_have_sliders_in_their_own_units(open_page: Any, digits: ist.data.Data) -> None:
    model = ist.VAE(latent_dim=2, condition="covariates", epochs=1, random_state=0)
    model.fit(digits.train.x, digits.train.y)  # the digit as a number
    page = open_page(model)
    slider = open_tab(page, "covariates").locator(".explorer-slider")
    slider.locator("input").fill("1")
    mean, deviation = digits.train.y.mean(), digits.train.y.std()
    assert slider.locator("output").inner_text() == f"{mean + deviation:.3g}"
    shown = page.evaluate("() => Array.from(explorer.columns[0].condition)")
    assert shown == [pytest.approx(1, abs=1e-6)]


@pytest.fixture(scope="module")
def grid(digits: ist.data.Data) -> ist.VQVAE:
    quantizer = ist.quantizers.VectorQuantizer(codebook_size=16)
    return ist.VQVAE(quantizer=quantizer, epochs=2, random_state=0).fit(digits.train.x[:600])


def test_a_tile_is_exchanged_for_another_entry(
    open_page: Any, grid: ist.VQVAE, digits: ist.data.Data
) -> None:
    page = open_page(grid)
    panel = open_tab(page, "grid of indices")
    tap(page, 5)
    indices = grid.encode(digits.test.x[5:6])
    tiles = panel.locator(".explorer-tile")
    assert [int(text) for text in tiles.all_inner_texts()] == indices.ravel().tolist()
    tiles.nth(2).click()
    choice = panel.locator(".explorer-palette .explorer-choice").first
    entry = int(choice.inner_text())
    choice.click()
    assert int(tiles.nth(2).inner_text()) == entry != indices.ravel()[2]
    exchanged = indices.copy()
    exchanged.ravel()[2] = entry
    shown = page.evaluate("""() => {
        const column = explorer.columns[0];
        return Array.from(column.model.decode(column.code));
    }""")
    np.testing.assert_allclose(shown, grid.decode(exchanged).ravel(), atol=3e-3)
    panel.get_by_role("button", name="as it was").click()
    assert [int(text) for text in tiles.all_inner_texts()] == indices.ravel().tolist()


def test_the_tiles_of_a_drawing_are_those_of_the_encoder(open_page: Any, grid: ist.VQVAE) -> None:
    page = open_page(grid)
    panel = open_tab(page, "grid of indices")
    draw(page, [(0.5, 0.2), (0.5, 0.8)])
    drawn = page.evaluate("() => explorer.columns[0].drawnParts.map((part) => Array.from(part))")
    tiles = panel.locator(".explorer-tile").all_inner_texts()
    assert [int(text) for text in tiles] == drawn[1]


def test_the_fine_groups_of_a_hierarchy_are_drawn_anew(
    open_page: Any, digits: ist.data.Data
) -> None:
    model = ist.NVAE(latent_dim=1, width=8, epochs=1, random_state=0).fit(digits.train.x[:100])
    page = open_page(model)
    panel = open_tab(page, "coarse and fine")
    assert "from the prior that the model has learnt" in panel.inner_text()
    panel.locator("input").fill("2")
    page.wait_for_timeout(400)
    before = np.array(page.evaluate("() => Array.from(explorer.columns[0].model.codeOf(0))"))
    panel.locator(".explorer-choice").nth(3).click()
    drawn = np.array(code_of(page))
    np.testing.assert_allclose(drawn[:2], before[:2], atol=1e-5)  # two groups of one number
    assert (np.abs(drawn[2:] - before[2:]) > 1e-4).all()


def test_a_drawn_one_is_a_one_and_a_scribble_is_no_digit(
    open_page: Any, flat: ist.Estimator, digits: ist.data.Data
) -> None:
    page = open_page(flat)
    draw(page, [(0.53, 0.2), (0.5, 0.5), (0.48, 0.8)])
    said = page.locator(".explorer-near").first.inner_text()
    near = page.locator(".explorer-near").first.locator("> figure figcaption").all_inner_texts()
    assert (near[:2], len(near)) == (["1", "1"], 5)
    assert "Like the examples" in said
    assert page.evaluate("() => explorer.columns[0].plane.drawn.spread.length") == 2
    page.get_by_role("button", name="clear").click()
    rng = np.random.default_rng(0)
    draw(page, [tuple(place) for place in 0.15 + 0.7 * rng.random((22, 2))])
    said = page.locator(".explorer-near").first.inner_text()
    assert "Not like the examples" in said
    # what the page makes of an example is what the member makes of it
    pixels = digits.test.x[3].ravel().tolist()
    code, _ = page.evaluate(
        "(x) => explorer.columns[0].model.encode(x).map((part) => Array.from(part))", pixels
    )
    np.testing.assert_allclose(code, flat.transform(digits.test.x[3:4])[0], atol=1e-2)


def test_a_finger_draws_too(
    browser: Any, flat: ist.Estimator, digits: ist.data.Data, tmp_path: Path
) -> None:
    file = ist.explore(flat, digits).save(tmp_path / "touch.html")
    page = browser.new_page(viewport={"width": 400, "height": 800}, has_touch=True)
    page.goto(file.resolve().as_uri())
    page.wait_for_function("() => window.explorer?.columns[0].took")
    pad = page.locator(".explorer-pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    touches = page.context.new_cdp_session(page)
    for kind, y in (("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.8), ("touchEnd", 0)):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + y * box["height"]}
        points = [] if kind == "touchEnd" else [place]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(100)
    assert page.evaluate("() => explorer.columns[0].plane.drawn !== null")
    assert "The training examples whose codes" in page.locator(".explorer-near").first.inner_text()
    page.close()
