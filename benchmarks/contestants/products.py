"""The products alone, without the update of Adam."""

from __future__ import annotations

from benchmarks.contestants import work
from benchmarks.contestants.floor import dense
from benchmarks.contestants.work import Data, Rounds


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, work.AE_EXAMPLES, update=False)


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, work.DEEP_EXAMPLES, update=False)
