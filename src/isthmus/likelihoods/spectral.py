"""Sound: what differs between two spectrograms, beside what differs between two waves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isthmus.core.example import ExampleSpec
from isthmus.core.fields import field
from isthmus.errors import InputError
from isthmus.likelihoods.base import Likelihood, LikelihoodPart

_OVERLAP = 4  # windows that see each step
_FRAME_BOUND = 1.5  # sum of the squares of so many overlapping Hann windows


class SpectralLikelihood(Likelihood):
    r"""The squared error of a wave, and the distance of its spectrograms: no probability.

    .. math:: \sum_t \frac{(x_t - \hat x_t)^2}{2 \sigma^2}
              + \frac1{|W|} \sum_{w \in W} \sum_{f, k} \left[
              \frac{(S_{fk} - \hat S_{fk})^2}{2 \sigma^2}
              + \frac{\lambda}{4} \left| \log \frac{S_{fk} + \varepsilon}{\hat S_{fk} + \varepsilon}
              \right| \right]

    where :math:`S` is the magnitude of a short-time Fourier transform with Hann windows of w steps,
    w / 4 apart, over all frequencies k. It is so scaled that :math:`\sum_{f,k} S_{fk}^2 = \sum_t
    x_t^2`; the middle term is then at most the first, and of equal size for waves whose phases have
    nothing in common. Each step is seen by four windows, by which the last term is divided: it is
    λ times the mean distance of the logarithms, in nats, at every step.

    Every frame's distance is divided among its steps by the squares of the window, so that each
    step has its own and they add up to the whole.

    Args:
        windows: the lengths w of the windows, in steps; multiples of 4.
        scale: σ, in units of x after scaling.
        log_weight: λ.
        floor: ε, a magnitude below which differences hardly count.
    """

    normalised = False

    def __init__(
        self, windows: tuple[int, ...], scale: float, log_weight: float, floor: float
    ) -> None:
        super().__init__()
        self.scale, self.log_weight, self.floor = scale, log_weight, floor
        self.sizes = windows
        for size in windows:
            hann = torch.hann_window(size, periodic=True, dtype=torch.float64)
            window = (hann / _FRAME_BOUND**0.5).float()
            self.register_buffer(f"window_{size}", window, persistent=False)

    def each(self, parameters: Tensor, x: Tensor) -> Tensor:
        time = x.shape[-1]
        rows, wanted = parameters.reshape(-1, time), x.reshape(-1, time)
        spectral = torch.stack([self._distances(rows, wanted, size) for size in self.sizes]).mean(0)
        return self._squares(rows, wanted).add(spectral).view(x.shape)

    def nll(self, parameters: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See :meth:`Likelihood.nll`; what is not observed is silent in both spectrograms."""
        heard = parameters if mask is None else parameters.masked_fill(~mask, 0.0)
        return super().nll(heard, x, mask)

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters

    def parameters_for(self, mean: Tensor) -> Tensor:
        return mean

    def draw(self, parameters: Tensor) -> Tensor:
        return parameters

    def _squares(self, a: Tensor, b: Tensor) -> Tensor:
        return F.mse_loss(a, b, reduction="none") / (2 * self.scale**2)

    def _distances(self, rows: Tensor, wanted: Tensor, size: int) -> Tensor:
        """What differs between spectrograms of rows ``(m, time)``, shared among the steps."""
        window = getattr(self, f"window_{size}").to(rows.dtype)
        found, true = magnitudes(rows, window), magnitudes(wanted, window)
        both = self._squares(found, true)
        if self.log_weight > 0:
            ratios = ((found + self.floor) / (true + self.floor)).log().abs()
            both = both + self.log_weight / _OVERLAP * ratios
        frames = (both * _sides(size, both)).sum(1, keepdim=True)  # (m, 1, frames)
        squares, step = window.square()[None, None], size // _OVERLAP
        around = _around(rows.shape[-1], size)
        within = F.conv1d(F.pad(rows.new_ones(1, 1, rows.shape[-1]), around), squares, stride=step)
        # a frame that sees no step but by the window's zero has no distance to share
        each = frames / within.clamp(min=torch.finfo(rows.dtype).tiny)
        steps = F.conv_transpose1d(each, squares, stride=step)
        return steps[:, 0, around[0] : around[0] + rows.shape[-1]]


def magnitudes(rows: Tensor, window: Tensor) -> Tensor:
    """Magnitudes of a short-time Fourier transform of rows ``(m, time)``: ``(m, bins, frames)``.

    The ends are padded so that every step is seen by four windows.
    """
    size = len(window)
    found = torch.stft(
        F.pad(rows, _around(rows.shape[-1], size)),
        size,
        size // _OVERLAP,
        window=window,
        center=False,
        normalized=True,
        return_complex=True,
    )
    return found.abs()


def _around(time: int, size: int) -> tuple[int, int]:
    """How much silence is put before and behind a wave, so that windows see each step equally."""
    step = size // _OVERLAP
    return size - step, size - step + -time % step


def _sides(size: int, like: Tensor) -> Tensor:
    """How many of all frequencies each of the lower half stands for, ``(bins, 1)``."""
    sides = torch.full((size // 2 + 1, 1), 2.0, dtype=like.dtype, device=like.device)
    sides[0] = sides[-1] = 1.0
    return sides


@dataclass(repr=False)
class Spectral(LikelihoodPart):
    r"""The squared error of a wave and the distance of its spectrograms, for sound; no probability.

    The ear does not hear the phases that the squared error of a wave is mostly made of, and hears
    quiet high frequencies that it is hardly made of. See :class:`SpectralLikelihood`, which it
    builds.

    References:
        P. Dhariwal et al., Jukebox: a generative model for music, 2020 (the spectral loss).
        R. Yamamoto, E. Song and J.-M. Kim, Parallel WaveGAN, ICASSP 2020 (several windows,
        logarithms).
    """

    windows: tuple[int, ...] = field(
        (1024, 256, 64), "lengths of the windows in steps; multiples of 4", low=4
    )
    scale: float = field(
        1.0, "standard deviation by which errors are measured, in units of x after scaling", above=0
    )
    log_weight: float = field(
        0.1, "weight of the distance of log magnitudes, in nats at every step (lambda)", low=0
    )
    floor: float = field(
        1e-2, "magnitude below which differences of log magnitudes hardly count", above=0
    )

    def accepts(self, spec: ExampleSpec) -> str | None:
        if spec.kind == "signal" and not spec.unit_range:
            return None
        return (
            "compares spectrograms of waves around 0: pass kind='signal' for (n, channels, time),"
            " or likelihood='mse'"
        )

    def _module(self, spec: ExampleSpec) -> SpectralLikelihood:
        if odd := [size for size in self.windows if size % _OVERLAP]:
            raise InputError(
                f"windows={self.windows} holds {odd[0]}, which is no multiple of {_OVERLAP}: round"
                " it."
            )
        return SpectralLikelihood(self.windows, self.scale, self.log_weight, self.floor)
