"""Indices under a prior that answers all places at once, or one after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from isthmus.compression import indices as coding
from isthmus.compression.indices import IndexCoder
from isthmus.compression.mixtures import ClassMixture
from isthmus.core.forward import Level
from isthmus.errors import InputError

LEVELS = (Level((2, 2), 5), Level((3,), 9))


class Chain:
    """Each index depends on the one before it and on the class, by random logits.

    Args:
        error: by how much the stepwise answers differ, as on another machine.
        near: whether logits lie next to the middle between two steps of the grid.
    """

    def __init__(self, error: float = 0.0, *, near: bool = False) -> None:
        draw = torch.Generator().manual_seed(0)
        shape = (3, 7, 10, 9)  # class, place, index before, value
        self.table = 2 * torch.randn(shape, generator=draw, dtype=torch.float64)
        if near:
            self.table = (self.table * 64).floor() / 64 + 0.5 / 64
        self.error, self.sizes = error, [5] * 4 + [9] * 3

    def at(self, place: int, before: Tensor, condition: Tensor | None) -> Tensor:
        kind = torch.zeros(len(before)).long() if condition is None else condition.argmax(1)
        return self.table[kind, place, before, : self.sizes[place]]

    def conditionals(self, indices: Tensor, condition: Tensor | None) -> list[Tensor]:
        before = torch.cat([torch.full((len(indices), 1), 9), indices[:, :-1]], 1)
        each = [self.at(place, before[:, place], condition) for place in range(7)]
        return [torch.stack(each[:4], 1), torch.stack(each[4:], 1)]

    def stepper(self, n: int, condition: Tensor | None) -> Steps:
        return Steps(self, n, condition)


class Steps:
    def __init__(self, chain: Chain, n: int, condition: Tensor | None) -> None:
        self.chain, self.condition, self.place = chain, condition, 0
        self.before = torch.full((n,), 9)

    def logits(self) -> Tensor:
        exact = self.chain.at(self.place, self.before, self.condition)
        return exact + self.chain.error * torch.linspace(-1, 1, exact.numel()).reshape(exact.shape)

    def accept(self, index: Tensor) -> None:
        self.before, self.place = index, self.place + 1


def drawn(chain: Chain, n: int, classes: np.ndarray | None = None) -> np.ndarray:
    torch.manual_seed(3)
    condition = None if classes is None else torch.eye(3)[torch.from_numpy(classes)]
    steps, found = chain.stepper(n, condition), []
    for _ in range(7):
        index = torch.multinomial(steps.logits().softmax(1), 1)[:, 0]
        steps.accept(index)
        found.append(index)
    return torch.stack(found, 1).numpy()


def nats(chain: Chain, indices: np.ndarray, condition: Tensor | None = None) -> float:
    given = torch.from_numpy(indices)
    logits = chain.conditionals(given, condition)
    parts = zip(logits, given.split([4, 3], 1), strict=True)
    return sum(
        -float(logit.log_softmax(2).gather(2, part[:, :, None]).sum()) for logit, part in parts
    )


def test_the_size_is_what_the_prior_says() -> None:
    chain = Chain()
    indices = drawn(chain, 1000)
    coder = IndexCoder(LEVELS, chain)
    streams = coder.encode(indices)
    assert (coder.decode(streams, 1000) == indices).all()
    bits = nats(chain, indices) / math.log(2)
    assert 8 * sum(map(len, streams)) == pytest.approx(bits, rel=0.02)


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_other_batches_give_the_same_codes(rows: int) -> None:
    chain = Chain()
    indices = drawn(chain, 300)
    streams = IndexCoder(LEVELS, chain).encode(indices)
    assert IndexCoder(LEVELS, chain, rows=rows).encode(indices) == streams
    assert (IndexCoder(LEVELS, chain, rows=rows).decode(streams, 300) == indices).all()


def test_a_machine_that_rounds_otherwise_reads_the_same() -> None:
    """All logits lie in the middle between two steps, where any error decides."""
    there, here = Chain(near=True), Chain(1e-9, near=True)
    indices = drawn(there, 50)
    streams = IndexCoder(LEVELS, there).encode(indices)
    assert (IndexCoder(LEVELS, here).decode(streams, 50) == indices).all()


def test_a_machine_that_computes_too_differently_says_so() -> None:
    indices = drawn(Chain(), 50)
    streams = IndexCoder(LEVELS, Chain()).encode(indices)
    with pytest.raises(InputError, match=r"come out otherwise here|are damaged"):
        IndexCoder(LEVELS, Chain(0.05)).decode(streams, 50)


def test_a_known_class_makes_codes_shorter() -> None:
    chain = Chain()
    classes = np.random.default_rng(0).integers(0, 3, 400)
    hot = torch.eye(3)[torch.from_numpy(classes)]
    indices, coder = drawn(chain, 400, classes), IndexCoder(LEVELS, chain)
    streams = coder.encode(indices, hot)
    assert (coder.decode(streams, 400, hot) == indices).all()
    bits = nats(chain, indices, hot) / math.log(2)
    assert 8 * sum(map(len, streams)) == pytest.approx(bits, rel=0.02)


def test_unknown_classes_are_charged_as_a_mixture() -> None:
    """log p(z) is the logarithm of a sum over classes: no class is written down."""
    chain, shares = Chain(), (0.5, 0.3, 0.2)
    classes = np.random.default_rng(0).choice(3, 400, p=shares)
    indices = drawn(chain, 400, classes)
    coder = IndexCoder(LEVELS, ClassMixture(chain, shares))
    streams = coder.encode(indices)
    assert (coder.decode(streams, 400) == indices).all()
    under = [
        [-nats(chain, row[None], torch.eye(3)[[y]]) + math.log(share) for row in indices]
        for y, share in enumerate(shares)
    ]
    bits = -np.logaddexp.reduce(under, 0).sum() / math.log(2)
    assert 8 * sum(map(len, streams)) == pytest.approx(bits, rel=0.02)


def test_without_a_prior_every_entry_takes_the_same_bits() -> None:
    indices = np.random.default_rng(0).integers(0, [5] * 4 + [9] * 3, (1000, 7))
    coder = IndexCoder(LEVELS)
    streams = coder.encode(indices)
    assert (coder.decode(streams, 1000) == indices).all()
    bits = 1000 * (4 * math.log2(5) + 3 * math.log2(9))
    assert 8 * sum(map(len, streams)) == pytest.approx(bits, rel=0.02)


def test_groups_grow_no_larger_than_the_memory_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "_ENTRIES", 500)
    chain = Chain()
    coder, indices = IndexCoder(LEVELS, chain), drawn(chain, 50)
    assert coder.group == 500 // (4 * 5 + 3 * 9)
    assert (coder.decode(coder.encode(indices), 50) == indices).all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_streams_is_damage(count: int) -> None:
    with pytest.raises(InputError, match="are damaged"):
        IndexCoder(LEVELS).decode([b"abcd"] * count, 256)
