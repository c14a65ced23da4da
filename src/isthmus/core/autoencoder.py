"""The one sentence that every member follows, as a torch module.

    x → encoder → features → bottleneck → code z → decoder → parameters → likelihood → p(x | z)

It is usable without the estimator:
``module = ist.VAE(latent_dim=8).build((1, 28, 28)); module.loss(Batch(x))``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from isthmus.core.batch import Batch
from isthmus.core.conditioning import required, with_condition
from isthmus.core.example import Shape
from isthmus.core.findings import Finding
from isthmus.core.forward import Code, Level, Pass
from isthmus.core.hiding import Hiding
from isthmus.core.objectives import (
    Adversary,
    HasAdversaries,
    Loss,
    Objective,
    Side,
    TrainableModule,
)
from isthmus.core.reductions import full
from isthmus.likelihoods.base import Likelihood

# a standard deviation of codes over examples, as a share of the largest of them, up to which they
# are the same
_STILL = 1e-4


class Bottleneck(nn.Module, ABC):
    """From features to the code: where most members differ."""

    code_shape: Shape
    """The shape of the code of one example, as it is kept and handed out."""
    is_random: bool = False
    """Whether the code is drawn, so that a bound is an average over draws."""

    is_gaussian: bool = False
    """Whether the posterior is ``(μ, log σ²)`` of independent normals, and the prior N(0, I)."""

    reads_condition: bool = False
    """Whether a condition changes the code's own prior, so that it is handed to every pass."""

    is_sparse: bool = False
    """Whether an example is meant to use few of the code's units."""

    levels: tuple[Level, ...] = ()
    """The grids of integer codes, from the coarsest; empty where codes are vectors."""

    @property
    def passed_shape(self) -> Shape:
        """The shape of what the decoder gets for one example: the code's, or :meth:`expand`'s."""
        return self.code_shape

    @property
    def noise_shape(self) -> Shape:
        """The shape of the standard normal noise behind one draw of a code: the code's, if it takes
        no more.
        """
        return self.code_shape

    def expand(self, code: Tensor) -> Tensor:
        """From codes ``(n, *code_shape)`` to what the decoder gets, ``(n, *passed_shape)``."""
        return code

    @abstractmethod
    def posterior(self, features: Tensor) -> tuple[Tensor, ...]:
        """The posterior of each example: a named tuple, first the code of ``transform``."""

    @abstractmethod
    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        """The code that is passed on in training, with its penalty and its terms.

        A bottleneck that draws its code takes standard normal ``noise`` of
        ``(n or 1, *noise_shape)``, or draws it.
        """

    def add_condition(self, size: int) -> None:
        """Make ready for a condition of ``size`` numbers, where the code's own prior knows it."""

    def active(self, code: Tensor) -> Tensor:
        """Which units of sparse codes ``(n, *code_shape)`` are in use: as many booleans."""
        return code != 0

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        """What went wrong in training, and the remedy, judged by the posterior of some examples."""
        codes = posterior[0].detach().flatten(1).float()  # indices are whole numbers
        if len(codes) < 2:
            return []
        greatest = codes.abs().amax(0)
        spread = (codes.std(0) / greatest.where(greatest > 0, 1.0)).max()
        if spread > _STILL:
            return []
        return [
            Finding(
                "constant-code",
                "all examples have the same code, so nothing is told apart",
                "lower learning_rate, or change activation",
                "standard deviation of the code, as a share of its greatest value",
                float(spread),
                _STILL,
                "fault",
            )
        ]

    def close_epoch(self) -> dict[str, float]:
        """Look back on an epoch of training; gives what to add to its row in the history.

        Unused units may be renewed here.
        """
        return {}

    def anneal(self, epoch: float) -> None:
        """Set what changes in training; ``epoch`` counts finished epochs, with fractions."""

    def adversaries(self, module: Autoencoder) -> tuple[Adversary, ...]:
        """Adversaries of the autoencoder with parameters of this bottleneck; mostly none."""
        return ()


