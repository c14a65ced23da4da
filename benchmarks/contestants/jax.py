"""JAX: an epoch as one jitted scan over its batches; compiled in the warm round."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
import optax
from jax import numpy as jnp

from benchmarks.contestants import work
from benchmarks.contestants.work import Data, Round, Rounds, timed

Layers = list[tuple[Any, Any]]


def encode(layers: Layers, x: Any) -> Any:
    return through(layers[: len(layers) // 2], x, 0, len(layers))


def reconstruct(layers: Layers, x: Any) -> Any:
    return jax.nn.sigmoid(through(layers, x, 0, len(layers)))


def through(some: Layers, x: Any, first: int, count: int) -> Any:
    for place, (weight, bias) in enumerate(some, first):
        x = x @ weight + bias
        x = jax.nn.relu(x) if work.is_active(place, count) else x
    return x


def dense(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    raw = data.train[:examples]
    x, test = jnp.asarray(work.unit(raw)), work.unit(data.test[: work.MEASURED])
    optimizer = optax.adam(work.LEARNING_RATE)
    steps = len(raw) // batch

    def loss(layers: Layers, rows: Any) -> Any:
        return jnp.square(reconstruct(layers, rows) - rows).sum(1).mean()

    @jax.jit
    def epoch(layers: Layers, state: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(raw))[: steps * batch].reshape(steps, batch)

        def step(carry: Any, rows: Any) -> Any:
            layers, state = carry
            updates, state = optimizer.update(jax.grad(loss)(layers, x[rows]), state)
            return (optax.apply_updates(layers, updates), state), None

        return jax.lax.scan(step, (layers, state), order)[0]

    given = [tuple(map(jnp.asarray, pair)) for pair in work.start(sizes, raw)]

    def rounds() -> Round:
        state = optimizer.init(given)
        start = time.perf_counter()
        layers, _ = jax.block_until_ready(epoch(given, state, jax.random.key(0)))
        return Round(time.perf_counter() - start, work.mean_square(reconstruct(layers, test), test))

    rounds()
    return rounds


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, work.AE_EXAMPLES)


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


def transform(data: Data) -> Rounds:
    raw = data.train
    layers = [tuple(map(jnp.asarray, pair)) for pair in work.start(work.DEEP, raw)]
    x = work.unit(raw)
    run = jax.jit(encode)

    return timed(lambda: np.asarray(run(layers, x)))
