"""The ladder VAE: the posterior of a layer is what was seen and what layers above say, weighed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import Shape
from isthmus.core.fields import field
from isthmus.core.reductions import full
from isthmus.data.tables import Table
from isthmus.models._hierarchical import HierarchicalVAE
from isthmus.models._hierarchy import HierarchicalBottleneck, LatentGroup, Propose, repeated
from isthmus.networks._batch_norm import BatchNorm, Normaliser
from isthmus.networks.base import activation
from isthmus.posteriors.gaussian import DiagonalGaussian, diagonal_gaussian, precision_weighted

_PASSES, _ROWS = 20, 512  # of samples, by which moments are taken anew


@dataclass(repr=False, eq=False, kw_only=True)
class LadderVAE(HierarchicalVAE):
    r"""Ladder variational autoencoder: layers of codes, whose posteriors the priors correct.

    .. math:: q(z_i \mid x, z_{i+1}) = \mathcal{N}\left(z_i; \;
              \frac{\hat\mu_i \hat\sigma_i^{-2} + \mu_i \sigma_i^{-2}}
              {\hat\sigma_i^{-2} + \sigma_i^{-2}}, \;
              \frac{1}{\hat\sigma_i^{-2} + \sigma_i^{-2}} \right), \quad
              p(z_i \mid z_{i+1}) = \mathcal{N}(z_i; \mu_i, \sigma_i^2)

    A deterministic pass upwards says :math:`\hat\mu_i(x), \hat\sigma_i(x)` of each layer, and the
    generative pass downwards :math:`\mu_i(z_{i+1}), \sigma_i(z_{i+1})`; the posterior is the
    product of the two, so that each counts by its precision. That of the uppermost layer, whose
    prior is standard normal, is what was seen alone. Each step between layers is a network of two
    fully connected layers with batch normalisation.

    ``x: (n, *shape)``. Of L ``layers`` the uppermost code has ``latent_dim`` values, and each one
    below twice as many; so do the units (``width``). ``transform`` lays all of them out, the
    uppermost first, each at its mean; ``encode`` gives means, standard deviations and divergences
    in nats. Convolutions (``network="conv"``) stand below the ladder, where their features are a
    vector. The first three tenths of training are a warm-up, in which the weight of the rate grows:
    without it the upper layers stay unused. ``sample`` takes the moments of the way down anew, from
    codes that the priors make at its temperature. :meth:`preset` gives the sizes published for
    ``"mnist"``.

    Raises:
        InputError: at ``fit``, for data outside [0, 1] under a Bernoulli likelihood, for unusable
            fields, and for a single example, which has no variance; at ``fit_prior``, because the
            prior is learnt already.

    Reference:
        C. K. Sønderby, T. Raiko, L. Maaløe, S. K. Sønderby and O. Winther, Ladder variational
        autoencoders, NeurIPS 2016.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> ladder = ist.LadderVAE(epochs=1, random_state=0).fit(data.train)
        >>> ladder.transform(data.test.x).shape  # 2, 4 and 8 values
        (359, 14)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "mnist": {
            "latent_dim": 4,
            "layers": 5,
            "width": 32,
            "hidden": (),
            "activation": "leaky_relu",
            "epochs": 2000,
            "kl_warmup": 200.0,
            "batch_size": 256,
            "binarize": "dynamic",
        }
    }

    layers: int = field(3, "layers of codes", low=1, high=30)
    width: int = field(
        32, "units beside the uppermost code; twice as many at each layer below", low=1
    )
    batch_norm: bool = field(
        True, "whether units are normalised over their batch between layers, as published"
    )

    def _new_examples(self, n: int, label: Any, given: Tensor | None, temperature: float) -> Any:
        return super(LadderVAE, self._readjusted(temperature))._new_examples(
            n, label, given, temperature
        )

    def _rows_with(
        self, cells: Mapping[str, Any], n: int, table: Table, label: Any, temperature: float
    ) -> Any:
        return super(LadderVAE, self._readjusted(temperature))._rows_with(
            cells, n, table, label, temperature
        )

    def _readjusted(self, temperature: float) -> Self:
        """The same member, with moments on the way down that are those of samples."""
        if not self.batch_norm:
            return self
        module = copy.deepcopy(self.module_)
        assert isinstance(module.bottleneck, LadderLayers)
        module.bottleneck.readjust(temperature)
        return self._with(module_=module)

    @property
    def _batch_estimate(self) -> str | None:
        return "the mean and deviation of every unit" if self.batch_norm else None

    def _bottleneck(self, features: Shape) -> Bottleneck:
        sizes = [(self._code_size << above, self.width << above) for above in range(self.layers)]
        return LadderLayers(
            features, sizes, self.activation, self.batch_norm, self.beta, self.warm_epoch
        )


