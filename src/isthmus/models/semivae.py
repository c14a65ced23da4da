"""The semi-supervised variational autoencoder (M2): the class is a second, discrete code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.findings import Finding
from isthmus.core.forward import Code
from isthmus.core.objectives import Loss
from isthmus.divergences import gaussian_kl
from isthmus.models._few_labels import SamplesClasses, labelled_cost
from isthmus.models._variational import COLLAPSED, LatentVariableModel, StochasticBottleneck


@dataclass(repr=False, eq=False, kw_only=True)
class SemiSupervisedVAE(SamplesClasses, LatentVariableModel):
    r"""Semi-supervised variational autoencoder (M2): x comes from a class y and a style z.

    .. math:: p(x, y, z) = p(x \mid y, z) \, p(y) \, \mathcal{N}(z; 0, I), \quad
              \mathcal{L} = \mathbb{E}_{q(y \mid x)} \left[ -\mathrm{ELBO}(x, y)
              + \log q(y \mid x) \right] - \alpha \log q(y \mid x)

    where :math:`-\mathrm{ELBO}(x, y) = \mathbb{E}_{q(z \mid x, y)}[-\log p(x \mid y, z)] +
    \mathrm{KL}(q(z \mid x, y) \Vert \mathcal{N}(0, I)) - \log p(y)`. An example with a label has it
    in place of q(y | x) in the bound, and alone pays the last term. p(y) is uniform; without labels
    there is one class, and this is a VAE. The bound is exact in y: every class is decoded.

    ``x: (n, *shape)``; the code is the style and the probability of each class,
    ``(n, latent_dim + classes)``; ``sample(n, label=3)`` draws the style alone. ``nll`` draws both.

    Raises:
        InputError: at ``fit``, for y of amounts or of fewer than two classes.

    Reference:
        D. P. Kingma, D. J. Rezende, S. Mohamed and M. Welling, Semi-supervised learning with deep
        generative models, NeurIPS 2014.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.SemiSupervisedVAE(n_labels=100, epochs=2, random_state=0).fit(data.train)
        >>> model.predict(data.test.x).shape, model.sample(3, label=7).shape
        ((359,), (3, 1, 8, 8))
    """

    latent_dim: int = field(10, "size of the style z; the classes stand beside it", low=1)
    beta: float = field(1.0, "weight of the rate; 1 is the evidence bound", low=0)
    label_weight: float = field(
        10.0, "weight of -log q(y|x) of the labelled examples, in nats (alpha)", low=0
    )
    labelled_share: float = field(
        0.2,
        "share of labelled examples in a batch, where there are so many",
        above=0,
        below=1,
        afterwards=True,
    )

    def _bottleneck(self, features: Shape) -> ClassAndStyle:
        return ClassAndStyle(features, self._code_size, max(1, self._class_count))

    def _loss_function(self, spec: ExampleSpec) -> MarginalBound:
        return MarginalBound(self.beta, self.label_weight)


class StyleAndClasses(NamedTuple):
    """The posterior of an example.

    Attributes:
        z: the mean of the style under the classes as likely as they are, and their probabilities,
            ``(n, latent_dim + classes)``.
        style_log_var: log σ² of the style, ``(n, latent_dim)``.
        logits: of the classes, ``(n, classes)``.
    """

    z: Tensor
    style_log_var: Tensor
    logits: Tensor


class ClassAndStyle(StochasticBottleneck):
    """q(y | x), a class, and q(z | x, y), a diagonal Gaussian.

    ``features: (n, *features)`` to ``(n, latent_dim + classes)``.
    """

    def __init__(self, features: Shape, latent_dim: int, classes: int) -> None:
        super().__init__()
        width = math.prod(features)
        self.latent_dim, self.classes = latent_dim, classes
        self.code_shape = (latent_dim + classes,)
        self.classify = nn.Linear(width, classes)
        self.project = nn.Linear(width, 2 * latent_dim)
        self.of_class = nn.Linear(classes, 2 * latent_dim, bias=False)  # how a class moves it

    def logits(self, features: Tensor) -> Tensor:
        found: Tensor = self.classify(features.flatten(1))
        return found

    def style(self, features: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z | x, y), each ``(…, n, latent_dim)``, of y ``(…, n, classes)``."""
        mu, log_var = (self.project(features.flatten(1)) + self.of_class(y)).chunk(2, dim=-1)
        return mu, log_var.clamp(-20.0, 10.0)

    def posterior(self, features: Tensor) -> StyleAndClasses:
        logits = self.logits(features)
        y = logits.softmax(1)
        mu, log_var = self.style(features, y)
        return StyleAndClasses(torch.cat([mu, y], 1), log_var, logits)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        if noise is None:
            noise = sharding.randn(len(features), *self.code_shape, like=features)
        passed, log_ratio = self.draw(features, noise.expand(len(features), -1)[None])
        return Code(passed, -log_ratio[0])

    def draw(self, features: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draws of class and style; the class is the greatest logit, of all with Gumbel's noise."""
        log_q = self.logits(features).log_softmax(1)  # (n, classes)
        share = torch.special.ndtr(noise[..., self.latent_dim :]).clamp(1e-7, 1 - 1e-7)
        gumbel = -(-share.log()).log()  # (s, n, classes)
        y = F.one_hot((log_q + gumbel).argmax(-1), self.classes).to(log_q)
        mu, log_var = self.style(features, y)  # (s, n, latent_dim)
        own = noise[..., : self.latent_dim]
        z = mu + (0.5 * log_var).exp() * own
        ratio = 0.5 * (own.square() + log_var - z.square()).sum(-1)  # log p(z) − log q(z | x, y)
        ratio = ratio - math.log(self.classes) - (y * log_q).sum(-1)
        return torch.cat([z, y], -1).flatten(0, 1), ratio

    def diagnostics(self, posterior: Sequence[Tensor]) -> list[Finding]:
        rates = gaussian_kl(posterior[0][:, : self.latent_dim], posterior[1]).mean(0)
        if bool((rates >= COLLAPSED).any()):
            return []
        return [
            Finding(
                "posterior-collapse",
                f"all {len(rates)} dimensions of the style carry less than {COLLAPSED} nats"
                " (posterior collapse), so the decoder sees the class alone",
                "lower beta",
                "rate of the dimension that carries most, nats",
                float(rates.detach().max()),
                COLLAPSED,
                "fault",
            )
        ]


class MarginalBound(nn.Module):
    """The bound with the class summed over: every class is decoded for every example.

    Args:
        beta: weight of the rate.
        label_weight: weight of the cross-entropy of labelled examples.
    """

    def __init__(self, beta: float, label_weight: float) -> None:
        super().__init__()
        self.beta, self.label_weight = beta, label_weight

    def forward(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, ClassAndStyle)
        n, classes = len(features), bottleneck.classes
        logits = bottleneck.logits(features)
        y = torch.eye(classes).to(features)[:, None].expand(-1, n, -1)  # (classes, n, classes)
        mu, log_var = bottleneck.style(features, y)  # (classes, n, latent_dim)
        own = (
            sharding.randn(n, bottleneck.latent_dim, like=features)
            if noise is None
            else noise[..., : bottleneck.latent_dim]
        )
        z = mu + (0.5 * log_var).exp() * own  # the same noise for every class
        passed = torch.cat([z, y], -1).flatten(0, 1)  # (classes * n, latent_dim + classes)
        parameters = module.parameters_of(passed, None, batch).unflatten(0, (classes, n))
        nll = module.likelihood.nll(parameters, batch.x, batch.mask)  # (classes, n)
        weight, log_weight = _weights(logits, batch.label)  # each (classes, n)
        kl = gaussian_kl(mu, log_var).sum(-1) + math.log(classes) + log_weight
        distortion, rate = (weight * nll).sum(0), (weight * kl).sum(0)
        objective, terms = distortion + self.beta * rate, {"distortion": distortion, "rate": rate}
        if batch.label is not None:
            cost, found = labelled_cost(logits, batch.label)
            objective, terms = objective + self.label_weight * cost, {**terms, **found}
        return Loss(objective, terms)


def _weights(logits: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    """How much each class counts, and the logarithm of that, ``(classes, n)``: the label, where it
    is known, else q(y | x).
    """
    log_q = logits.log_softmax(1)
    if label is None:
        return log_q.exp().T, log_q.T
    known = label.sum(1, keepdim=True) > 0
    weight = torch.where(known, label, log_q.exp())
    return weight.T, torch.where(known, 0.0, log_q).T
