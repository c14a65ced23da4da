"""isthmus, as a user calls it: a round is the whole call, the admission of the uint8 data included.

Two tasks start with something that the peers leave out (the codebook of the VQ-VAE starts at
k-means), or are short beside it: for them, and where the step is compiled, a round is the epoch as
the history records it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import isthmus as ist
from benchmarks.contestants import work
from benchmarks.contestants.work import Data, Round, Rounds, timed, warmed


def fitted(make: Callable[[], Any], x: np.ndarray, test: np.ndarray, *, whole_call: bool) -> Rounds:
    def run(count: int) -> Round:
        model = make()
        start = time.perf_counter()
        model.fit(x[:count])
        seconds = time.perf_counter() - start if whole_call else model.history_[-1]["seconds"]
        return Round(seconds, work.mean_square(model.reconstruct(test), work.unit(test)))

    return warmed(run, len(x), make().batch_size)


def dense(sizes: tuple[int, ...], batch: int, **settings: Any) -> Any:
    return ist.AE(
        latent_dim=sizes[-1],
        hidden=sizes[1:-1],
        network="mlp",
        likelihood="mse",
        batch_size=batch,
        random_state=0,
        verbose=0,
        **{"epochs": 1, "device": work.DEVICE, **settings},
    )


def ae(data: Data, *, whole_call: bool = True, **settings: Any) -> Rounds:
    make = lambda: dense(work.AE, work.AE_BATCH, **settings)  # noqa: E731
    return fitted(
        make, data.train[: work.AE_EXAMPLES], data.test[: work.MEASURED], whole_call=whole_call
    )


def deep_ae(data: Data, *, whole_call: bool = True, **settings: Any) -> Rounds:
    make = lambda: dense(work.DEEP, work.DEEP_BATCH, **settings)  # noqa: E731
    return fitted(
        make, data.train[: work.DEEP_EXAMPLES], data.test[: work.MEASURED], whole_call=whole_call
    )


def conv_vae(data: Data, *, whole_call: bool = False, **settings: Any) -> Rounds:
    def make() -> Any:
        return ist.VAE(
            latent_dim=work.CONV_CODE,
            hidden=work.CONV_CHANNELS,
            network="conv",
            batch_size=work.CONV_BATCH,
            random_state=0,
            verbose=0,
            **{"epochs": 1, "device": work.DEVICE, **settings},
        )

    x, test = (
        part.reshape(-1, 28, 28)
        for part in (data.train[: work.CONV_EXAMPLES], data.test[: work.MEASURED])
    )
    return fitted(make, x, test, whole_call=whole_call)


def vq_member(**settings: Any) -> Any:
    return ist.VQVAE(
        latent_dim=work.VQ_DIM,
        hidden=(work.VQ_CHANNELS,) * 2,
        quantizer=ist.quantizers.VectorQuantizer(
            codebook_size=work.VQ_CODES, commitment=work.VQ_COMMITMENT
        ),
        likelihood="mse",
        batch_size=work.VQ_BATCH,
        random_state=0,
        verbose=0,
        **{"epochs": 1, "device": work.DEVICE, **settings},
    )


def vqvae(data: Data) -> Rounds:
    x = data.colour
    return fitted(vq_member, x[: work.VQ_EXAMPLES], x[-work.VQ_MEASURED :], whole_call=False)


def transform(data: Data) -> Rounds:
    x = data.train
    model = dense(work.DEEP, work.DEEP_BATCH).fit(x[:2000])
    return timed(lambda: model.transform(x))


def scores(data: Data) -> Rounds:
    x = data.train
    model = dense(work.DEEP, work.DEEP_BATCH).fit(x[:2000])
    return timed(lambda: model.score_samples(x))


def likelihood(data: Data) -> Rounds:
    """Of a part of the images, scaled to all."""
    x = data.test[: work.LIKELIHOOD_EXAMPLES // work.LIKELIHOOD_PART]
    model = ist.VAE(
        latent_dim=work.LIKELIHOOD_CODE,
        hidden=work.LIKELIHOOD[1:],
        network="mlp",
        epochs=1,
        verbose=0,
        random_state=0,
    )
    model.fit(data.test[:2000])
    rounds = timed(lambda: model.nll(x, samples=work.LIKELIHOOD_SAMPLES))
    return lambda: Round(work.LIKELIHOOD_PART * rounds().seconds)
