"""From the fields of a member to its torch module: its parts, put together."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from isthmus.core import allocations, fields
from isthmus.core.allocations import Allocations
from isthmus.core.autoencoder import Autoencoder, Bottleneck, LossFunction, single_sample
from isthmus.core.conditioning import ConditionShift, conditioned_shape
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.hiding import GapEncoder, Hiding, with_mask
from isthmus.core.objectives import Stage
from isthmus.core.parts import Configurable, part_of
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import InputError
from isthmus.estimators.settings import Settings
from isthmus.likelihoods import Likelihood, LikelihoodPart
from isthmus.networks import Initialization, choose
from isthmus.networks._own import own_decoder, own_encoder
from isthmus.networks.base import Features, Network
from isthmus.networks.initialization import Module
from isthmus.registry import INITIALIZATIONS, LIKELIHOODS

_HIDDEN = 0.3  # of the values, where the data decide: it served at 10% and at 30% missing
_GAPS = 0.01  # the share of missing values from which on they matter
_WIDEST = 16  # code of a table
_STEPS = 2000  # of training on a table, at the least


class BuildingMixin(Settings, Configurable, ABC):
    """How a member becomes a module; what members exchange, they override here."""

    unbounded_likelihood: ClassVar[str] = "mse"
    """The likelihood that ``"auto"`` takes for data outside [0, 1]."""
    table_scaling: ClassVar[str] = "standard"
    """The scaling that ``"auto"`` takes for the numbers of a table."""
    vector_scaling: ClassVar[str] = "standard"
    """The scaling that ``"auto"`` takes for rows of numbers that are not pixels."""
    hides_gaps: ClassVar[bool] = True
    """Whether values are hidden in training where the data have gaps and the user says nothing."""
    takes_networks: ClassVar[bool] = True
    """Whether networks of the user's own may stand in place of ours."""
    grid_network: ClassVar[str | None] = None
    """The network that ``"auto"`` takes for images and signals; None lets it choose by the size."""

    def build(
        self, shape: Shape | ExampleSpec, *, unit_range: bool = True, condition_size: int = 0
    ) -> Autoencoder:
        """The torch module for examples of ``shape``, untrained: (channels, height, width) or
        (columns,), or the whole of what an example is.

        ``unit_range`` says of a shape whether the data lie in [0, 1], which decides what ``"auto"``
        stands for; an ``ExampleSpec`` says so itself. ``condition_size`` is how many numbers a
        conditional member is told of each example.
        """
        with allocations.for_training(lambda: allocations.asked_by(self)):
            return self._module(shape, unit_range, condition_size)

    def _module(
        self, shape: Shape | ExampleSpec, unit_range: bool = True, condition_size: int = 0
    ) -> Autoencoder:
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        self._require_meaning()
        spec = (
            shape
            if isinstance(shape, ExampleSpec)
            else ExampleSpec.of(shape, "intensity" if unit_range else "real")
        )
        return self._suited(spec)._built(spec, condition_size)

    def _require_meaning(self) -> None:
        """Refuse settings that mean nothing beside the others."""
        if not isinstance(self.channels, str) and getattr(self, "code", "vector") != "map":
            has_maps = hasattr(self, "code")
            remedy = "pass code='map'" if has_maps else "take an AE or a VAE with code='map'"
            raise InputError(
                f"channels={self.channels} are those of a code that is a map, but that of"
                f" {type(self).__name__} is none: {remedy}, or say by 'first' or 'last' where the"
                " colours of X are."
            )

    def _built(self, spec: ExampleSpec, condition_size: int) -> Autoencoder:
        likelihood = self._likelihood(spec).build(spec)
        parameters = likelihood.parameter_shape(spec.shape)
        hiding = self._hiding(spec)
        features = self._encoder(spec, is_told=hiding is not None)
        bottleneck = self._initialised(self._bottleneck(features.shape))
        passed, conditioning = bottleneck.passed_shape, None
        if condition_size:
            passed = conditioned_shape(passed, condition_size)
            conditioning = ConditionShift(condition_size, spec.shape)
            bottleneck.add_condition(condition_size)
        decoder = self._decoder(spec, passed, parameters)
        module = self._assembled(features.encoder, bottleneck, decoder, likelihood)
        module.conditioning, module.hiding = conditioning, hiding
        module.corruption = self._corruption(spec)
        module.loss_function = self._loss_function(spec)
        return module

    def _suited(self, spec: ExampleSpec, count: int | None = None) -> Self:
        """This member with the size of the code and the epochs that such examples, so many, suggest
        where nobody has said them.

        Rows of a table are often few, and a code of two numbers does not tell how many columns
        depend on each other. Where values are hidden nothing can be copied, and the code is wide.
        """
        dim, epochs = self._code_size, self._epochs
        if spec.columns is not None and self.latent_dim is None:
            half = max(dim, math.ceil(len(spec.columns) / 2))
            dim = _WIDEST if self._hidden_share(spec) > 0 else min(half, _WIDEST)
        if spec.columns is not None and self.epochs is None and count is not None:
            epochs = max(epochs, math.ceil(_STEPS / math.ceil(count / self.batch_size)))
        return self._with(latent_dim=dim, epochs=epochs)

    def _with(self, **values: Any) -> Self:
        """The same member with other settings, beside this one."""
        other = copy.copy(self)
        for name, value in values.items():
            setattr(other, name, value)
        return other

    @abstractmethod
    def _bottleneck(self, features: Shape) -> Bottleneck:
        """The member's own bottleneck, for features of a shape."""

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        """The parts put together; a member that charges otherwise says so here."""
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _corruption(self, spec: ExampleSpec) -> Callable[[Tensor], Tensor] | None:
        """What is done to examples before the encoder sees them in training; None for nothing."""
        return None

    @property
    def _batch_estimate(self) -> str | None:
        """What of the objective is estimated from the examples of a batch together, so that a
        single one says nothing of it; None where each stands for itself.
        """
        return None

    def _require_examples(self, n: int, measured: int | None, *, is_first: bool) -> None:
        """Refuse to train on n examples, or to measure on some, where they are too few for what is
        estimated of them; ``is_first`` where nothing was trained before.
        """
        if (wanted := self._batch_estimate) is None:
            return
        for size, given in (
            (self.batch_size, f"batch_size={self.batch_size}"),
            (n, f"X with {n} example"),
            (2 if measured is None else measured, f"validation_data with {measured} example"),
        ):
            if size < 2:
                raise InputError(
                    f"{type(self).__name__} estimates {wanted}, of which {given} says nothing: give"
                    " at least 2; a hundred or more are better."
                )

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        """How distortion and code make a cost; a member with a bound or a judge of its own says so
        here.
        """
        return single_sample

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        """The parts of training; a member that pretrains, or that must look at the data first, says
        so here.
        """
        return [Stage(self._epochs, module.objectives())]

    def _likelihood(self, spec: ExampleSpec) -> LikelihoodPart:
        """The likelihood that was asked for, or that such examples suggest."""
        chosen = self.likelihood
        if chosen == "auto":
            chosen = self._fitting_likelihood(spec)
        part: LikelihoodPart = part_of(chosen, LIKELIHOODS)
        return part

    def _fitting_likelihood(self, spec: ExampleSpec) -> str:
        """The likelihood that ``"auto"`` stands for: values in [0, 1] are probabilities where they
        are 0 and 1 alone, or intensities; the columns of a min-max-scaled table are not.
        """
        if spec.columns is not None:
            return "columns"
        is_probability = spec.support in ("binary", "intensity")
        return "bernoulli" if is_probability else self.unbounded_likelihood

    @property
    def _chosen_likelihood(self) -> LikelihoodPart | None:
        """The likelihood that was asked for; None where the data decide."""
        return None if self.likelihood == "auto" else part_of(self.likelihood, LIKELIHOODS)

    def _initialised(self, module: Module) -> Module:
        rule: Initialization = part_of(self.initialization, INITIALIZATIONS)
        return rule.apply(module)

    def _network(self, spec: ExampleSpec) -> Network:
        return choose(self.network, spec, self.hidden, self.activation, self._grid_network)

    @property
    def _grid_network(self) -> str | None:
        """The network that ``"auto"`` takes for images and signals, by what the code is."""
        return self.grid_network

    def _hiding(self, spec: ExampleSpec) -> Hiding | None:
        """What is hidden from the encoder in training, as asked for, or because values lack."""
        if self.hide and spec.has_time:
            raise InputError(
                f"hide={self.hide:g} hides values, but X is read as {spec}, of which steps are"
                " missing: leave it out."
            )
        share = self._hidden_share(spec)
        return Hiding(share, spec) if share > 0 else None

    def _hidden_share(self, spec: ExampleSpec) -> float:
        """The share of the values that is hidden, as asked for, or because values lack."""
        if self.hide is not None:
            return self.hide
        is_told = self.hides_gaps and self.encoder is None
        return _HIDDEN if is_told and spec.missing >= _GAPS else 0.0

    def _encoder(self, spec: ExampleSpec, is_told: bool = False) -> Features:
        """What reads examples; ``is_told`` which values were observed, but for the user's own."""
        if self.encoder is not None:
            return own_encoder(self.encoder, spec.shape)
        seen = replace(spec, shape=with_mask(spec.shape)) if is_told else spec
        features = self._network(spec).encoder(seen)
        encoder = self._initialised(features.encoder)
        return Features(GapEncoder(encoder) if is_told else encoder, features.shape)

    def _decoder(self, spec: ExampleSpec, code_shape: Shape, parameters: Shape) -> nn.Module:
        """What turns codes into parameters, by the network that reads such examples."""
        if self.decoder is None:
            said = replace(spec, shape=parameters)
            return self._initialised(self._network(spec).decoder(code_shape, said))
        return own_decoder(self.decoder, code_shape, parameters)

    def _build_for(self, preprocessor: Preprocessor, within: Allocations) -> Autoencoder:
        """The module for some data, made ``within`` what it may allocate."""
        known = preprocessor.condition
        with within:
            size = 0 if known is None else known.size
            return self._module(preprocessor.spec, condition_size=size)
