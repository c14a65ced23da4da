"""What a detector judges examples by: the cost of each value, or of the code, of an example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.core.batch import Batch
from isthmus.errors import InputError
from isthmus.estimators._views import View, robust_units, spread
from isthmus.estimators.base import Estimator

_LEAST_SPREAD = 0.01  # of a residual, in the model's units: what rounding alone may make of it
_REACH = 3.0  # robust units beyond which a value as it came is drawn in
_SETTLED_VALUES = ("usual", "reach", "middle", "unit")


class Seen(NamedTuple):
    """What a member makes of some examples: the batch, its codes ``(n, k)``, and what is decoded of
    them, ``(n, *shape)``.
    """

    batch: Batch
    codes: Tensor
    parameters: Tensor
    restored: Tensor

    @property
    def residual(self) -> Tensor:
        """x less its reconstruction, ``(n, *shape)``, and 0 where nothing was observed."""
        residual = self.batch.x - self.restored
        return residual if self.batch.mask is None else residual.masked_fill(~self.batch.mask, 0)


def passes(member: Estimator, X: Any, *, charged: bool = False) -> Iterator[Seen]:
    """A trained member's passes over all examples, in their order."""
    batches = member._batches(X, charged=charged)
    with member._inference(batches.dtype) as module:
        for batch in batches.chunks():
            code = module.encode(batch)[0]
            parameters = module.parameters_at(code, batch.condition, batch)
            yield Seen(batch, code.flatten(1), parameters, module.likelihood.mean(parameters))


def observed_steps(member: Estimator, X: Any) -> np.ndarray | None:
    """How many steps of each series were observed, ``(n,)``; None of what has no steps."""
    spec = member.preprocessor_.spec
    if not spec.has_time:
        return None
    # (n, time, features) of sequences, (n, channels, time) of signals
    beside, steps = (1, 1) if spec.kind == "signal" else (2, 0)
    batches = list(member._batches(X).chunks())
    counts = [
        torch.full((batch.size,), float(spec.shape[steps]))
        if batch.mask is None
        else batch.mask.any(beside).sum(1).cpu().float()
        for batch in batches
    ]
    return torch.cat(counts).double().numpy()


def observed(member: Estimator, X: Any) -> np.ndarray | None:
    """How much of each example was observed, ``(n,)``: the steps of a series, the share of the
    values of a row, and of the cells of a table; None of rows without gaps.

    Of an example without any value it is 1, and it costs nothing.
    """
    if member.preprocessor_.spec.has_time:
        return observed_steps(member, X)
    batches = member._batches(X)
    if not batches.masked:
        return None
    columns = member.preprocessor_.spec.columns
    sizes = [1] * batches.values if columns is None else [column.size for column in columns]
    first = np.cumsum(sizes) - sizes  # a category has several values, all missing or none
    masks = [batch.mask.flatten(1) for batch in batches.chunks() if batch.mask is not None]
    shares = torch.cat(masks).cpu().numpy()[:, first].mean(1)
    return np.where(shares > 0, shares, 1.0)


class Criterion(ABC):
    """From a trained member and examples to costs, of which the score is the negative sum.

    Sequences are charged by the step: their costs are divided by how many steps were observed, so
    that length does not decide. Errors and scores of rows are divided by the share of their values
    that was observed, so that gaps make no row typical.
    """

    name: ClassVar[str]

    def settle(self, member: Estimator, X: Any) -> None:  # noqa: B027  (most have nothing to learn)
        """Learn from training examples what is usual."""

    @abstractmethod
    def costs(self, member: Estimator, X: Any) -> np.ndarray:
        """What each example costs, ``(n,)``."""

    @abstractmethod
    def shares(self, member: Estimator, X: Any) -> np.ndarray:
        """What each value of an example costs, in the layout inside, ``(n, *shape)``."""

    def state(self) -> dict[str, Tensor]:
        """What was settled, to be saved."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:  # noqa: B027  (as above)
        """The inverse of :meth:`state`."""


class ResidualError(Criterion):
    r"""The squared error :math:`\lVert x - g(f(x)) \rVert^2`, in the model's units."""

    name = "error"

    def costs(self, member: Estimator, X: Any) -> np.ndarray:
        return _by_step(member.squared_error(X), observed(member, X))

    def shares(self, member: Estimator, X: Any) -> np.ndarray:
        each = [seen.residual.square().cpu().numpy() for seen in passes(member, X)]
        return _by_step(np.concatenate(each), observed(member, X))


