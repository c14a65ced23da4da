"""skorch: the same network as a NeuralNet."""

from __future__ import annotations

import time

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from benchmarks.contestants import modules, work
from benchmarks.contestants.work import Data, Round, Rounds, timed, warmed


def net(sizes: tuple[int, ...], batch: int, x: np.ndarray) -> NeuralNet:
    return NeuralNet(
        nn.Sequential(*modules.dense(sizes, x)),
        nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=work.LEARNING_RATE,
        max_epochs=1,
        batch_size=batch,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def dense(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    raw = data.train[:examples]
    x, test = work.unit(raw), work.unit(data.test[: work.MEASURED])

    def run(count: int) -> Round:
        model = net(sizes, batch, raw)
        start = time.perf_counter()
        model.fit(x[:count], x[:count])
        return Round(time.perf_counter() - start, work.mean_square(model.predict(test), test))

    return warmed(run, examples, batch)


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, work.AE_EXAMPLES)


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


def transform(data: Data) -> Rounds:
    raw = data.train
    encoder, _ = modules.dense(work.DEEP, raw)
    model = NeuralNet(encoder, nn.MSELoss, batch_size=256).initialize()
    x = work.unit(raw)

    return timed(lambda: model.predict(x))
