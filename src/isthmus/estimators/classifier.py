"""A classifier on top of an autoencoder: pretrained on everything, fine-tuned on the labelled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import fields
from isthmus.core.autoencoder import Autoencoder, encoded
from isthmus.core.batch import Batch
from isthmus.core.conditioning import required
from isthmus.core.fields import field
from isthmus.core.objectives import Loss, Objective, Side, Stage, TrainableModule
from isthmus.core.parts import Configurable
from isthmus.core.randomness import alone
from isthmus.data.datasets import Part
from isthmus.data.examples import weights_of
from isthmus.data.few_labels import Labelled, accuracy, labels_of
from isthmus.data.incoming import incoming
from isthmus.data.stores import Store
from isthmus.errors import InputError
from isthmus.estimators._double import in_evaluation, in_float64
from isthmus.estimators._results import collected, require_finite
from isthmus.estimators.base import Estimator
from isthmus.estimators.precision import dtype_of, like
from isthmus.registry import MEMBERS
from isthmus.training.callbacks import assembled
from isthmus.training.distributed import choose_runtime
from isthmus.training.history import History
from isthmus.training.loop import Trainer
from isthmus.training.runtimes import Runtime, multiplying, tuned, useful_threads
from isthmus.training.settings import TrainingSettings, seed_of


@dataclass(repr=False, eq=False)
class AutoencoderClassifier(ClassifierMixin, TrainingSettings, Configurable):
    r"""Classifier that starts from an autoencoder's code.

    The member is trained on all examples, whether they have a label or not. Then a softmax layer on
    its code is trained on those that have one, together with the encoder:

    .. math:: \min_{f, W, b} \; \mathbb{E}_{x, y} \left[ -\log \mathrm{softmax}(W f(x) + b)_y
              \right]

    ``member`` is an estimator such as ``ist.AE(latent_dim=50)``, which is copied and kept, trained,
    as ``member_``, or the name of one, taken with its default settings; a ``FrozenEstimator``
    around a trained one saves the pretraining. With ``freeze`` the softmax layer alone is trained.
    The other arguments are those of the fine-tuning; ``history_`` holds its epochs. Labels may be
    of any kind; −1 marks an example without one, also among labels that are text.
    ``x: (n, *shape)``, ``y: (n,)``; ``predict_proba`` gives ``(n, classes)``.

    Raises:
        InputError: at ``fit``, where fewer than two classes have a label, and for y of another
            length than X.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> y = data.train.y.copy()
        >>> y[200:] = -1
        >>> base = ist.AE(latent_dim=32, epochs=2)
        >>> model = ist.AutoencoderClassifier(base, epochs=20, random_state=0)
        >>> bool(model.fit(data.train.x, y).score(data.test.x, data.test.y) > 0.6)
        True
    """

    member: Estimator | str = field(
        "ae",
        "the autoencoder that is pretrained: an estimator, the name of a member, or a"
        " FrozenEstimator around a trained one",
    )
    freeze: bool = field(False, "whether the encoder stays as pretraining left it")
    n_labels: int | None = field(
        None, "how many labels are used, drawn, as many of each class; none: all of them", low=1
    )

    def fit(self, X: Any, y: Any = None, *, runtime: Runtime | None = None) -> Self:
        """Pretrain on all examples, fine-tune on those whose label is not −1; a part of a data set
        brings its labels. ``runtime`` is where both are trained, as for a member's ``fit``.
        """
        fields.validate(self.get_params(deep=False), fields.declared(type(self)))
        runtime = runtime or choose_runtime(self.device, self.precision)
        seed = int(runtime.agreed([seed_of(self.random_state)])[0])
        X = incoming(X)
        given = Labelled.of(
            labels_of(X) if y is None and isinstance(X, Part) else y, type(self).__name__
        )
        given = given.few(self.n_labels, seed)
        self.classes_, y_known = np.unique(given.labels, return_inverse=True)
        if isinstance(self.member, FrozenEstimator):
            self.member_ = self.member.estimator
            check_is_fitted(self.member_, "module_")
        else:
            self.member_ = self._prepared(seed).fit(X, runtime=runtime)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.member_, name):
                setattr(self, name, getattr(self.member_, name))
        x = self.member_._preprocessed(X)
        given.require(len(x))
        self._fine_tune(x.take(given.rows), torch.from_numpy(y_known), seed, runtime)
        return self

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may hand in: sparse rows and rows that lack values too."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        return tags

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each example, ``(n,)``."""
        logits = self._logits(X)
        return np.asarray(self.classes_[logits.argmax(1).numpy()])

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, ``(n, classes)``, in the order of ``classes_``."""
        X = incoming(X)
        return like(self._logits(X).softmax(1).numpy(), dtype_of(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of the examples with a label whose class is told rightly, under their weights
        if there are any; a part of a data set brings its labels.
        """
        X = incoming(X)
        told = self.predict(X)
        y = labels_of(X) if y is None and isinstance(X, Part) else y
        weight = weights_of(sample_weight, len(told))
        return accuracy(told, y, self.classes_, type(self).__name__, weight)

    def codes(self, X: Any) -> np.ndarray:
        """The fine-tuned code of each example, which the softmax layer sees, ``(n, features)``."""
        X = incoming(X)
        codes = self._computed(X, lambda module, batch: module.code(batch)).numpy()
        return like(codes, dtype_of(X))

    def _glance(self) -> list[tuple[str, object]]:
        if not hasattr(self, "history_"):
            return []
        return [
            ("member", type(self.member_).__name__),
            (
                "classes",
                ", ".join(map(str, self.classes_[:12])) + ", …" * (len(self.classes_) > 12),
            ),
            ("training", self.history_.summary()),
        ]

    def _prepared(self, seed: int) -> Estimator:
        """The member before it is trained; with a seed of ours where it has none."""
        if isinstance(self.member, str):
            built: Estimator = MEMBERS[self.member](
                random_state=seed, verbose=self.verbose, device=self.device
            )
            return built
        if not isinstance(self.member, Estimator):
            raise InputError(
                f"member={self.member!r} is not usable: give an estimator such as ist.AE(), or the"
                " name of one."
            )
        if getattr(self.member, "condition", "none") != "none":
            raise InputError(
                f"member={self.member!r} is told the condition that a classifier would have to"
                " find: give a member with condition='none'."
            )
        return self.member.untrained(type(self).__name__, seed)

    def _fine_tune(self, x: Store, y: Tensor, seed: int, runtime: Runtime) -> None:
        batches = self.member_.preprocessor_.batches(
            x, runtime.device, condition=F.one_hot(y, len(self.classes_))
        )
        with alone(seed):
            network = SoftmaxOnCode(self.member_.module_, len(self.classes_), self.freeze)
            self.module_ = runtime.place(network)
            trainer = Trainer(
                network,
                [Stage(self._epochs, network.objectives())],
                batches,
                self,
                runtime,
                seed,
                callbacks=assembled(self, runtime),
            )
            with tuned(self.precision, useful_threads(network, self.batch_size)):
                self.history_ = History(trainer.run().history)

    def _logits(self, X: Any) -> Tensor:
        return self._computed(X, lambda module, batch: module(batch))

    def _computed(self, X: Any, compute: Callable[[SoftmaxOnCode, Batch], Tensor]) -> Tensor:
        check_is_fitted(self, "module_")
        X = incoming(X)
        module: SoftmaxOnCode = self.module_
        batches = self.member_._batches(X)
        is_exact = batches.dtype == torch.float64
        module = in_float64(module) if is_exact else in_evaluation(module)
        with torch.inference_mode(), multiplying():
            computed = ((compute(module, batch),) for batch in batches.chunks())
            found = collected(computed, len(batches))[0]
        return torch.from_numpy(require_finite(found, "code"))


