"""The one sentence that every member follows, as a torch module.

    x → encoder → features → bottleneck → code z → decoder → parameters → likelihood → p(x | z)

It is usable without the estimator:
``module = ist.VAE(latent_dim=8).build((1, 28, 28)); module.loss(x)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from isthmus.core.example import Shape
from isthmus.core.objectives import Loss, Objective, TrainableModule
from isthmus.core.reductions import full
from isthmus.likelihoods import Likelihood

_STILL = 1e-4  # a standard deviation of codes over examples below which they are the same


class Point(NamedTuple):
    """What a deterministic encoder says of an example: one code, ``z: (n, *code_shape)``."""

    z: Tensor


@dataclass(frozen=True)
class Code:
    """What the bottleneck passes on while a loss is computed.

    Attributes:
        z: what the decoder gets, ``(n, *passed_shape)``.
        penalty: what the bottleneck adds to the objective, weighted, ``(n,)``; None adds nothing.
        terms: what it reports, unweighted, each ``(n,)``.
    """

    z: Tensor
    penalty: Tensor | None = None
    terms: Mapping[str, Tensor] = field(default_factory=dict)


class Level(NamedTuple):
    """Integer codes of one level: a grid of indices, and how many entries they choose from."""

    grid: Shape
    size: int


class Bottleneck(nn.Module, ABC):
    """From features to the code: where most members differ."""

    code_shape: Shape
    """The shape of the code of one example, as it is kept and handed out."""
    is_random: bool = False
    """Whether the code is drawn, so that a bound is an average over draws."""

    levels: tuple[Level, ...] = ()
    """The grids of integer codes, from the coarsest; empty where codes are vectors."""

    @property
    def passed_shape(self) -> Shape:
        """The shape of what the decoder gets for one example; the code itself, unless
        :meth:`expand` makes more of it.
        """
        return self.code_shape

    def expand(self, code: Tensor) -> Tensor:
        """From codes ``(n, *code_shape)`` to what the decoder gets, ``(n, *passed_shape)``."""
        return code

    @abstractmethod
    def posterior(self, features: Tensor) -> tuple[Tensor, ...]:
        """What the encoder says of each example: a named tuple whose first entry is the code of
        ``transform``.
        """

    @abstractmethod
    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        """The code that is passed on in training, with its penalty and its terms.

        A bottleneck that draws its code takes standard normal ``noise`` of
        ``(n or 1, *code_shape)``, or draws it.
        """

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[str]:
        """What went wrong in training, judged by the posterior of some examples, in plain words
        with the remedy.
        """
        spread = posterior[0].flatten(1).float().std(0)  # indices are whole numbers
        if len(posterior[0]) < 2 or bool((spread > _STILL).any()):
            return []
        return [
            "all examples have the same code, so nothing is told apart: lower learning_rate, or"
            " change activation."
        ]

    def close_epoch(self) -> dict[str, float]:
        """Look back on an epoch of training: what to add to its row in the history. Unused units
        may be renewed here.
        """
        return {}

    def anneal(self, epoch: float) -> None:
        """Set what changes as training goes on; ``epoch`` counts finished epochs, with fractions."""

    def adversaries(self, module: Autoencoder) -> tuple[Objective, ...]:
        """Who plays against the autoencoder, with parameters of this bottleneck; nobody in most
        members.
        """
        return ()


class Penalty(nn.Module, ABC):
    """What a member charges for the way in which examples become features."""

    @abstractmethod
    def forward(self, module: Autoencoder, x: Tensor) -> Loss:
        """The charge for examples ``(n, *shape)``: ``objective`` is what is added, weighted;
        ``terms`` are reported.
        """


LossFunction = Callable[["Autoencoder", Tensor, Tensor, Tensor | None], Loss]
"""From a module, features, examples and noise to the cost of each example."""


def single_sample(module: Autoencoder, features: Tensor, x: Tensor, noise: Tensor | None) -> Loss:
    """Distortion under one code, plus whatever the bottleneck adds: the objective of most members."""
    code: Code = module.bottleneck(features, noise)
    distortion = module.likelihood.nll(full(module.decoder(code.z)), x)
    objective = distortion if code.penalty is None else distortion + code.penalty
    return Loss(objective, {"distortion": distortion, **code.terms})


class Autoencoder(TrainableModule):
    """An encoder, a bottleneck, a decoder and a likelihood, put together.

    Args:
        encoder: x ``(n, *shape)`` to features.
        bottleneck: features to the code z ``(n, *code_shape)``.
        decoder: z to the parameters of the likelihood.
        likelihood: p(x | z).
        corruption: what is done to x before the encoder sees it, in :meth:`loss`; the target stays
            clean.
        penalty: what is charged for the encoder's behaviour, in :meth:`loss`.
        objective: how distortion and code make a cost.
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
        objective: LossFunction = single_sample,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.likelihood = likelihood
        self.corruption = corruption
        self.penalty = penalty
        self.objective = objective

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        """The posterior of each example, a named tuple; nothing is drawn."""
        return self.bottleneck.posterior(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """The expected x of each code: ``(n, *code_shape)`` to ``(n, *shape)``."""
        return self.likelihood.mean(full(self.decoder(self.bottleneck.expand(z))))

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of x through its first-named code; the same at every call."""
        return self.decode(self.encode(x)[0])

    def loss(self, x: Tensor, noise: Tensor | None = None) -> Loss:
        """What x ``(n, *shape)`` costs in training, per example.

        ``noise``, ``(n or 1, *code_shape)``, takes the place of the bottleneck's own draw.
        """
        seen = x if self.corruption is None else self.corruption(x)
        loss = self.cost(self.encoder(seen), x, noise)
        if self.penalty is None:
            return loss
        charge: Loss = self.penalty(self, seen)
        return Loss(loss.objective + charge.objective, {**loss.terms, **charge.terms})

    def cost(self, features: Tensor, x: Tensor, noise: Tensor | None = None) -> Loss:
        """What x costs given its features, without corruption or penalty: several draws need the
        encoder once.
        """
        return self.objective(self, features, x, noise)

    def objectives(self) -> tuple[Objective, ...]:
        """The autoencoder itself, and whoever its bottleneck sets against it."""
        adversaries = self.bottleneck.adversaries(self)
        theirs = {id(parameter) for opponent in adversaries for parameter in opponent.parameters}
        own = tuple(p for p in self.parameters() if p.requires_grad and id(p) not in theirs)
        return (Objective(own, self.loss), *adversaries)

    def anneal(self, epoch: float) -> None:
        """Tell the bottleneck how far training has come."""
        self.bottleneck.anneal(epoch)

    def close_epoch(self) -> dict[str, float]:
        """Let the bottleneck look back on an epoch."""
        return self.bottleneck.close_epoch()
