"""Tables: each column by the likelihood of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn

from isthmus.core.batch import Batch
from isthmus.core.example import Column, ColumnKind, ExampleSpec
from isthmus.core.fields import field
from isthmus.likelihoods.base import Likelihood, LikelihoodPart
from isthmus.likelihoods.bernoulli import BernoulliLikelihood
from isthmus.likelihoods.categorical import CategoricalLikelihood
from isthmus.likelihoods.gaussian import GaussianLikelihood, SquaredErrorLikelihood
from isthmus.likelihoods.negative_binomial import NegativeBinomialLikelihood
from isthmus.likelihoods.poisson import PoissonLikelihood


class ColumnsLikelihood(Likelihood):
    r"""The columns of a table, independent of each other given the code.

    .. math:: -\log p(x \mid z) = -\sum_j \log p_{k(j)}(x_j \mid z)

    where k(j) is the kind of column j: a Gaussian with a learnt scale of its own for numbers and
    dates, a count's distribution, a Bernoulli or a categorical one. Densities and masses stand in
    one sum, so that it is told in nats, never in bits.

    Args:
        groups: likelihoods, each with the number of values that it takes; one after another they
            are an example.
    """

    def __init__(self, groups: Sequence[tuple[Likelihood, int]]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part for part, _ in groups)
        self.sizes = [size for _, size in groups]
        self.normalised = all(part.normalised for part, _ in groups)

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        return self._joined(lambda part, *of: part.each(*of), parameters, x)

    def mean(self, parameters: Tensor) -> Tensor:
        return self._joined(lambda part, of: part.mean(of), parameters)

    def parameters_for(self, mean: Tensor) -> Tensor:
        return self._joined(lambda part, of: part.parameters_for(of), mean)

    def draw(self, parameters: Tensor) -> Tensor:
        return self._joined(lambda part, of: part.draw(of), parameters)

    def encoded(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self._joined(lambda part, of: part.encoded(of), x)

    def settle(self, examples: Batch) -> None:
        masks: Sequence[Tensor | None] = (
            [None] * len(self.sizes)
            if examples.mask is None
            else examples.mask.split(self.sizes, dim=-1)
        )
        values = examples.x.split(self.sizes, dim=-1)
        for part, x, mask in zip(self.parts, values, masks, strict=True):
            assert isinstance(part, Likelihood)
            part.settle(examples._replace(x=x, mask=mask))

    def _joined(self, result: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """What each part makes of its values, side by side."""
        split = zip(*(value.split(self.sizes, dim=-1) for value in values), strict=True)
        made = [result(part, *of) for part, of in zip(self.parts, split, strict=True)]
        return made[0] if len(made) == 1 else torch.cat(made, dim=-1)


@dataclass(repr=False)
class Columns(LikelihoodPart):
    r"""Each column of a table by the likelihood of its kind.

    .. math:: -\log p(x \mid z) = -\sum_j \log p_{k(j)}(x_j \mid z)

    See :class:`ColumnsLikelihood`, which it builds.
    """

    numbers: str = field(
        "gaussian",
        "likelihood of numbers and dates: a Gaussian with a learnt scale for each column, or the"
        " squared error",
        choices=("gaussian", "mse"),
    )
    counts: str = field(
        "negative-binomial",
        "likelihood of counts",
        choices=("negative-binomial", "poisson"),
    )

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.columns is not None:
            return None
        return "needs a table: pass a DataFrame, or kind='table'"

    def _module(self, spec: ExampleSpec) -> ColumnsLikelihood:
        groups = groupby(spec.columns or (), key=lambda column: _family(column.kind))
        return ColumnsLikelihood([self._group(kind, list(columns)) for kind, columns in groups])

    def _group(self, kind: ColumnKind, columns: Sequence[Column]) -> tuple[Likelihood, int]:
        size = sum(column.size for column in columns)
        match kind:
            case "category":
                return CategoricalLikelihood([column.size for column in columns]), size
            case "binary":
                return BernoulliLikelihood(), size
            case "count" if self.counts == "poisson":
                return PoissonLikelihood((size,)), size
            case "count":
                return NegativeBinomialLikelihood((size,)), size
            case _ if self.numbers == "mse":
                return SquaredErrorLikelihood(), size
            case _:
                return GaussianLikelihood(shape=(size,)), size


def _family(kind: ColumnKind) -> ColumnKind:
    """The kind by whose likelihood a column is judged."""
    return "number" if kind == "date" else kind
