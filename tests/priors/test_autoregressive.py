"""Priors whose indices follow one another: position by position they say what they say at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from isthmus.core.forward import Level
from isthmus.priors._autoregressive import Autoregressive, AutoregressivePrior
from isthmus.priors._indices import chosen
from isthmus.registry import PRIORS

every_causal = pytest.mark.parametrize(
    "name", [name for name in PRIORS if issubclass(PRIORS[name], AutoregressivePrior)]
)
LEVELS = (Level((2, 3), 4), Level((4, 5), 6), Level((4, 5), 3))


def untrained(name: str, labels: int = 2) -> Autoregressive:
    """A density of three levels, far from where it starts, in float64."""
    random = torch.Generator().manual_seed(0)
    codes = torch.cat(
        [torch.randint(at.size, (8, math.prod(at.grid)), generator=random) for at in LEVELS], 1
    )
    prior = PRIORS[name](epochs=1, verbose=0, device="cpu", random_state=0)
    density = prior.fit(codes, np.arange(8) % labels, LEVELS).module_
    assert isinstance(density, Autoregressive)
    for parameter in density.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=random)
    return density.double()


@every_causal
def test_one_by_one_the_logits_are_those_of_the_whole(name: str) -> None:
    density, kinds = untrained(name), torch.eye(2)[[0, 1, 1]]
    torch.manual_seed(1)
    with torch.no_grad():
        drawn = density.draw(3, kinds, 1.0)
        whole = density.conditionals(drawn, kinds)
        assert [tuple(level.shape) for level in whole] == [(3, 6, 4), (3, 20, 6), (3, 20, 3)]
        stepper, position = density.stepper(3, kinds), 0
        for level in whole:
            for logits in level.unbind(1):
                torch.testing.assert_close(stepper.logits(), logits, atol=1e-9, rtol=0)
                stepper.accept(drawn[:, position])
                position += 1
        assert position == stepper.total == 46
        assert torch.equal(stepper.accepted, drawn)
        parts = zip(whole, drawn.split([6, 20, 20], 1), strict=True)
        sums = [
            level.log_softmax(2).gather(2, indices[..., None]).sum((1, 2))
            for level, indices in parts
        ]
        torch.testing.assert_close(density.log_prob(drawn, kinds), sum(sums))


@every_causal
def test_no_logits_depend_on_what_comes_later(name: str) -> None:
    density = untrained(name)
    codes = torch.zeros(1, 46, dtype=torch.int64)
    with torch.no_grad():
        before = torch.cat([at.abs().sum(2) for at in density.conditionals(codes)], 1)[0]
        for position in range(46):
            other = codes.clone()
            other[0, position] = 1
            after = torch.cat([at.abs().sum(2) for at in density.conditionals(other)], 1)[0]
            assert torch.equal(after[: position + 1], before[: position + 1])
            assert position == 45 or not torch.equal(after[position + 1 :], before[position + 1 :])


def test_the_likeliest_entries_alone_are_drawn_below_a_share() -> None:
    logits = torch.tensor([0.5, 0.1, 0.3, 0.1]).log().expand(4000, 4)
    torch.manual_seed(0)
    counts = [chosen(logits, 1.0, top_p).bincount(minlength=4) / 4000 for top_p in (0.4, 0.7, 1.0)]
    expected = [[1, 0, 0, 0], [0.625, 0, 0.375, 0], [0.5, 0.1, 0.3, 0.1]]
    torch.testing.assert_close(torch.stack(counts), torch.tensor(expected), atol=0.03, rtol=0)
    assert set(chosen(logits, 0.0).tolist()) == {0}
