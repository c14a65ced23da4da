"""The layers of a ladder network: up with noise and without, and down again, taking it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.forward import Code, Point
from isthmus.core.objectives import Loss
from isthmus.models._few_labels import labelled_cost
from isthmus.networks._batch_norm import Normalised, Normaliser, groups_of
from isthmus.networks.base import activation

_LEAST = 1e-10  # of a share that is divided by


class Combinator(nn.Module):
    r"""What a unit was without noise, of what it is with it, and of what the layers above say, u.

    .. math:: g(\tilde z, u) = (\tilde z - \mu(u)) \, v(u) + \mu(u), \quad
              \mu(u) = a_1 \sigma(a_2 u + a_3) + a_4 u + a_5, \quad v \text{ likewise}

    It is exact where z is normal given what u says.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        start = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])[:, None].repeat(1, units)
        self.mean, self.gain = nn.Parameter(start.clone()), nn.Parameter(start.clone())

    def forward(self, u: Tensor, noisy: Tensor | None) -> Tensor:
        """The estimate, ``(n, m)``; by u alone where ``noisy`` is None."""
        mean = _curve(self.mean, u)
        return mean if noisy is None else (noisy - mean) * _curve(self.gain, u) + mean


def _curve(a: nn.Parameter, u: Tensor) -> Tensor:
    return a[0] * torch.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]


