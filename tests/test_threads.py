"""Threads of one process: whatever is drawn in them is what one thread alone would draw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import isthmus as ist
from isthmus.core.randomness import (
    _COMPOSED,
    _DRAWING,
    _FILLING,
    alone,
    may_draw,
    own_draws,
)

_SHARES = torch.full((5, 7), 0.4)

# What torch marks as drawing, and we leave alone: its own inner steps, and layers that draw in
# training alone, where dropout inside of them cannot be given a generator.
_LEFT_ALONE = {
    *("lstm", "gru", "rnn_relu", "rnn_tanh", "scaled_dot_product_attention", "miopen_rnn"),
    *("_lstm_mps", "_fused_sdp_choice", "_fused_dropout"),
}


def drawn() -> Iterator[Any]:
    """Something of every function that draws."""
    x = _SHARES.clone()
    yield from (torch.randn(3), torch.rand(2, 3), torch.randn_like(x), torch.rand_like(x))
    yield from (torch.randint(10, (4,)), torch.randint(3, 10, (4,)), torch.randperm(9))
    yield from (torch.randint_like(x, 9), torch.randint_like(x, 3, 9))
    yield from (torch.bernoulli(x), torch.bernoulli(x, 0.3), torch.poisson(x * 5))
    yield from (torch.multinomial(x, 1), torch.multinomial(x, 2, False))
    for name in ("normal_", "uniform_", "bernoulli_", "exponential_", "cauchy_", "log_normal_"):
        yield getattr(torch.empty(4, 5), name)()
    yield from (torch.empty(5).geometric_(0.3), torch.empty(5).random_(3, 9))
    yield from (torch.normal(x, x), torch.normal(0.0, x), torch.normal(0.0, 1.0, (3,)))
    for distribution in (
        torch.distributions.Gamma(x + 1, x),
        torch.distributions.Dirichlet(x),
        torch.distributions.Binomial(10, x),
        torch.distributions.Categorical(x),
        torch.distributions.StudentT(x + 3),
    ):
        yield distribution.sample()
    yield from (functional.dropout(x), functional.alpha_dropout(x, training=True))
    yield from (functional.dropout2d(x[None, None]), functional.gumbel_softmax(x))
    yield from (functional.rrelu(-x, training=True), torch.svd_lowrank(x)[0])
    yield functional.fractional_max_pool2d(torch.ones(1, 1, 9, 9).cumsum(2), 2, output_size=3)
    for layer in (nn.Linear(3, 4), nn.Conv2d(2, 3, 3), nn.GRU(3, 4, 2), nn.Embedding(3, 4)):
        yield from (weight.detach() for weight in layer.parameters())
    for start in (nn.init.trunc_normal_, nn.init.kaiming_normal_, nn.init.orthogonal_):
        yield start(torch.empty(5, 6))


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode])
def test_own_draws_are_those_of_the_seed_and_torch_sees_nothing_of_them(
    mode: Callable[[], Any],
) -> None:
    before = torch.get_rng_state()
    with mode():
        with torch.random.fork_rng():
            torch.manual_seed(5)
            wanted = list(drawn())
        with own_draws(5):
            found = list(drawn())
    assert [
        place
        for place, (one, other) in enumerate(zip(wanted, found, strict=True))
        if not torch.equal(one, other)
    ] == []
    assert torch.equal(before, torch.get_rng_state())


def test_every_function_that_torch_marks_as_drawing_is_known() -> None:
    marked = {
        name
        for name in (entry.removeprefix("aten::").partition(".")[0] for entry in _operations())
        if any(callable(getattr(home, name, None)) for home in (torch, torch.Tensor, functional))
        and not name.startswith(("_cudnn", "_flash", "_fill", "_scaled_dot", "_triton", "_nested"))
    }
    assert marked - {*_DRAWING, *_FILLING, *_COMPOSED} == _LEFT_ALONE & marked


def _operations() -> list[str]:
    names = [name for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")]
    packets = {name: getattr(torch.ops.aten, name[6:].partition(".")[0]) for name in names}
    return [
        name
        for name, packet in packets.items()
        if any(
            torch.Tag.nondeterministic_seeded in getattr(packet, overload).tags
            for overload in packet.overloads()
        )
    ]


def test_dropout_that_is_off_draws_nothing_and_waits_for_nobody() -> None:
    def dropped() -> Tensor:
        with own_draws(0):
            left = functional.dropout(torch.ones(9), training=False)
            return left + torch.dropout(torch.ones(9), 0.5, False)

    with alone(0), ThreadPoolExecutor(1) as pool:
        before = torch.get_rng_state()
        assert torch.equal(pool.submit(dropped).result(timeout=30), torch.full((9,), 2.0))
        assert torch.equal(before, torch.get_rng_state())


def test_draws_inside_of_draws_are_their_own_and_a_generator_that_is_given_is_used() -> None:
    with own_draws(1):
        first = torch.randn(4)
        with own_draws(2):
            inner = torch.randn(4)
        second = torch.randn(4)
        given = torch.randn(4, generator=torch.Generator().manual_seed(2))
    with own_draws(1):
        assert torch.equal(torch.cat([first, second]), torch.cat([torch.randn(4), torch.randn(4)]))
    with own_draws(2):
        assert torch.equal(inner, torch.randn(4))
    assert torch.equal(inner, given)


def test_draws_of_threads_do_not_meet() -> None:
    def draws(seed: int) -> Tensor:
        with own_draws(seed):
            return torch.stack([torch.randn(50).cumsum(0) for _ in range(40)])

    wanted = [draws(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(draws, [*range(8)] * 5))
    assert all(torch.equal(one, wanted[place % 8]) for place, one in enumerate(found))


def fitted(seed: int, x: np.ndarray) -> ist.VAE:
    return ist.VAE(latent_dim=2, hidden=(16,), epochs=2, random_state=seed, verbose=0).fit(x)


def weights(model: Any) -> bytes:
    return b"".join(value.numpy().tobytes() for value in model.module_.state_dict().values())


def test_fits_in_threads_are_those_of_one_thread(few: np.ndarray) -> None:
    lone = [weights(fitted(seed, few)) for seed in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: weights(fitted(seed, few)), [*range(4)] * 3))
    assert [place for place, one in enumerate(found) if one != lone[place % 4]] == []


def test_samples_in_threads_while_another_trains(few: np.ndarray) -> None:
    """Neither sees the other."""
    model = fitted(0, few)
    lone, wanted = weights(model), [model.sample(5, random_state=seed) for seed in range(8)]
    over, trained = threading.Event(), []

    def train() -> None:
        while not over.is_set():
            trained.append(weights(fitted(0, few)))

    thread = threading.Thread(target=train)
    thread.start()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: model.sample(5, random_state=seed), [*range(8)] * 25))
    over.set()
    thread.join()
    assert all(np.array_equal(one, wanted[place % 8]) for place, one in enumerate(found))
    assert set(trained) == {lone}


def test_loading_and_using_a_run_wait_for_no_training(few: np.ndarray, tmp_path: Path) -> None:
    model = fitted(0, few)
    run = model.save(tmp_path / "run")
    with alone(0):
        before = torch.get_rng_state()
        with ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(ist.load, run).result(timeout=30)
            scores = pool.submit(loaded.score_samples, few).result(timeout=30)
        assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(scores, model.score_samples(few))


def test_a_training_inside_of_a_training_does_not_wait_for_it(few: np.ndarray) -> None:
    with alone(3):
        first = torch.randn(3)
        assert weights(fitted(1, few)) == weights(fitted(1, few))
        second = torch.randn(3)
    with alone(3):
        assert torch.equal(torch.stack([first, second]), torch.randn(2, 3))


class Wavering(nn.Module):
    """An encoder that draws, also where it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.flat = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        return self.flat(x) + 0.1 * torch.randn(len(x), 64)


def test_a_network_of_ones_own_that_draws_answers_the_same_at_every_call(few: np.ndarray) -> None:
    model = ist.AE(latent_dim=2, encoder=Wavering(), epochs=1, random_state=0, verbose=0).fit(few)
    assert may_draw(model.module_)
    assert not may_draw(fitted(0, few).module_)
    before = torch.get_rng_state()
    assert np.array_equal(model.transform(few), model.transform(few))
    assert torch.equal(before, torch.get_rng_state())


def test_a_new_thread_takes_as_many_workers_as_the_process(few: np.ndarray) -> None:
    """A training that takes one for itself does not take them from others."""
    from isthmus.training.runtimes import prepare_thread, tuned

    def workers() -> int:
        prepare_thread()
        return torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with tuned(threads=1), ThreadPoolExecutor(1) as pool:
            assert pool.submit(workers).result() == 2
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
