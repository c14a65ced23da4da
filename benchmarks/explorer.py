"""How long a move of the pointer takes in the explorer, and how many frames a second it plays.

    python -m benchmarks.explorer pretrained:course-vae mnist

The page is opened in Chromium without a graphics card, at 1366 × 900; the pointer is moved 120
times over the plane, and the training is played, where its moments were kept. One line of JSON is
printed and kept in ``benchmarks/results/explorer.jsonl``.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import isthmus as ist
from isthmus.explorer._given import DOTS

RESULTS = Path(__file__).parent / "results" / "explorer.jsonl"
MOVES = 120


FRAMES = """() => new Promise((done) => {  // the milliseconds between frames while it plays
    const times = [];
    const play = document.querySelector(".explorer-play");
    if (!play) return done([]);
    const next = (time) => {
        times.push(time);
        if (times.length < 240 && play.textContent === "Pause") requestAnimationFrame(next);
        else done(times.slice(1).map((time, i) => time - times[i]));
    };
    play.click();
    requestAnimationFrame(next);
})"""


def measured(page: Path) -> tuple[list[float], list[float]]:
    """Milliseconds of each move, and between frames."""
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1366, "height": 900})
        tab.goto(page.resolve().as_uri())
        tab.wait_for_function("() => window.explorer?.columns?.[0].took")
        box = tab.locator(".explorer-plane").first.bounding_box()
        assert box is not None
        found = []
        for turn in np.linspace(0, 2 * np.pi, MOVES):
            x, y = 0.5 + 0.4 * np.sin(turn), 0.5 + 0.4 * np.cos(turn)
            tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            tab.wait_for_timeout(20)
            found.append(float(tab.evaluate("() => explorer.columns[0].took")))
        tab.wait_for_timeout(4000)  # until the maps are there
        frames = [float(gap) for gap in tab.evaluate(FRAMES)]
        browser.close()
    return found, frames


def main(run: str, source: str) -> None:
    """Measure one model, and keep the line."""
    data = ist.data.load(source)
    with tempfile.TemporaryDirectory() as folder:
        page = ist.explore(ist.load(run), data).save(Path(folder) / "explorer.html")
        (found, frames), size = measured(page), page.stat().st_size
    row = {
        "run": run,
        "examples": min(len(data.test), DOTS),
        "bytes": size,
        "median_ms": round(float(np.median(found)), 2),
        "most_ms": round(max(found), 2),
        "moves": MOVES,
        "frames_per_second": round(1000 / float(np.mean(frames)), 1) if frames else None,
        "isthmus": ist.__version__,
        "machine": platform.machine(),
    }
    line = json.dumps(row)
    print(line)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