class Shift(nn.Module):
    """Each value moved by a number of its own, and brought into a shape: ``(n, m)`` to
    ``(n, *shape)``.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.bias, self.shape = nn.Parameter(torch.zeros(prod(shape))), shape

    def forward(self, estimate: Tensor) -> Tensor:
        return (estimate + self.bias).unflatten(1, self.shape)


class LadderBottleneck(Bottleneck):
    """The layers above the features: normalised, up to the code, and to the classes where it has
    them; and down again.

    ``features: (n, *features)`` to ``z: (n, latent_dim)``; what is passed on are the features that
    the code alone suggests.

    Args:
        features: the shape of the features.
        widths: the units of the layers, of which the last is the code.
        classes: how many there are; 0 without labels.
        activated: the nonlinearity between layers.
    """

    def __init__(
        self, features: Shape, widths: Sequence[int], classes: int, activated: str
    ) -> None:
        super().__init__()
        self.features_shape, self.classes = features, classes
        self.code_shape, self.place = (widths[-1],), len(widths) - 1
        sizes = [prod(features), *widths, *([classes] if classes else [])]
        pairs = list(pairwise(sizes))
        self.up = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairs)
        self.down = nn.ModuleList(nn.Linear(b, a, bias=False) for a, b in pairs)
        self.risen = nn.ModuleList(Normaliser(size) for size in sizes[1:])
        self.fallen = nn.ModuleList(Normaliser(size) for size in sizes)
        self.combinators = nn.ModuleList(Combinator(size) for size in sizes)
        # the last layer has an activation where it is the one of the classes
        lifted = sizes[1:] if classes else sizes[1:-1]
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in lifted)
        self.sharpness = nn.Parameter(torch.ones(classes)) if classes else None
        self.activation = activation(activated)

    @property
    def passed_shape(self) -> Shape:
        return self.features_shape

    def posterior(self, features: Tensor) -> Point:
        return Point(self.climb(features)[self.place].z)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return Code(self.expand(self.posterior(features).z))

    def logits(self, features: Tensor) -> Tensor:
        return self.class_logits(self.climb(features)[-1].z)

    def climb(
        self, features: Tensor, groups: Tensor | None = None, noise: float | None = None
    ) -> list[Normalised]:
        """The layers from the lowest up, with ``noise`` on each, or without."""
        h, found = features.flatten(1), []
        for place, (linear, normaliser) in enumerate(zip(self.up, self.risen, strict=True)):
            layer: Normalised = normaliser(linear(h), groups, is_counted=noise is None)
            if noise is not None:
                layer = layer._replace(z=layer.z + noise * sharding.randn_like(layer.z))
            found.append(layer)
            if place + 1 < len(self.up):
                h = self._lifted(place, layer.z)
        return found

    def expand(self, code: Tensor, groups: Tensor | None = None) -> Tensor:
        """The features that a code alone suggests, ``(n, *features)``."""
        layers: list[Tensor | None] = [None] * len(self.combinators)
        layers[self.place + 1] = top = code
        if self.classes:
            h = self._lifted(self.place, code)
            layers[-1] = top = self.risen[-1](self.up[-1](h), groups, is_counted=False).z
        return self.descend(top, layers, groups, is_counted=True)[0]

    def descend(
        self,
        top: Tensor,
        noisy: Sequence[Tensor | None],
        groups: Tensor | None = None,
        *,
        is_counted: bool = False,
    ) -> list[Tensor]:
        """What every layer was without noise, from the features up.

        Args:
            top: the uppermost layer.
            noisy: each layer with noise, from the features up; None where it is not known.
            groups: the group of each example, :func:`groups_of`.
            is_counted: whether the moments of the way down are those of use.
        """
        u = self.class_logits(top).softmax(1) if self.classes else top
        found: list[Tensor] = []
        for place in range(len(self.combinators) - 1, -1, -1):
            told = self.fallen[place](u, groups, is_counted=is_counted).z
            estimate = self.combinators[place](told, noisy[place])
            found.insert(0, estimate)
            if place > 0:
                u = self.down[place - 1](estimate)
        return [found[0].unflatten(1, self.features_shape), *found[1:]]

    def class_logits(self, top: Tensor) -> Tensor:
        """The logits of the classes, of the uppermost layer, each ``(n, classes)``."""
        assert self.sharpness is not None
        return self.sharpness * (top + self.shifts[-1])

    def _lifted(self, place: int, z: Tensor) -> Tensor:
        lifted: Tensor = self.activation(z + self.shifts[place])
        return lifted


@dataclass(frozen=True)
class LadderLoss:
    """The cost of the labels, of noise that stays in a layer, and of the code's own reconstruction.

    Noise is there in training alone; what is measured between epochs are labels and reconstruction.
    An example that stands in a batch for its label costs that alone: it comes without it as well.

    Attributes:
        noise: its standard deviation on x and on every layer.
        weights: of the denoising costs from x up, each a mean over units; the last for all above.
        reconstruction: the weight of the distortion by the code alone.
        label: the weight of the cross-entropy.
    """

    noise: float
    weights: tuple[float, ...]
    reconstruction: float
    label: float

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, LadderBottleneck)
        groups = groups_of(batch.label) if batch.label is not None and bottleneck.classes else None
        clean = bottleneck.climb(features, groups)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.reconstruction > 0):
            passed = bottleneck.expand(clean[bottleneck.place].z, groups)
            distortion = module.distortion(passed, batch)
        objective, terms = self.reconstruction * distortion, {"distortion": distortion}
        top = clean[-1].z
        if module.training:
            top, cost = self._denoising(module, clean, batch, groups)
            if groups is not None:
                cost = cost * groups[:, 0] / sharding.batch_mean(groups[:, 0]).clamp(min=_LEAST)
            objective, terms = objective + cost, {**terms, "denoising": cost}
        if batch.label is not None and bottleneck.classes:
            told = (bottleneck.class_logits(z) for z in (top, clean[-1].z))
            cost, found = labelled_cost(next(told), batch.label, next(told))
            objective, terms = objective + self.label * cost, {**terms, **found}
        return Loss(objective, terms)

    def _denoising(
        self,
        module: Autoencoder,
        clean: Sequence[Normalised],
        batch: Batch,
        groups: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """The uppermost layer with noise, and what noise that stays costs, weighted, ``(n,)``."""
        bottleneck = module.bottleneck
        assert isinstance(bottleneck, LadderBottleneck)
        seen = module.shown(batch)
        damaged = seen.observed(seen.x + self.noise * sharding.randn_like(seen.x))
        features = module.features_of(seen._replace(x=damaged))
        noisy = [layer.z for layer in bottleneck.climb(features, groups, self.noise)]
        lowest, *above = bottleneck.descend(noisy[-1], [features.flatten(1), *noisy], groups)
        values = batch.x[0].numel()
        cost = self.weights[0] / values * module.distortion(lowest, batch)
        for place, (estimate, layer) in enumerate(zip(above, clean, strict=True), start=1):
            weight = self.weights[min(place, len(self.weights) - 1)]
            left = layer.z - (estimate - layer.mean) / layer.scale
            cost = cost + weight * left.square().mean(1)
        return noisy[-1], cost
