"""The stacked autoencoder: layers are trained one by one before all are fine-tuned together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field
from isthmus.core.hiding import Hiding
from isthmus.core.objectives import Loss, Objective, Side, Stage
from isthmus.core.reductions import full, squared_error
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.likelihoods import Likelihood
from isthmus.models.ae import DeterministicBottleneck
from isthmus.networks.conv import GridEncoder, masked_through

_Convolution = nn.Conv1d | nn.Conv2d
_Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d
_Weighted = nn.Linear | _Convolution | _Transposed


@dataclass(repr=False, eq=False, kw_only=True)
class StackedAE(Estimator):
    r"""Stacked (deep) autoencoder: greedy layer-wise pretraining, then fine-tuning of the whole.

    Layer l is first an autoencoder by itself, of what the layers below it, which stand still, make
    of x:

    .. math:: \min_{f_l, g_l} \; \mathbb{E}_x \lVert h_{l-1} - g_l(f_l(h_{l-1})) \rVert^2, \quad
              h_l = f_l(h_{l-1}), \; h_0 = x

    (the lowest one with the likelihood of x). Then :math:`-\log p(x \mid z)` of the whole is made
    small, with the layers as a start. With ``tied=True`` each decoding layer uses the weights of
    its encoding layer, transposed: :math:`g_l(h) = s(W_l^\top h + c_l)`. Fully connected and
    convolutional networks work alike; ``hidden=(1000, 500, 250), latent_dim=30`` is
    784-1000-500-250-30.

    The history counts the epochs of all layers; ``stage`` says which layer was trained, and the
    last stage is the fine-tuning, for ``epochs`` epochs. With an encoder or decoder of your own the
    whole counts as one layer. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for ``tied=True`` with networks of your own.

    References:
        G. E. Hinton and R. R. Salakhutdinov, Reducing the dimensionality of data with neural
        networks, Science 2006. Y. Bengio, P. Lamblin, D. Popovici and H. Larochelle, Greedy
        layer-wise training of deep networks, NeurIPS 2006. J. Masci, U. Meier, D. Cireşan and J.
        Schmidhuber, Stacked convolutional auto-encoders, ICANN 2011.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.StackedAE(hidden=(40, 20), latent_dim=5, pretrain_epochs=1, epochs=1)
        >>> [row["stage"] for row in model.fit(data.train).history_]
        [1.0, 2.0, 3.0, 4.0]
    """

    pretrain_epochs: int = field(
        5, "epochs for which each layer is trained by itself first; 0 for none", low=0
    )
    tied: bool = field(False, "whether the decoder uses the encoder's weights, transposed")

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return DeterministicBottleneck(features, self._code_size)

    def _hiding(self, spec: ExampleSpec) -> Hiding | None:
        if not self.tied:
            return super()._hiding(spec)
        if self.hide:
            raise InputError(
                f"hide={self.hide:g} puts the mask beside x, which the decoder of tied=True cannot"
                " mirror: pass tied=False, or leave hide out."
            )
        return None

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        if self.tied:
            if not self._own_is_absent():
                raise InputError(
                    "tied=True needs the networks of isthmus, whose decoder mirrors the encoder:"
                    " pass tied=False."
                )
            tie(encoder, bottleneck, decoder)
        return Autoencoder(encoder, bottleneck, decoder, likelihood)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        if self._own_is_absent():
            layers: list[tuple[Side, ...]] = [
                (Objective(layer.parameters, layer.loss),) for layer in stack(module)
            ]
        else:
            layers = [module.objectives()]
        return [
            *(Stage(self.pretrain_epochs, objectives) for objectives in layers),
            Stage(self._epochs, module.objectives()),
        ]

    def _own_is_absent(self) -> bool:
        return self.encoder is None and self.decoder is None


@dataclass(frozen=True)
class Segment:
    """Some layers of an encoder that follow each other, and what they do with a mask.

    Attributes:
        layers: one after another.
        follows: whether the encoder keeps its features 0 where nothing was observed.
    """

    layers: tuple[nn.Module, ...]
    follows: bool = False

    def __call__(self, h: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What they make of h, and which of that was observed; None where all was."""
        if not self.layers or mask is None:
            return _through(self.layers, h), mask
        if self.follows:
            return masked_through(self.layers, h, mask)
        for layer in self.layers:
            h = layer(h, mask) if getattr(layer, "reads_mask", False) else layer(h)
        return h, None


