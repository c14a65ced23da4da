"""The ladder network: every layer takes noise away, and a few labels say what to tell apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.estimators.few_labels import FewLabels
from isthmus.models._rungs import LadderBottleneck, LadderLoss, Shift
from isthmus.networks.base import Network
from isthmus.networks.mlp import MLP


@dataclass(repr=False, eq=False, kw_only=True)
class LadderNetwork(FewLabels):
    r"""Ladder network: a noisy encoder learns classes, and a decoder takes its noise away, layer by
    layer, from what each layer itself saw and what those above say of it.

    .. math:: -\log q(y \mid \tilde x) + \frac{\lambda_0}{m_0} \left(-\log p(x \mid \hat z_0)\right)
              + \sum_{l \ge 1} \frac{\lambda_l}{m_l} \lVert z_l - \hat z_l \rVert^2,
              \quad \hat z_l = g(\tilde z_l, \hat z_{l+1})

    where :math:`z_l` are the :math:`m_l` normalised units of layer l without noise, and
    :math:`\tilde z_l` the same with it. ``hidden`` are the layers, the code is the one above them,
    and the classes stand on top. With a network of convolutions these are below the ladder, which
    then is the code and the classes alone. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    A code that is decoded has no layers below to look at, which the published objective does not
    ask for: ``reconstruction_weight`` adds :math:`-\log p(x \mid z)` of the code alone.

    Raises:
        InputError: at ``fit``, for y of amounts or of fewer than two classes, and for a single
            example, which has no variance.

    References:
        A. Rasmus, H. Valpola, M. Honkala, M. Berglund and T. Raiko, Semi-supervised learning with
        ladder networks, NeurIPS 2015.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.LadderNetwork(n_labels=100, epochs=2, random_state=0).fit(data.train)
        >>> model.predict(data.test.x).shape, model.predict_proba(data.test.x).shape
        ((359,), (359, 10))
    """

    latent_dim: int = field(64, "size of the code, the layer below the classes", low=1)
    noise: float = field(0.3, "standard deviation of the noise on x and on every layer", low=0)
    denoising_weights: tuple[float, ...] = field(
        (1000.0, 10.0, 0.1),
        "weights of the denoising costs, each the mean over the units of a layer, from x up; the"
        " last is that of all layers above (lambda)",
        low=0,
    )
    reconstruction_weight: float = field(
        1.0, "weight of -log p(x|z) of the code alone; 0 as published", low=0
    )

    _rungs: ClassVar[tuple[int, ...]] = ()

    @property
    def _batch_estimate(self) -> str:
        return "the mean and deviation of every unit"

    @property
    def _instead_of_rebuilding(self) -> str | None:
        if self.reconstruction_weight > 0:
            return None
        return "pass reconstruction_weight=1 for codes that can be decoded alone"

    def _layers(self, spec: ExampleSpec) -> tuple[int, ...] | None:
        """The layers of the ladder below the code; None where another network stands there."""
        network = super()._network(spec)
        if self.encoder is not None or not isinstance(network, MLP):
            return None
        return network.layer_widths

    def _network(self, spec: ExampleSpec) -> Network:
        network = super()._network(spec)
        return network if self._layers(spec) is None else MLP((), network.activation)

    def _built(self, spec: ExampleSpec, condition_size: int) -> Autoencoder:
        laddered = self._with(_rungs=self._layers(spec) or ())
        return super(LadderNetwork, laddered)._built(spec, condition_size)

    def _bottleneck(self, features: Shape) -> LadderBottleneck:
        widths = (*self._rungs, self._code_size)
        return LadderBottleneck(features, widths, self._class_count, self.activation)

    def _decoder(self, spec: ExampleSpec, code_shape: Shape, parameters: Shape) -> nn.Module:
        is_laddered = self.decoder is None and self._layers(spec) is not None
        if is_laddered and math.prod(code_shape) == math.prod(parameters):
            return Shift(parameters)
        return super()._decoder(spec, code_shape, parameters)

    def _loss_function(self, spec: ExampleSpec) -> LadderLoss:
        return LadderLoss(
            self.noise, self.denoising_weights, self.reconstruction_weight, self.label_weight
        )
