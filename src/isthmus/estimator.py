"""The base of all members: one dataclass that is the declaration and the scikit-learn estimator."""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from isthmus import fields, files
from isthmus.data.door import Door, open_door
from isthmus.data.feed import Feed, fingerprint, inference_rows
from isthmus.data.layout import extent
from isthmus.data.parts import Part
from isthmus.data.splitting import hold_out
from isthmus.errors import InputError
from isthmus.inference import like, precision_for, shared_noise
from isthmus.likelihoods import Bernoulli, Gaussian, Likelihood, SquaredError, squared_error
from isthmus.module import Autoencoder, Bottleneck
from isthmus.networks import choose, initialise
from isthmus.networks.base import Features, Network
from isthmus.networks.own import own_decoder, own_encoder
from isthmus.planes import plane
from isthmus.registry import LIKELIHOODS
from isthmus.settings import Settings, seed_of
from isthmus.stages import Stage
from isthmus.training.checkpoint import State
from isthmus.training.loop import Trainer, checkpoint_in
from isthmus.training.runtime import PlainRuntime, tuned, useful_threads
from isthmus.training.snapshots import Snapshot, Snapshots

if TYPE_CHECKING:
    from isthmus.priors.base import Prior

Shape = tuple[int, ...]

_PROBES = 1000


class LearningWarning(UserWarning):
    """Training ended, but the model learnt little; the message says what and the remedy."""


