"""New examples: codes drawn from a prior, and what they become."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor

from isthmus.core.counts import require_count
from isthmus.core.memory import require
from isthmus.core.randomness import own_draws
from isthmus.data.conditions import LabelCondition
from isthmus.data.tables import Table
from isthmus.errors import DataWarning, InputError
from isthmus.estimators._continuing import continued_codes
from isthmus.estimators._sizes import for_shape
from isthmus.estimators.inference import InferenceMixin
from isthmus.priors.base import Prior
from isthmus.training.settings import seed_of

_CANDIDATES = 4096  # codes among which those are chosen that agree with given cells
_BYTES = 4  # of a number in float32
_LONGEST = 2**31  # steps
_FEW = 20  # codes that must agree, or new rows would repeat each other


class SamplingMixin(InferenceMixin):
    """How a member draws new examples."""

    prior_: Prior | None

    @property
    def code_space(self) -> str:
        """Where codes live: ``"data"`` (anywhere), ``"normal"`` (around N(0, I)), ``"unit"`` or
        ``"symmetric"`` (a box), ``"positive"`` (at least 0).
        """
        return "data"

    def _normal_part(self, codes: np.ndarray) -> np.ndarray:
        """The numbers of flat codes ``(n, code)`` that a prior N(0, I) is about; all of them, but
        for members whose codes hold other things beside.
        """
        return codes

    def _prior(self, n: int, temperature: float, condition: Tensor | None = None) -> Tensor:
        """n codes drawn from the member's own prior, ``(n, *code_shape)``; ``condition`` ``(n, c)``
        matters where that prior is learnt.
        """
        if self.code_space == "normal":
            return temperature * torch.randn(n, *self.module_.bottleneck.code_shape)
        raise InputError(
            f"{type(self).__name__} has no prior over its codes, so there is nothing to sample"
            " from: call fit_prior(X) once (isthmus fit-prior RUN on the command line), then"
            " sample again."
        )

    def sample(
        self,
        n: int = 16,
        *,
        label: Any = None,
        condition: Any = None,
        temperature: float = 1.0,
        seconds: float | None = None,
        random_state: int | None = None,
    ) -> Any:
        r"""n new examples: codes drawn from the prior, decoded. The expected x is given, not a draw
        of its noise; rows of a table are draws, so that their columns vary as those of real ones.

        Under a condition that names cells of a table, such as ``{"city": "Paris"}``, codes are
        drawn from what the prior becomes once these cells are known, by importance resampling:

        .. math:: z \sim p(z \mid x_c) \propto p(z) \, p(x_c \mid z)

        Args:
            n: how many.
            label: the class to draw, or one for each example ``(n,)``, of a prior that was fitted
                with labels.
            condition: what a conditional member is told of the new examples: a label or covariates,
                one for all or one each; drawn by the shares of the training labels where it is
                None. Of any other member of a table, cells that all new rows have.
            temperature: below 1 draws closer to what is most likely, at 1 from the prior as it is.
            seconds: how long new sounds are, where examples are windows of sound: longer ones are
                drawn window by window, each of which goes on from the one before.
            random_state: the same seed gives the same samples.

        Raises:
            InputError: where the codes have no prior, or one that knows no labels; the message
                names the missing call. For columns and categories that training did not see. For
                ``seconds`` where weights depend on the length, or the prior cannot go on.
        """
        self._fitted()
        _require_draws(n, temperature)
        longer = self if seconds is None else self._lasting(seconds)
        longer._require_room(int(n))
        cells = self._cells_of(condition, label)
        known, table = self.preprocessor_.condition, self.preprocessor_.table
        with own_draws(seed_of(random_state)):
            given = None
            if known is not None:
                given = known.draw(n) if condition is None else known.transform(condition, n)
            if table is not None and cells:
                return self._rows_with(table.parsed(cells), n, table, label, temperature)
            if longer is not self:
                return longer._decoded(longer._drawn_on(n, label, given, temperature), given=given)
            return self._new_examples(n, label, given, temperature)

    def _lasting(self, seconds: float) -> SamplingMixin:
        """The same member for sounds of so many seconds; itself where these are its own."""
        spec, rate = self.preprocessor_.spec, self.preprocessor_.spec.sample_rate
        if rate is None:
            raise InputError(
                f"seconds={seconds!r} is for members of sound, but this {type(self).__name__} was"
                f" trained on {spec}: leave it out."
            )
        is_number = isinstance(seconds, float | int | np.number) and not isinstance(seconds, bool)
        if not is_number or not 0 < seconds < math.inf:
            raise InputError(f"seconds={seconds!r} is not usable: give a number above 0.")
        steps = seconds * rate
        if not 0.5 < steps < _LONGEST:
            bound = f"less than {_LONGEST / rate:.3g}" if steps > 1 else f"at least {1 / rate:.3g}"
            raise InputError(
                f"seconds={seconds!r} is {'too long' if steps > 1 else 'shorter than one step'} at"
                f" {rate} Hz: give {bound}."
            )
        return self.for_length(round(steps))

    def for_length(self, steps: int) -> Self:
        """The same trained member, the same weights, for signals of ``steps`` steps.

        A member that only convolves, with a code on a grid, can be trained on windows and used on
        whole recordings, without borders between windows.

        Raises:
            InputError: where the weights depend on the length, and for what is no signal.
        """
        self._fitted()
        require_count("steps", steps)
        outer = self.preprocessor_.layout.outer
        member: Self = for_shape(cast("Any", self), (*outer[:-1], int(steps)))
        return member

    def _drawn_on(self, n: int, label: Any, given: Tensor | None, temperature: float) -> Tensor:
        """n codes for another length than that which the fitted prior knows."""
        if self.prior_ is None:
            return self._new_codes(n, label, given, temperature)
        label = self._label_of(self.prior_, label, given)
        return continued_codes(self.prior_, self._levels, n, label, temperature)

    def _cells_of(self, condition: Any, label: Any) -> Mapping[str, Any] | None:
        """The cells of a table that a condition names, if any; what the member is never told, or
        told in another way, is refused.
        """
        known = self.preprocessor_.condition
        cells = condition if isinstance(condition, Mapping) else None
        if cells is not None and known is not None:
            kind = "its label" if isinstance(known, LabelCondition) else "its covariates"
            raise InputError(
                f"condition={condition!r} names columns, but this {type(self).__name__} is told"
                f" {kind} of each example: pass those, or train without condition=."
            )
        if cells is not None and self.preprocessor_.table is None:
            raise InputError(
                f"condition={condition!r} names columns, but this {type(self).__name__} was not"
                " trained on a table: leave it out."
            )
        if known is None and condition is not None and cells is None:
            raise self._unconditional(condition)
        if label is not None and isinstance(known, LabelCondition):
            raise InputError(
                f"label={label!r} is for priors that know labels; this {type(self).__name__} is"
                f" told the class itself: pass condition={label!r}."
            )
        return cells

    def _rows_with(
        self, cells: Mapping[str, Any], n: int, table: Table, label: Any, temperature: float
    ) -> Any:
        """n rows of a table that all have some cells."""
        rows = self._decoded(self._agreeing(n, cells, table, label, temperature), drawn=True)
        for name, value in cells.items():
            rows[name] = np.full(n, value, dtype=object)
            rows[name] = rows[name].astype(table.dtype_of(name))
        return rows

    def _require_room(self, n: int) -> None:
        """Refuse n examples that the memory cannot hold, with their codes."""
        layout = self.preprocessor_.layout
        each = (
            math.prod(self.module_.bottleneck.code_shape)
            + math.prod(layout.shape)
            + math.prod(layout.outer)
        )
        require(n * each * _BYTES, f"n={n:,} examples", "draw fewer at a time")

    def _new_examples(self, n: int, label: Any, given: Tensor | None, temperature: float) -> Any:
        """n new examples: codes from the prior, decoded."""
        codes = self._new_codes(n, label, given, temperature)
        is_drawn = self.preprocessor_.table is not None
        return self._decoded(codes, given=given, drawn=is_drawn)

    def _new_codes(self, n: int, label: Any, given: Tensor | None, temperature: float) -> Tensor:
        """n codes from the fitted prior, or from the member's own."""
        if self.prior_ is not None:
            return self._drawn_codes(self.prior_, n, label, given, temperature)
        if label is None:
            return self._prior(n, temperature, given)
        raise InputError(
            f"label={label!r} needs a prior that knows labels: call fit_prior(X, y) once"
            " (isthmus fit-prior RUN on the command line), then sample again."
        )

    def _drawn_codes(
        self, prior: Prior, n: int, label: Any, given: Tensor | None, temperature: float
    ) -> Tensor:
        """Codes of a fitted prior: of a label, or of those that a condition says."""
        label = self._label_of(prior, label, given)
        return prior.sample(n, label=label, temperature=temperature)

    def _label_of(self, prior: Prior, label: Any, given: Tensor | None) -> Any:
        """The label that a prior is asked for: the one that was said, or that a condition says."""
        known = self.preprocessor_.condition
        if given is not None and isinstance(known, LabelCondition) and prior.classes_ is not None:
            return [known.labels.names[place] for place in given.argmax(1).tolist()]
        return label

    def _agreeing(
        self, n: int, cells: Mapping[str, Any], table: Table, label: Any, temperature: float
    ) -> Tensor:
        """n codes whose rows would have some cells, drawn among many by how likely these are."""
        numbers = self.preprocessor_.scaling.transform(table.partial(cells))
        count = max(_CANDIDATES, 4 * n)
        codes = self._new_codes(count, label, None, temperature)
        x = torch.from_numpy(numbers)  # (1, values)
        with self._inference() as module:
            x, mask = x.nan_to_num().to(self._device), ~x.isnan().to(self._device)
            costs = torch.cat(
                [
                    module.likelihood.nll(
                        module.parameters_at(chunk.to(self._device)),
                        x.expand(len(chunk), -1),
                        mask.expand(len(chunk), -1),
                    ).cpu()
                    for chunk in codes.split(_CANDIDATES)
                ]
            )
        weights = (-costs.double()).softmax(0)
        agreeing = float(1 / weights.square().sum())
        if agreeing < min(_FEW, n):
            warnings.warn(
                f"condition={dict(cells)!r}: only about {agreeing:.0f} of {count:,} codes from the"
                " prior agree with it, so that new rows repeat each other: train on more rows like"
                " it, or leave a column out.",
                DataWarning,
                stacklevel=5,
            )
        return codes[torch.multinomial(weights, n, replacement=True)]


def _require_draws(n: Any, temperature: Any) -> None:
    numbers = isinstance(n, int | np.integer) and isinstance(temperature, float | int | np.number)
    if not numbers or isinstance(n, bool) or n < 1 or not 0 <= temperature < math.inf:
        raise InputError(
            f"n={n!r}, temperature={temperature!r}: give at least 1 example and a temperature of at"
            " least 0."
        )
