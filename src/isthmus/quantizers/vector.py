"""Vector quantization: each vector becomes the nearest entry of one codebook."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from isthmus.core.fields import field
from isthmus.quantizers.base import QuantizerPart
from isthmus.quantizers.codebooks import AveragedCodebook, Codebook, GradientCodebook

_RENEWING = 0.9  # of the epochs; entries that start anew need some time to settle


@dataclass(repr=False)
class CodebookPart(QuantizerPart, ABC):
    """A quantizer that is made of one or several codebooks, all with the same settings."""

    codebook_size: int = field(128, "entries of a codebook (K)", low=2)
    codebook: str = field(
        "ema",
        "how entries are learnt: by moving averages or by gradient",
        choices=("ema", "gradient"),
    )
    decay: float = field(0.99, "share of the past in the moving averages (gamma)", above=0, below=1)
    commitment: float = field(
        0.25, "weight of the distance that holds the encoder to its entries (beta)", low=0
    )
    renewed_below: float = field(
        0.0,
        "vectors a step, by the moving average, below which an entry starts anew, under 'ema';"
        " 0: unused ones alone",
        low=0,
    )

    def _codebook(self, dim: int, epochs: int) -> Codebook:
        """A codebook for vectors of a size, for a training that lasts so many epochs."""
        settings = (self.codebook_size, dim, _RENEWING * epochs, self.commitment)
        if self.codebook == "gradient":
            return GradientCodebook(*settings)
        return AveragedCodebook(*settings, self.decay, self.renewed_below)


@dataclass(repr=False)
class VectorQuantizer(CodebookPart):
    r"""Vector quantizer: a vector is replaced by the nearest entry of a codebook.

    .. math:: e = \arg\min_{e \in \mathcal C} \lVert h - e \rVert, \quad
              \text{charge} = \beta \lVert h - \mathrm{sg}[e] \rVert^2
              + \lVert \mathrm{sg}[h] - e \rVert^2

    The last term stands for ``codebook="gradient"``; under ``"ema"`` moving averages take its
    place. Entries start at k-means of the encoder's outputs; unused ones start anew after each
    epoch, until the last tenth of them.

    Reference:
        A. van den Oord, O. Vinyals and K. Kavukcuoglu, Neural discrete representation learning,
        NeurIPS 2017.
    """

    def _module(self, dim: int, epochs: int) -> Codebook:
        return self._codebook(dim, epochs)
