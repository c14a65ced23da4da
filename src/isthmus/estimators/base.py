"""The base of all members: one dataclass that is the declaration and the scikit-learn estimator."""

from __future__ import annotations

import warnings
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from isthmus.core import fields, files
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.example import ExampleSpec
from isthmus.core.latent_grid import latent_grid
from isthmus.core.parts import named, plain_values
from isthmus.data.batches import StoreBatches
from isthmus.data.examples import Examples, as_batches, weights_of
from isthmus.data.incoming import incoming
from isthmus.data.preprocessing import Preprocessor
from isthmus.estimators._earlier import Earlier
from isthmus.estimators._examples import ExamplesMixin
from isthmus.estimators._verdict import did_not_fall, learnt_little
from isthmus.estimators.fitted import FittedEstimator
from isthmus.networks._output_bias import init_output_bias
from isthmus.networks._own import require_variance
from isthmus.registry import LIKELIHOODS
from isthmus.training.callbacks import Callback, assembled
from isthmus.training.callbacks.checkpoints import CheckpointWriter
from isthmus.training.callbacks.snapshots import Snapshot, Snapshots
from isthmus.training.callbacks.stopping import EarlyStopping
from isthmus.training.checkpoint import Checkpoint, State, checkpoint_in
from isthmus.training.distributed import choose_runtime
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import Runtime, SingleProcess, tuned, useful_threads
from isthmus.training.settings import seed_of

_PROBES = 1000


class LearningWarning(UserWarning):
    """Training ended, but the model learnt little; the message says what and the remedy."""


@dataclass(repr=False, eq=False, kw_only=True)
class Estimator(ExamplesMixin, FittedEstimator, ABC):
    """What all members share: the fields, ``fit``, and what one does with a trained model.

    Arrays may be ``(n, columns)``, ``(n, h, w)``, ``(n, h, w, c)`` or ``(n, c, h, w)``; what comes
    back has the layout that went in. uint8 is read as pixels in [0, 1]; anything else outside [0,
    1] is standardised, and comes back in its own units.
    """

    moving_objective: ClassVar[bool] = False
    """Whether what is made small changes with the model itself, so that a rise says nothing about
    learning.
    """

    judged_by: ClassVar[Literal["error", "density", "score", "distance"] | None] = None
    """What an outlier detector judges by where nobody says it; None goes by the kind of data."""

    @property
    def warm_epoch(self) -> float:
        """The epoch from which on the objective keeps its form."""
        return 0.0

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
        if earlier is not None:
            self._say_prior_is_dropped()
        return self._train((X, y, sample_weight), earlier, runtime, validation_data, probes)

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
        self._say_prior_is_dropped()
        return self._train((X, y, sample_weight), earlier, runtime, is_portion=True)

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
        X, y, sample_weight = incoming(given[0]), *given[1:]
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        if earlier is None:
            preprocessor, x = self._open(X, y)
        else:
            preprocessor, x = earlier.opened(self._array(X))
        whole = self._whole(preprocessor.spec, len(x), earlier, is_portion)
        known = self._known(preprocessor, X, y, len(x))
        train = Examples(x, known, weights_of(sample_weight, len(x)))
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
        count = None if held_out is None else len(held_out.x)
        self._require_examples(len(train.x), count, is_first=earlier is None)
        probed = self._transformed(preprocessor, probes) or train
        self._seed = seed
        with torch.random.fork_rng():
            torch.manual_seed(seed if earlier is None else earlier.reseeded(seed))
            module = whole._build_for(preprocessor)
            if earlier is not None:
                earlier.load_into(module)
            module = place.place(module)
            require_variance(module, min(self.batch_size, len(train.x)))
            handed_out = partial(
                as_batches, preprocessor, place.device, binarize=self.binarize == "dynamic"
            )
            batches = handed_out(train)
            if earlier is None:
                module.likelihood.settle(batches.spread())
                if self.decoder is None and not module.bottleneck.is_random:
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

    def untrained(self, owner: str) -> Self:
        """A copy with the same settings, not trained, for an ``owner`` that trains it; where this
        one is trained, a warning says that its weights are not used.
        """
        if hasattr(self, "module_"):
            warnings.warn(
                f"{owner}: this {type(self).__name__} is trained already, but a copy of it is"
                " trained from the start: pass sklearn.frozen.FrozenEstimator(member) to take it as"
                " it is, where that is meant.",
                stacklevel=3,
            )
        copied: Self = clone(self)
        return copied

    # ------------------------------------------------------------------ what the above is made of

    def _whole(
        self, spec: ExampleSpec, count: int, earlier: Earlier | None, is_portion: bool
    ) -> Self:
        """The settings of the whole training, which say how long it is in all."""
        settled = self._suited(spec, count)
        if is_portion:
            return settled._with(
                schedule="constant", validation=0.0, patience=None, snapshots=0, checkpoint_dir=None
            )
        done = 0 if earlier is None else earlier.epochs
        return settled._with(epochs=done + settled._epochs)

    def _callbacks(
        self,
        preprocessor: Preprocessor,
        module: Autoencoder,
        runtime: Runtime,
        probes: StoreBatches,
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

    def _say_prior_is_dropped(self) -> None:
        """Warn where further training moves the codes away from a prior that was fitted to them."""
        if getattr(self, "prior_", None) is not None:
            warnings.warn(
                f"{type(self).__name__}: training goes on and moves the codes, so the prior that"
                " fit_prior fitted to them is dropped: call fit_prior again afterwards.",
                stacklevel=3,
            )

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
        self.likelihood_ = named(self._likelihood(preprocessor.spec), LIKELIHOODS)
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

    def _warn(self, batches: StoreBatches) -> None:
        """Warn, in plain words, where training ended with little learnt."""
        examples = batches.spread()
        with self._inference() as module:
            found = module.bottleneck.diagnostics(module.encode(examples))
            found += learnt_little(module, examples)
        if not self.moving_objective:
            found += did_not_fall(self.history_, self.warm_epoch, self.learning_rate)
        for sentence in found:
            warnings.warn(f"{type(self).__name__}: {sentence}", LearningWarning, stacklevel=3)
