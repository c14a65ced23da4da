"""The recurrent autoencoder: sequences of any length become one code each, and come back."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.core.autoencoder import Bottleneck
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.parts import part_of
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.models.ae import DeterministicBottleneck
from isthmus.networks.base import Network, choose
from isthmus.registry import NETWORKS


@dataclass(repr=False, eq=False, kw_only=True)
class RecurrentAE(Estimator):
    r"""Recurrent autoencoder: one network reads a sequence, another writes it again from the code.

    .. math:: h_t = \mathrm{GRU}(x_t, h_{t-1}), \quad z = W h_T + b, \quad
              s_t = \mathrm{GRU}(z, s_{t-1}), \quad \min \; -\sum_t \log p(x_t \mid s_t)

    Takes arrays ``(n, time, features)`` or ``(n, time)``, and lists of arrays
    ``(time_i, features)`` of unequal length. Shorter sequences are padded with NaN behind their
    end; padding is neither read nor charged, and reconstructions have the lengths of what they
    reconstruct (a list for a list). Codes ``z: (n, latent_dim)`` are decoded to the longest length
    seen in ``fit``. Images are read row by row. Whatever lies outside [0, 1] is standardised, each
    feature over all steps.

    Raises:
        InputError: for a network that reads no sequences, for sequences longer than those of
            ``fit``, empty ones, and NaN before the end of a sequence.

    References:
        I. Sutskever, O. Vinyals and Q. V. Le, Sequence to sequence learning with neural networks,
        NeurIPS 2014. N. Srivastava, E. Mansimov and R. Salakhutdinov, Unsupervised learning of
        video representations using LSTMs, ICML 2015.

    Example:
        >>> import numpy as np
        >>> import isthmus as ist
        >>> waves = [np.sin(np.arange(length) / 3)[:, None] for length in (30, 20, 25)]
        >>> model = ist.RecurrentAE(latent_dim=4, epochs=1, random_state=0).fit(waves)
        >>> model.transform(waves).shape, [len(wave) for wave in model.reconstruct(waves)]
        ((3, 4), [30, 20, 25])
    """

    default_kind = "sequence"

    latent_dim: int = field(16, "size of the code", low=1)
    network: str | Network = slot("recurrent", NETWORKS, "kind of network; a recurrent one")

    def _network(self, spec: ExampleSpec) -> Network:
        part: Network = part_of(self.network, NETWORKS)
        if not part.reads_sequences:
            raise InputError(
                f"network={self.network!r} cannot read sequences of unequal length: pass"
                " network='recurrent'."
            )
        return choose(self.network, spec, self.hidden, self.activation)

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return DeterministicBottleneck(features, self.latent_dim)
