"""The base of all members: one dataclass that is the declaration and the scikit-learn estimator."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core import fields, files
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.conditioning import ConditionShift, conditioned_shape
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.latent_grid import latent_grid
from isthmus.core.objectives import Stage
from isthmus.core.parts import named, part_of, plain_values
from isthmus.data._splitting import held_out_rows
from isthmus.data.batches import ArrayBatches
from isthmus.data.conditions import fit_condition
from isthmus.data.datasets import Part
from isthmus.data.examples import Examples, as_batches, weights_of
from isthmus.data.preprocessing import Preprocessor, fit_preprocessor
from isthmus.errors import InputError
from isthmus.estimators.fitted import FittedEstimator
from isthmus.estimators.inference import has_labels
from isthmus.likelihoods import Likelihood, LikelihoodPart
from isthmus.networks import Initialization, choose
from isthmus.networks._output_bias import init_output_bias
from isthmus.networks._own import own_decoder, own_encoder
from isthmus.networks.base import Features, Network
from isthmus.networks.initialization import Module
from isthmus.registry import INITIALIZATIONS, LIKELIHOODS
from isthmus.training.checkpoint import State
from isthmus.training.loop import Trainer, checkpoint_in
from isthmus.training.runtimes import PlainRuntime, tuned, useful_threads
from isthmus.training.settings import seed_of
from isthmus.training.snapshots import Snapshot, Snapshots

_PROBES = 1000


class LearningWarning(UserWarning):
    """Training ended, but the model learnt little; the message says what and the remedy."""


@dataclass(repr=False, eq=False, kw_only=True)
class Estimator(FittedEstimator, ABC):
    """What all members share: the fields, ``fit``, and what one does with a trained model.

    Arrays may be ``(n, columns)``, ``(n, h, w)``, ``(n, h, w, c)`` or ``(n, c, h, w)``; what comes
    back has the layout that went in. uint8 is read as pixels in [0, 1]; anything else outside [0,
    1] is standardised, and comes back in its own units.
    """

    unbounded_likelihood: ClassVar[str] = "mse"
    """The likelihood that ``"auto"`` takes for data outside [0, 1]."""
    image_network: ClassVar[str | None] = None
    """The network that ``"auto"`` takes for images; None lets it choose by their size."""

    moving_objective: ClassVar[bool] = False
    """Whether what is made small changes with the model itself, so that a rise says nothing about
    learning.
    """

    @property
    def warm_epoch(self) -> float:
        """The epoch from which on the objective keeps its form."""
        return 0.0

    @abstractmethod
    def _bottleneck(self, features: Shape) -> Bottleneck:
        """The member's own bottleneck, for features of a shape."""

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        """The parts put together; a member that corrupts or charges otherwise says so here."""
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        """The parts of training; a member that pretrains, or that must look at the data first, says
        so here.
        """
        return [Stage(self.epochs, module.objectives())]

    # ------------------------------------------------------------------ building and training

    def build(
        self, shape: Shape | ExampleSpec, *, unit_range: bool = True, condition_size: int = 0
    ) -> Autoencoder:
        """The torch module for examples of ``shape``, untrained: (channels, height, width) or
        (columns,), or the whole of what an example is.

        ``unit_range`` says whether the data lie in [0, 1], which decides what ``"auto"`` stands
        for; ``condition_size``, how many numbers a conditional member is told of each example.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        spec = shape if isinstance(shape, ExampleSpec) else ExampleSpec.of(shape)
        likelihood = self._likelihood(unit_range).build(spec.shape, unit_range=unit_range)
        parameters = likelihood.parameter_shape(spec.shape)
        features = self._encoder(spec.shape)
        bottleneck = self._initialised(self._bottleneck(features.shape))
        passed, conditioning = bottleneck.passed_shape, None
        if condition_size:
            passed = conditioned_shape(passed, condition_size)
            conditioning = ConditionShift(condition_size, spec.shape)
            bottleneck.add_condition(condition_size)
        decoder = self._decoder(spec.shape, passed, parameters)
        module = self._assembled(features.encoder, bottleneck, decoder, likelihood)
        module.conditioning = conditioning
        return module

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation_data: Any = None,
        probes: Any = None,
    ) -> Self:
        """Train on examples.

        Args:
            X: an array ``(n, *shape)``, or a part of a data set, such as ``data.train``.
            y: under ``condition="label"`` the label of each example, under ``"covariates"`` numbers
                ``(n, c)``; a part of a data set brings its labels. Otherwise ignored; there for
                pipelines.
            sample_weight: how much each example counts, ``(n,)``, from 0 up; a weight of 2 is the
                example twice.
            validation_data: examples to measure after every epoch, in place of a share of X; with
                their y, as a pair, for a conditional member.
            probes: the examples whose codes ``snapshots`` keeps; the first 1,000 training examples
                if none are given.

        Raises:
            InputError: for data or fields that cannot be used.
            DivergenceError: where a loss is not finite; the estimator keeps its last good weights.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        preprocessor, x = self._open(X, y)
        train = Examples(x, self._known(preprocessor, X, y), weights_of(sample_weight, len(x)))
        measured = self._transformed(preprocessor, validation_data)
        if self.binarize == "none":
            for examples in (train, measured):
                if examples is not None:
                    preprocessor.require_grid(examples.x)
        checkpoint = checkpoint_in(self.checkpoint_dir, self._identity(train, measured))
        seed = (
            seed_of(self.random_state)
            if checkpoint is None
            else checkpoint.seed(seed_of(self.random_state))
        )
        train, held_out = self._hold_out(train, seed) if measured is None else (train, measured)
        probed = self._transformed(preprocessor, probes) or train
        runtime = PlainRuntime(self.device, self.precision)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = runtime.place(self._build_for(preprocessor))
            handed_out = partial(
                as_batches, preprocessor, runtime.device, binarize=self.binarize == "dynamic"
            )
            batches = handed_out(train)
            if self.decoder is None and not module.bottleneck.is_random:
                init_output_bias(module.decoder, module.likelihood, batches.spread())
            stages = self._stages(module)
            trainer = Trainer(
                module,
                stages,
                batches,
                self,
                runtime,
                seed,
                validation=None if held_out is None else handed_out(held_out),
                patience=self.patience,
                checkpoint=checkpoint,
                snapshots=self._recorder(
                    preprocessor,
                    as_batches(preprocessor, runtime.device, probed.take(slice(_PROBES))),
                    sum(stage.epochs for stage in stages),
                ),
                warm_epoch=self.warm_epoch,
            )
            try:
                with tuned(self.precision, useful_threads(module, self.batch_size)):
                    trainer.run()
            finally:
                self._keep(preprocessor, module, trainer.state)
            self._warn(batches)
        return self

    # ------------------------------------------------------------------ what the above is made of

    def _likelihood(self, unit_range: bool) -> LikelihoodPart:
        chosen = self.likelihood
        if chosen == "auto":
            chosen = "bernoulli" if unit_range else self.unbounded_likelihood
        part: LikelihoodPart = part_of(chosen, LIKELIHOODS)
        return part

    @property
    def _chosen_likelihood(self) -> LikelihoodPart | None:
        """The likelihood that was asked for; None where the data decide."""
        return None if self.likelihood == "auto" else self._likelihood(unit_range=True)

    def _initialised(self, module: Module) -> Module:
        rule: Initialization = part_of(self.initialization, INITIALIZATIONS)
        return rule.apply(module)

    def _network(self, shape: Shape) -> Network:
        return choose(self.network, shape, self.hidden, self.activation, self.image_network)

    def _encoder(self, shape: Shape) -> Features:
        if self.encoder is None:
            features = self._network(shape).encoder(shape)
            return Features(self._initialised(features.encoder), features.shape)
        return own_encoder(self.encoder, shape)

    def _decoder(self, shape: Shape, code_shape: Shape, parameters: Shape) -> nn.Module:
        """What turns codes into parameters, by the network that reads examples of ``shape``."""
        if self.decoder is None:
            return self._initialised(self._network(shape).decoder(code_shape, parameters))
        return own_decoder(self.decoder, code_shape, parameters)

    def _build_for(self, preprocessor: Preprocessor) -> Autoencoder:
        known = preprocessor.condition
        return self.build(
            preprocessor.spec,
            unit_range=preprocessor.scaling.unit_range,
            condition_size=0 if known is None else known.size,
        )

    def _open(self, X: Any, y: Any) -> tuple[Preprocessor, np.ndarray]:
        """What stands between data and module, settled by the training examples, and those as they
        are inside, ``(n, *shape)``.
        """
        x = self._array(X, reset=True)
        names = getattr(self, "feature_names_in_", None)
        preprocessor, inside = fit_preprocessor(
            x,
            scaling=self.scaling,
            likelihood=self._chosen_likelihood,
            channels=self.channels,
            image_shape=self.image_shape,
            kind=self._kind(x.ndim - 1),
            columns=None if names is None else tuple(names),
        )
        if self.binarize == "dynamic" and not preprocessor.scaling.unit_range:
            raise InputError(
                "binarize='dynamic' reads values as probabilities, but X is not in [0, 1]: pass"
                " scaling='minmax' if its values can be read so, else binarize='none'."
            )
        if (wanted := getattr(self, "condition", "none")) != "none":
            settled = fit_condition(wanted, X.labels if y is None and has_labels(X) else y, len(x))
            preprocessor = replace(preprocessor, condition=settled)
        return preprocessor, inside

    def _known(self, preprocessor: Preprocessor, X: Any, y: Any) -> Tensor | None:
        """What is known beside each example, as numbers ``(n, c)``."""
        if preprocessor.condition is None:
            return None
        x = X.x if isinstance(X, Part) else X
        return preprocessor.condition.transform(
            X.labels if y is None and has_labels(X) else y, len(x)
        )

    def _transformed(self, preprocessor: Preprocessor, examples: Any) -> Examples | None:
        """Examples beside the training ones, as they are inside: an array, a part of a data set, or
        a pair with y.
        """
        if examples is None:
            return None
        is_pair = isinstance(examples, tuple) and len(examples) == 2
        X, y = examples if is_pair else (examples, None)
        if preprocessor.condition is not None and y is None and not has_labels(X):
            raise InputError(
                "a conditional member must know the y of validation_data and probes too: give a"
                " pair (X, y), or a part of a data set that has labels."
            )
        inside = preprocessor.transform(self._array(X))
        return Examples(inside, self._known(preprocessor, X, y))

    def _hold_out(self, train: Examples, seed: int) -> tuple[Examples, Examples | None]:
        """Training examples, and those that are measured after every epoch."""
        if self.validation > 0:
            kept, held_out = held_out_rows(train.x, self.validation, seed)
            return train.take(kept), train.take(held_out)
        if self.patience is not None:
            raise InputError(
                f"patience={self.patience} needs examples to measure: pass validation=0.1, or"
                " validation_data."
            )
        return train, None

    def _recorder(
        self, preprocessor: Preprocessor, probes: ArrayBatches, epochs: int
    ) -> Snapshots | None:
        if self.snapshots == 0:
            return None
        known = preprocessor.condition
        return Snapshots(
            self.snapshots,
            epochs,
            probes,
            lambda codes: latent_grid(self.code_space, codes).codes,
            None if known is None else known.transform(known.typical, 1),
        )

    def _identity(self, train: Examples, measured: Examples | None) -> dict[str, Any]:
        """What must be equal for a training to be taken up again."""
        values = plain_values(self)
        elsewhere = {"verbose", "device", "checkpoint_dir"}
        kept = {name: value for name, value in values.items() if name not in elsewhere}
        prints = {"data": train.fingerprint()}
        if measured is not None:
            prints["validation_data"] = measured.fingerprint()
        return {"member": type(self).__name__, **kept, **prints}

    def _keep(self, preprocessor: Preprocessor, module: Autoencoder, state: State) -> None:
        """What is learnt, also where training ended early."""
        self.preprocessor_ = preprocessor
        self.module_ = module.eval()
        self.prior_ = None
        self.source_: Mapping[str, Any] | None = None
        self.n_features_in_ = int(np.prod(preprocessor.layout.outer))
        self.history_ = state.history
        self.likelihood_ = named(self._likelihood(preprocessor.scaling.unit_range), LIKELIHOODS)
        kept = state.snapshots
        self.snapshots_ = [
            Snapshot(
                epoch,
                kept[f"codes.{epoch}"].numpy(),
                preprocessor.inverse_transform(kept[f"grid.{epoch}"].numpy()),
            )
            for epoch in sorted(
                int(name.partition(".")[2]) for name in kept if name.startswith("codes.")
            )
        ]

    def _restore(
        self, preprocessor: Preprocessor, weights: Mapping[str, Tensor], source: Path
    ) -> None:
        """Become fitted with weights that were saved."""
        with torch.random.fork_rng():
            module = self._build_for(preprocessor)
        files.load_state(module, weights, source)
        self._keep(preprocessor, PlainRuntime(self.device).place(module), State())

    def _warn(self, batches: ArrayBatches) -> None:
        """Warn, in plain words, where training ended with little learnt."""
        with self._inference() as module:
            diagnostics = module.bottleneck.diagnostics(module.encode(next(batches.chunks())))
        last = [row for row in self.history_ if row.get("stage") == self.history_[-1].get("stage")]
        settled = [
            row["objective"] for row in last if row["epoch"] - last[0]["epoch"] >= self.warm_epoch
        ]
        if len(settled) > 2 and settled[-1] >= settled[0] and not self.moving_objective:
            diagnostics.append(
                f"the objective did not fall (from {settled[0]:.4g} to {settled[-1]:.4g}): "
                f"try another learning_rate (it is {self.learning_rate:g}), or look at the data."
            )
        for diagnostic in diagnostics:
            warnings.warn(f"{type(self).__name__}: {diagnostic}", LearningWarning, stacklevel=3)
