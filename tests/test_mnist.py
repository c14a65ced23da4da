"""Real MNIST, where its files are: the errors that well-known networks reach."""

from __future__ import annotations

import pytest

import isthmus as ist

COMMON = {"likelihood": "mse", "network": "mlp", "random_state": 0, "verbose": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "batch_size", "epochs", "bound"),
    [((256, 128, 64), 256, 10, 0.0135), ((256,), 128, 4, 0.0090)],
    ids=["784-256-128-64-32", "784-256-32"],
)
def test_published_networks_reach_their_error(
    hidden: tuple[int, ...], batch_size: int, epochs: int, bound: float, mnist: ist.data.Data
) -> None:
    model = ist.AE(
        latent_dim=32, hidden=hidden, batch_size=batch_size, epochs=epochs, **COMMON
    ).fit(mnist.train)
    assert model.squared_error(mnist.test.x).mean() / 784 <= bound
