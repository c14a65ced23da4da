"""Every quantizer does what its formula says, and serves in its slot, prior included."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import isthmus as ist
from isthmus.core import sharding
from isthmus.core.parts import part_of
from isthmus.quantizers import (
    FSQ,
    LFQ,
    ProductVQ,
    QuantizerPart,
    ResidualVQ,
    VectorQuantizer,
)
from isthmus.quantizers._scalars import ScalarQuantizer
from isthmus.quantizers.base import counts_of, use_of
from isthmus.quantizers.lookup_free import LookupFreeQuantizer, mean_choice
from isthmus.registry import QUANTIZERS

QUICK = {
    "vq": VectorQuantizer(8),
    "fsq": FSQ(levels=(4, 3)),
    "residual": ResidualVQ(8, depth=3),
    "product": ProductVQ(8, groups=2),
    "lfq": LFQ(bits=3),
}
every = pytest.mark.parametrize("name", QUANTIZERS)


def quick(name: str) -> QuantizerPart:
    """A small quantizer, so that priors over its indices are quick to fit."""
    return QUICK.get(name) or part_of(name, QUANTIZERS)


def trained(member: str, quantizer: QuantizerPart, x: np.ndarray, **values: Any) -> Any:
    settings = {"latent_dim": 4, "hidden": (8,), "epochs": 2, "random_state": 0, **values}
    return ist.MEMBERS[member](quantizer=quantizer, **settings).fit(x)


# --- all of them


@every
@pytest.mark.parametrize("member", ["vqvae", "vqvae2"])
def test_indices_are_the_code(name: str, member: str, few: np.ndarray, tmp_path: Path) -> None:
    model = trained(member, quick(name), few)
    indices, restored = model.encode(few), model.reconstruct(few)
    assert np.array_equal(model.decode(indices), restored)
    assert np.array_equal(model.inverse_transform(model.transform(few)), restored)
    again = ist.load(model.save(tmp_path / "run"))
    assert again.quantizer == model.quantizer
    assert np.array_equal(again.decode(indices), restored)
    for one, other in zip(again.encode(few), indices, strict=True):
        assert np.array_equal(one, other)


@every
def test_a_prior_over_the_indices_is_fitted_and_sampled(name: str, few: np.ndarray) -> None:
    model = trained("vqvae", quick(name), few)
    model.fit_prior(few, prior=ist.priors.PixelCNN(epochs=1, channels=4, layers=2))
    assert model.sample(3, random_state=0).shape == (3, 1, 8, 8)
    assert np.isfinite(model.score_prior(few))


@every
def test_the_history_shows_usage_and_perplexity_of_every_index(name: str, few: np.ndarray) -> None:
    model = trained("vqvae", quick(name), few)
    sizes = [level.size for level in model.module_.bottleneck.levels]
    suffixes = [""] if len(sizes) == 1 else [f"_{i}" for i in range(1, len(sizes) + 1)]
    for suffix, size in zip(suffixes, sizes, strict=True):
        for row in model.history_:
            assert 1 / size <= row[f"usage{suffix}"] <= 1
            assert 1 <= row[f"perplexity{suffix}"] <= size + 1e-3


@every
def test_the_rate_counts_the_entries_of_every_index(name: str, few: np.ndarray) -> None:
    model = trained("vqvae", quick(name), few)
    nats = {
        "vq": math.log(8),
        "fsq": math.log(4) + math.log(3),
        "residual": 3 * math.log(8),
        "product": 2 * math.log(8),
        "lfq": 3 * math.log(2),
    }
    if name in nats:
        assert model.history_[-1]["rate"] == pytest.approx(16 * nats[name])
    assert model.module_.bottleneck.rate == pytest.approx(
        16 * math.log(math.prod(level.size for level in model.module_.bottleneck.levels))
    )


@every
@pytest.mark.parametrize("dim", [4, 6])
def test_the_gradient_goes_straight_through(name: str, dim: int) -> None:
    torch.manual_seed(0)
    module = quick(name).build(dim, epochs=1)
    h, weight = torch.randn(5, dim, 3, 2, requires_grad=True), torch.randn(5, dim, 3, 2)
    found = module(h)
    assert torch.equal(found.passed, module.embed(found.indices))
    (gradient,) = torch.autograd.grad((found.passed * weight).sum(), h)
    if not isinstance(module, ScalarQuantizer):
        assert torch.equal(gradient, weight)
        return
    numbers = module.numbers(h)
    squeezed = numbers if name == "lfq" else module.bounded(numbers) / module.halves
    (expected,) = torch.autograd.grad((module.vectors(squeezed) * weight).sum(), h)
    torch.testing.assert_close(gradient, expected)
    assert float(gradient.abs().max()) > 0


@every
def test_fields_reach_a_quantizer_by_its_name(name: str) -> None:
    model = ist.VQVAE(quantizer=name)
    fields = part_of(name, QUANTIZERS).get_params()
    for field, value in fields.items():
        model.set_params(**{f"quantizer__{field}": value})
    assert model.quantizer == part_of(name, QUANTIZERS)


@every
def test_latent_dim_is_the_size_of_what_the_decoder_gets(name: str, few: np.ndarray) -> None:
    small, large = (trained("vqvae", quick(name), few, epochs=1, latent_dim=k) for k in (4, 6))
    assert (small.transform(few).shape, large.transform(few).shape) == ((129, 64), (129, 96))


# --- finite scalar quantization


@pytest.mark.parametrize("levels", [(5,), (8, 5, 5, 5), (2, 3, 4), (7, 7, 7)])
def test_fsq_rounds_the_bounded_numbers(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    h = 2 * torch.randn(200, len(levels))
    found = FSQ(levels=levels).build(len(levels), epochs=1)(h)
    u, sizes = h.double().numpy(), np.array(levels)
    reach, offset = 1.001 * (sizes - 1) / 2, np.where(sizes % 2, 0, 0.5)
    whole = np.rint(np.tanh(u + np.arctanh(offset / reach)) * reach - offset)
    np.testing.assert_allclose(found.passed.numpy(), whole / (sizes // 2), rtol=1e-6)
    places = np.cumprod([1, *levels[:-1]])
    np.testing.assert_array_equal(found.indices, ((whole + sizes // 2) * places).sum(1))


def test_fsq_counts_with_the_first_number_fastest_and_has_every_entry_once() -> None:
    module = FSQ(levels=(4, 3)).build(2, epochs=1)
    assert module.embed(torch.arange(12)).tolist() == [
        [(a - 2) / 2, float(b - 1)] for b, a in itertools.product(range(3), range(4))
    ]
    cube = FSQ(levels=(7, 7, 7)).build(3, epochs=1)
    entries = cube.embed(torch.arange(343))
    assert len(entries.unique(dim=0)) == 343
    assert entries[171].tolist() == [0, 0, 0]
    assert torch.equal(cube(5 * torch.randn(9, 3)).passed.abs() <= 1, torch.ones(9, 3).bool())


def test_fsq_takes_nothing_to_nothing_and_reaches_both_ends() -> None:
    for size in range(2, 12):
        module = FSQ(levels=(size,)).build(1, epochs=1)
        ends = module(torch.tensor([[-50.0], [50.0]])).indices.tolist()
        assert ends == [0, size - 1]
        assert float(module.bounded(torch.zeros(1))) == pytest.approx(0, abs=1e-6)


def test_fsq_uses_its_entries_without_a_codebook(digits: ist.data.Data) -> None:
    model = trained("vqvae", FSQ(levels=(4, 4)), digits.train.x, epochs=6, learning_rate=5e-3)
    first, *_, last = model.history_
    assert last["usage"] > 0.9
    assert last["perplexity"] > 6
    assert last["distortion"] < 0.8 * first["distortion"]
    assert last["objective"] == pytest.approx(last["distortion"])


def test_fsq_refuses_levels_that_make_no_entries_or_too_many() -> None:
    for levels, message in [
        ((), r"levels=\(\) is not usable: give a number of values, such as \(8, 5, 5\)"),
        ((1, 3), r"levels=\(1, 3\) is not usable: give whole numbers .*at least 2"),
        ((64,) * 4, r"16777216 entries, the product of .* more than the 262144 .*fewer numbers"),
    ]:
        with pytest.raises(ist.InputError, match=message):
            FSQ(levels=levels).build(4, epochs=1)


def test_the_numbers_of_fsq_start_with_deviation_1_over_the_data() -> None:
    torch.manual_seed(0)
    quantizer = FSQ(levels=(8, 5, 5)).build(16, epochs=1)
    proposed = 3 + 0.05 * torch.randn(8, 16, 6, 6)
    few = quantizer(proposed).indices.unique().numel()
    quantizer.start(proposed)
    numbers = quantizer.numbers(proposed).flatten(0, -2)
    torch.testing.assert_close(numbers.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(numbers.std(0), torch.ones(3), atol=1e-4, rtol=0)
    assert few < 10 < 100 < quantizer(proposed).indices.unique().numel()


def test_numbers_that_are_the_vectors_themselves_are_left_alone() -> None:
    quantizer = FSQ(levels=(8, 5, 5)).build(3, epochs=1)
    assert quantizer.vectors_to_start == 0
    before = quantizer.numbers(torch.ones(1, 3, 2))
    quantizer.start(torch.zeros(4, 3, 2))
    assert torch.equal(quantizer.numbers(torch.ones(1, 3, 2)), before)


# --- lookup-free quantization


def test_lfq_keeps_signs_and_reads_them_as_bits() -> None:
    torch.manual_seed(0)
    h = torch.randn(50, 5)
    found = LFQ(bits=5).build(5, epochs=1)(h)
    signs = np.where(h.numpy() > 0, 1, -1)
    np.testing.assert_array_equal(found.passed.numpy(), signs)
    np.testing.assert_array_equal(found.indices, (signs > 0) @ [1, 2, 4, 8, 16])
    np.testing.assert_allclose(
        found.terms["commitment"], ((h.numpy() - signs) ** 2).sum(1), rtol=1e-5
    )


def choices(numbers: Tensor, temperature: float) -> np.ndarray:
    """The distribution of each row ``(m, bits)`` over all entries, one after another."""
    entries = np.array(list(itertools.product((-1, 1), repeat=numbers.shape[1])))
    distances = ((numbers.numpy()[:, None] - entries) ** 2).sum(2)
    weights = np.exp(-(distances - distances.min(1, keepdims=True)) / temperature)
    return weights / weights.sum(1, keepdims=True)


def entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.maximum(shares, 1e-300))).sum(-1)


@pytest.mark.parametrize("bits", [1, 2, 5])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_lfq_s_entropies_are_those_of_all_entries(bits: int, temperature: float) -> None:
    torch.manual_seed(0)
    h = torch.randn(6, bits, 3)  # 6 examples of 3 places
    module = LFQ(bits=bits, temperature=temperature, entropy=0.5, commitment=2.0).build(
        bits, epochs=1
    )
    found = module(h)
    each = choices(h.movedim(1, -1).flatten(0, 1), temperature)
    expected = entropy(each).reshape(6, 3).sum(1) - 3 * entropy(each.mean(0))
    np.testing.assert_allclose(found.terms["entropy"], expected, rtol=1e-4)
    assert found.charge is not None
    torch.testing.assert_close(
        found.charge, 2 * found.terms["commitment"] + 0.5 * found.terms["entropy"]
    )


def test_lfq_s_penalty_has_finite_slopes_however_sure_it_is() -> None:
    module = LookupFreeQuantizer(12, 12, 1.0, 1.0, temperature=1e-3)
    h = (10 * torch.randn(8, 12, 4)).requires_grad_()
    module(h).charge.sum().backward()
    assert torch.isfinite(h.grad).all()


def test_lfq_s_entropy_penalty_keeps_its_entries_in_use(digits: ist.data.Data) -> None:
    with_it, without = (
        trained("vqvae", LFQ(bits=5, entropy=weight), digits.train.x, epochs=5)
        for weight in (0.5, 0.0)
    )
    assert with_it.history_[-1]["perplexity"] > 2 * without.history_[-1]["perplexity"]


def test_a_shard_finds_the_statistics_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    rows, chosen = torch.rand(6, 4), torch.randint(5, (6,))
    whole, counts = mean_choice(rows), counts_of(chosen, 5)
    mean = mean_choice(rows[:2]).view(4, 4)
    others = {torch.float32: 2 * mean, torch.int64: chosen[:2].bincount(minlength=5)}
    shard = sharding.Shard(2, 6, 6, lambda own: own + others[own.dtype], lambda own: own)
    with sharding.working_on(shard):
        torch.testing.assert_close(mean_choice(rows[2:]), whole)
        assert torch.equal(counts_of(chosen[2:], 5), counts)
    assert use_of(torch.tensor([2, 2, 0, 0])) == {"usage": 0.5, "perplexity": pytest.approx(2)}


# --- several codebooks


def test_each_further_codebook_leaves_less() -> None:
    torch.manual_seed(0)
    h = torch.randn(400, 3)
    module = ResidualVQ(8, depth=4).build(3, epochs=1)
    module.start(h)
    rest, left = h, [float(h.square().sum())]
    for book, index in zip(module.books, module(h).indices.unbind(-1), strict=True):
        distances = (rest[:, None] - book.vectors).square().sum(2)
        assert torch.equal(index, distances.argmin(1))
        rest = rest - book.vectors[index]
        left.append(float(rest.square().sum()))
    assert all(after < 0.7 * before for before, after in itertools.pairwise(left))
    torch.testing.assert_close(module(h).passed, h - rest)


def test_residual_codebooks_are_charged_and_learn_from_what_they_saw() -> None:
    torch.manual_seed(0)
    h = torch.randn(50, 3, 2)
    module = ResidualVQ(8, "ema", 0.9, 0.5, depth=2).build(3, epochs=1)
    alone = [VectorQuantizer(8, "ema", 0.9, 0.5).build(3, epochs=1) for _ in range(2)]
    for mine, book in zip(alone, module.books, strict=True):
        mine.load_state_dict(book.state_dict())
    found = module(h)
    first = alone[0](h)
    second = alone[1](h - first.passed)
    torch.testing.assert_close(found.charge, first.charge + second.charge)
    torch.manual_seed(1)
    module.learn(h, found)
    torch.manual_seed(1)
    alone[0].learn(h, first)
    alone[1].learn(h - first.passed, second)
    for mine, book in zip(alone, module.books, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.buffers(), book.buffers(), strict=True))


def test_product_quantization_is_vector_quantization_of_the_parts() -> None:
    torch.manual_seed(0)
    h = torch.randn(50, 6, 2)
    module = ProductVQ(8, "gradient", groups=3).build(6, epochs=1)
    alone = [VectorQuantizer(8, "gradient").build(2, epochs=1) for _ in range(3)]
    for mine, book in zip(alone, module.books, strict=True):
        mine.load_state_dict(book.state_dict())
    found = module(h)
    parts = [mine(part) for mine, part in zip(alone, h.split(2, dim=1), strict=True)]
    assert torch.equal(found.passed, torch.cat([part.passed for part in parts], dim=1))
    assert torch.equal(found.indices, torch.stack([part.indices for part in parts], dim=-1))
    torch.testing.assert_close(found.charge, sum(part.charge for part in parts))
    whole = torch.cartesian_prod(*[torch.arange(8)] * 3)  # the nearest of all 512 products
    products = module.embed(whole)
    nearest = torch.cdist(h.movedim(1, -1).flatten(0, 1), products).argmin(1)
    assert torch.equal(whole[nearest], found.indices.flatten(0, 1))


def test_groups_that_do_not_divide_a_vector_are_refused(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError, match=r"groups=3 do not divide latent_dim=16: .*or latent_dim=15\."
    ):
        ist.VQVAE(quantizer=ProductVQ(groups=3)).fit(few)


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
@pytest.mark.parametrize("part", [ResidualVQ, ProductVQ])
def test_composed_codebooks_learn_in_both_ways(
    part: Any, codebook: str, digits: ist.data.Data
) -> None:
    settings = {"epochs": 8, "learning_rate": 5e-3, "hidden": (8, 16)}
    history = trained("vqvae", part(8, codebook), digits.train.x[:512], **settings).history_
    assert history[-1]["distortion"] < 0.8 * history[0]["distortion"]
    assert history[-1]["usage_2"] > 0.8


def test_a_collapsed_index_is_named(few: np.ndarray) -> None:
    with pytest.warns(ist.LearningWarning, match=r"only 1 of 8 .* in use by index 2 \(codebook"):
        trained("vqvae", ResidualVQ(8, depth=2), np.zeros_like(few))
    with pytest.warns(ist.LearningWarning, match=r"in use by index 1 at the top \(codebook"):
        trained("vqvae2", ProductVQ(8), np.zeros_like(few))


def test_the_first_indices_of_a_residual_quantizer_decode_more_coarsely(few: np.ndarray) -> None:
    part = ist.quantizers.ResidualVQ(codebook_size=8, depth=3, quantizer_dropout=1.0)
    model = ist.VQVAE(
        quantizer=part, latent_dim=4, hidden=(8,), epochs=8, learning_rate=5e-3, random_state=0
    ).fit(few)
    indices = model.encode(few)
    assert indices.shape == (129, 4, 4, 3)
    np.testing.assert_array_equal(model.decode(indices), model.reconstruct(few))
    errors = [np.square(few - model.decode(indices[..., :k])).sum() for k in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    with pytest.raises(ist.InputError, match=r"indices have the shape \(129, 4, 4, 4\)"):
        model.decode(np.concatenate([indices, indices[..., :1]], axis=-1))


def test_quantizer_dropout_passes_the_first_entries_alone_in_training() -> None:
    torch.manual_seed(0)
    part = ist.quantizers.ResidualVQ(codebook_size=8, depth=3, quantizer_dropout=1.0)
    quantizer, h = part.build(4, epochs=1), torch.randn(64, 4, 5)
    found = quantizer(h)
    coarse = torch.stack([quantizer.embed(found.indices[..., :k]) for k in (1, 2, 3)])
    kept = (coarse - found.passed).abs().flatten(2).amax(2) < 1e-5  # (3, n)
    assert kept.sum(0).tolist() == [1] * 64
    assert kept.sum(1).min() > 10
    torch.testing.assert_close(quantizer.eval()(h).passed, coarse[2])
