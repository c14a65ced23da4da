"""Members that may start from an autoencoder that is trained already, in place of pretraining."""

from __future__ import annotations

import copy
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from isthmus.core import fields
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.digests import of_values
from isthmus.core.fields import field
from isthmus.core.parts import plain_values
from isthmus.data.batches import StoreBatches
from isthmus.data.examples import Examples
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.stores import Store
from isthmus.errors import InputError
from isthmus.estimators._earlier import Earlier
from isthmus.estimators.base import Estimator
from isthmus.io.runs import load_run
from isthmus.models.ae import DeterministicBottleneck
from isthmus.registry import MEMBERS
from isthmus.training.runtimes import Runtime

_OF_NETWORKS = ("hidden", "network", "activation", "encoder", "decoder", "likelihood", "hide")
_OF_DATA = ("kind", "scaling", "columns", "channels", "image_shape")
_CODE = "bottleneck.project."


@dataclass(repr=False, eq=False, kw_only=True)
class Started(Estimator, ABC):
    """The field of members that a trained autoencoder may be given to.

    Its scaling of the data is taken with its weights.
    """

    start: Estimator | str | None = field(
        None,
        "a trained autoencoder with the same networks to start from, in place of pretraining: the"
        " member itself, or where its run lies",
    )

    @classmethod
    def starting_from(cls, member: Estimator, **settings: Any) -> Self:
        """A member with the networks of a trained autoencoder, which it starts from at ``fit``.

        Args:
            member: an AE, or another member whose code is a linear map of features.
            settings: other fields, such as ``n_clusters`` and ``epochs``.
        """
        same = {name: getattr(member, name) for name in _OF_NETWORKS}
        size = starting_bottleneck(member).code_shape[0]
        return cls(**{**same, "latent_dim": size, "start": member, **settings})

    def __sklearn_clone__(self) -> Self:
        """A copy without what was learnt, but with the trained member that it starts from."""
        bare = copy.copy(self)
        bare.__dict__["start"] = None  # scikit-learn would take away what that member has learnt
        copied: Self = super(Started, bare).__sklearn_clone__()
        copied.start = self.start
        return copied

    @property
    def _begins_anew(self) -> bool:
        """Whether the networks are not trained yet."""
        return self.start is None

    def _open(self, X: Any, y: Any) -> tuple[Preprocessor, Store]:
        """Layout and scaling are those of the member that it starts from, where there is one."""
        if self._begins_anew:
            return super()._open(X, y)
        known = self._trained().preprocessor_
        return known, known.transform(self._array(X, reset=True))

    def _settle(self, module: Autoencoder, batches: StoreBatches) -> None:
        """Likelihood and output are trained already, where it starts from a member."""
        if self._begins_anew:
            super()._settle(module, batches)

    def _start(self, X: Any, y: Any, runtime: Runtime, seed: int) -> Mapping[str, Tensor]:
        """The weights of the member that it starts from, by their names in the module."""
        if self._begins_anew:
            return super()._start(X, y, runtime, seed)
        member = self._trained()
        self._require_same(member)
        return {
            name.replace(_CODE, self._code_weights, 1) if name.startswith(_CODE) else name: value
            for name, value in member.module_.state_dict().items()
        }

    @property
    def _code_weights(self) -> str:
        """What the names of the weights from features to codes begin with in the module."""
        return "bottleneck.inner.project."

    def _trained(self) -> Estimator:
        """The member that it starts from."""
        given = self.start
        if isinstance(given, str) and _is_class(given):
            raise InputError(
                f"this {type(self).__name__} started from a trained {given} that was in memory,"
                " which its run does not hold: set start to that member or to its run, or to None"
                " for a pretraining of its own."
            )
        member = load_run(given, device=self.device) if isinstance(given, str) else given
        if not isinstance(member, Estimator):
            raise InputError(
                f"start={given!r} is no autoencoder: give a trained member such as ist.AE(), or"
                " where its run lies."
            )
        if not hasattr(member, "module_"):
            raise InputError(
                f"start={type(member).__name__}(…) is not trained: call its fit first, or leave"
                " start out."
            )
        starting_bottleneck(member)
        return member

    def _require_same(self, member: Estimator) -> None:
        """Refuse networks that are others than those of the member that it starts from."""
        own, given = ({"condition": "none", **plain_values(each)} for each in (self, member))
        own["latent_dim"], given["latent_dim"] = (
            self._code_size,
            starting_bottleneck(member).code_shape[0],
        )
        other = [
            name for name in ("latent_dim", "condition", *_OF_NETWORKS) if own[name] != given[name]
        ]
        declared = fields.declared(type(self))
        other += [
            name
            for name in _OF_DATA
            if own[name] not in (declared[name].default, given.get(name, own[name]))
        ]
        if other:
            wanted = ", ".join(f"{name}={_written(given[name])}" for name in other)
            raise InputError(
                f"start is trained with {wanted}, but this {type(self).__name__} has"
                f" {other[0]}={_written(own[other[0]])}: pass the same, or make it by"
                f" {type(self).__name__}.starting_from(member)."
            )

    def _identity(
        self, train: Examples, measured: Examples | None, earlier: Earlier | None
    ) -> dict[str, Any]:
        found = super()._identity(train, measured, earlier)
        if self._begins_anew or earlier is not None:  # what goes on starts from its own weights
            return found
        weights = self._trained().module_.state_dict().values()
        return {**found, "start": of_values(value.detach().cpu().numpy() for value in weights)}


def starting_bottleneck(member: Estimator) -> DeterministicBottleneck:
    """The bottleneck of a member that others may start from: a linear map from features to codes.

    Raises:
        InputError: where the code is made in another way.
    """
    bottleneck = member._fitted().bottleneck
    is_linear = getattr(member, "code_activation", "linear") == "linear"
    if (
        not isinstance(bottleneck, DeterministicBottleneck)
        or len(bottleneck.code_shape) != 1
        or not is_linear
        or getattr(member, "tied", False)
    ):
        raise InputError(
            f"start={type(member).__name__}(…) has no code that is a linear map of features, with a"
            " decoder of its own: give an AE, a DenoisingAE or a StackedAE with a linear code."
        )
    return bottleneck


def _is_class(start: str) -> bool:
    """Whether a text is what a run says of a member in memory, and names no run."""
    return any(start == cls.__name__ for cls in MEMBERS.values()) and not Path(start).exists()


def _written(value: Any) -> str:
    """A value of a field as one writes it."""
    return repr(tuple(value) if isinstance(value, list) else value)
