"""The page of speeds shows what was measured, and judges it rightly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import speed_page
from benchmarks.contestants import floor, isthmus, work
from benchmarks.speed import OURS
from benchmarks.speed_page import GOALS, PAGE, TASKS, Goal, filled, is_off, ratio, read, table


def test_the_page_is_made_of_the_lines_that_are_kept() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, read()) == page


def test_every_line_belongs_to_a_task_and_every_task_has_a_place_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(read()) <= set(TASKS)
    assert all(f"<!-- {name} -->" in page for name in TASKS)


def test_a_ratio_is_taken_round_by_round() -> None:
    # A machine that is twice as slow in one round leaves the ratio as it is.
    results = {"floor": {"seconds": [1.0, 2.0, 1.0]}, "isthmus": {"seconds": [1.5, 3.0, 1.5]}}
    assert ratio(results, "isthmus", "floor") == 1.5


def test_another_error_is_marked_and_not_ranked() -> None:
    results = {
        "floor": {"seconds": [1.0]},
        "isthmus": {"seconds": [1.5], "error": 0.0100},
        "keras": {"seconds": [1.2], "error": 0.0110},
        "pythae": {"seconds": [3.0], "error": 0.0103},
    }
    assert is_off(results, "keras")
    assert not is_off(results, "pythae")
    assert speed_page._best_peer("ae")(results) == 2.0
    assert not is_off(results, "keras", 0.15)
    assert "Keras ¹" in table({"task": "ae", "results": results})


def test_a_goal_says_whether_it_holds_and_where_nothing_was_measured() -> None:
    goal = Goal("ae", "fast", lambda results: results["isthmus"]["seconds"][0], 2.0)
    line = {"task": "ae", "results": {"isthmus": {"seconds": [1.5]}}}
    assert goal.row({"ae": line}) == ["fast", "1.50×", "holds"]
    assert goal.row({"ae": {**line, "results": {"isthmus": {"seconds": [2.5]}}}}) == [
        "fast",
        "2.50×",
        "falls short",
    ]
    assert goal.row({"ae": {**line, "results": {}}}) == ["fast", "not measured", ""]


def test_every_goal_speaks_of_a_task() -> None:
    assert {goal.task for goal in GOALS} <= set(TASKS)


@pytest.mark.parametrize(
    "task", [task for task in TASKS.values() if task.contestants], ids=lambda task: task.name
)
def test_every_contestant_of_a_task_has_its_function(task: speed_page.Task) -> None:
    folder = Path(work.__file__).parent
    for name in task.contestants:
        assert f"def {task.name.replace('-', '_')}(" in (folder / f"{name}.py").read_text(
            encoding="utf-8"
        )
    assert {"isthmus", "floor"} <= set(OURS) & set(task.contestants)


def test_a_round_measures_time_and_the_error_on_the_test_examples(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = work.Data(tmp_path)
    for name, count in (("train", 300), ("test", 40)):
        np.save(
            tmp_path / f"{name}.npy", rng.integers(0, 256, (count, work.PIXELS), dtype=np.uint8)
        )
    ours, bare = isthmus.ae(data)(), floor.dense(work.AE, work.AE_BATCH, 300, update=True)()
    assert ours.seconds > 0 < bare.seconds
    # nothing is learnt of uniform noise but its mean
    assert ours.error == pytest.approx(1 / 12, rel=0.1)


def test_all_contestants_start_from_the_same_weights() -> None:
    x = np.random.default_rng(0).integers(0, 256, (100, 20), dtype=np.uint8)
    (first, _), *_, (_, last) = work.start((20, 8, 2), x)
    assert first.shape == (20, 8)
    assert np.abs(first).max() <= np.sqrt(6 / 28)
    assert np.allclose(1 / (1 + np.exp(-last)), x.mean(0) / 255, atol=1e-3)
