"""Weights from a file into a module: refused where they do not fit or are not finite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from isthmus.errors import RunError


def load_state(module: torch.nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Put weights into a module; what does not fit raises :class:`RunError` and changes nothing."""
    require_fit(module, state, source)
    module.load_state_dict(dict(state))


def require_fit(module: torch.nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Refuse weights that are no module's, which ``source`` holds.

    A weight does not fit where it is missing, foreign, misshapen, of another type, or not finite. A
    buffer may be infinite: how far training has come stands in some, and the end of it is there.
    """
    expected = module.state_dict()
    wrong = [*sorted(set(expected) - set(state)), *sorted(set(state) - set(expected))]
    if wrong:
        raise RunError(
            f"{source} does not fit the model: {wrong[0]!r} stands in only one of the two."
        )
    for name, tensor in expected.items():
        if tensor.shape != state[name].shape:
            raise RunError(
                f"{source} does not fit the model: {name!r} has the shape"
                f" {tuple(state[name].shape)}, the model wants {tuple(tensor.shape)}."
            )
        if not _is_kin(tensor.dtype, state[name].dtype):
            raise RunError(
                f"{source} does not fit the model: {name!r} holds {_short(state[name].dtype)}, the"
                f" model wants {_short(tensor.dtype)}."
            )
    learnt = {name for name, _ in module.named_parameters()}
    bad = not_finite({name: state[name] for name in expected if name in learnt})
    if bad is None:
        bad = next((name for name in expected if bool(state[name].isnan().any())), None)
    if bad is not None:
        raise RunError(
            f"{source} holds weights that are not finite ({bad!r}), with which nothing can be"
            " computed: train again, with a smaller learning_rate."
        )


def _is_kin(wanted: torch.dtype, given: torch.dtype) -> bool:
    """Whether values of one type may stand for another: floating point of any width may."""
    return wanted == given or (wanted.is_floating_point and given.is_floating_point)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of the first weight that holds NaN or infinity, or None."""
    return next((name for name, value in weights.items() if not bool(value.isfinite().all())), None)
