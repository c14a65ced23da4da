"""Members whose reconstructions are judged by more than a likelihood."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from isthmus.core.autoencoder import LossFunction
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import slot
from isthmus.core.parts import part_of
from isthmus.data.datasets import Part
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators._training import TrainingMixin
from isthmus.estimators.classifier import AutoencoderClassifier
from isthmus.judges import Judge
from isthmus.registry import JUDGES, MEMBERS
from isthmus.training.runtimes import Runtime

_CODE = 64  # of the autoencoder below the classifier
_PREFIX = "loss_function.perception.encoder."
_SHARED = ("likelihood", "kind", "scaling", "image_shape", "device", "verbose")


@dataclass(repr=False, eq=False, kw_only=True)
class Judged(TrainingMixin, ABC):
    """The slot of members that a judge may be added to."""

    judge: str | Judge | None = slot(
        None,
        JUDGES,
        "who judges reconstructions beside the likelihood: the features of a classifier"
        " (perceptual), an adversary that looks at patches (patch), or both (vqgan)",
    )

    @property
    def warm_epoch(self) -> float:
        part = self._judge
        return super().warm_epoch if part is None else max(super().warm_epoch, part.start_epoch)

    @property
    def _is_moving(self) -> bool:
        return super()._is_moving or (self._judge is not None and self._judge.is_adversary)

    @property
    def _judge(self) -> Judge | None:
        return None if self.judge is None else part_of(self.judge, JUDGES)

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        part, inner = self._judge, super()._loss_function(spec)
        if part is None:
            return inner
        if (refusal := part.accepts(spec)) is not None:
            raise InputError(f"judge={self.judge!r} {refusal}.")
        return self._initialised(part.build(spec, inner))

    def _start(self, X: Any, y: Any, runtime: Runtime, seed: int) -> Mapping[str, Tensor]:
        """The features of a classifier that has learnt from the labels of the examples."""
        part = self._judge
        if part is None or part.classifier_network is None:
            return super()._start(X, y, runtime, seed)
        labels = X.y if y is None and isinstance(X, Part) else y
        if labels is None:
            raise InputError(
                f"judge={self.judge!r} looks through the eyes of a classifier, which learns from"
                " labels, but there are none: give y, or data that have labels, or take"
                " judge='patch'."
            )
        below = MEMBERS["ae"](
            latent_dim=_CODE,
            network=part.classifier_network,
            epochs=1,
            batch_size=self.batch_size,
            random_state=seed,
            channels=self._colours,
            **{name: getattr(self, name) for name in _SHARED},
        )
        classifier = AutoencoderClassifier(
            below,
            epochs=part.classifier_epochs,
            batch_size=self.batch_size,
            random_state=seed,
            device=self.device,
            verbose=self.verbose,
        ).fit(incoming(X), labels, runtime=runtime)
        weights = classifier.module_.encoder.state_dict()
        return {_PREFIX + name: value for name, value in weights.items()}