class Penalty(nn.Module, ABC):
    """A penalty on the way in which examples become codes."""

    @abstractmethod
    def forward(self, module: Autoencoder, seen: Batch) -> Loss:
        """The penalty for a batch: weighted in ``objective``, reported in ``terms``."""

    def anneal(self, epoch: float) -> None:
        """Set what changes in training; ``epoch`` counts finished epochs, with fractions."""


LossFunction = Callable[["Autoencoder", Tensor, Batch, Tensor | None], Loss]
"""From a module, features, examples and noise to the cost of each example.

One that changes in the course of training has a method ``anneal(epoch)``, as a bottleneck has.
"""


def single_sample(
    module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
) -> Loss:
    """Distortion under one code, plus whatever the bottleneck adds: the loss of most members."""
    code = module.code(features, batch.condition, noise)
    parameters = module.parameters_of(code.z, batch.condition, batch)
    distortion = module.likelihood.nll(parameters, batch.x, batch.mask)
    objective = distortion if code.penalty is None else distortion + code.penalty
    made = Pass(batch, features, code, parameters)
    return Loss(objective, {"distortion": distortion, **code.terms}, made)


class Autoencoder(TrainableModule):
    """An encoder, a bottleneck, a decoder and a likelihood, put together.

    Args:
        encoder: x ``(n, *shape)`` to features.
        bottleneck: features to the code z ``(n, *code_shape)``.
        decoder: z to the parameters of the likelihood; under a condition, z with the condition
            behind it (as further channels, where z is a grid).
        likelihood: p(x | z).
        corruption: what is done in :meth:`loss` to what the encoder sees of x; the target stays
            clean.
        penalty: what is charged for the encoder's behaviour, in :meth:`loss`.
        loss_function: how distortion and code make a cost.
        conditioning: how the encoder sees a condition; None where there is none.
        hiding: what more is hidden from the encoder, in :meth:`loss`; None for nothing.
    """

    def __init__(
        self,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: Likelihood,
        *,
        corruption: Callable[[Tensor], Tensor] | None = None,
        penalty: Penalty | None = None,
        loss_function: LossFunction = single_sample,
        conditioning: nn.Module | None = None,
        hiding: Hiding | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.likelihood = likelihood
        self.corruption = corruption
        self.penalty = penalty
        self.loss_function = loss_function
        self.conditioning = conditioning
        self.hiding = hiding

    def seen(self, batch: Batch) -> Batch:
        """Examples as the encoder sees them, by the likelihood: of counts, log (1 + x)."""
        return batch._replace(x=self.likelihood.encoded(batch.x, batch.mask))

    def shown(self, batch: Batch) -> Batch:
        """Examples as the encoder sees them in training: corrupted, and with values hidden."""
        seen = self.seen(batch)
        if self.corruption is not None:
            seen = seen._replace(x=seen.observed(self.corruption(seen.x)))
        return seen if self.hiding is None else self.hiding(seen)

    def features(self, batch: Batch) -> Tensor:
        """What the encoder makes of examples, ``(n, *features)``."""
        return self.features_of(self.seen(batch))

    def features_of(self, seen: Batch) -> Tensor:
        """What the encoder makes of what it sees, ``(n, *features)``."""
        if self.conditioning is not None:
            seen = seen._replace(x=seen.x + self.conditioning(required(seen.condition)))
        return encoded(self.encoder, seen)

    def encode(self, batch: Batch) -> tuple[Tensor, ...]:
        """The posterior of each example, a named tuple; nothing is drawn."""
        return self.encode_seen(self.seen(batch))

    def encode_seen(self, seen: Batch) -> tuple[Tensor, ...]:
        """The posterior of each example as a function of what the encoder sees of it."""
        return self.bottleneck.posterior(self.features_of(seen), **self.context(seen.condition))

    def code(
        self, features: Tensor, condition: Tensor | None = None, noise: Tensor | None = None
    ) -> Code:
        """The code that is passed on in training, given features."""
        code: Code = self.bottleneck(features, noise, **self.context(condition))
        return code

    def parameters_of(
        self, passed: Tensor, condition: Tensor | None = None, examples: Batch | None = None
    ) -> Tensor:
        """What is said of x, ``(n, *parameter_shape)``, by what the bottleneck passes of it.

        That is ``(n, *passed_shape)``. Several draws of each example, one after another, share its
        condition. The size of ``examples``, where the likelihood asks for it, is their own.
        """
        if self.conditioning is not None:
            passed = with_condition(passed, required(condition))
        return self.likelihood.sized(full(self.decoder(passed)), examples)

    def parameters_at(
        self, z: Tensor, condition: Tensor | None = None, examples: Batch | None = None
    ) -> Tensor:
        """What is said of x by codes ``(n, *code_shape)``, of ``examples`` if they are theirs."""
        passed = self.bottleneck.expand(z, **self.context(condition))
        return self.parameters_of(passed, condition, examples)

    def distortion(self, passed: Tensor, batch: Batch) -> Tensor:
        """−log p(x | z) of examples, ``(n,)``, of what the bottleneck passes of each."""
        parameters = self.parameters_of(passed, batch.condition, batch)
        return self.likelihood.nll(parameters, batch.x, batch.mask)

    def decode(
        self, z: Tensor, condition: Tensor | None = None, examples: Batch | None = None
    ) -> Tensor:
        """The expected x of each code: ``(n, *code_shape)`` to ``(n, *shape)``.

        ``examples``, where the codes are theirs, tell their size; else it is the typical one.
        """
        return self.likelihood.mean(self.parameters_at(z, condition, examples))

    def forward(self, batch: Batch, condition: Tensor | None = None) -> Tensor:
        """The reconstruction of x through its first-named code; the same at every call.

        ``condition`` is what the decoder is told, where it is another than the encoder is told.
        """
        condition = batch.condition if condition is None else condition
        return self.decode(self.encode(batch)[0], condition, batch)

    def loss(self, batch: Batch, noise: Tensor | None = None) -> Loss:
        """What examples cost in training, each by itself.

        ``noise``, ``(n or 1, *noise_shape)``, takes the place of the bottleneck's own draw.
        """
        seen = self.shown(batch)
        loss = self.cost(self.features_of(seen), batch, noise)
        if self.penalty is None:
            return loss
        charge: Loss = self.penalty(self, seen)
        total = loss.objective + charge.objective
        return Loss(total, {**loss.terms, **charge.terms}, loss.made)

    def cost(self, features: Tensor, batch: Batch, noise: Tensor | None = None) -> Loss:
        """What examples cost given their features, without corruption or penalty.

        Several draws need the encoder once.
        """
        return self.loss_function(self, features, batch, noise)

    def objectives(self) -> tuple[Side, ...]:
        """The autoencoder itself, and the adversaries of its parts."""
        parts = (self.bottleneck, self.likelihood, self.loss_function)
        adversaries = tuple(
            adversary
            for part in parts
            if isinstance(part, HasAdversaries)
            for adversary in part.adversaries(self)
        )
        theirs = {id(parameter) for adversary in adversaries for parameter in adversary.parameters}
        own = tuple(p for p in self.parameters() if p.requires_grad and id(p) not in theirs)
        return (Objective(own, self.loss), *adversaries)

    def anneal(self, epoch: float) -> None:
        """Tell bottleneck and penalty, and a loss that asks for it, how far training has come."""
        self.bottleneck.anneal(epoch)
        if self.penalty is not None:
            self.penalty.anneal(epoch)
        anneal = getattr(self.loss_function, "anneal", None)
        if anneal is not None:
            anneal(epoch)

    def close_epoch(self) -> dict[str, float]:
        """Let the bottleneck close an epoch."""
        return self.bottleneck.close_epoch()

    def context(self, condition: Tensor | None) -> dict[str, Tensor]:
        """The further inputs of a bottleneck with a learnt prior."""
        if self.conditioning is None or not self.bottleneck.reads_condition:
            return {}
        return {"condition": required(condition)}


def encoded(encoder: nn.Module, batch: Batch) -> Tensor:
    """What an encoder makes of examples; one that reads a mask is given it."""
    reads_mask = batch.mask is not None and getattr(encoder, "reads_mask", False)
    features: Tensor = encoder(batch.x, batch.mask) if reads_mask else encoder(batch.x)
    return features
