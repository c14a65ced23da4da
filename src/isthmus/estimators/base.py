"""The base of all members: one dataclass that is the declaration and the scikit-learn estimator."""

from __future__ import annotations

import copy
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
from isthmus.core.autoencoder import Autoencoder, Bottleneck, LossFunction, single_sample
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
from isthmus.estimators._earlier import Earlier
from isthmus.estimators.fitted import FittedEstimator
from isthmus.estimators.inference import has_labels
from isthmus.likelihoods import Likelihood, LikelihoodPart
from isthmus.networks import Initialization, choose
from isthmus.networks._output_bias import init_output_bias
from isthmus.networks._own import own_decoder, own_encoder
from isthmus.networks.base import Features, Network
from isthmus.networks.initialization import Module
from isthmus.registry import INITIALIZATIONS, LIKELIHOODS
from isthmus.training.callbacks import Callback, assembled
from isthmus.training.callbacks.checkpoints import CheckpointWriter
from isthmus.training.callbacks.snapshots import Snapshot, Snapshots
from isthmus.training.callbacks.stopping import EarlyStopping
from isthmus.training.checkpoint import Checkpoint, State, checkpoint_in
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import Runtime, SingleProcess, choose_runtime, tuned, useful_threads
from isthmus.training.settings import seed_of

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

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        """How distortion and code make a cost; a member with a bound or a judge of its own says so
        here.
        """
        return single_sample

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
        module.loss_function = self._loss_function(spec)
        return module

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation_data: Any = None,
        probes: Any = None,
        runtime: Runtime | None = None,
    ) -> Self:
        """Train on examples; under ``warm_start`` for ``epochs`` more, from where the last training
        ended.

        What goes on goes on as if the longer training had been asked for from the start: the
        history and the numbers of the epochs continue, warm-ups are not done again, pretraining and
        k-means are left out, and a cosine schedule stands where it would stand in the whole.

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
            runtime: where it is trained; :func:`isthmus.training.runtimes.choose_runtime` decides
                if nothing is given.

        Raises:
            InputError: for data or fields that cannot be used.
            DivergenceError: where a loss is not finite; the estimator keeps its last good weights.
        """
        if getattr(self, "_is_loaded", False) and not self.warm_start:
            warnings.warn(
                f"{type(self).__name__}: fit trains from the start, and makes no use of the weights"
                " of the run that was loaded: set warm_start=True to go on from them.",
                stacklevel=2,
            )
        earlier = self._earlier() if self.warm_start and hasattr(self, "module_") else None
        whole = self if earlier is None else self._with(epochs=earlier.epochs + self.epochs)
        return self._train((X, y, sample_weight), whole, earlier, runtime, validation_data, probes)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        runtime: Runtime | None = None,
    ) -> Self:
        """Go through a portion of the examples once, from the weights that are there.

        The first portion settles layout and scaling, and where codebooks and centres start. There
        is no pretraining, no validation and no checkpoint, and the learning rate is constant.
        Warm-ups and the renewal of dead units go by ``epochs``, where a portion counts as one.

        Args:
            X: a portion, as for :meth:`fit`.
            y: as for :meth:`fit`.
            sample_weight: as for :meth:`fit`.
            runtime: as for :meth:`fit`.
        """
        earlier = self._earlier() if hasattr(self, "module_") else None
        whole = self._with(
            schedule="constant", validation=0.0, patience=None, snapshots=0, checkpoint_dir=None
        )
        return self._train((X, y, sample_weight), whole, earlier, runtime, is_portion=True)

    def _train(
        self,
        given: tuple[Any, Any, Any],
        whole: Self,
        earlier: Earlier | None,
        runtime: Runtime | None,
        validation_data: Any = None,
        probes: Any = None,
        *,
        is_portion: bool = False,
    ) -> Self:
        """Train on the X, y and weights that are given, by the settings of ``whole``, which say how
        long it is in all.
        """
        X, y, sample_weight = given
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        if earlier is None:
            preprocessor, x = self._open(X, y)
        else:
            preprocessor, x = earlier.opened(self._array(X))
        train = Examples(x, self._known(preprocessor, X, y), weights_of(sample_weight, len(x)))
        measured = self._transformed(preprocessor, validation_data)
        if self.binarize == "none":
            for examples in (train, measured):
                if examples is not None:
                    preprocessor.require_grid(examples.x)
        place = runtime or choose_runtime(self.device, self.precision)
        checkpoint = checkpoint_in(whole.checkpoint_dir, self._identity(train, measured, earlier))
        fresh = seed_of(self.random_state)
        if earlier is not None and earlier.seed is not None and self.random_state is None:
            fresh = earlier.seed
        seed = int(place.agreed([fresh if checkpoint is None else checkpoint.seed(fresh)])[0])
        train, held_out = whole._hold_out(train, seed) if measured is None else (train, measured)
        probed = self._transformed(preprocessor, probes) or train
        self._seed = seed
        with torch.random.fork_rng():
            torch.manual_seed(seed if earlier is None else earlier.reseeded(seed))
            module = whole._build_for(preprocessor)
            if earlier is not None:
                earlier.load_into(module)
            module = place.place(module)
            handed_out = partial(
                as_batches, preprocessor, place.device, binarize=self.binarize == "dynamic"
            )
            batches = handed_out(train)
            if earlier is None and self.decoder is None and not module.bottleneck.is_random:
                init_output_bias(module.decoder, module.likelihood, batches.spread())
            stages = [stage for stage in whole._stages(module) if stage.epochs > 0]
            if is_portion:
                done = 0 if earlier is None else earlier.epochs
                stages[-1] = replace(stages[-1], epochs=done + 1)
            if is_portion if earlier is None else not earlier.was_staged:
                stages = stages[-1:]  # without pretraining
            probe_batches = as_batches(preprocessor, place.device, probed.take(slice(_PROBES)))
            trainer = Trainer(
                module,
                stages,
                batches,
                whole,
                place,
                seed,
                validation=None if held_out is None else handed_out(held_out),
                callbacks=whole._callbacks(
                    preprocessor,
                    module,
                    place,
                    probe_batches,
                    sum(s.epochs for s in stages),
                    checkpoint,
                ),
                warm_epoch=whole.warm_epoch,
                title=type(self).__name__,
            )
            if earlier is not None:
                trainer.take_up(earlier.state(stages, seed), earlier.moments)
            if checkpoint is not None and (kept := checkpoint.read(module)) is not None:
                checkpoint.refuse_fewer(kept[0], trainer.ends[-1])
                trainer.take_up(*kept)
            try:
                with tuned(self.precision, useful_threads(module, self.batch_size)):
                    trainer.run()
            finally:
                before = [] if earlier is None else earlier.snapshots
                self._keep(preprocessor, module, trainer.state, before)
                self._moments: list[dict[str, Any]] = [
                    optimizer.state() for optimizer in trainer.optimizers
                ]
            if place.is_main:
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

    def _callbacks(
        self,
        preprocessor: Preprocessor,
        module: Autoencoder,
        runtime: Runtime,
        probes: ArrayBatches,
        epochs: int,
        checkpoint: Checkpoint | None,
    ) -> list[Callback]:
        """All that watches the training."""
        known = preprocessor.condition
        recorder = Snapshots(
            self.snapshots,
            epochs,
            module,
            probes,
            lambda codes: latent_grid(self.code_space, codes).codes,
            None if known is None else known.transform(known.typical, 1),
        )
        return assembled(
            self,
            runtime,
            first=[] if self.patience is None else [EarlyStopping(self.patience)],
            last=[
                *([recorder] if self.snapshots > 0 else []),
                *([] if checkpoint is None else [CheckpointWriter(checkpoint)]),
            ],
        )

    def _with(self, **values: Any) -> Self:
        """The same member with other settings, beside this one."""
        other = copy.copy(self)
        for name, value in values.items():
            setattr(other, name, value)
        return other

    def _earlier(self) -> Earlier:
        """The training that this one goes on from."""
        return Earlier(
            self.preprocessor_,
            self.module_.state_dict(),
            self.history_,
            self.snapshots_,
            getattr(self, "_moments", []),
            getattr(self, "_seed", None),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without what the optimisers remember: it is there for going on in this process."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_moments"}

    def _identity(
        self, train: Examples, measured: Examples | None, earlier: Earlier | None
    ) -> dict[str, Any]:
        """What must be equal for a training to be taken up again."""
        values = plain_values(self)
        elsewhere = {"verbose", "device", "checkpoint_dir", "epochs", "callbacks", "warm_start"}
        kept = {name: value for name, value in values.items() if name not in elsewhere}
        prints = {"data": train.fingerprint()}
        if measured is not None:
            prints["validation_data"] = measured.fingerprint()
        if earlier is not None:
            prints["weights at the start"] = earlier.fingerprint
        return {"member": type(self).__name__, **kept, **prints}

    def _keep(
        self,
        preprocessor: Preprocessor,
        module: Autoencoder,
        state: State,
        before: Sequence[Snapshot] = (),
    ) -> None:
        """What is learnt, also where training ended early; ``before``, snapshots of the training
        that this one went on from.
        """
        self._is_loaded = False
        self.preprocessor_ = preprocessor
        self.module_ = module.eval()
        self.prior_ = None
        self.source_: Mapping[str, Any] | None = None
        self.n_features_in_ = int(np.prod(preprocessor.layout.outer))
        self.history_ = state.history
        self.likelihood_ = named(self._likelihood(preprocessor.scaling.unit_range), LIKELIHOODS)
        kept = state.snapshots
        taken = [
            Snapshot(
                epoch,
                kept[f"codes.{epoch}"].numpy(),
                preprocessor.inverse_transform(kept[f"grid.{epoch}"].numpy()),
            )
            for epoch in sorted(
                int(name.partition(".")[2]) for name in kept if name.startswith("codes.")
            )
        ]
        self.snapshots_ = [*before, *taken]

    def _restore(
        self, preprocessor: Preprocessor, weights: Mapping[str, Tensor], source: Path
    ) -> None:
        """Become fitted with weights that were saved."""
        with torch.random.fork_rng():
            module = self._build_for(preprocessor)
        files.load_state(module, weights, source)
        self._keep(preprocessor, SingleProcess(self.device).place(module), State())
        self._is_loaded = True

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
