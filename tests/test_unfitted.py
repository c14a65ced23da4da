"""What is not fitted yet says so, whatever is asked of it; and what is no data set is refused."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import isthmus as ist

UNFITTED = {
    **{name: ist.MEMBERS[name] for name in ist.MEMBERS},
    "manifold": ist.ManifoldClustering,
    "detector": ist.OutlierDetector,
    "classifier": ist.AutoencoderClassifier,
}
# what trains, is asked of the class, or needs nothing that is learnt
_FREE = {"build", "untrained", "get_params", "get_metadata_routing", "get_feature_names_out"}


def asked(kind: type) -> list[str]:
    """The public methods of a class that need what it has learnt."""
    return [
        name
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith(("_", "fit", "partial_fit", "set_")) and name not in _FREE
    ]


def arguments(method: Any, path: Path) -> dict[str, Any]:
    """A usable value for each argument that has no default."""
    usable = {"n": 3, "height": 8, "width": 8, "path": path, "name": "user/name"}
    codes = np.zeros((3, 2), np.float32)
    needed = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
    return {p.name: usable.get(p.name, codes) for p in needed if p.name != "self"}


@pytest.mark.parametrize("name", list(UNFITTED))
def test_every_method_says_that_nothing_is_fitted(name: str, tmp_path: Path) -> None:
    model: Any = UNFITTED[name](**({"inputs": "x"} if name == "dictionary" else {}))
    for method in asked(type(model)):
        given = arguments(getattr(type(model), method), tmp_path / "it.onnx")
        with pytest.raises(NotFittedError, match=f"{type(model).__name__} instance is not fitted"):
            getattr(model, method)(**given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("draw", [ist.figures.walk, ist.figures.series_outliers, ist.evaluate])
def test_examples_alone_are_no_data_set(draw: Any) -> None:
    with pytest.raises(ist.InputError, match="data is a ndarray, but a data set with its parts"):
        draw(ist.AE(), np.zeros((3, 8)))


def test_a_member_that_is_not_fitted_is_not_measured() -> None:
    with pytest.raises(ist.InputError, match=r"AE is no trained member: call fit\(X\)"):
        ist.evaluate(ist.AE(), ist.data.load("digits"))


def test_what_is_no_window_has_no_steps() -> None:
    with pytest.raises(ist.InputError, match="cut is a ndarray, but windows are needed"):
        ist.score_steps(ist.AE(), np.zeros((20, 2)))  # type: ignore[arg-type]
