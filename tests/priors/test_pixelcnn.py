"""The PixelCNN: what it may see, that it is a distribution, and that it learns what is there."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.forward import Level
from isthmus.priors import PixelCNN
from isthmus.priors._autoregressive import Autoregressive
from isthmus.priors.pixelcnn import GatedPixelCNN

SMALL = {
    "channels": 12,
    "layers": 2,
    "batch_size": 32,
    "learning_rate": 1e-2,
    "dropout": 0.0,
    "random_state": 0,
    "verbose": 0,
}


@pytest.mark.parametrize("reach", [1, 2])
def test_a_position_sees_all_before_it_and_none_after_it(
    reach: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = GatedPixelCNN(Level((5, 5), 4), (), 0, 6, 5, reach, 0.0).double()
    x = torch.randn(1, 5, 5, 6, dtype=torch.float64, requires_grad=True)
    monkeypatch.setattr(network.entries, "forward", lambda _: x)
    logits = network(torch.zeros(1, 25, dtype=torch.int64), (), None)
    for position in range(25):
        (gradient,) = torch.autograd.grad(logits[:, position].sum(), x, retain_graph=True)
        seen = gradient.abs().sum(3).flatten() > 0
        assert seen.tolist() == [other < position for other in range(25)]


def test_a_later_index_changes_no_earlier_logits() -> None:
    torch.manual_seed(0)
    network = GatedPixelCNN(Level((4, 4), 5), (), 0, 6, 3, 1, 0.0).eval()
    grid = torch.randint(5, (1, 16))
    other = grid.clone()
    other[0, 9] = (grid[0, 9] + 1) % 5
    with torch.no_grad():
        change = (network(grid, (), None) - network(other, (), None)).abs().sum(2).flatten()
    assert float(change[:10].max()) == 0.0  # up to the changed position itself
    assert bool((change[10:] > 0).all())


@pytest.mark.parametrize(
    "levels",
    [
        (Level((2, 2), 3),),
        (Level((1, 1), 2), Level((3,), 3)),
        (Level((2,), 2), Level((2, 2), 2), Level((1,), 3)),
    ],
)
def test_probabilities_sum_to_one(levels: tuple[Level, ...]) -> None:
    sizes = [level.size for level in levels for _ in range(math.prod(level.grid))]
    every = torch.tensor(list(itertools.product(*map(range, sizes))))
    random = torch.Generator().manual_seed(0)
    some = every[torch.randint(len(every), (64,), generator=random)]
    prior = PixelCNN(**SMALL, epochs=2).fit(some, np.arange(64) % 2, levels)
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


def test_a_markov_chain_is_learnt_to_its_entropy() -> None:
    length, stay = 10, 0.9
    move = 1 - stay
    entropy = math.log(3) + (length - 1) * -(stay * math.log(stay) + move * math.log(move / 2))
    prior = PixelCNN(**SMALL, epochs=8).fit(
        chain(800, length, stay, 0), None, (Level((length,), 3),)
    )
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


def test_a_class_has_its_own_pattern() -> None:
    random = torch.Generator().manual_seed(0)
    lines = torch.randint(2, (400, 4, 1), generator=random).expand(-1, 4, 4)
    labels = np.arange(400) % 2
    stripes = torch.where(torch.from_numpy(labels == 1)[:, None, None], lines.mT, lines)
    prior = PixelCNN(**SMALL, epochs=10).fit(stripes.flatten(1), labels, (Level((4, 4), 2),))
    torch.manual_seed(0)
    for label, axis in ((0, 2), (1, 1)):
        drawn = prior.sample(100, label=label).view(100, 4, 4)
        assert float((drawn.diff(dim=axis) == 0).float().mean()) > 0.97
        assert 0.3 < float((drawn.diff(dim=3 - axis) == 0).float().mean()) < 0.7
    assert float(prior.log_prob(stripes.flatten(1), labels).mean()) == pytest.approx(
        -4 * math.log(2), abs=0.25
    )


def test_the_fine_level_follows_the_coarse_one() -> None:
    random = torch.Generator().manual_seed(0)
    coarse = torch.randint(3, (400, 2, 2), generator=random)
    fine = (coarse.repeat_interleave(2, 1).repeat_interleave(2, 2) + 1) % 3
    codes = torch.cat([coarse.flatten(1), fine.flatten(1)], 1)
    levels = (Level((2, 2), 3), Level((4, 4), 3))
    prior = PixelCNN(**SMALL, epochs=10).fit(codes, None, levels)
    assert float(prior.log_prob(codes).mean()) == pytest.approx(-4 * math.log(3), abs=0.25)
    torch.manual_seed(0)
    drawn = prior.sample(200)
    above = drawn[:, :4].view(-1, 2, 2).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert float((drawn[:, 4:].view(-1, 4, 4) == (above + 1) % 3).float().mean()) > 0.97
    last = prior.history_[-1]
    assert last["objective"] == pytest.approx(last["level_1"] + last["level_2"], rel=1e-5)
    assert last["level_2"] < 0.3


@pytest.mark.parametrize(
    ("codes", "levels", "message"),
    [
        (
            torch.zeros(5, 4),
            (Level((2, 2), 3),),
            r"codes of \(5, 4\) torch\.float32 are not usable: give whole numbers",
        ),
        (torch.zeros(5, 3).long(), (Level((2, 2), 3),), r"give whole numbers, \(n, 4\)"),
        (
            torch.full((5, 4), 3),
            (Level((2, 2), 3),),
            r"an index of 3 does not stand in a level of 3 entries",
        ),
        (
            torch.zeros(5, 8).long(),
            (Level((2, 2, 2), 3),),
            r"PixelCNN takes grids of one or two axes, not \[\(2, 2, 2\)\]",
        ),
    ],
)
def test_indices_that_cannot_be_used(
    codes: torch.Tensor, levels: tuple[Level, ...], message: str
) -> None:
    with pytest.raises(ist.InputError, match=message):
        PixelCNN(**SMALL, epochs=1).fit(codes, None, levels)


def test_guided_draws_follow_the_classifier_that_the_prior_holds() -> None:
    torch.manual_seed(0)
    level, guidance, n = Level((2,), 3), 1.5, 40_000
    density = Autoregressive([GatedPixelCNN(level, (), 2, 6, 2, 1, 0.0)], guidance=guidance).eval()
    for parameter in density.parameters():  # far from what all classes have in common
        parameter.data += 0.5 * torch.randn_like(parameter)
    codes = torch.tensor(list(itertools.product(range(3), repeat=2)))  # (9, 2)
    own, other = torch.eye(2)
    with torch.no_grad():
        joint = torch.stack([density.log_prob(codes, c.expand(9, 2)).exp() for c in (own, other)])
        drawn = density.draw(n, own.expand(n, 2), 1.0)
    first = joint.view(2, 3, 3).sum(2)  # p(z1 | c), (2, 3)
    second = joint.view(2, 3, 3) / first[..., None]  # p(z2 | z1, c)
    of_class = first / first.sum(0)  # p(c | z1), of classes that count alike

    def guided(own: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        wanted = own * (own / mixed) ** guidance
        return wanted / wanted.sum(-1, keepdim=True)

    expected = guided(first[0], first.mean(0))[:, None] * guided(
        second[0], (of_class[..., None] * second).sum(0)
    )
    found = torch.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9).view(3, 3) / n
    torch.testing.assert_close(found, expected, atol=0.01, rtol=0)
    assert float((expected - joint[0].view(3, 3)).abs().max()) > 0.05  # and not the prior itself


def drawn(prior: PixelCNN, n: int, label: int | None = None) -> torch.Tensor:
    torch.manual_seed(0)
    return prior.sample(n, label=label)


def test_guidance_is_for_draws_of_a_class_alone() -> None:
    codes, labels = torch.randint(3, (64, 4)), torch.randint(2, (64,)).numpy()
    level = (Level((2, 2), 3),)
    plain, guided = (
        PixelCNN(**SMALL, epochs=1, guidance=w).fit(codes, labels, level) for w in (0.0, 2.0)
    )
    assert torch.equal(plain.log_prob(codes, labels), guided.log_prob(codes, labels))
    assert not torch.equal(*(drawn(p, 50, 1) for p in (plain, guided)))
    unlabelled = [
        drawn(PixelCNN(**SMALL, epochs=1, guidance=w).fit(codes, None, level), 9)
        for w in (0.0, 2.0)
    ]
    assert torch.equal(*unlabelled)
