"""A trained member for examples of another size, where its weights do not depend on the size."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from isthmus.core import allocations
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.randomness import own_draws
from isthmus.data._layout import Layout
from isthmus.data._sequences import is_ragged
from isthmus.data.datasets import Part
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.estimators.building import BuildingMixin
from isthmus.estimators.inference import InferenceMixin


class Fitted(InferenceMixin, BuildingMixin):
    """A member that is trained, and that can be built anew."""


Member = TypeVar("Member", bound=Fitted)


def for_shape(member: Member, outer: Shape) -> Member:
    """The same trained member, the same weights, for examples of shape ``outer`` as handed in.

    Raises:
        InputError: where the channels differ, and where weights depend on the size.
    """
    known = member.preprocessor_
    if outer == known.layout.outer:
        return member
    spec, layout = _resized(known, outer)
    other = copy.copy(member)
    other.preprocessor_ = replace(known, spec=spec, layout=layout, blank=None)
    state = member.module_.state_dict()
    with own_draws(0):  # the weights that it starts with are replaced
        module = member._build_for(other.preprocessor_, allocations.for_training(lambda: "it"))
    shapes = {name: value.shape for name, value in module.state_dict().items()}
    if shapes != {name: value.shape for name, value in state.items()}:
        raise InputError(
            f"X has examples of shape {outer}, but the weights of this {type(member).__name__} are"
            f" for {known.layout.outer} alone: bring them into that shape, or train"
            f" {_remedy(spec)}."
        )
    module.to(member._device).load_state_dict(state, assign=True)
    other.module_ = module.eval().requires_grad_(False)
    return other


def _remedy(spec: ExampleSpec) -> str:
    """A member whose weights do not depend on the size of such examples."""
    if spec.kind == "signal":
        return "'vqvae', which only convolves, or a member with code='map'"
    return "'hyperprior' with a network that only convolves, such as 'gdn'"


def shape_given(X: Any) -> Shape:
    """The shape of one example of an array or of a part of a data set; () of anything else."""
    x: Any = X.x if isinstance(X, Part) else X
    if isinstance(x, list | tuple) and not is_ragged(x):
        x = np.asarray(x)
    return tuple(getattr(x, "shape", ())[1:])


def _resized(known: Preprocessor, outer: Shape) -> tuple[ExampleSpec, Layout]:
    """What an example of another size is, outside and inside."""
    layout, spec = known.layout, known.spec
    shape = {
        "first": outer,
        "last": (*outer[-1:], *outer[:-1]),
        "none": (1, *outer),
        "flat": outer if spec.kind == "signal" and len(layout.outer) == 2 else (1, *outer),
    }.get(layout.channels, outer)
    fits = len(outer) == len(layout.outer) and len(shape) == len(spec.shape)
    if not fits or spec.kind not in ("image", "signal") or shape[0] != spec.shape[0]:
        raise InputError(
            f"X has examples of shape {outer}, but the model was trained on {layout.outer}, read as"
            f" {spec}: bring them into that shape, of any size."
        )
    return replace(spec, shape=shape), Layout(outer, shape, layout.channels)