class Layer:
    """One layer as an autoencoder of the output of the layers below it, which are frozen.

    Args:
        module: the whole, which says how an encoder sees x, and by its likelihood judges the lowest
            layer.
        below: the encoding layers under this one; none under the lowest, whose input is x.
        encode, decode: this one.
    """

    def __init__(
        self, module: Autoencoder, below: Segment, encode: Segment, decode: Sequence[nn.Module]
    ) -> None:
        self.module, self.below, self.encode, self.decode = module, below, encode, decode
        moved = [*encode.layers, *decode, *([] if below.layers else [module.likelihood])]
        self.parameters = tuple(parameter for part in moved for parameter in part.parameters())

    def loss(self, batch: Batch) -> Loss:
        """What this layer loses of its input, per example."""
        with torch.no_grad():
            shown = self.module.shown(batch)
            given, mask = self.below(shown.x, shown.mask)
        decoded = full(_through(self.decode, self.encode(given, mask)[0]))
        if self.below.layers:
            known = decoded if mask is None else decoded * mask  # as the input is, 0 elsewhere
            distortion = squared_error(known, given)
        else:
            likelihood = self.module.likelihood
            parameters = likelihood.sized(decoded, batch)
            distortion = likelihood.nll(parameters, batch.x, batch.mask)
        return Loss(distortion, {"distortion": distortion})


def stack(module: Autoencoder) -> Iterator[Layer]:
    """The layers of an autoencoder whose decoder mirrors its encoder, from the lowest."""
    inner = module.bottleneck
    assert isinstance(inner, DeterministicBottleneck)
    follows = isinstance(module.encoder, GridEncoder)
    segments = [Segment(tuple(some), follows) for some in _segments(_flat(module.encoder))]
    encoding = [*segments, Segment(tuple(inner.project))]
    decoding = _segments(module.decoder.children())[::-1]
    below: tuple[nn.Module, ...] = ()
    for encode, decode in zip(encoding, decoding, strict=True):
        yield Layer(module, Segment(below, follows), encode, decode)
        below += encode.layers


def tie(encoder: nn.Module, bottleneck: nn.Module, decoder: nn.Module) -> None:
    """Let each layer of the decoder use its counterpart's weights; biases stay its own."""
    sources = [
        layer
        for part in (encoder, bottleneck)
        for layer in part.modules()
        if isinstance(layer, _Weighted)
    ]
    mirrors = [
        (parent, name, layer)
        for parent, name, layer in _children(decoder)
        if isinstance(layer, _Weighted)
    ]
    pairs = list(zip(sources, reversed(mirrors), strict=False))
    if len(sources) != len(mirrors) or not all(
        _mirrors(source, layer) for source, (_, _, layer) in pairs
    ):
        raise InputError(
            "tied=True needs a decoder that mirrors the encoder layer by layer: pass network='mlp'"
            " or 'conv', and a likelihood of one number a value."
        )
    for source, (parent, name, layer) in pairs:
        assert isinstance(source, _Weighted) and isinstance(layer, _Weighted)
        setattr(parent, name, Tied(source, layer))


def _mirrors(source: nn.Module, layer: nn.Module) -> bool:
    """Whether a decoding layer is what an encoding layer with transposed weights is."""
    if isinstance(source, nn.Linear):
        return isinstance(layer, nn.Linear) and layer.weight.shape == source.weight.shape[::-1]
    is_pair = isinstance(source, _Convolution) and isinstance(layer, _Transposed)
    return is_pair and layer.weight.shape == source.weight.shape


class Tied(nn.Module):
    """A decoding layer with the transposed weights of an encoding layer, and its own bias."""

    def __init__(self, source: _Weighted, layer: _Weighted) -> None:
        super().__init__()
        # in a tuple, so that the weights are saved and moved once, where they belong
        self._source = (source,)
        self.bias = layer.bias

    def forward(self, h: Tensor) -> Tensor:
        source = self._source[0]
        if isinstance(source, nn.Linear):
            return F.linear(h, source.weight.T, self.bias)
        transposed = F.conv_transpose1d if source.weight.dim() == 3 else F.conv_transpose2d
        return transposed(
            h, source.weight, self.bias, stride=source.stride[0], padding=int(source.padding[0])
        )


def _flat(encoder: nn.Module) -> list[nn.Module]:
    """The layers of an encoder, also of one that has the mask put beside x in front of it."""
    return [
        layer
        for part in encoder.children()
        for layer in (part.children() if isinstance(part, GridEncoder) else [part])
    ]


def _segments(network: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """Layers one after another, cut before each that has weights, except the first such layer."""
    layers = list(network)
    starts = [place for place, layer in enumerate(layers) if isinstance(layer, _Weighted | Tied)]
    cuts = [0, *starts[1:], len(layers)]
    return [layers[start:end] for start, end in pairwise(cuts)] if starts else []


def _children(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for name, child in module.named_children():
        yield module, name, child
        yield from _children(child)


def _through(layers: Sequence[nn.Module], h: Tensor) -> Tensor:
    for layer in layers:
        h = layer(h)
    return h
