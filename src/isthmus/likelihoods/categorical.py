"""One of several: independent categorical variables, each given as one-hot values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.likelihoods.base import Likelihood

_LEAST = 1e-3  # a probability that a rare category starts with


class CategoricalLikelihood(Likelihood):
    r"""Independent categorical variables, given by the logits of their categories.

    .. math:: -\log p(x \mid z) = -\sum_j \sum_k x_{jk} \log \mathrm{softmax}(\eta_j)_k

    An example is ``(total,)``: the one-hot values of every variable, one after another.

    Args:
        sizes: how many categories each variable has.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        return -x * self._over(torch.log_softmax, parameters)

    def mean(self, parameters: Tensor) -> Tensor:
        return self._over(torch.softmax, parameters)

    def parameters_for(self, mean: Tensor) -> Tensor:
        return mean.clamp(min=_LEAST).log()

    def draw(self, parameters: Tensor) -> Tensor:
        drawn = []
        for logits in parameters.split(self.sizes, dim=-1):
            flat = logits.flatten(0, -2).softmax(-1)
            places = torch.multinomial(flat, 1).reshape(logits.shape[:-1])
            drawn.append(F.one_hot(places, logits.shape[-1]).to(parameters.dtype))
        return torch.cat(drawn, dim=-1)

    def _over(self, normalise: Callable[[Tensor, int], Tensor], parameters: Tensor) -> Tensor:
        """Logits normalised variable by variable."""
        parts = parameters.split(self.sizes, dim=-1)
        return torch.cat([normalise(part, -1) for part in parts], dim=-1)
