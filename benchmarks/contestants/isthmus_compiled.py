"""isthmus with ``compile=True``; a round is an epoch behind the one in which the step is compiled."""

from __future__ import annotations

from benchmarks.contestants import isthmus, work
from benchmarks.contestants.work import Data, Round, Rounds


def ae(data: Data) -> Rounds:
    return warm(work.AE, work.AE_BATCH, data, 60_000)


def deep_ae(data: Data) -> Rounds:
    return warm(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


def conv_vae(data: Data) -> Rounds:
    return isthmus.conv_vae(data, compile=True, epochs=2)


def vqvae(data: Data) -> Rounds:
    return isthmus.vqvae(data, compile=True, epochs=2)


def warm(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    x, test = data.train[:examples], data.test[: work.MEASURED]
    one = isthmus.fitted(lambda: isthmus.dense(sizes, batch, compile=True), x, test, whole_call=False)
    error = one().error  # after one epoch, as the others
    two = isthmus.fitted(lambda: isthmus.dense(sizes, batch, compile=True, epochs=2), x, test, whole_call=False)
    return lambda: Round(two().seconds, error)
