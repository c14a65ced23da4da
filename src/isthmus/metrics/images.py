"""How alike two stacks of images are, and what a denoising member gains by cleaning."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch
from isthmus.core.randomness import own_draws
from isthmus.core.reductions import squared_error
from isthmus.data.batches import StoreBatches
from isthmus.errors import MissingExtraError, missing_extra
from isthmus.metrics._measure import Better, Measure, average
from isthmus.metrics.reconstruction import psnr_of

_WINDOW, _SIGMA = 11, 1.5  # of Wang et al.
_LEAST_WINDOW = 3  # a smaller one has no structure to compare


def psnr(images: Tensor, targets: Tensor) -> np.ndarray:
    """Each image's peak signal-to-noise ratio in dB, ``(n,)``; ``(n, c, h, w)`` in [0, 1]."""
    return psnr_of((squared_error(images, targets) / targets[0].numel()).cpu().numpy())


def ssim(images: Tensor, targets: Tensor) -> np.ndarray:
    r"""The structural similarity of each image to its target, ``(n,)``; sides of 3 pixels or more.

    .. math:: \frac{(2 \mu_x \mu_y + c_1)(2 \sigma_{xy} + c_2)}
              {(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)}

    averaged over all places of a Gaussian window, and over channels. See :func:`window` for the
    size of the window.

    Args:
        images, targets: ``(n, c, h, w)``, in [0, 1].

    Raises:
        MissingExtraError: where torchmetrics is not installed.

    Reference:
        Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, Image quality assessment: from
        error visibility to structural similarity, IEEE Transactions on Image Processing 2004.
    """
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure as similarity
    except ImportError as error:
        raise missing_extra("torchmetrics", "metrics", "SSIM") from error
    # torchmetrics makes a window of 2 * int(3.5 * sigma + 0.5) + 1 pixels, which is 11 for 1.5
    sigma = _SIGMA * window(targets.shape) / _WINDOW
    found: Any = similarity(images, targets, sigma=sigma, data_range=1.0, reduction="none")
    return np.asarray(found.cpu().numpy())


def window(shape: Sequence[int]) -> int:
    """The window's side for images (…, h, w): 11 pixels, or the greatest odd number that fits."""
    return min(_WINDOW, (min(shape[-2:]) - 1) // 2 * 2 + 1)


def cleaning(
    module: Autoencoder, batches: StoreBatches, random_state: int = 0
) -> dict[str, Measure]:
    """How well a denoising member restores test images under its own corruption.

    Damaged images are clipped to [0, 1].

    SSIM is left out where torchmetrics is not installed, and for images of fewer than 3 pixels a
    side.

    Args:
        module: the torch module of a member that has a corruption.
        batches: test images, ``(n, c, h, w)``, in [0, 1].
        random_state: seed of the damage.
    """
    parts, side = [], _WINDOW
    with own_draws(random_state), torch.inference_mode():
        for batch in batches.chunks():
            parts.append(_qualities(module, batch))
            side = window(batch.x.shape)
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: _measure(name, values[name], side) for name in values}


def _qualities(module: Autoencoder, batch: Batch) -> dict[str, np.ndarray]:
    assert module.corruption is not None
    x = batch.x
    damaged = module.corruption(x).clamp(0, 1)
    cleaned = module(batch._replace(x=damaged))
    found = {"psnr_damaged": psnr(damaged, x), "psnr_cleaned": psnr(cleaned, x)}
    if window(x.shape) >= _LEAST_WINDOW:
        with suppress(MissingExtraError):
            found |= {"ssim_damaged": ssim(damaged, x), "ssim_cleaned": ssim(cleaned, x)}
    return found


def _measure(name: str, values: np.ndarray, side: int) -> Measure:
    """The mean of one of the four; how damaged the images are is neither better nor worse."""
    kind, state = name.split("_")
    unit, said = {
        "psnr": ("dB", "How far the brightest possible pixel stands above the error"),
        "ssim": (
            "at most 1",
            (
                f"How alike image and clean original are in structure, in windows of {side} ×"
                f" {side} pixels,"
            ),
        ),
    }[kind]
    better: Better | None = "higher" if state == "cleaned" else None
    when = (
        "once the member has cleaned damaged images"
        if better
        else "under the damage that the member trains on"
    )
    return average(f"{kind.upper()}, {state}", values, unit, better, f"{said} {when}.")