class OwnScore(Criterion):
    """The member's own score: minus its bound in nats, or minus its distortion.

    A value's share is its distortion under the code that ``transform`` gives. They sum to the score
    where nothing is drawn and the code is not charged for; else the rate is left out.
    """

    name = "score"

    def costs(self, member: Estimator, X: Any) -> np.ndarray:
        return _by_step(-member.score_samples(X), observed(member, X))

    def shares(self, member: Estimator, X: Any) -> np.ndarray:
        each = []
        for seen in passes(member, X, charged=True):
            x, mask = seen.batch.x, seen.batch.mask
            cost = member.module_.likelihood.each(seen.parameters, x)
            if mask is not None:
                cost = cost.masked_fill(~mask, 0)
            each.append(cost.reshape(x.shape).cpu().numpy())
        return _by_step(np.concatenate(each), observed(member, X))


class JointDensity(Criterion):
    r"""The distance of an example from dense regions, in two representations of it.

    .. math:: m(x) = \frac12 \left( \frac{d(u)}{\mathrm{median}\, d(u)}
              + \frac{d(v)}{\mathrm{median}\, d(v)} \right), \quad
              d(u) = (u - \mu)^\top \Sigma^{-1} (u - \mu)

    u is what the member makes of x: its residual and its code, :math:`(x - g(f(x)), f(x))`. A code
    alone says nothing of what the decoder cannot rebuild, and an error alone nothing of a code
    where there never was one. v is x as it came: each value in robust units (the median and the
    quartile distance), of which what lies far off is drawn in, :math:`v / \sqrt{1 + (v/3)^2}`. The
    medians are those of the training examples, so that 1 is usual.

    μ and Σ are those of a multivariate Student's t with 4 degrees of freedom, fitted to the
    training examples by maximum likelihood, so that outliers among them hardly count; Σ is shrunk
    towards a sphere as Ledoit and Wolf say. A value's share is the square of its own coordinate,
    whitened by :math:`\Sigma^{-1/2}`, which keeps every coordinate nearest to what it was; the
    code's share is divided among the values by how far their reconstructions lie from the usual.

    References:
        K. L. Lange, R. J. A. Little and J. M. G. Taylor, Robust statistical modeling using the t
        distribution, JASA 1989. O. Ledoit and M. Wolf, A well-conditioned estimator for
        large-dimensional covariance matrices, 2004. P. H. Garthwaite and I. Koch, Evaluating the
        contributions of individual variables to a quadratic form, 2016.
    """

    name = "density"

    def settle(self, member: Estimator, X: Any) -> None:
        self.has_code = not member._levels  # indices have no distances
        made, given, restored = [], [], []
        for seen in passes(member, X):
            made.append(self._made(seen))
            given.append(_rows(seen.batch.x))
            restored.append(_rows(seen.restored))
        decoded, x, u = (np.concatenate(parts) for parts in (restored, given, made))
        self.usual, self.reach = decoded.mean(0), spread(decoded)
        self.middle, self.unit = robust_units(x)
        self.views = (
            View.fit(
                u, np.r_[np.full(x.shape[1], _LEAST_SPREAD), np.zeros(u.shape[1] - x.shape[1])]
            ),
            View.fit(self._drawn_in(x), np.full(x.shape[1], _LEAST_SPREAD)),
        )

    def costs(self, member: Estimator, X: Any) -> np.ndarray:
        found = [(made.sum(1) + given.sum(1)) / 2 for _, made, given in self._squares(member, X)]
        return _by_step(np.concatenate(found), observed_steps(member, X))

    def shares(self, member: Estimator, X: Any) -> np.ndarray:
        found = []
        for seen, made, given in self._squares(member, X):
            width = given.shape[1]
            far = np.square((_rows(seen.restored) - self.usual) / self.reach)
            if seen.batch.mask is not None:
                far = far * _rows(seen.batch.mask)
            far += 1e-12  # of an example that is rebuilt as the mean
            by_code = made[:, width:].sum(1, keepdims=True) * far / far.sum(1, keepdims=True)
            each = (made[:, :width] + by_code + given) / 2
            if seen.batch.mask is not None:  # whitening lets values that are not there stand out
                whole = each.sum(1, keepdims=True)
                each = each * _rows(seen.batch.mask)
                each *= whole / np.maximum(each.sum(1, keepdims=True), 1e-12)
            found.append(each.reshape(seen.restored.shape))
        return _by_step(np.concatenate(found), observed_steps(member, X))

    def state(self) -> dict[str, Tensor]:
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _SETTLED_VALUES}
        arrays["has_code"] = np.array(self.has_code)
        for place, view in enumerate(self.views):
            arrays |= {f"view{place}.{name}": value for name, value in vars(view).items()}
        return {name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        for name in _SETTLED_VALUES:
            setattr(self, name, tensors[name].numpy())
        self.has_code = bool(tensors["has_code"])
        first, second = (View.of(tensors, f"view{place}.") for place in (0, 1))
        self.views = first, second

    def _squares(self, member: Estimator, X: Any) -> Iterator[tuple[Seen, np.ndarray, np.ndarray]]:
        """Each pass with the squared whitened coordinates of both views."""
        made, given = self.views
        for seen in passes(member, X):
            v = self._drawn_in(_rows(seen.batch.x))
            if seen.batch.mask is not None:
                v = v * _rows(seen.batch.mask)
            yield seen, made.squares(self._made(seen)), given.squares(v)

    def _made(self, seen: Seen) -> np.ndarray:
        """Residual and code, ``(n, values + codes)``."""
        parts = [seen.residual.flatten(1), *([seen.codes] if self.has_code else [])]
        return _rows(torch.cat(parts, dim=1))

    def _drawn_in(self, x: np.ndarray) -> np.ndarray:
        """Values in robust units, none of which lies further off than :data:`_REACH`."""
        v = (x - self.middle) / self.unit
        return np.asarray(v / np.sqrt(1 + np.square(v / _REACH)))


class CodeDistance(Criterion):
    r"""The squared distance :math:`\lVert f(x) - c \rVert^2` of the code from a centre: the
    member's own, such as that of DeepSVDD, or the mean of the training examples' codes.
    """

    name = "distance"

    def settle(self, member: Estimator, X: Any) -> None:
        own = getattr(member.module_.bottleneck, "centre", None)
        codes = np.asarray(member.codes(X), dtype=np.float64)
        self.centre = codes.mean(0) if own is None else own.double().cpu().numpy()

    def costs(self, member: Estimator, X: Any) -> np.ndarray:
        codes = np.asarray(member.codes(X), dtype=np.float64)
        return np.asarray(np.square(codes - self.centre).sum(1))

    def shares(self, member: Estimator, X: Any) -> np.ndarray:
        raise InputError(
            "criterion='distance' judges the code, of which no value of an example has a share:"
            " explain a detector with criterion='error', 'density' or 'score'."
        )

    def state(self) -> dict[str, Tensor]:
        return {"centre": torch.from_numpy(self.centre)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.centre = tensors["centre"].numpy()


CRITERIA: dict[str, type[Criterion]] = {
    kind.name: kind for kind in (ResidualError, OwnScore, JointDensity, CodeDistance)
}


def _rows(values: Tensor) -> np.ndarray:
    """``(n, ...)`` as rows of float64."""
    return np.asarray(values.flatten(1).double().cpu().numpy())


def _by_step(costs: np.ndarray, steps: np.ndarray | None) -> np.ndarray:
    """Costs ``(n, ...)`` over what was observed of each example; as they are where that is None."""
    costs = np.asarray(costs, dtype=np.float64)
    return costs if steps is None else costs / steps.reshape(-1, *[1] * (costs.ndim - 1))
