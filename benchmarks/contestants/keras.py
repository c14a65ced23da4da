"""Keras on TensorFlow: compile, fit, predict. The graph is traced in the warm round."""

from __future__ import annotations

import os
import time

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.contestants import work
from benchmarks.contestants.work import Data, Round, Rounds, timed


def dense_model(sizes: tuple[int, ...], x: np.ndarray) -> tuple[keras.Model, keras.Model]:
    """The autoencoder, and its encoder."""
    given = work.start(sizes, x)
    inputs = keras.Input((sizes[0],))
    h, code = inputs, None
    layers = []
    for place, (weight, _) in enumerate(given):
        last = place == len(given) - 1
        layer = keras.layers.Dense(
            weight.shape[1],
            activation="sigmoid" if last else "relu" if work.is_active(place, len(given)) else None,
        )
        h = layer(h)
        layers.append(layer)
        code = h if place == len(given) // 2 - 1 else code
    for layer, values in zip(layers, given, strict=True):
        layer.set_weights(values)
    return keras.Model(inputs, h), keras.Model(inputs, code)


def fitted(
    model: keras.Model, x: np.ndarray, y: np.ndarray | None, batch: int, test: np.ndarray
) -> Rounds:
    """A model that is compiled; every round starts from the same weights with a fresh optimiser."""
    weights = model.get_weights()

    def rounds() -> Round:
        model.set_weights(weights)
        if model.optimizer.built:
            for variable in model.optimizer.variables:
                if "learning_rate" not in variable.path:
                    variable.assign(np.zeros(variable.shape, variable.dtype))
        start = time.perf_counter()
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        return Round(
            time.perf_counter() - start, work.mean_square(model.predict(test, verbose=0), test)
        )

    rounds()  # all of it: a smaller last batch is traced anew
    return rounds


def dense(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    raw = data.train[:examples]
    x, test = work.unit(raw), work.unit(data.test[: work.MEASURED])
    model, _ = dense_model(sizes, raw)
    model.compile(keras.optimizers.Adam(work.LEARNING_RATE, epsilon=1e-8), "mse")
    return fitted(model, x, x, batch, test)


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, work.AE_EXAMPLES)


def memory(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, len(data.train))


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


class VAE(keras.Model):
    """The convolutional VAE with a training step of its own, as in Keras' example."""

    def __init__(self) -> None:
        super().__init__()
        a, b = work.CONV_CHANNELS
        layers = keras.layers
        self.encoder = keras.Sequential(
            [
                layers.Conv2D(a, 4, 2, "same", activation="relu"),
                layers.Conv2D(b, 4, 2, "same", activation="relu"),
                layers.Flatten(),
                layers.Dense(2 * work.CONV_CODE),
            ]
        )
        self.decoder = keras.Sequential(
            [
                layers.Dense(b * 49, activation="relu"),
                layers.Reshape((7, 7, b)),
                layers.Conv2DTranspose(a, 4, 2, "same", activation="relu"),
                layers.Conv2DTranspose(1, 4, 2, "same"),
            ]
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self.decoder(tf.split(self.encoder(x), 2, 1)[0]))

    def train_step(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            mu, log_var = tf.split(self.encoder(x), 2, 1)
            logits = self.decoder(mu + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mu)))
            cross = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
            rate = -0.5 * tf.reduce_sum(1 + log_var - tf.square(mu) - tf.exp(log_var), 1)
            loss = tf.reduce_mean(tf.reduce_sum(cross, (1, 2, 3)) + rate)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        return {"loss": loss}


def conv_vae(data: Data) -> Rounds:
    x, test = (
        work.unit(part).reshape(-1, 28, 28, 1)
        for part in (data.train[: work.CONV_EXAMPLES], data.test[: work.MEASURED])
    )
    model = VAE()
    model(x[:2])
    model.compile(keras.optimizers.Adam(work.LEARNING_RATE, epsilon=1e-8))
    return fitted(model, x, None, work.CONV_BATCH, test)


def transform(data: Data) -> Rounds:
    raw = data.train
    _, encoder = dense_model(work.DEEP, raw)
    x = work.unit(raw)

    return timed(lambda: encoder.predict(x, batch_size=2048, verbose=0))


def scores(data: Data) -> Rounds:
    raw = data.train
    model, _ = dense_model(work.DEEP, raw)
    x = work.unit(raw)

    return timed(lambda: np.square(model.predict(x, batch_size=2048, verbose=0) - x).sum(1))
