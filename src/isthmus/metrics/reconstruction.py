"""How close a reconstruction comes to its example.

All start from the squared errors of the test examples, ``(n,)``, each summed over the dimensions,
in the model's units: [0, 1] for pixels, standard deviations for what was standardised.
"""

from __future__ import annotations

import numpy as np

from isthmus.metrics._measure import Measure, average

_LEAST_MSE = 1e-10  # a perfect reconstruction has no finite ratio: it counts as 100 dB


def sse(errors: np.ndarray) -> Measure:
    """The mean squared distance between an example and its reconstruction."""
    return average(
        "Squared error",
        errors,
        "squared units per example",
        "lower",
        "The squared differences between an example and its reconstruction, summed over all its"
        " dimensions.",
    )


def mse(errors: np.ndarray, dimensions: int) -> Measure:
    """The same per dimension, so that data of different sizes can be set side by side."""
    return average(
        "Mean squared error",
        errors / dimensions,
        "squared units per dimension",
        "lower",
        "The squared error divided by the number of dimensions (pixels, columns).",
    )


def mean_psnr(errors: np.ndarray, dimensions: int) -> Measure:
    """The peak signal-to-noise ratio of images in [0, 1], averaged over images."""
    return average(
        "PSNR",
        psnr_of(errors / dimensions),
        "dB",
        "higher",
        "How far the brightest possible pixel stands above the error of a reconstruction: 10 dB"
        " more is a tenth of the error.",
    )


def psnr_of(mse: np.ndarray) -> np.ndarray:
    """Mean squared errors of images in [0, 1] as peak signal-to-noise ratios."""
    return np.asarray(-10 * np.log10(np.maximum(mse, _LEAST_MSE)))
