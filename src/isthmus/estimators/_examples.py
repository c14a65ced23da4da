"""From what is handed to ``fit`` to the examples that a member trains on."""

from __future__ import annotations

from abc import ABC
from dataclasses import replace
from typing import Any

from torch import Tensor

from isthmus.data._series_rows import check_rows
from isthmus.data._splitting import held_out_rows
from isthmus.data.conditions import fit_condition
from isthmus.data.datasets import Part
from isthmus.data.examples import Examples
from isthmus.data.incoming import incoming
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.series import Cut
from isthmus.data.settling import fit_preprocessor
from isthmus.data.sounds import Sounds
from isthmus.data.stores import Store
from isthmus.errors import InputError
from isthmus.estimators.building import BuildingMixin
from isthmus.estimators.inference import InferenceMixin, has_labels


class ExamplesMixin(BuildingMixin, InferenceMixin, ABC):
    """How kind, layout, scaling and condition are settled, and what is set aside to be measured."""

    def _open(self, X: Any, y: Any) -> tuple[Preprocessor, Store]:
        """What stands between data and module, settled by the training examples, and those as they
        are inside, ``(n, *shape)``.
        """
        check_rows(X.x if isinstance(X, Part) else X, self._kind(1, X))
        x = self._array(X, reset=True)
        preprocessor, inside = fit_preprocessor(
            x,
            scaling=self.scaling,
            likelihood=self._chosen_likelihood,
            channels=self._colours,
            image_shape=self.image_shape,
            kind=self._kind(x.ndim - 1, X),
            columns=self.columns,
            table_scaling=self.table_scaling,
            vector_scaling=self.vector_scaling,
            as_probabilities=self.binarize == "dynamic",
            sample_rate=X.sample_rate if isinstance(X, Sounds) else None,
        )
        if isinstance(X, Cut):
            preprocessor = replace(preprocessor, stride=X.stride, channel_names=X.channel_names)
        if self.binarize == "dynamic" and not preprocessor.spec.unit_range:
            raise InputError(
                "binarize='dynamic' reads values as probabilities, but X is not in [0, 1]: pass"
                " scaling='minmax' if its values can be read so, else binarize='none'."
            )
        if (wanted := getattr(self, "condition", "none")) != "none":
            settled = fit_condition(
                wanted, X.labels if y is None and has_labels(X) else y, len(inside)
            )
            preprocessor = replace(preprocessor, condition=settled)
        return preprocessor, inside

    def _known(self, preprocessor: Preprocessor, X: Any, y: Any, n: int) -> Tensor | None:
        """What is known beside each of n examples, as numbers ``(n, c)``."""
        if preprocessor.condition is None:
            return None
        return preprocessor.condition.transform(X.labels if y is None and has_labels(X) else y, n)

    def _transformed(self, preprocessor: Preprocessor, examples: Any) -> Examples | None:
        """Examples beside the training ones, as they are inside: an array, a part of a data set, or
        a pair with y.
        """
        if examples is None:
            return None
        is_pair = isinstance(examples, tuple) and len(examples) == 2
        X, y = examples if is_pair else (examples, None)
        X = incoming(X, "validation_data or probes")
        if preprocessor.condition is not None and y is None and not has_labels(X):
            raise InputError(
                "a conditional member must know the y of validation_data and probes too: give a"
                " pair (X, y), or a part of a data set that has labels."
            )
        inside = preprocessor.transform(self._array(X, settled=preprocessor))
        return Examples(inside, self._known(preprocessor, X, y, len(inside)))

    def _hold_out(self, train: Examples, seed: int) -> tuple[Examples, Examples | None]:
        """Training examples, and those that are measured after every epoch."""
        if self.validation > 0:
            kept, held_out = held_out_rows(train.x, self.validation, seed)
            parts = train.take(kept), train.take(held_out)
            if any(part.weight is not None and not part.weight.any() for part in parts):
                raise InputError(
                    f"validation={self.validation:g} leaves a part whose examples all have weight"
                    " 0: give more of them a weight, or pass validation_data."
                )
            return parts
        if self.patience is not None:
            raise InputError(
                f"patience={self.patience} needs examples to measure: pass validation=0.1, or"
                " validation_data."
            )
        return train, None
