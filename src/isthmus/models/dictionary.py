"""The dictionary: sparse autoencoders as they are used on the activations of other networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from isthmus.core.autoencoder import Autoencoder, Bottleneck, LossFunction
from isthmus.core.example import ExampleSpec, Shape
from isthmus.core.fields import field, slot
from isthmus.core.parts import part_of
from isthmus.data.incoming import incoming
from isthmus.errors import InputError
from isthmus.estimators.base import Estimator
from isthmus.likelihoods import Likelihood, LikelihoodPart
from isthmus.likelihoods.gaussian import (
    GaussianLikelihood,
    SquaredError,
    SquaredErrorLikelihood,
)
from isthmus.models._dictionary import (
    Atoms,
    Centred,
    DictionaryLoss,
    DictionaryModule,
    First,
    Units,
)
from isthmus.models._folded import FoldedDictionary, folded
from isthmus.networks.base import Features
from isthmus.registry import NETWORKS, SPARSITIES

if TYPE_CHECKING:  # the command line reads these declarations without importing it
    from isthmus.networks import Network
    from isthmus.sparsities import SparsityPart


@dataclass(repr=False, eq=False, kw_only=True)
class DictionaryAE(Estimator):
    r"""Dictionary: x as a sum of few atoms out of many, as sparse autoencoders of language models.

    .. math:: z = \sigma(W (x - b) + c), \quad \hat x = b + \sum_j z_j d_j, \quad
              \lVert d_j \rVert = 1

    .. math:: \min \; \mathbb{E}_x \left[ -\log p(x \mid z) \right] + \lambda \, \Omega(z)

    σ, the ``sparsity``, lets few units be active, and says what Ω charges: the ``k`` largest of an
    example (``"topk"``) or of a batch (``"batch-topk"``), those above learnt thresholds
    (``"jumprelu"``), those with an open gate (``"gated"``), or all at a price (``"l1"``). Atoms
    :math:`d_j` have length 1, and their gradients no part along them; b, which starts at the mean
    of the data, is taken off first where the likelihood's mean is x̂ itself. Units that were silent
    for ``dead_after`` examples count as dead: the ``auxiliary_units`` largest of them learn to
    reconstruct what the others leave, with the weight ``auxiliary_weight``.

    With ``prefixes`` the first units must reconstruct x by themselves as well, for each of these
    numbers of them (Matryoshka): coarse features come first. With ``inputs`` it is a transcoder:
    the first columns of x are read, the others are what it predicts from them.

    ``x: (n, *shape)``, ``z: (n, latent_dim)``, at least 0. Rows of numbers are divided by their
    root mean square (``scaling="rms"``), so that directions keep their weight. The history shows
    ``active`` (units that an example uses, of all units, a share), ``dead`` (units that no example
    of the epoch used, a share) and ``auxiliary`` (the change of the distortion by dead units).

    Raises:
        InputError: at ``fit``, for a decoder of your own, for ``prefixes`` that do not rise up to
            ``latent_dim``, and for ``inputs`` that leave nothing to predict.

    References:
        L. Gao et al., Scaling and evaluating sparse autoencoders, ICLR 2025 (``"topk"``, dead
        units). B. Bussmann, P. Leask and N. Nanda, BatchTopK sparse autoencoders, 2024.
        S. Rajamanoharan et al., Jumping ahead, 2024 (``"jumprelu"``). S. Rajamanoharan et al.,
        Improving dictionary learning with gated sparse autoencoders, NeurIPS 2024. B. Bussmann et
        al., Learning multi-level features with Matryoshka sparse autoencoders, ICML 2025. J.
        Dunefsky, P. Chlenski and N. Nanda, Transcoders find interpretable LLM feature circuits,
        NeurIPS 2024.

    Example:
        >>> import isthmus as ist
        >>> data = ist.data.load("digits")
        >>> model = ist.DictionaryAE(latent_dim=128, sparsity=ist.sparsities.TopK(k=8), epochs=1)
        >>> int((model.fit(data.train).transform(data.test.x) > 0).sum(1).max())
        8
    """

    vector_scaling: ClassVar[str] = "rms"

    latent_dim: int = field(256, "units of the dictionary, often several times the columns", low=1)
    sparsity: str | SparsityPart = slot("topk", SPARSITIES, "which units an example uses")
    prefixes: tuple[int, ...] = field(
        (), "numbers of first units that must reconstruct x by themselves too (Matryoshka)", low=1
    )
    inputs: int | None = field(
        None,
        "columns that are read, the first ones, where the others are to be predicted (transcoder);"
        " none: all are read and reconstructed",
        low=1,
    )
    auxiliary_weight: float = field(
        0.03125, "weight of what dead units learn to reconstruct", low=0
    )
    auxiliary_units: int = field(64, "dead units that an example uses for that", low=1)
    dead_after: int = field(10_000, "examples without activity after which a unit is dead", low=1)
    hidden: tuple[int, ...] | None = field(
        (), "units of hidden layers in front of the units; none of them: a linear encoder", low=1
    )
    network: str | Network = slot(
        "mlp", NETWORKS, "kind of network in front of the units", choices=("auto",)
    )

    @property
    def code_space(self) -> str:
        return "positive"

    @property
    def _batch_estimate(self) -> str | None:
        name = "batch-topk"
        is_shared = type(part_of(self.sparsity, SPARSITIES)) is SPARSITIES[name]
        return "the threshold of its units" if is_shared else None

    def transcode(self, X: Any) -> np.ndarray:
        """What a transcoder predicts, ``(n, outputs)``, from its inputs, ``(n, inputs)``, or from
        whole rows, ``(n, columns)``, in the units of the data.

        Raises:
            InputError: for a member that is no transcoder, and for rows of another length.
        """
        if self.inputs is None:
            raise InputError("inputs=None makes no transcoder: call reconstruct(X), or set inputs.")
        self._fitted()
        x, columns = np.asarray(incoming(X)), self.n_features_in_
        if x.ndim != 2 or x.shape[1] not in (self.inputs, columns):
            raise InputError(
                f"X has the shape {x.shape}, but this transcoder reads {self.inputs} columns: give"
                f" (n, {self.inputs}), or whole rows, (n, {columns})."
            )
        lacking = np.zeros((len(x), columns - x.shape[1]), dtype=x.dtype)
        restored: np.ndarray = self.reconstruct(np.concatenate([x, lacking], axis=1))
        return restored[:, self.inputs :]

    def folded(self) -> FoldedDictionary:
        """The dictionary as two linear maps in the units of the data, scaling folded into them.

        It takes tensors ``(*, columns)`` with any axes in front, on any device, and can be put back
        into the network whose activations it has learnt. Its codes are those of ``transform``.

        Raises:
            InputError: where the encoder is not linear, x is not a row of numbers, or the scaling
                is not a straight line.
        """
        self._fitted()
        return folded(self.module_, self.preprocessor_)

    def _bottleneck(self, features: Shape) -> Bottleneck:
        part: SparsityPart = part_of(self.sparsity, SPARSITIES)
        units = self._code_size
        return Units(features, part.build(units), units, self.dead_after)

    def _likelihood(self, spec: ExampleSpec) -> LikelihoodPart:
        if self.likelihood != "auto" or spec.columns is not None:
            return super()._likelihood(spec)
        return SquaredError(output="clipped" if spec.unit_range else "linear")

    def _encoder(self, spec: ExampleSpec, is_told: bool = False) -> Features:
        if self.inputs is None:
            return super()._encoder(spec, is_told)
        if len(spec.shape) != 1 or spec.columns is not None or self.inputs >= spec.shape[0]:
            raise InputError(
                f"inputs={self.inputs} reads the first columns and predicts the others, but an"
                f" example is {spec}: give rows of more numbers than that."
            )
        if is_told:
            raise InputError("inputs and hide go not together: pass hide=0.")
        read = super()._encoder(replace(spec, shape=(self.inputs,)))
        return Features(First(read.encoder, self.inputs), read.shape)

    def _decoder(self, spec: ExampleSpec, code_shape: Shape, parameters: Shape) -> nn.Module:
        if self.decoder is not None:
            raise InputError(
                f"decoder={self.decoder!r} has no place in a DictionaryAE, whose decoder is the"
                " dictionary: leave it out, or take a SparseAE."
            )
        return Atoms(self._code_size, parameters, self.inputs or 0)

    def _assembled(
        self, encoder: nn.Module, bottleneck: Bottleneck, decoder: nn.Module, likelihood: Likelihood
    ) -> Autoencoder:
        assert isinstance(decoder, Atoms) and isinstance(bottleneck, Units)
        with torch.no_grad():  # the encoder starts as the transposed dictionary, where it can
            if bottleneck.linear.weight.shape == decoder.weight.shape:
                bottleneck.linear.weight.copy_(decoder.weight)
        if self.inputs is None and _is_own_mean(likelihood):
            encoder = Centred(encoder, decoder)
        return DictionaryModule(encoder, bottleneck, decoder, likelihood)

    def _loss_function(self, spec: ExampleSpec) -> LossFunction:
        sizes = (*self.prefixes, self._code_size)
        if list(sizes) != sorted(set(sizes)):
            raise InputError(
                f"prefixes={self.prefixes} must rise and stay below latent_dim={self.latent_dim}:"
                " give such numbers."
            )
        return DictionaryLoss(sizes, self.auxiliary_weight, self.auxiliary_units, self.inputs or 0)


def _is_own_mean(likelihood: Likelihood) -> bool:
    """Whether the decoder's output is x̂ itself, so that its bias lies where x does."""
    is_plain = isinstance(likelihood, GaussianLikelihood | SquaredErrorLikelihood)
    return is_plain and not likelihood.unit_range