class SoftmaxOnCode(TrainableModule):
    """The encoder of an autoencoder, copied, and a linear map from its code to the logits of the
    classes.

    ``x: (n, *shape)`` to ``(n, classes)``.
    """

    def __init__(self, autoencoder: Autoencoder, classes: int, freeze: bool) -> None:
        super().__init__()
        self.encoder, self.bottleneck = (
            copy.deepcopy(autoencoder.encoder),
            copy.deepcopy(autoencoder.bottleneck),
        )
        # it says how the encoder sees x, and is not trained
        self.likelihood = copy.deepcopy(autoencoder.likelihood).requires_grad_(False)
        device = next(autoencoder.parameters()).device
        width = int(np.prod(autoencoder.bottleneck.code_shape))
        self.head = nn.Linear(width, classes, device=device)
        nn.init.zeros_(self.head.weight)  # no class is preferred before a label has been seen
        nn.init.zeros_(self.head.bias)
        self.freeze = freeze

    def code(self, batch: Batch) -> Tensor:
        """What the linear map sees, ``(n, features)``."""
        seen = batch._replace(x=self.likelihood.encoded(batch.x, batch.mask))
        code: Tensor = self.bottleneck.posterior(encoded(self.encoder, seen))[0]
        return code.flatten(1)

    def forward(self, batch: Batch) -> Tensor:
        return self.head(self.code(batch))

    def loss(self, batch: Batch) -> Loss:
        """The cross-entropy of each example, in nats, and whether it is wrong; the condition of a
        batch says the classes.
        """
        logits, labels = self(batch), required(batch.condition).argmax(1)
        entropy = F.cross_entropy(logits, labels, reduction="none")
        wrong = (logits.argmax(1) != labels).to(entropy.dtype)
        return Loss(entropy, {"cross_entropy": entropy, "error": wrong})

    def objectives(self) -> tuple[Side, ...]:
        moved = self.head if self.freeze else self
        trained = tuple(p for p in moved.parameters() if p.requires_grad)
        return (Objective(trained, self.loss),)

    def train(self, mode: bool = True) -> Self:
        """Training mode, in which a frozen encoder keeps its statistics."""
        super().train(mode)
        if self.freeze:
            self.encoder.eval()
            self.bottleneck.eval()
        return self