@dataclass(repr=False, eq=False, kw_only=True)
class Estimator(Settings, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """What all members share: the fields, ``fit``, and what one does with a trained model.

    Arrays may be ``(n, columns)``, ``(n, h, w)``, ``(n, h, w, c)`` or ``(n, c, h, w)``; what comes back has the layout
    that went in. uint8 is read as pixels in [0, 1]; anything else outside [0, 1] is standardised, and comes back in
    its own units.
    """

    unbounded_likelihood: ClassVar[str] = "mse"
    """The likelihood that ``"auto"`` takes for data outside [0, 1]."""
    image_network: ClassVar[str | None] = None
    """The network that ``"auto"`` takes for images; None lets it choose by their size."""

    moving_objective: ClassVar[bool] = False
    """Whether what is made small changes with the model itself, so that a rise says nothing about learning."""
    learns_prior: ClassVar[bool] = False
    """Whether a prior over the codes is learnt in training, so that none can be fitted afterwards."""

    @property
    def code_space(self) -> str:
        """Where codes live: ``"data"`` (anywhere), ``"normal"`` (around N(0, I)), ``"unit"`` or ``"symmetric"`` (a box)."""
        return "data"

    @property
    def warm_epoch(self) -> float:
        """The epoch from which on the objective keeps its form."""
        return 0.0

    @abstractmethod
    def _bottleneck(self, features: Shape) -> Bottleneck:
        """The member's own bottleneck, for features of a shape."""

    def _assembled(self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood) -> Autoencoder:
        """The parts put together; a member that corrupts, charges or weighs otherwise says so here."""
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        """The parts of training; a member that pretrains, or that must look at the data first, says so here."""
        return [Stage(self.epochs, module.players())]

    def _prior(self, n: int, temperature: float) -> Tensor:
        """n codes drawn from the member's own prior, ``(n, *code_shape)``."""
        raise InputError(
            f"{type(self).__name__} has no prior over its codes, so there is nothing to sample from: call fit_prior(X) once "
            "(isthmus fit-prior RUN on the command line), then sample again."
        )

    # ------------------------------------------------------------------ building and training

    def build(self, shape: Shape, *, unit_range: bool = True) -> Autoencoder:
        """The torch module for examples of ``shape``, untrained: (channels, height, width) or (columns,).

        ``unit_range`` says whether the data lie in [0, 1], which decides what ``"auto"`` stands for.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        likelihood = self._likelihood(unit_range)
        parameters = likelihood.parameter_shape(shape)
        features = self._encoder(shape)
        bottleneck = initialise(self._bottleneck(features.shape))
        decoder = self._decoder(bottleneck.passed_shape, parameters)
        return self._assembled(features.encoder, bottleneck, decoder, likelihood)

    def fit(self, X: Any, y: Any = None, *, validation_data: Any = None, probes: Any = None) -> Self:
        """Train on examples.

        Args:
            X: an array ``(n, *shape)``, or a part of a data set, such as ``data.train``.
            y: ignored; there for pipelines.
            validation_data: examples to measure after every epoch, in place of a share of X.
            probes: the examples whose codes ``snapshots`` keeps; the first 1,000 training examples if none are given.

        Raises:
            InputError: for data or fields that cannot be used.
            DivergenceError: where a loss is not finite; the estimator keeps its last good weights.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        door, x = self._open(X)
        measured = None if validation_data is None else door.admit(self._array(validation_data))
        checkpoint = checkpoint_in(self.checkpoint_dir, self._identity(x, measured))
        seed = seed_of(self.random_state) if checkpoint is None else checkpoint.seed(seed_of(self.random_state))
        x, held_out = self._hold_out(x, seed) if measured is None else (x, measured)
        probed = x if probes is None else door.admit(self._array(probes))
        runtime = PlainRuntime(self.device, self.precision)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = runtime.place(self.build(door.layout.shape, unit_range=door.scaling.unit_range))
            drawn = self.binarize == "dynamic"
            feed = door.feed(x, runtime.device, binarize=drawn)
            stages = self._stages(module)
            trainer = Trainer(
                module, stages, feed, self, runtime, seed,
                validation=None if held_out is None else door.feed(held_out, runtime.device, binarize=drawn),
                patience=self.patience,
                checkpoint=checkpoint,
                snapshots=self._recorder(door.feed(probed[:_PROBES], runtime.device), sum(stage.epochs for stage in stages)),
                warm_epoch=self.warm_epoch,
            )  # fmt: skip
            try:
                with tuned(self.precision, useful_threads(module, self.batch_size)):
                    trainer.run()
            finally:
                self._keep(door, module, trainer.state)
            self._say(feed)
        return self

    # ------------------------------------------------------------------ using

    def transform(self, X: Any) -> np.ndarray:
        """The code of each example as a row, ``(n, features)``, the same at every call (a posterior's mean)."""
        return self.codes(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """What the decoder says of codes ``(n, features)``: examples in the layout and units of the data."""
        return self.decode(X)

    def codes(self, X: Any) -> np.ndarray:
        """The code of each example as a row, ``(n, features)``; a code of several axes is laid out flat."""
        codes = self._posterior(X)[0]
        return codes.reshape(len(codes), -1)

    def encode(self, X: Any) -> Any:
        """What the encoder says of each example: a named tuple of arrays where it is a distribution, else the codes."""
        posterior = self._posterior(X)
        return posterior[0] if len(posterior) == 1 else posterior

    def decode(self, Z: Any) -> np.ndarray:
        """What the decoder says of codes, flat or ``(n, *code_shape)``: examples in the layout and units of the data."""
        return self._decoded(torch.from_numpy(self._admit_codes(Z)), Z)

    def reconstruct(self, X: Any) -> np.ndarray:
        """What comes back when examples are encoded and decoded, in the layout and units of the data."""
        feed = self._feed(X)
        with self._inference(X) as module:
            decoded = np.concatenate([module(x).cpu().numpy() for x in feed.chunks()])
        return like(self.door_.outside(decoded), X)

    def sample(
        self, n: int = 16, *, label: Any = None, temperature: float = 1.0, random_state: int | None = None
    ) -> np.ndarray:
        """n new examples: codes drawn from the prior, decoded. The expected x is given, not a draw of its noise.

        Args:
            n: how many.
            label: the class to draw, or one for each example ``(n,)``, of a prior that was fitted with labels.
            temperature: below 1 draws closer to what is most likely, at 1 from the prior as it is.
            random_state: the same seed gives the same samples.

        Raises:
            InputError: where the codes have no prior, or one that knows no labels; the message names the missing call.
        """
        check_is_fitted(self, "module_")
        if not (isinstance(n, int) and n > 0 and temperature >= 0):
            raise InputError(f"n={n!r}, temperature={temperature!r}: give at least 1 example and a temperature of at least 0.")
        with torch.random.fork_rng():
            torch.manual_seed(seed_of(random_state))
            if self.prior_ is not None:
                codes = self.prior_.sample(n, label=label, temperature=temperature)
            elif label is None:
                codes = self._prior(n, temperature)
            else:
                raise InputError(
                    f"label={label!r} needs a prior that knows labels: call fit_prior(X, y) once, then sample again."
                )
        return self._decoded(codes)

    def terms(self, X: Any) -> dict[str, np.ndarray]:
        """The terms of the loss of each example, each ``(n,)``: ``"distortion"`` and, where there is one, ``"rate"``.

        A code that is drawn is drawn 16 times, with the same noise for every example. In nats, in the model's units;
        under ``likelihood="mse"`` the distortion is the squared error.
        """
        feed = self._feed(X)
        with self._inference(X) as module:
            noise = shared_noise(module.bottleneck, next(module.parameters()))
            pairs = ((module.encoder(x), x) for x in feed.chunks())
            rows = [[module.cost(features, x, e).terms for e in noise] for features, x in pairs]
        means = [{name: torch.stack([draw[name] for draw in row]).mean(0) for name in row[0]} for row in rows]
        return {name: torch.cat([row[name] for row in means]).cpu().numpy() for name in means[0]}

    def squared_error(self, X: Any) -> np.ndarray:
        """The squared error of each reconstruction, summed over the dimensions, ``(n,)``, in the model's units.

        Those are [0, 1] for pixels, and standard deviations for what is standardised.
        """
        feed = self._feed(X)
        with self._inference(X) as module:
            return torch.cat([squared_error(module(x), x) for x in feed.chunks()]).cpu().numpy()

    def score_samples(self, X: Any) -> np.ndarray:
        """How well the model explains each example, ``(n,)``, higher is better: −distortion − rate.

        For a VAE it is the evidence bound in nats, for an AE the log-likelihood of the reconstruction, and under
        ``likelihood="mse"`` minus the squared error.
        """
        terms = self.terms(X)
        return -(terms["distortion"] + terms.get("rate", 0.0))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of :meth:`score_samples`."""
        return float(self.score_samples(X).mean())

    def fit_prior(self, X: Any, y: Any = None, *, prior: str | Prior = "auto") -> Self:
        """Fit a distribution over the codes of examples; ``sample`` draws from it from then on, and it is saved with the run.

        Args:
            X: examples, as for :meth:`fit`; or a part of a data set, whose labels are used.
            y: labels ``(n,)``, for priors that can draw a class at a time.
            prior: a name in :data:`isthmus.registry.PRIORS`, a prior with settings of your own, or ``"auto"``: a Gaussian
                mixture for vectors, a gated PixelCNN for indices.

        Raises:
            InputError: for a prior that does not fit the codes, and for members whose prior is learnt in training.
        """
        from isthmus.priors.base import fitted  # priors are trained by the loop that this module uses

        if self.learns_prior:
            raise InputError(
                f"{type(self).__name__} learns the prior of its codes in training, so there is none to fit: call sample(n)."
            )
        labels = X.y if y is None and isinstance(X, Part) else y
        codes, levels = self._codes_for_prior(X), self.module_.bottleneck.levels
        seed = seed_of(self.random_state)
        self.prior_: Prior | None = fitted(prior, codes, labels, levels, seed=seed, settings=self)
        return self

    def score_prior(self, X: Any, y: Any = None) -> float:
        """The mean of log p of the codes of examples under the prior of :meth:`fit_prior`, in nats; given labels, log p(z | y).

        A code that has a distribution is drawn once.

        Raises:
            InputError: where no prior was fitted.
        """
        check_is_fitted(self, "module_")
        if self.prior_ is None:
            raise InputError(f"{type(self).__name__} has no fitted prior: call fit_prior(X) once.")
        return float(self.prior_.log_prob(self._codes_for_prior(X), y).mean())

    def save(self, path: str | Path) -> Path:
        """Write the run to a folder: weights, configuration, history. See :func:`isthmus.load`."""
        from isthmus import runs  # it builds members by name, so it lies above them

        return runs.save(self, Path(path))

    # ------------------------------------------------------------------ what the above is made of

    def _likelihood(self, unit_range: bool) -> Likelihood:
        squash = unit_range if self.output == "auto" else self.output == "sigmoid"
        name = self.likelihood
        if name == "auto":
            name = "bernoulli" if unit_range else self.unbounded_likelihood
        makers: dict[str, Callable[[], Likelihood]] = {
            "bernoulli": Bernoulli,
            "gaussian": lambda: Gaussian(self.noise_scale, squash),
            "mse": lambda: SquaredError(squash),
        }
        return makers[name]()

    def _network(self, shape: Shape) -> Network:
        return choose(self.network, shape, self.hidden, self.activation, self.image_network)

    def _encoder(self, shape: Shape) -> Features:
        if self.encoder is None:
            features = self._network(shape).encoder(shape)
            return Features(initialise(features.encoder), features.shape)
        return own_encoder(self.encoder, shape)

    def _decoder(self, code_shape: Shape, parameters: Shape) -> nn.Module:
        if self.decoder is None:
            return initialise(self._network(parameters).decoder(code_shape, parameters))
        return own_decoder(self.decoder, code_shape, parameters)

    def _open(self, X: Any) -> tuple[Door, np.ndarray]:
        """Examples for training, ``(n, *shape)``, and the layout and scaling that they settle."""
        door, x = open_door(
            self._array(X, reset=True), scaling=self.scaling, likelihood=self.likelihood, channels=self.channels,
            image_shape=self.image_shape,
        )  # fmt: skip
        if self.binarize == "dynamic" and not door.scaling.unit_range:
            raise InputError(
                "binarize='dynamic' reads values as probabilities, but X is not in [0, 1]: pass scaling='minmax' if its values "
                "can be read so, else binarize='none'."
            )
        return door, x

    def _array(self, X: Any, reset: bool = False) -> np.ndarray:
        """A table through scikit-learn's own door (names, types, sparse matrices); anything with more axes as it is."""
        x = X.x if isinstance(X, Part) else X.detach().cpu().numpy() if isinstance(X, Tensor) else X
        x = np.asarray(x) if isinstance(x, list) else x
        if getattr(x, "ndim", 2) > 2:
            return np.asanyarray(x)
        kinds = [np.float64, np.float32, np.uint8]
        try:
            checked: np.ndarray = validate_data(self, x, reset=reset, dtype=kinds, ensure_all_finite=False)
        except ValueError as error:  # the same words on one line, as an error of ours
            raise InputError(" ".join(str(error).split())) from error
        return checked

    def _admit_codes(self, Z: Any) -> np.ndarray:
        check_is_fitted(self, "module_")
        shape = self.module_.bottleneck.code_shape
        z = np.ascontiguousarray(Z, dtype=np.float32)
        if z.shape[1:] not in (shape, (math.prod(shape),)) or len(z) == 0:
            raise InputError(f"codes have the shape {z.shape}, but this model takes (n, {', '.join(map(str, shape))}).")
        extent(z, "codes")
        return z.reshape(len(z), *shape)

    def _decoded(self, z: Tensor, Z: Any = None) -> np.ndarray:
        """Examples of codes ``(n, *code_shape)``, in the floating type of what was handed in."""
        with self._inference(Z) as module:
            rows = inference_rows(self.door_.layout.shape)
            dtype = precision_for(Z, self._device) if z.is_floating_point() else z.dtype
            chunks = z.to(self._device, dtype).split(rows)
            decoded = np.concatenate([module.decode(chunk).cpu().numpy() for chunk in chunks])
        return like(self.door_.outside(decoded), Z)

    def _admitted(self, X: Any) -> np.ndarray:
        """Examples as they are kept inside, ``(n, *shape)``."""
        check_is_fitted(self, "module_")
        return self.door_.admit(self._array(X))

    def _feed(self, X: Any) -> Feed:
        return self.door_.feed(self._admitted(X), self._device, precision_for(X, self._device))

    def _hold_out(self, x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Training examples, and those that are measured after every epoch."""
        if self.validation > 0:
            return hold_out(x, self.validation, seed)
        if self.patience is not None:
            raise InputError(f"patience={self.patience} needs examples to measure: pass validation=0.1, or validation_data.")
        return x, None

    def _recorder(self, probes: Feed, epochs: int) -> Snapshots | None:
        if self.snapshots == 0:
            return None
        return Snapshots(self.snapshots, epochs, probes, lambda codes: plane(self.code_space, codes).codes)

    def _identity(self, x: np.ndarray, measured: np.ndarray | None) -> dict[str, Any]:
        """What must be equal for a training to be taken up again."""
        values = fields.plain_values(self)
        elsewhere = {"verbose", "device", "checkpoint_dir"}
        kept = {name: value for name, value in values.items() if name not in elsewhere}
        prints = {name: fingerprint(part) for name, part in (("data", x), ("validation_data", measured)) if part is not None}
        return {"member": type(self).__name__, **kept, **prints}

    def _keep(self, door: Door, module: Autoencoder, state: State) -> None:
        """What is learnt, also where training ended early."""
        self.door_ = door
        self.module_ = module.eval()
        self.prior_ = None
        self.source_: Mapping[str, Any] | None = None
        self.n_features_in_ = int(np.prod(door.layout.outer))
        self.history_ = state.history
        self.likelihood_ = next(name for name in LIKELIHOODS if isinstance(module.likelihood, LIKELIHOODS[name]))
        kept = state.snapshots
        self.snapshots_ = [
            Snapshot(epoch, kept[f"codes.{epoch}"].numpy(), door.outside(kept[f"grid.{epoch}"].numpy()))
            for epoch in sorted(int(name.partition(".")[2]) for name in kept if name.startswith("codes."))
        ]

    def _restore(self, door: Door, weights: Mapping[str, Tensor], source: Path) -> None:
        """Become fitted with weights that were saved."""
        with torch.random.fork_rng():
            module = self.build(door.layout.shape, unit_range=door.scaling.unit_range)
        files.load_state(module, weights, source)
        self._keep(door, PlainRuntime(self.device).place(module), State())

    def _fitted(self) -> Autoencoder:
        check_is_fitted(self, "module_")
        return self.module_

    def _say(self, feed: Feed) -> None:
        """Warn, in plain words, where training ended with little learnt."""
        with self._inference() as module:
            complaints = module.bottleneck.complaints(module.encode(next(feed.chunks())))
        last = [row for row in self.history_ if row.get("stage") == self.history_[-1].get("stage")]
        settled = [row["objective"] for row in last if row["epoch"] - last[0]["epoch"] >= self.warm_epoch]
        if len(settled) > 2 and settled[-1] >= settled[0] and not self.moving_objective:
            complaints.append(
                f"the objective did not fall (from {settled[0]:.4g} to {settled[-1]:.4g}): "
                f"try another learning_rate (it is {self.learning_rate:g}), or look at the data."
            )
        for complaint in complaints:
            warnings.warn(f"{type(self).__name__}: {complaint}", LearningWarning, stacklevel=3)

    def _codes_for_prior(self, X: Any) -> Tensor:
        """The codes that a prior is fitted on, ``(n, *code_shape)``: drawn once where the posterior is a distribution."""
        feed = self._feed(X)
        with self._inference(X) as module, torch.random.fork_rng():
            torch.manual_seed(0)
            if module.bottleneck.is_random and not module.bottleneck.levels:
                codes = torch.cat([module.bottleneck(module.encoder(x)).z.cpu() for x in feed.chunks()])
            else:
                codes = torch.cat([module.encode(x)[0].cpu() for x in feed.chunks()])
        return codes.float() if codes.is_floating_point() else codes

    @property
    def _device(self) -> torch.device:
        return next(self.module_.parameters()).device

    @property
    def _n_features_out(self) -> int:
        return int(np.prod(self.module_.bottleneck.code_shape))

    @contextmanager
    def _inference(self, X: Any = None) -> Iterator[Autoencoder]:
        check_is_fitted(self, "module_")
        module = self.module_.eval()
        if precision_for(X, self._device) == torch.float64:
            module = copy.deepcopy(module).double()
        with torch.inference_mode():
            yield module

    def _posterior(self, X: Any) -> Any:
        """The posterior of each example, as the bottleneck's own named tuple, of arrays."""
        feed = self._feed(X)
        with self._inference(X) as module:
            chunks = [module.encode(x) for x in feed.chunks()]
        arrays = (like(torch.cat(parts).cpu().numpy(), X) for parts in zip(*chunks, strict=True))
        return type(chunks[0])(*arrays)
