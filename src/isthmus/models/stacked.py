"""The stacked autoencoder: layers are trained one by one before all are fine-tuned together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from sklearn.base import clone
from torch import Tensor, nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.objectives import Loss, Objective, Side, Stage
from isthmus.core.parts import part_of
from isthmus.core.reductions import full, squared_error
from isthmus.corruptions import Corruption, corruption_of
from isthmus.errors import InputError
from isthmus.estimators.tied import TiedWeights
from isthmus.models.ae import ActivatedCode, DeterministicBottleneck
from isthmus.networks.conv import GridEncoder, masked_through
from isthmus.networks.tied import Tied, Weighted
from isthmus.registry import CORRUPTIONS


@dataclass(repr=False, eq=False, kw_only=True)
class StackedAE(TiedWeights, ActivatedCode):
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

    With a ``corruption`` it is a stacked denoising autoencoder: in pretraining each layer sees its
    input damaged, and rebuilds the clean one, :math:`h_{l-1} \approx g_l(f_l(\tilde h_{l-1}))`;
    ``corruption_levels`` says how much in each. What moves images acts on the lowest layer alone.
    The layers above see what clean examples become, and fine-tuning sees clean examples.

    The history counts the epochs of all layers; ``stage`` says which layer was trained, and the
    last stage is the fine-tuning, for ``epochs`` epochs. With an encoder or decoder of your own the
    whole counts as one layer. ``x: (n, *shape)``, ``z: (n, latent_dim)``.

    Raises:
        InputError: at ``fit``, for ``tied=True`` or a corruption with networks of your own, and for
            as many levels as there are no layers.

    References:
        G. E. Hinton and R. R. Salakhutdinov, Reducing the dimensionality of data with neural
        networks, Science 2006. Y. Bengio, P. Lamblin, D. Popovici and H. Larochelle, Greedy
        layer-wise training of deep networks, NeurIPS 2006. P. Vincent, H. Larochelle, I. Lajoie, Y.
        Bengio and P.-A. Manzagol, Stacked denoising autoencoders, JMLR 2010. J. Masci, U. Meier,
        D. Cireşan and J. Schmidhuber, Stacked convolutional auto-encoders, ICANN 2011.

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
    corruption: str | Corruption | Callable[[Tensor], Tensor] | None = slot(
        None, CORRUPTIONS, "how the input of each layer is damaged while it is pretrained"
    )
    corruption_levels: tuple[float, ...] | None = field(
        None,
        "level of the corruption in each layer, from the lowest; none: the corruption's own",
        low=0,
    )

    def _bottleneck(self, features: Shape) -> Bottleneck:
        return DeterministicBottleneck(features, self._code_size, self.code_activation)

    def _stages(self, module: Autoencoder) -> Sequence[Stage]:
        return [
            *(Stage(self.pretrain_epochs, objectives) for objectives in self._layers(module)),
            Stage(self._epochs, module.objectives()),
        ]

    def _layers(self, module: Autoencoder) -> list[tuple[Side, ...]]:
        """What moves in the pretraining of each layer."""
        if self._own_is_absent():
            layers = list(stack(module))
            for layer, corruption in zip(layers, self._corruptions(len(layers)), strict=True):
                layer.corruption = corruption
            return [(Objective(layer.parameters, layer.loss),) for layer in layers]
        if self.corruption is not None:
            raise InputError(
                f"corruption={self.corruption!r} damages the input of each layer, but networks of"
                " your own count as one: leave encoder and decoder out, or take a DenoisingAE."
            )
        return [module.objectives()]

    def _corruption(self, spec: ExampleSpec) -> None:
        """None for the whole, of which the lowest layer must be able to see such examples."""
        if self.corruption is not None:
            corruption_of(self.corruption, spec)

    def _corruptions(self, count: int) -> list[Callable[[Tensor], Tensor] | None]:
        """What damages the input of each layer, from the lowest."""
        levels = self.corruption_levels
        if self.corruption is None:
            if levels is not None:
                raise InputError(
                    f"corruption_levels={levels} are those of a corruption, but there is none: pass"
                    " corruption='masking', or leave them out."
                )
            return [None] * count
        part: Corruption | Callable[[Tensor], Tensor] = part_of(self.corruption, CORRUPTIONS)
        if levels is not None:
            return [*self._levelled(part, levels, count)]
        # what cannot damage a plain vector is for examples, and not for what layers make of them
        is_general = not isinstance(part, Corruption) or part.accepts(ExampleSpec.of((1,))) is None
        return [part, *[part if is_general else None] * (count - 1)]

    def _levelled(
        self, part: object, levels: tuple[float, ...], count: int
    ) -> Iterator[Corruption | None]:
        """The corruption at the level of each layer; None at a level of 0."""
        if len(levels) != count:
            raise InputError(
                f"corruption_levels={levels} names {len(levels)} layers, but there are {count}:"
                " give one for each of hidden, and one for the code."
            )
        if not isinstance(part, Corruption) or "level" not in part.get_params():
            raise InputError(
                f"corruption_levels={levels} cannot be those of corruption={self.corruption!r},"
                " which has no level: take 'masking', 'gaussian' or 'salt-and-pepper'."
            )
        for level in levels:
            one = clone(part).set_params(level=level) if level else None
            if one is not None:
                one.validate()
            yield one


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

    Attributes:
        corruption: what is done to its input before it sees it; None for nothing.
    """

    corruption: Callable[[Tensor], Tensor] | None = None

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
        decoded = full(_through(self.decode, self.encode(self._damaged(given, mask), mask)[0]))
        if self.below.layers:
            known = decoded if mask is None else decoded * mask  # as the input is, 0 elsewhere
            distortion = squared_error(known, given)
        else:
            likelihood = self.module.likelihood
            parameters = likelihood.sized(decoded, batch)
            distortion = likelihood.nll(parameters, batch.x, batch.mask)
        return Loss(distortion, {"distortion": distortion})

    def _damaged(self, given: Tensor, mask: Tensor | None) -> Tensor:
        if self.corruption is None:
            return given
        damaged = self.corruption(given)
        return damaged if mask is None else damaged.where(mask, given)


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
    starts = [place for place, layer in enumerate(layers) if isinstance(layer, Weighted | Tied)]
    cuts = [0, *starts[1:], len(layers)]
    return [layers[start:end] for start, end in pairwise(cuts)] if starts else []


def _through(layers: Sequence[nn.Module], h: Tensor) -> Tensor:
    for layer in layers:
        h = layer(h)
    return h
