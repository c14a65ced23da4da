"""Real MNIST, where its files are: the errors that well-known networks reach."""

from __future__ import annotations

import pytest

import isthmus as ist


@pytest.mark.slow
def test_a_published_network_reaches_its_error(mnist: ist.data.Data) -> None:
    """784-256-32; deeper ones are rows of ``benchmarks/papers``."""
    model = ist.AE(
        latent_dim=32,
        hidden=(256,),
        batch_size=128,
        epochs=4,
        likelihood="mse",
        network="mlp",
        random_state=0,
        verbose=0,
    ).fit(mnist.train)
    assert model.squared_error(mnist.test.x).mean() / 784 <= 0.0090
