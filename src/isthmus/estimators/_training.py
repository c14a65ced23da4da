"""How a member is trained: what is given becomes a task, the task a trainer, its end a fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from isthmus.core import allocations, fields, files
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.example import ExampleSpec
from isthmus.core.latent_grid import LatentGrid, latent_grid
from isthmus.core.objectives import Stage
from isthmus.core.own_code import brought_by
from isthmus.core.parts import named, plain_values
from isthmus.core.randomness import alone, own_draws
from isthmus.core.weights import load_state
from isthmus.data.batches import StoreBatches
from isthmus.data.examples import Examples, as_batches, weights_of
from isthmus.data.incoming import incoming
from isthmus.data.preprocessing import Preprocessor
from isthmus.errors import LearningWarning
from isthmus.estimators._earlier import Earlier
from isthmus.estimators._examples import ExamplesMixin
from isthmus.estimators._verdict import did_not_fall, learnt_little, still_warming
from isthmus.estimators.fitted import FittedEstimator
from isthmus.networks._output_bias import init_output_bias
from isthmus.networks._own import require_variance
from isthmus.registry import LIKELIHOODS
from isthmus.training.callbacks import Callback, assembled
from isthmus.training.callbacks.checkpoints import CheckpointWriter
from isthmus.training.callbacks.snapshots import Snapshot, Snapshots, completed, from_tensors
from isthmus.training.callbacks.stopping import EarlyStopping
from isthmus.training.checkpoint import REMEDY, Checkpoint, State, checkpoint_in, held
from isthmus.training.distributed import choose_runtime
from isthmus.training.history import History
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import Runtime, SingleProcess, tuned, useful_threads
from isthmus.training.settings import is_learnt_under, seed_of

_PROBES = 1000


@dataclass(frozen=True)
class Task:
    """What a training starts from.

    Attributes:
        preprocessor: layout and scaling of the examples.
        train: what is learnt from.
        held_out: what is measured after every epoch; None for nothing.
        probes: whose codes ``snapshots`` keeps.
        runtime: where it is trained.
        seed: what all random numbers come from.
        checkpoint: where it is kept meanwhile; None for nowhere.
        earlier: the training that it goes on from; None for a start.
        is_portion: whether it goes through the examples once, as ``partial_fit`` does.
        start: weights that the module starts from.
    """

    preprocessor: Preprocessor
    train: Examples
    held_out: Examples | None
    probes: Examples
    runtime: Runtime
    seed: int
    checkpoint: Checkpoint | None
    earlier: Earlier | None
    is_portion: bool
    start: Mapping[str, Tensor]


class TrainingMixin(ExamplesMixin, FittedEstimator):
    """The training of a member, and what is kept of it."""

    moving_objective: ClassVar[bool] = False
    """Whether what is made small changes with the model itself, so that a rise says nothing about
    learning.
    """

    @property
    def _is_moving(self) -> bool:
        return self.moving_objective

    @property
    def _rebuilds(self) -> bool:
        """Whether the last stage of a training makes reconstructions of what is given good."""
        return True

    @property
    def _instead_of_rebuilding(self) -> str | None:
        """What to change for reconstructions where the objective leaves them out, as a remedy; None
        where it asks for them.
        """
        return None

    def _start(self, X: Any, y: Any, runtime: Runtime, seed: int) -> Mapping[str, Tensor]:
        """Weights that something learnt from the examples before the training, by their names in
        the module.
        """
        return {}

    @property
    def warm_epoch(self) -> float:
        """The epoch from which on the objective keeps its form."""
        return 0.0

    def _train(
        self,
        given: tuple[Any, Any, Any],
        earlier: Earlier | None,
        runtime: Runtime | None,
        validation_data: Any = None,
        probes: Any = None,
        *,
        is_portion: bool = False,
    ) -> Self:
        """Train on the X, y and weights that are given."""
        preprocessor, train = self._opened_examples(given, earlier)
        whole = self._whole(preprocessor.spec, len(train.x), earlier, is_portion)
        measured = self._transformed(preprocessor, validation_data)
        if self.binarize == "none":
            for examples in (train, measured):
                if examples is not None:
                    preprocessor.require_grid(examples.x)
        place = runtime or choose_runtime(self.device, self.precision)
        checkpoint = checkpoint_in(
            whole.checkpoint_dir, lambda: self._identity(train, measured, earlier)
        )
        with held(checkpoint if place.is_main else None):
            seed = self._agreed_seed(place, checkpoint, earlier)
            held_out = measured
            if measured is None:
                train, held_out = whole._hold_out(train, seed)
            count = None if held_out is None else len(held_out.x)
            self._require_examples(len(train.x), count, is_first=earlier is None)
            probed = self._transformed(preprocessor, probes) or train
            self._seed = seed
            self._run(
                whole,
                Task(
                    preprocessor,
                    train,
                    held_out,
                    probed,
                    place,
                    seed,
                    checkpoint,
                    earlier,
                    is_portion,
                    self._start(*given[:2], place, seed) if earlier is None else {},
                ),
            )
        return self

    def _run(self, whole: Self, task: Task) -> None:
        """Train on a task, and keep what was learnt, also where training ends early."""
        earlier, place = task.earlier, task.runtime
        with alone(task.seed if earlier is None else earlier.reseeded(task.seed)):
            module = whole._placed_module(task)
            batches = whole._handed_out(task, task.train)
            if earlier is None:
                self._settle(module, batches)
            trainer = whole._trainer(task, module, batches)
            try:
                with tuned(self.precision, useful_threads(module, self.batch_size)):
                    trainer.run()
            finally:
                before = [] if earlier is None else earlier.snapshots
                self._keep(task.preprocessor, module, trainer.state, before)
                self._moments: list[dict[str, Any]] = [
                    optimizer.state() for optimizer in trainer.optimizers
                ]
            if place.is_main:
                self._warn(batches, task.is_portion)

    def _whole(
        self, spec: ExampleSpec, count: int, earlier: Earlier | None, is_portion: bool
    ) -> Self:
        """The settings of the whole training, with what the data decide of them, which say how long
        it is in all.
        """
        suited = self._suited(spec, count)
        if is_portion:
            return suited._with(
                schedule="constant", validation=0.0, patience=None, snapshots=0, checkpoint_dir=None
            )
        done = 0 if earlier is None else earlier.epochs
        return suited._with(epochs=done + suited._epochs)

    def _opened_examples(
        self, given: tuple[Any, Any, Any], earlier: Earlier | None
    ) -> tuple[Preprocessor, Examples]:
        """Settle layout and scaling, or take those of before; the examples as they are inside."""
        X, y, sample_weight = incoming(given[0]), *given[1:]
        if earlier is None:
            preprocessor, x = self._open(X, y)
        else:
            preprocessor, x = earlier.opened(self._array(X))
        known = self._known(preprocessor, X, y, len(x))
        return preprocessor, Examples(x, known, weights_of(sample_weight, len(x)))

    def _agreed_seed(
        self, place: Runtime, checkpoint: Checkpoint | None, earlier: Earlier | None
    ) -> int:
        """What all processes start from: the checkpoint's, the earlier training's, or a new one."""
        fresh = seed_of(self.random_state)
        if earlier is not None and earlier.seed is not None and self.random_state is None:
            fresh = earlier.seed
        return int(place.agreed([fresh if checkpoint is None else checkpoint.seed(fresh)])[0])

    def _placed_module(self, task: Task) -> Autoencoder:
        """The module on its device, at its start or at the end of the training before."""
        within = allocations.for_training(lambda: allocations.asked_by(self))
        module = self._build_for(task.preprocessor, within)
        module.load_state_dict(task.start, strict=False)
        if task.earlier is not None:
            task.earlier.load_into(module)
        module = task.runtime.place(module)
        require_variance(module, min(self.batch_size, len(task.train.x)))
        return module

    def _handed_out(self, task: Task, examples: Examples) -> StoreBatches:
        return as_batches(
            task.preprocessor, task.runtime.device, examples, binarize=self.binarize == "dynamic"
        )

    def _settle(self, module: Autoencoder, batches: StoreBatches) -> None:
        """Start likelihood and output from the examples."""
        module.likelihood.settle(batches.spread())
        if self.decoder is None and not module.bottleneck.is_random:
            init_output_bias(module.decoder, module.likelihood, batches.spread())

    def _trainer(self, task: Task, module: Autoencoder, batches: StoreBatches) -> Trainer:
        """What trains a module, standing where the task takes it up."""
        stages = self._stages_of(task, module)
        trainer = Trainer(
            module,
            stages,
            batches,
            self,
            task.runtime,
            task.seed,
            validation=None if task.held_out is None else self._handed_out(task, task.held_out),
            callbacks=self._callbacks(task, module, sum(stage.epochs for stage in stages)),
            warm_epoch=self.warm_epoch,
            title=type(self).__name__,
        )
        if task.earlier is not None:
            trainer.take_up(task.earlier.state(stages, task.seed), task.earlier.moments)
        checkpoint = task.checkpoint
        if checkpoint is not None and (kept := checkpoint.read(module)) is not None:
            checkpoint.refuse_fewer(kept[0], trainer.ends[-1])
            with files.reading(checkpoint.path, REMEDY):
                trainer.take_up(*kept, strict=True)
        return trainer

    def _stages_of(self, task: Task, module: Autoencoder) -> list[Stage]:
        """The stages of a training; one that goes on, or takes a portion, has no pretraining."""
        earlier = task.earlier
        stages = [stage for stage in self._stages(module) if stage.epochs > 0]
        if task.is_portion:
            done = 0 if earlier is None else earlier.epochs
            stages[-1] = replace(stages[-1], epochs=done + 1)
        if task.is_portion if earlier is None else not earlier.was_staged:
            return stages[-1:]
        return stages

    def _callbacks(self, task: Task, module: Autoencoder, epochs: int) -> list[Callback]:
        """All that watches the training."""
        known = task.preprocessor.condition
        recorder = Snapshots(
            self.snapshots,
            epochs,
            module,
            as_batches(task.preprocessor, task.runtime.device, task.probes.take(slice(_PROBES))),
            self._plane,
            None if known is None else known.transform(known.typical, 1),
        )
        return assembled(
            self,
            task.runtime,
            first=[] if self.patience is None else [EarlyStopping(self.patience)],
            last=[
                *([recorder] if self.snapshots > 0 else []),
                *([] if task.checkpoint is None else [CheckpointWriter(task.checkpoint)]),
            ],
        )

    def _plane(self, codes: np.ndarray) -> LatentGrid:
        """The grid of codes whose decoded examples a snapshot shows."""
        return latent_grid(self.code_space, codes)

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
        return {"member": type(self).__name__, **kept, **brought_by(self), **prints}

    def _settings_of_weights(self) -> dict[str, Any]:
        """The fields, as JSON, that the weights depend on for good."""
        declared, values = fields.declared(type(self)), plain_values(self)
        return {name: value for name, value in values.items() if is_learnt_under(declared[name])}

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
        self._is_loaded, self._is_fitted = False, True
        self._learnt_under = self._settings_of_weights()
        self.preprocessor_ = preprocessor
        self.module_ = module.eval()
        self.prior_ = None
        self.source_: Mapping[str, Any] | None = None
        self.n_features_in_ = int(np.prod(preprocessor.layout.outer))
        self.history_ = History(state.history)
        self.likelihood_ = named(self._likelihood(preprocessor.spec), LIKELIHOODS)
        taken = [
            replace(snapshot, grid=preprocessor.inverse_transform(snapshot.grid))
            for snapshot in from_tensors(state.snapshots)
        ]
        self.snapshots_ = [*before, *taken]

    def _restore(
        self, preprocessor: Preprocessor, weights: Mapping[str, Tensor], source: Path
    ) -> None:
        """Become fitted with weights that were saved."""
        with own_draws(0):  # the weights that it starts with are replaced
            within = allocations.as_saved(weights, source)
            module = self._build_for(preprocessor, within)
        load_state(module, weights, source)
        self._keep(preprocessor, SingleProcess(self.device).place(module), State())
        self._is_loaded = True

    def _recall(self, history: list[dict[str, float]], snapshots: Sequence[Snapshot]) -> None:
        """Take back what was saved of the training."""
        self.history_, known = History(history), self.preprocessor_.condition
        self.snapshots_ = completed(
            snapshots,
            self.module_,
            self._plane,
            self.preprocessor_.inverse_transform,
            None if known is None else known.transform(known.typical, 1),
        )

    def _warn(self, batches: StoreBatches, is_portion: bool) -> None:
        """Warn, in plain words, where training ended with little learnt; a portion ends nothing."""
        examples = batches.spread()
        with self._inference() as module:
            found = module.bottleneck.diagnostics(module.encode(examples))
            found += learnt_little(module, examples, self._instead_of_rebuilding)
        if not self._is_moving:
            found += did_not_fall(self.history_, self.warm_epoch, self.learning_rate)
        if not is_portion:
            found += still_warming(self.history_, self.warm_epoch)
        for finding in found:
            said = LearningWarning(f"{type(self).__name__}: {finding}", finding.name)
            warnings.warn(said, stacklevel=5)
