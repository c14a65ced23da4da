"""MADE: an autoencoder whose masks make of it a product of conditionals, an exact likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck, LossFunction, single_sample
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.forward import Code, Point
from isthmus.core.hiding import Hiding
from isthmus.core.objectives import Loss
from isthmus.data.incoming import incoming
from isthmus.data.tables import Table
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.likelihoods import Likelihood
from isthmus.likelihoods.counts import CountLikelihood
from isthmus.likelihoods.spectral import SpectralLikelihood
from isthmus.models.ae import SPACES
from isthmus.networks.base import Features, Network
from isthmus.networks.masked import MaskedEncoder, MaskedLayers, Orderings
from isthmus.networks.mlp import MLP
from isthmus.registry import NETWORKS

_WIDTHS = (256,)  # of the hidden layers below the code


@dataclass(repr=False, eq=False, kw_only=True)
class MADE(Estimator):
    r"""Masked autoencoder for distribution estimation: each value is predicted from those before.

    .. math:: p(x) = \prod_{d=1}^{D} p(x_d \mid x_{<d}), \quad
              h^l = s\left((W^l \odot M^l) h^{l-1} + b^l\right), \quad
              M^l_{ji} = [m^l(j) \ge m^{l-1}(i)]

    Weights between units are masked, so that the parameters for the value at place d depend on
    earlier values alone. The network is an autoencoder all the same: its last hidden layer is the
    code, of ``latent_dim`` units, and what it says of x is decoded from that. But the likelihood is
    exact (:meth:`nll`), and new examples are drawn value by value (:meth:`sample`), by as many
    passes as there are values. A reconstruction is what is expected of each value given those
    before it.

    With ``orderings`` above 1 one network learns several orders of the values, one drawn a batch;
    the likelihood is the mean of p(x) over all of them, codes and reconstructions are those of the
    first, in which values stand as they lie. ``x: (n, *shape)``, read flat; ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for networks that are not fully connected or are your own, for
            ``hide``, and for likelihoods that look at all values of an example at once.

    Reference:
        M. Germain, K. Gregor, I. Murray and H. Larochelle, MADE: masked autoencoder for
        distribution estimation, ICML 2015.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> made = ist.MADE(epochs=1, random_state=0).fit(data.train)
        >>> made.nll(data.test.x).shape, made.sample(2, random_state=0).shape
        ((359,), (2, 1, 8, 8))
    """

    unbounded_likelihood = "gaussian"
    learns_prior = True
    takes_networks = False

    latent_dim: int = field(256, "units of the last hidden layer, which are the code", low=1)
    network: str | Network = slot(
        "mlp", NETWORKS, "kind of network; a fully connected one, whose weights are masked"
    )
    orderings: int = field(1, "orders of the values that the network learns", low=1, high=1000)

    @property
    def code_space(self) -> str:
        return SPACES.get(self.activation, "data")

    def nll(self, X: Any) -> np.ndarray:
        """−log p(x) of each example in nats, ``(n,)``: exact, and no bound.

        Raises:
            InputError: under ``likelihood="mse"``, which is no density.
        """
        if not self._fitted().likelihood.normalised:
            raise InputError(
                "likelihood='mse' is no density, so there is no likelihood of x: train with"
                " 'gaussian'."
            )
        return -self.score_samples(incoming(X))

    def _encoder(self, spec: ExampleSpec, is_told: bool = False) -> Features:
        if self.encoder is not None or self.decoder is not None:
            raise InputError(
                "MADE masks the weights of its own layers, which networks of your own do not have:"
                " leave encoder and decoder out, or take an AE."
            )
        network = self._network(spec)
        if not isinstance(network, MLP):
            raise InputError(
                f"network={self.network!r} has no weights that MADE can mask: pass network='mlp'."
            )
        below = _WIDTHS if network.widths is None else network.widths
        layers = Orderings(spec, self.orderings).encoder(
            (*below, self.latent_dim), network.activation
        )
        return Features(self._initialised(layers), (self.latent_dim,))

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return LastLayer(features)

    def _decoder(self, spec: ExampleSpec, code_shape: Shape, parameters: Shape) -> nn.Module:
        layers = Orderings(spec, self.orderings).decoder(self.latent_dim, parameters)
        return self._initialised(layers)

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        sees_all = isinstance(likelihood, SpectralLikelihood) or (
            isinstance(likelihood, CountLikelihood) and likelihood.library
        )
        if sees_all:
            raise InputError(
                f"likelihood={self.likelihood!r} looks at all values of an example at once, which"
                " MADE predicts one after another: take one that does not, such as 'gaussian', or"
                " library=False."
            )
        return super()._assembled(encoder, bottleneck, decoder, likelihood)

    def _hiding(self, spec: ExampleSpec) -> Hiding | None:
        if self.hide:
            raise InputError(
                f"hide={self.hide:g} hides values that MADE must see to predict the next ones:"
                " leave it out."
            )
        return None

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        return single_sample if self.orderings == 1 else MixedOrderings(self.orderings)

    def _new_examples(self, n: int, label: Any, given: Tensor | None, temperature: float) -> Any:
        """New examples, value by value; :meth:`sample` asks for them."""
        if label is not None or temperature != 1:
            what = f"label={label!r}" if label is not None else f"temperature={temperature!r}"
            raise InputError(
                f"{what} means nothing to MADE, which draws each value given those before it, by"
                " what it has learnt: leave it out."
            )
        spec = self.preprocessor_.spec
        orderings = Orderings(spec, self.orderings)
        with self._inference() as module:
            x = torch.zeros(n, *spec.shape, device=self._device)
            chosen = torch.randint(self.orderings, (n,))
            for ordering in chosen.unique().tolist():
                places = orderings.places[ordering].view(spec.shape).to(x.device)
                rows = (chosen == ordering).to(x.device)
                x[rows] = drawn_in_order(module, x[rows], places, ordering)
        return self._given_back(x.cpu().numpy(), is_bounded=spec.columns is not None)

    def _rows_with(
        self, cells: Mapping[str, Any], n: int, table: Table, label: Any, temperature: float
    ) -> Any:
        raise InputError(
            f"condition={dict(cells)!r} names cells that new rows shall have, but MADE draws"
            " columns in their order: leave it out, or take a VAE."
        )


class LastLayer(Bottleneck):
    """The last hidden layer as the code: features ``(n, units)`` as they are."""

    def __init__(self, features: Shape) -> None:
        super().__init__()
        self.code_shape = features

    def posterior(self, features: Tensor) -> Point:
        return Point(features)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return Code(features)


@dataclass(frozen=True)
class MixedOrderings:
    r"""−log p(x) where p is the mean over orderings, and in training that of one, drawn a batch.

    .. math:: p(x) = \frac1K \sum_{k=1}^K p_k(x)

    Attributes:
        count: K.
    """

    count: int

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None
    ) -> Loss:
        if module.training:
            one = torch.randint(self.count, (1,), device=batch.x.device)
            cost = under(module, batch, one)
        else:
            costs = torch.stack([under(module, batch, k) for k in range(self.count)])
            is_mass = module.likelihood.normalised
            cost = math.log(self.count) - (-costs).logsumexp(0) if is_mass else costs.mean(0)
        return Loss(cost, {"distortion": cost})


def parameters_under(module: Autoencoder, batch: Batch, ordering: int | Tensor) -> Tensor:
    """What is said of each value given those before it in an ordering, ``(n, *parameters)``."""
    encoder, decoder = module.encoder, module.decoder
    assert isinstance(encoder, MaskedEncoder) and isinstance(decoder, MaskedLayers)
    seen = module.seen(batch)
    code = encoder(seen.x, seen.mask, ordering)
    return module.likelihood.sized(decoder(code, ordering), batch)


def under(module: Autoencoder, batch: Batch, ordering: int | Tensor) -> Tensor:
    """−log p(x) of examples under one ordering, ``(n,)``."""
    parameters = parameters_under(module, batch, ordering)
    return module.likelihood.nll(parameters, batch.x, batch.mask)


def drawn_in_order(module: Autoencoder, blank: Tensor, places: Tensor, ordering: int) -> Tensor:
    """Examples drawn place by place, ``(n, *shape)``.

    Args:
        module: a trained one.
        blank: zeros of their shape.
        places: the place of each value in the ordering, ``(*shape)``.
        ordering: its number.
    """
    x = blank
    for place in range(1, int(places.max()) + 1):
        parameters = parameters_under(module, Batch(x), ordering)
        x = module.likelihood.draw(parameters).where(places == place, x)
    return x
