"""isthmus with ``compile=True``; a round is an epoch after the one that compiles the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contestants import isthmus
from benchmarks.contestants.work import Data, Round, Rounds


def ae(data: Data) -> Rounds:
    return warm(isthmus.ae, data)


def deep_ae(data: Data) -> Rounds:
    return warm(isthmus.deep_ae, data)


def conv_vae(data: Data) -> Rounds:
    return warm(isthmus.conv_vae, data)


def warm(task: Callable[..., Rounds], data: Data) -> Rounds:
    """The second of two epochs; the error is that after one, as it is for all others."""
    settings: dict[str, Any] = {"compile": True, "whole_call": False}
    two = task(data, epochs=2, **settings)
    error = task(data, **settings)().error
    return lambda: Round(two().seconds, error)
