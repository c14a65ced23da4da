"""What the model says about the data as a distribution: the evidence bound and its two parts.

Distortion and rate come per example, ``(n,)``, in nats, summed over dimensions.
"""

from __future__ import annotations

import math

import numpy as np

from isthmus.metrics._measure import Measure, average

NATS, SQUARES = "nats per example", "squared units per example"


def neg_elbo(distortion: np.ndarray, rate: np.ndarray) -> Measure:
    """−ELBO = distortion + rate, an upper bound of −log p(x); β plays no part in it."""
    return average(
        "−ELBO",
        distortion + rate,
        NATS,
        "lower",
        "Distortion plus rate: an upper bound on how surprised the model is by an example it has"
        " never seen.",
    )


def bits_per_dim(distortion: np.ndarray, rate: np.ndarray, dimensions: int | np.ndarray) -> Measure:
    """−ELBO in bits, shared out over the dimensions: of a likelihood that is a probability mass.

    The bits of a density depend on the units of the data, and are none that one could send.
    """
    return average(
        "Bits per dimension (discrete)",
        (distortion + rate) / (dimensions * math.log(2)),
        "bits per dimension",
        "lower",
        "The same −ELBO in bits (nats divided by ln 2), divided by the number of dimensions: what"
        " a code for examples would need, of a likelihood that is a probability mass.",
    )


def bits_per_pixel(rate: np.ndarray, pixels: int) -> Measure:
    """The bits that the code of an image takes in a file, shared out over its pixels."""
    return average(
        "Bits per pixel",
        rate / (pixels * math.log(2)),
        "bits per pixel",
        None,
        "The size of the code in a file: its rate in bits (nats divided by ln 2), divided by the"
        " number of pixels.",
    )


def distortion(values: np.ndarray, normalised: bool = True) -> Measure:
    """−log p(x | z), or the squared error where the member has no normalised likelihood."""
    if not normalised:
        return average(
            "Distortion",
            values,
            SQUARES,
            "lower",
            "What is lost: here the squared error that training made small.",
        )
    return average(
        "Distortion",
        values,
        NATS,
        "lower",
        "What is lost: how unlikely the example is under what the decoder makes of its code.",
    )


def rate(values: np.ndarray) -> Measure:
    """KL(q(z | x) ‖ p(z)); neither much nor little of it is good by itself."""
    return average(
        "Rate",
        values,
        NATS,
        None,
        "What is kept: how much the code of an example tells about it, as the divergence of its"
        " posterior from the prior.",
    )
