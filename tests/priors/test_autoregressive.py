"""Priors whose indices follow one another: position by position they say what they say at once."""

from __future__ import annotations

import itertools
import math
from typing import Any

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


def small(name: str, **values: Any) -> AutoregressivePrior:
    """A prior that learns what is simple in a second."""
    own = {"transformer": {"channels": 32, "heads": 2, "learning_rate": 5e-3}}
    brief = {"channels": 12, "layers": 2, "batch_size": 32, "learning_rate": 1e-2, "dropout": 0.0}
    prior = PRIORS[name](**brief | own.get(name, {}) | {"random_state": 0, "verbose": 0} | values)
    assert isinstance(prior, AutoregressivePrior)
    return prior


def untrained(name: str, **values: Any) -> Autoregressive:
    """A density of three levels, far from where it starts, in float64."""
    random = torch.Generator().manual_seed(0)
    codes = torch.cat(
        [torch.randint(at.size, (8, math.prod(at.grid)), generator=random) for at in LEVELS], 1
    )
    density = small(name, epochs=1, **values).fit(codes, np.arange(8) % 2, LEVELS).module_
    assert isinstance(density, Autoregressive)
    for parameter in density.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=random)
    return density.double()


@pytest.mark.parametrize(
    ("name", "values"),
    [("pixelcnn", {"layers": 3, "reach": 1}), ("transformer", {}), ("transformer", {"context": 3})],
)
def test_one_by_one_the_logits_are_those_of_the_whole(name: str, values: dict[str, int]) -> None:
    density, kinds = untrained(name, **values), torch.eye(2)[[0, 1, 1]]
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


@every_causal
@pytest.mark.parametrize(
    "levels",
    [
        (Level((2, 2), 3),),
        (Level((1, 1), 2), Level((3,), 3)),
        (Level((2,), 2), Level((2, 2), 2), Level((1,), 3)),
    ],
)
def test_probabilities_sum_to_one(name: str, levels: tuple[Level, ...]) -> None:
    sizes = [level.size for level in levels for _ in range(math.prod(level.grid))]
    every = torch.tensor(list(itertools.product(*map(range, sizes))))
    random = torch.Generator().manual_seed(0)
    some = every[torch.randint(len(every), (64,), generator=random)]
    prior = small(name, epochs=2).fit(some, np.arange(64) % 2, levels)
    for labels in (None, np.zeros(len(every)), np.ones(len(every))):
        assert float(prior.log_prob(every, labels).double().exp().sum()) == pytest.approx(
            1.0, abs=1e-5
        )


def chain(n: int, length: int, stay: float, seed: int) -> torch.Tensor:
    """A Markov chain over three values, that stays where it is with a probability."""
    random = np.random.default_rng(seed)
    steps = np.where(random.random((n, length)) < stay, 0, random.integers(1, 3, (n, length)))
    steps[:, 0] = random.integers(0, 3, n)
    return torch.from_numpy(steps.cumsum(1) % 3)


@every_causal
def test_a_markov_chain_is_learnt_to_its_entropy(name: str) -> None:
    length, stay = 10, 0.9
    move = 1 - stay
    entropy = math.log(3) + (length - 1) * -(stay * math.log(stay) + move * math.log(move / 2))
    prior = small(name, epochs=8).fit(chain(800, length, stay, 0), None, (Level((length,), 3),))
    held_out = chain(2000, length, stay, 1)
    given = stay * np.ones((2000, length - 1))
    given[np.diff(held_out.numpy()) != 0] = move / 2
    truth = np.log(given).sum(1) - math.log(3)
    assert -truth.mean() == pytest.approx(entropy, rel=0.02)
    # an estimate of KL(truth || learnt)
    excess = float(np.mean(truth - prior.log_prob(held_out).numpy()))
    assert -0.01 < excess < 0.03 * entropy
    torch.manual_seed(0)
    kept = prior.sample(1000).diff(dim=1) == 0
    assert float(kept.float().mean()) == pytest.approx(stay, abs=0.03)
    firm = prior.sample(1000, temperature=0.5).diff(dim=1) == 0
    assert float(firm.float().mean()) > 0.96
    assert len(prior.sample(20, temperature=0.0).unique(dim=0)) == 1


@every_causal
def test_a_class_has_its_own_pattern(name: str) -> None:
    random = torch.Generator().manual_seed(0)
    lines = torch.randint(2, (400, 4, 1), generator=random).expand(-1, 4, 4)
    labels = np.arange(400) % 2
    stripes = torch.where(torch.from_numpy(labels == 1)[:, None, None], lines.mT, lines)
    prior = small(name, epochs=10).fit(stripes.flatten(1), labels, (Level((4, 4), 2),))
    torch.manual_seed(0)
    for label, axis in ((0, 2), (1, 1)):
        drawn = prior.sample(100, label=label).view(100, 4, 4)
        assert float((drawn.diff(dim=axis) == 0).float().mean()) > 0.97
        assert 0.3 < float((drawn.diff(dim=3 - axis) == 0).float().mean()) < 0.7
    assert float(prior.log_prob(stripes.flatten(1), labels).mean()) == pytest.approx(
        -4 * math.log(2), abs=0.25
    )


@every_causal
def test_the_fine_level_follows_the_coarse_one(name: str) -> None:
    random = torch.Generator().manual_seed(0)
    coarse = torch.randint(3, (400, 2, 2), generator=random)
    fine = (coarse.repeat_interleave(2, 1).repeat_interleave(2, 2) + 1) % 3
    codes = torch.cat([coarse.flatten(1), fine.flatten(1)], 1)
    levels = (Level((2, 2), 3), Level((4, 4), 3))
    prior = small(name, epochs=10).fit(codes, None, levels)
    assert float(prior.log_prob(codes).mean()) == pytest.approx(-4 * math.log(3), abs=0.25)
    torch.manual_seed(0)
    drawn = prior.sample(200)
    above = drawn[:, :4].view(-1, 2, 2).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert float((drawn[:, 4:].view(-1, 4, 4) == (above + 1) % 3).float().mean()) > 0.97
    last = prior.history_[-1]
    assert last["objective"] == pytest.approx(last["level_1"] + last["level_2"], rel=1e-5)
    assert last["level_2"] < 0.3


def test_the_likeliest_entries_alone_are_drawn_below_a_share() -> None:
    logits = torch.tensor([0.5, 0.1, 0.3, 0.1]).log().expand(4000, 4)
    torch.manual_seed(0)
    counts = [chosen(logits, 1.0, top_p).bincount(minlength=4) / 4000 for top_p in (0.4, 0.7, 1.0)]
    expected = [[1, 0, 0, 0], [0.625, 0, 0.375, 0], [0.5, 0.1, 0.3, 0.1]]
    torch.testing.assert_close(torch.stack(counts), torch.tensor(expected), atol=0.03, rtol=0)
    assert set(chosen(logits, 0.0).tolist()) == {0}
