"""The masked transformer: what its steps keep, and that it draws what it learnt."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.forward import Level
from isthmus.priors import Masked
from isthmus.priors._attending import AttentionSize
from isthmus.priors.masked import HiddenTransformer, MaskedSampler

PAIR = (Level((2,), 3),)
SHARES = torch.tensor([0.5, 0.3, 0.2])


def small(**values: Any) -> Masked:
    own = {"channels": 16, "layers": 2, "heads": 2, "batch_size": 32, "learning_rate": 1e-2}
    return Masked(**own | {"dropout": 0.0, "random_state": 0, "verbose": 0} | values)


def pairs(n: int) -> Tensor:
    """Two indices that are always the same: 0, 1 or 2 by their shares."""
    torch.manual_seed(0)
    return torch.multinomial(SHARES, n, replacement=True)[:, None].expand(-1, 2)


@pytest.fixture(scope="module")
def of_pairs() -> Masked:
    return small(epochs=20).fit(pairs(800), None, PAIR)


def drawn(prior: Masked, n: int, **values: Any) -> Tensor:
    torch.manual_seed(0)
    return prior.set_params(**values).sample(n)


def test_what_depends_on_each_other_is_drawn_right_in_several_steps(of_pairs: Masked) -> None:
    two = drawn(of_pairs, 2000, steps=2)
    assert float((two[:, 0] == two[:, 1]).float().mean()) > 0.98
    shares = two[:, 0].bincount(minlength=3) / 2000
    torch.testing.assert_close(shares, SHARES, atol=0.06, rtol=0)


def test_indices_of_one_step_do_not_depend_on_each_other(of_pairs: Masked) -> None:
    one = drawn(of_pairs, 2000, steps=1)
    alike = float((one[:, 0] == one[:, 1]).float().mean())
    assert alike == pytest.approx(float(SHARES.square().sum()), abs=0.06)


def test_the_bound_is_the_entropy_of_what_was_learnt(of_pairs: Masked) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        found = of_pairs.module_.bound(pairs(4000)).mean()
    entropy = -float((SHARES * SHARES.log()).sum())
    assert float(found) == pytest.approx(entropy, abs=0.08)


def untrained(size: int = 5, steps: int = 12, grid: tuple[int, ...] = (7, 7)) -> MaskedSampler:
    torch.manual_seed(0)
    large = AttentionSize(condition_size=2, channels=8, layers=1, heads=2)
    network = HiddenTransformer(large, Level(grid, size), ())
    return MaskedSampler(
        [network], steps=steps, choice_temperature=1.0, guidance=0.0, top_p=1.0
    ).eval()


def test_every_step_leaves_as_many_hidden_as_the_cosine_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler, hidden, shown = untrained(), [], []
    network = sampler.networks[0]
    forward = network.forward

    def watched(indices: Tensor, is_hidden: Tensor, *rest: Any) -> Tensor:
        hidden.append(is_hidden)
        shown.append(indices)
        found: Tensor = forward(indices, is_hidden, *rest)
        return found

    monkeypatch.setattr(network, "forward", watched)
    with torch.no_grad():
        codes = sampler.draw(6, None, 1.0)
    counts = torch.stack(hidden).sum(2)  # (steps, n)
    expected = [49] + [math.floor(49 * math.cos(math.pi * t / 24)) for t in range(1, 12)]
    expected[1] = 48  # cos would leave 48.58: it keeps at least one
    assert counts.tolist() == [[count] * 6 for count in expected]
    for before, after in itertools.pairwise(hidden):
        assert not bool((after & ~before).any())  # what is kept stays
    for indices, is_hidden in zip(shown, hidden, strict=True):
        assert torch.equal(indices[~is_hidden], codes[~is_hidden])


def test_all_places_count_once_on_the_average() -> None:
    sampler = untrained(size=5, grid=(100,))
    sampler.networks[0].logits[1].weight.data.zero_()
    sampler.networks[0].logits[1].bias.data.zero_()
    codes = torch.zeros(1500, 100, dtype=torch.int64)
    with torch.no_grad():
        objective = sampler.loss(Batch(codes)).objective.mean()
        bound = sampler.bound(codes[:50])
    assert float(objective) == pytest.approx(100 * math.log(5), rel=0.03)
    torch.testing.assert_close(bound, torch.full((50,), 100 * math.log(5)))


def test_guidance_draws_by_what_the_class_makes_likelier() -> None:
    sampler = untrained(size=4, grid=(1,))
    told = torch.eye(2)[:1].expand(20_000, 2)
    for parameter in sampler.parameters():
        parameter.data += 0.7 * torch.randn_like(parameter)
    sampler.guidance = 1.5
    nothing = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool), ()
    with torch.no_grad():
        own, mixed = (
            sampler.networks[0](*nothing, given)[0, 0].log_softmax(0)
            for given in (told[:1], torch.zeros(1, 2))
        )
        found = sampler.draw(20_000, told, 1.0)[:, 0].bincount(minlength=4) / 20_000
    torch.testing.assert_close(found, (own + 1.5 * (own - mixed)).softmax(0), atol=0.015, rtol=0)
    assert float((found - own.exp()).abs().max()) > 0.02


def test_the_fine_level_follows_the_coarse_one_and_a_class_its_own() -> None:
    random = torch.Generator().manual_seed(0)
    labels = np.arange(400) % 2
    coarse = (
        torch.randint(2, (400, 2, 2), generator=random) + torch.from_numpy(labels)[:, None, None]
    )
    fine = (coarse.repeat_interleave(2, 1).repeat_interleave(2, 2) + 1) % 3
    codes = torch.cat([coarse.flatten(1), fine.flatten(1)], 1)
    levels = (Level((2, 2), 3), Level((4, 4), 3))
    prior = small(epochs=12, steps=6).fit(codes, labels, levels)
    torch.manual_seed(0)
    found = prior.sample(200, label=1)
    above = found[:, :4].view(-1, 2, 2).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert float((found[:, 4:].view(-1, 4, 4) == (above + 1) % 3).float().mean()) > 0.97
    assert float((found[:, :4] >= 1).float().mean()) > 0.97
    assert len(prior.sample(20, label=0, temperature=0.0).unique(dim=0)) == 1
    last = prior.history_[-1]
    assert last["objective"] == pytest.approx(last["level_1"] + last["level_2"], rel=1e-5)


def test_a_density_is_refused_in_words(of_pairs: Masked) -> None:
    with pytest.raises(
        ist.InputError,
        match=r"^Masked knows no log p of a code: fit a prior that does, as prior='pixelcnn' or"
        r" 'transformer'\.$",
    ):
        of_pairs.log_prob(pairs(5))
