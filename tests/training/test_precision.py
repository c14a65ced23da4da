"""What float32 means while a training runs, and that nothing of it is left behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from isthmus.training.runtimes import multiplying, tuned


def asked() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("entered", [multiplying, tuned])
def test_float32_is_float32_and_tf32_is_asked_for(entered: Any) -> None:
    before = asked()
    with entered("float32"):
        assert asked() == ("highest", False)
        with entered("tf32"):
            assert asked() == ("high", True)
        assert asked() == ("highest", False)
    assert asked() == before