class LadderLayers(HierarchicalBottleneck):
    """Layers of codes over features, all of them vectors.

    ``features: (n, *features)``; what is passed on is what the lowest code makes, ``(n, units)``.

    Args:
        features: the shape of the features of one example.
        sizes: of each layer, from the uppermost, the values of its code and the units beside it.
        activated: the nonlinearity of the steps between layers.
        batch_norm: whether these normalise their units over the batch.
        beta, kl_warmup: as for :class:`HierarchicalBottleneck`.
    """

    def __init__(
        self,
        features: Shape,
        sizes: Sequence[tuple[int, int]],
        activated: str,
        batch_norm: bool,
        beta: float = 1.0,
        kl_warmup: float = 0.0,
    ) -> None:
        dims, widths = zip(*sizes, strict=True)
        super().__init__([(dim,) for dim in dims], (widths[-1],), beta, kl_warmup)
        step = partial(_step, activated=activated, batch_norm=batch_norm)
        self.bottom_up = nn.ModuleList(
            step(*ends) for ends in pairwise([prod(features), *reversed(widths)])
        )
        self.top_down = nn.ModuleList(
            LadderGroup(above, dim, width, step(dim, width))
            for above, dim, width in zip([None, *widths], dims, widths, strict=False)
        )
        self.finish = nn.Identity()

    def ascend(self, features: Tensor, noise: Sequence[Tensor], times: int) -> list[Propose]:
        state, seen = features.flatten(1), []
        for step in self.bottom_up:
            state = step(state)
            seen.append(state)
        groups = [cast(LadderGroup, group) for group in self.top_down]
        return [
            partial(group.posterior, seen=repeated(level, times))
            for group, level in zip(groups, reversed(seen), strict=True)
        ]

    def readjust(self, temperature: float) -> None:
        """Take the moments of the way down anew, by samples at a temperature.

        Those of the training are of codes that examples made, which spread otherwise than the
        prior's, and further than the prior's at a low temperature.

        Reference:
            A. Vahdat and J. Kautz, NVAE, NeurIPS 2020, section 3.
        """
        for group in self.top_down:
            for layer in group.modules():
                if isinstance(layer, Normaliser):
                    layer.forget()
        with torch.no_grad():
            for _ in range(_PASSES):
                self.sample(_ROWS, temperature)
        self.eval()

    def top(self, n: int, condition: Tensor | None) -> Tensor:
        return self.weight.new_zeros(n, 1)  # nothing stands above, and nothing is read of it


class LadderGroup(LatentGroup):
    """One layer: a prior that its state makes, evidence, and the state that its code makes.

    Args:
        above: units of the state; None of the uppermost layer, whose prior is standard normal.
        dim: values of the code.
        seen: units of what was seen.
        lower: from the code to the state of the next layer.
    """

    def __init__(self, above: int | None, dim: int, seen: int, lower: nn.Module) -> None:
        super().__init__()
        self.dim = dim
        self.approach = nn.Identity()
        self.prior_net = None if above is None else nn.Linear(above, 2 * dim)
        self.evidence_net = nn.Linear(seen, 2 * dim)
        self.lower = lower

    def forward(self, state: Tensor, code: Tensor) -> Tensor:
        below: Tensor = self.lower(code)
        return below

    def prior(self, state: Tensor) -> DiagonalGaussian:
        if self.prior_net is None:
            zeros = full(state).new_zeros(state.shape[0], self.dim)
            return DiagonalGaussian(zeros, zeros)
        return diagonal_gaussian(self.prior_net(state))

    def posterior(self, prior: DiagonalGaussian, state: Tensor, seen: Tensor) -> DiagonalGaussian:
        """q of this layer's code: what was seen, and where there are layers above, the prior."""
        evidence = diagonal_gaussian(self.evidence_net(seen))
        return evidence if self.prior_net is None else precision_weighted(evidence, prior)


def _step(inputs: int, outputs: int, *, activated: str, batch_norm: bool) -> nn.Sequential:
    """Two fully connected layers, each with its nonlinearity."""
    layers: list[nn.Module] = []
    for size in (inputs, outputs):
        # the offset of a normalised unit is its bias
        layers += [nn.Linear(size, outputs, bias=not batch_norm)]
        layers += [BatchNorm(outputs)] if batch_norm else []
        layers += [activation(activated)]
    return nn.Sequential(*layers)
