"""Scalings that are no straight line, in operators that every runtime of ONNX has."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from isthmus.data._curves import FARTHEST, NEAR, REACH, Curve, NormalQuantiles, SmoothClip

# The inverse of the normal distribution function, as ratios of polynomials: near the middle, on the
# flanks, and at the ends (M. J. Wichura, Algorithm AS 241, Applied Statistics 37, 1988, PPND7).
_MIDDLE = (
    (59.10937472, 159.29113202, 50.434271938, 3.3871327179),
    (67.187563600, 78.757757664, 17.895169469, 1.0),
)
_FLANK = (
    (0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777),
    (0.12021132975, 0.73700164250, 1.0),
)
_END = (
    (0.017337203997, 0.42868294337, 3.0812263860, 6.6579051150),
    (0.012258202635, 0.24197894225, 1.0),
)
_BEND, _CORNER = 0.425, 5.0


def curve_module(curve: Curve, inverse: bool) -> nn.Module:
    """The module that takes values ``(n, *shape)`` along a curve, or back from it."""
    if isinstance(curve, SmoothClip):
        return _SmoothClipBack() if inverse else _SmoothClip()
    assert isinstance(curve, NormalQuantiles)
    return _NormalQuantilesBack(curve) if inverse else _NormalQuantiles(curve)


class _SmoothClip(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        bounded = x.clamp(-1e9, 1e9)
        return bounded / (1 + (bounded / REACH).square()).sqrt()


class _SmoothClipBack(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        share = (x / REACH).clamp(-NEAR, NEAR)
        return share * REACH / (1 - share.square()).sqrt()


class _NormalQuantiles(nn.Module):
    """Normal scores of values, column by column."""

    def __init__(self, curve: NormalQuantiles) -> None:
        super().__init__()
        self.knots = nn.Buffer(torch.from_numpy(curve.knots.T.copy()).float())  # (columns, knots)
        self.shares = nn.Buffer(torch.from_numpy(curve.shares).float())
        self.spread = nn.Buffer(torch.tensor(curve.spreads).float())

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.knots.shape[0])
        # a value that is met often has the score of the middle of its quantiles
        last = _between(rows, self.knots, self.shares.expand_as(self.knots))
        ends, back = self.knots.flip(1).neg(), self.shares.flip(0).neg()
        first = -_between(-rows, ends, back.expand_as(ends))
        low, high = self.knots[:, 0], self.knots[:, -1]
        steps = ((rows - low).clamp(max=0) + (rows - high).clamp(min=0)) / self.spread
        scores = normal_quantile((last + first) / 2) + steps.sign() * steps.abs().log1p()
        return scores.reshape(x.shape)


class _NormalQuantilesBack(nn.Module):
    """Values of normal scores, column by column."""

    def __init__(self, curve: NormalQuantiles) -> None:
        super().__init__()
        self.knots = nn.Buffer(torch.from_numpy(curve.knots.T.copy()).float())  # (columns, knots)
        self.shares = nn.Buffer(torch.from_numpy(curve.shares).float())
        self.ends = nn.Buffer(torch.tensor(curve.ends).float())
        self.spread = nn.Buffer(torch.tensor(curve.spreads).float())

    def forward(self, x: Tensor) -> Tensor:
        scores = x.reshape(-1, self.knots.shape[0])
        beyond = (scores - self.ends[0]).clamp(max=0) + (scores - self.ends[1]).clamp(min=0)
        steps = beyond.sign() * beyond.abs().clamp(max=FARTHEST).expm1()
        share = 0.5 * (1 + (scores * 0.5**0.5).erf())
        values = _between(share, self.shares.expand_as(self.knots), self.knots)
        return (values + steps * self.spread).reshape(x.shape)


def _between(x: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Linear interpolation of x ``(n, columns)`` in rising places ``(columns, knots)``.

    Where places repeat, the last of their values counts, as in numpy; beyond the ends, theirs.
    """
    below = (x[:, :, None] >= places).sum(2)  # (n, columns)
    right = below.clamp(1, places.shape[1] - 1)
    ends = torch.stack([right - 1, right], 2)  # (n, columns, 2)
    columns = torch.arange(places.shape[0], device=x.device)[None, :, None]
    near, of_near = places[columns, ends], values[columns, ends]
    gap = near[..., 1] - near[..., 0]
    share = ((x - near[..., 0]) / gap.where(gap > 0, 1.0)).clamp(0, 1)
    share = share.where(gap > 0, (x >= near[..., 1]).to(x.dtype))
    return of_near[..., 0] + share * (of_near[..., 1] - of_near[..., 0])


def normal_quantile(share: Tensor) -> Tensor:
    """The standard normal value that lies above a share of the distribution, to seven digits."""
    q = share - 0.5
    middle = q * _ratio(_BEND**2 - q.square(), _MIDDLE)
    tail = torch.minimum(share, 1 - share).clamp(min=1e-30)
    r = (-tail.log()).sqrt()
    outer = torch.where(r <= _CORNER, _ratio(r - 1.6, _FLANK), _ratio(r - _CORNER, _END))
    return torch.where(q.abs() <= _BEND, middle, q.sign() * outer)


def _ratio(x: Tensor, coefficients: Sequence[Sequence[float]]) -> Tensor:
    """The ratio of two polynomials, each by its coefficients from the highest power on."""
    above, below = (_polynomial(x, each) for each in coefficients)
    return above / below


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    value = torch.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
