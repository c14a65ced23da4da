"""The PixelCNN: what it may see, that it is a distribution, and that it learns what is there."""

from __future__ import annotations

import itertools

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
    labels = torch.randint(2, (64,))
    codes = torch.randint(2, (64, 4)) + labels[:, None]  # so that there is something to exaggerate
    labels, level = labels.numpy(), (Level((2, 2), 3),)
    plain, guided = (
        PixelCNN(**SMALL, epochs=5, guidance=w).fit(codes, labels, level) for w in (0.0, 2.0)
    )
    assert torch.equal(plain.log_prob(codes, labels), guided.log_prob(codes, labels))
    assert not torch.equal(*(drawn(p, 200, 1) for p in (plain, guided)))
    anew = drawn(plain.set_params(guidance=2.0), 200, 1)  # on the fitted prior
    assert torch.equal(anew, drawn(guided, 200, 1))
    with pytest.raises(ist.InputError, match=r"top_p=0 is not usable: give a number, above 0"):
        plain.set_params(top_p=0)
    assert plain.top_p == 1
    unlabelled = [
        drawn(PixelCNN(**SMALL, epochs=1, guidance=w).fit(codes, None, level), 9)
        for w in (0.0, 2.0)
    ]
    assert torch.equal(*unlabelled)
