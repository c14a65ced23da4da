"""The masked autoencoder: it sees a quarter of the patches, and must say what the others are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.hiding import Hiding
from isthmus.core.parts import part_of
from isthmus.core.randomness import own_draws
from isthmus.data.batches import StoreBatches
from isthmus.data.frames import is_frame
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.likelihoods import Likelihood
from isthmus.models._masking import MaskedModule, TokenMean
from isthmus.networks._output_bias import init_output_bias
from isthmus.networks.base import Features, Network
from isthmus.networks.vit import ViT
from isthmus.registry import NETWORKS
from isthmus.training.settings import seed_of

_LIGHTEST = 64  # channels of the decoder, where the encoder has as many


@dataclass(repr=False, eq=False, kw_only=True)
class MaskedAE(Estimator):
    r"""Masked autoencoder (MAE): most patches are hidden, and predicted from the few that are not.

    .. math:: \min_{f, g} \; \mathbb{E}_{x, M} \left[ -\log p(x_M \mid g(f(x_{\setminus M})))
              \right], \quad |M| = 0.75 \, L

    L are the patches of an example, M those that are hidden, drawn afresh at every step. The
    encoder, a vision transformer, computes nothing for hidden patches: a step costs a quarter of
    one that sees all. Only hidden patches are charged. What is learnt is the encoder: put
    :class:`~isthmus.AutoencoderClassifier` on top of it, or a linear model on its codes.

    The code of an example is the mean of the tokens of all its patches, none hidden: ``z: (n,
    channels)``, or ``(n, latent_dim)`` by a linear map. A decoder of its own learns meanwhile to
    rebuild x from it, by a quarter of every batch, and without a gradient to the encoder. So
    ``reconstruct`` and ``decode`` show what the code knows of an example, which is blurred, and
    ``score_samples`` is the log-likelihood of that. What the published network draws, hidden
    patches given the others, is :meth:`impute` of what :meth:`masked` gives.

    A patch is a square of an image (``network=ViT(patch=4)``), some steps of a signal or sequence,
    or neighbouring columns of a row; a cell of a table is whole. With ``normalise_patches`` each
    hidden patch is predicted less its mean and over its deviation, by the squared error.
    ``x: (n, *shape)``; losses are sums over the values of an example, in nats.

    Raises:
        InputError: at ``fit``, for networks without patches or of your own, for ``hide``, for a
            ``patch`` as large as an example, for patches of one value that shall be normalised, and
            for ``likelihood="spectral"``.

    Reference:
        K. He, X. Chen, S. Xie, Y. Li, P. Dollár and R. Girshick, Masked autoencoders are scalable
        vision learners, CVPR 2022.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> mae = ist.MaskedAE(hidden=(32, 32), epochs=1, random_state=0).fit(data.train)
        >>> mae.transform(data.test.x).shape
        (359, 32)
        >>> hidden = mae.masked(data.test.x, random_state=0)
        >>> float(np.isnan(hidden).mean())
        0.75
        >>> mae.impute(hidden).shape
        (359, 1, 8, 8)
    """

    takes_networks = False

    latent_dim: int | None = field(
        None,
        "size of the code; none: the channels of the last block, for a table at most 16",
        low=1,
    )
    network: str | Network = slot(
        "vit", NETWORKS, "kind of network; one that cuts examples into patches"
    )
    activation: str = field(
        "gelu",
        "nonlinearity in the blocks",
        choices=("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "linear"),
    )
    mask_ratio: float = field(
        0.75, "share of the patches that is hidden, at least one and not all", above=0, below=1
    )
    normalise_patches: bool = field(
        False,
        "whether the values of a hidden patch are predicted less their mean and over their"
        " deviation, by the squared error",
    )

    def masked(self, X: Any, random_state: int | None = None) -> np.ndarray:
        """Examples of which patches are hidden as in training, in their own layout: NaN there, and
        pixels as numbers from 0 to 1; :meth:`impute` draws what it expects.

        Args:
            X: an array, or a part of a data set.
            random_state: the same seed hides the same patches.

        Raises:
            InputError: for a frame, whose cells you can leave out yourself.
        """
        X = incoming(X)
        x = self._array(X)
        if is_frame(x):
            raise InputError(
                f"X is a {type(x).__name__}, but patches of arrays are hidden: leave cells out"
                " yourself, and call impute(X)."
            )
        with self._inference() as module, own_draws(seed_of(random_state)):
            assert isinstance(module, MaskedModule)
            gone = [
                module.patches.spread(~module.shown_patches(module.drawn(batch))).cpu().numpy()
                for batch in self._batches(X, checked=x).chunks()
            ]
        return self._without(x, self.preprocessor_.layout.inverse_transform(np.concatenate(gone)))

    def _expected(
        self, module: Autoencoder, batches: StoreBatches
    ) -> Iterator[tuple[Batch, Tensor]]:
        assert isinstance(module, MaskedModule)
        if self.normalise_patches:
            raise InputError(
                "normalise_patches=True leaves open how bright a hidden patch is, so that nothing"
                " can be filled in: train with normalise_patches=False."
            )
        for batch in batches.chunks():
            yield batch, module.expected(batch)

    @property
    def _rebuilds(self) -> bool:
        return False

    @property
    def _code_size(self) -> int:
        return self._vit.block_widths[-1] if self.latent_dim is None else self.latent_dim

    @property
    def _vit(self) -> ViT:
        """The network, its decoder as much lighter than the encoder as the published one."""
        part: Network = part_of(self.network, NETWORKS)
        if not isinstance(part, ViT):
            raise InputError(
                f"network={self.network!r} cuts examples into no patches that a MaskedAE could"
                " hide: pass network='vit'."
            )
        vit = part.filled(self.hidden, self.activation)
        widths = vit.block_widths
        light = min(widths[-1], max(_LIGHTEST, widths[-1] // 2))
        vit.decoder_widths = vit.decoder_widths or (light,) * max(1, len(widths) // 3)
        return vit

    def _network(self, spec: ExampleSpec) -> Network:
        return self._vit

    def _encoder(self, spec: ExampleSpec, is_told: bool = False) -> Features:
        if self.encoder is not None or self.decoder is not None:
            raise InputError(
                "MaskedAE hides patches from its own encoder, which networks of your own do not"
                " cut: leave encoder and decoder out, or take a DenoisingAE."
            )
        return super()._encoder(spec)

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return TokenMean(features, self._code_size)

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        return MaskedModule(encoder, bottleneck, decoder, likelihood)

    def _built(self, spec: ExampleSpec, condition_size: int) -> Autoencoder:
        module = super()._built(spec, condition_size)
        assert isinstance(module, MaskedModule)
        if self._vit.patch is not None and module.patches.count == 1:
            raise InputError(
                f"patch={self._vit.patch} makes a single patch of {spec}, of which nothing could be"
                " hidden: give a smaller patch, or leave it out."
            )
        if self.normalise_patches and module.patches.size == 1:
            raise InputError(
                f"normalise_patches=True needs patches of several values, but those of {spec} have"
                " one each: leave it out, or give network=ViT(patch=...) a larger patch."
            )
        said = spec.shape
        if not self.normalise_patches:
            said = module.likelihood.parameter_shape(spec.shape)
        width = self._vit.block_widths[-1]
        module.predictor = self._initialised(self._vit.predictor(width, spec, said))
        module.mask_ratio, module.normalises = self.mask_ratio, self.normalise_patches
        return module

    def _settle(self, module: Autoencoder, batches: StoreBatches) -> None:
        super()._settle(module, batches)
        assert isinstance(module, MaskedModule)
        if not self.normalise_patches:
            init_output_bias(module.predictor, module.likelihood, batches.spread())

    def _hiding(self, spec: ExampleSpec) -> Hiding | None:
        if self.hide:
            raise InputError(
                f"hide={self.hide:g} hides single values, but MaskedAE hides whole patches: set"
                " mask_ratio, and leave hide out."
            )
        return None
