"""Quantised members: codebooks follow their formulas, and indices and vectors say the same."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.models._quantised import Indexed
from isthmus.networks.residual import Block
from isthmus.quantizers import VectorQuantizer
from isthmus.quantizers.codebooks import AveragedCodebook, Codebook, GradientCodebook, centres

quantised = pytest.mark.parametrize("name", ["vqvae", "vqvae2"])


def brief(name: str, few: np.ndarray, **values: Any) -> Any:
    return ist.MEMBERS[name](
        **{
            "quantizer": VectorQuantizer(16),
            "latent_dim": 4,
            "epochs": 3,
            "random_state": 0,
            **values,
        }
    ).fit(few)


def book_at(entries: list[list[float]], renewed_until: float = 0.0) -> AveragedCodebook:
    book = AveragedCodebook(len(entries), len(entries[0]), renewed_until, 1.0, decay=0.9)
    book._place(torch.ones(len(entries), dtype=torch.bool), torch.tensor(entries))
    return book


def take(book: Codebook, rows: torch.Tensor) -> None:
    """A step of training on some vectors."""
    book.learn(rows, book(rows))


def test_the_nearest_entry_is_chosen() -> None:
    torch.manual_seed(0)
    book, h = GradientCodebook(7, 3, 0.0, 1.0), torch.randn(4, 3, 5, 6)
    chosen = book(h)
    distances = (h.movedim(1, -1)[..., None, :] - book.vectors).square().sum(-1)
    assert torch.equal(chosen.indices, distances.argmin(-1))
    assert torch.equal(chosen.passed, book.vectors[distances.argmin(-1)].movedim(-1, 1))
    torch.testing.assert_close(chosen.terms["commitment"], distances.amin(-1).flatten(1).sum(1))


def test_moving_averages_follow_the_formula() -> None:
    book = book_at([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    counts, sums = np.ones(3), np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    for rows in ([[1.0, 1.0], [2.0, 0.0], [9.0, 1.0]], [[0.0, 1.0], [11.0, 3.0], [8.0, 0.0]]):
        take(book, torch.tensor(rows))  # vectors of two dimensions, on a grid without axes
        nearest = [0, 0, 1] if rows[0] == [1.0, 1.0] else [0, 1, 1]
        for k in range(3):
            mine = np.array(
                [row for row, place in zip(rows, nearest, strict=True) if place == k]
            ).reshape(-1, 2)
            counts[k] = 0.9 * counts[k] + 0.1 * len(mine)
            sums[k] = 0.9 * sums[k] + 0.1 * mine.sum(0)
    np.testing.assert_allclose(book.counts.numpy(), counts, rtol=1e-6)
    np.testing.assert_allclose(book.vectors.numpy(), sums / counts[:, None], rtol=1e-6)
    assert book.vectors[2].tolist() == [0.0, 10.0]


def test_entries_that_are_seldom_chosen_start_anew_where_that_is_asked_for() -> None:
    def left(renewed_below: float) -> list[list[float]]:
        book = AveragedCodebook(3, 1, 1.0, 1.0, decay=0.5, renewed_below=renewed_below)
        book._place(torch.ones(3, dtype=torch.bool), torch.tensor([[0.0], [5.0], [9.0]]))
        take(book, torch.tensor([[0.0]] * 6 + [[5.0]] * 2))  # counts 3.5, 1.5 and 0.5
        return book.vectors.tolist()

    assert left(0.0) == left(0.4) == [[0.0], [5.0], [9.0]]
    assert left(0.6)[:2] == [[0.0], [5.0]] and left(0.6)[2][0] in (0.0, 5.0)


def test_an_entry_that_fades_to_nothing_stays_where_it_was() -> None:
    book = book_at([[0.0, 0.0], [5.0, 5.0]])
    book.counts[1] = 0.0
    book.sums[1] = 0.0
    take(book, torch.zeros(3, 2))
    assert book.vectors.tolist() == [[0.0, 0.0], [5.0, 5.0]]


def test_the_gradient_goes_straight_through() -> None:
    torch.manual_seed(0)
    module = (
        ist.VQVAE(latent_dim=3, quantizer=VectorQuantizer(commitment=0.0), hidden=(4, 8))
        .build((1, 8, 8))
        .eval()
    )
    x = torch.rand(5, 1, 8, 8)
    features = module.encoder(x).detach().requires_grad_()
    z = module.bottleneck.expand(module.bottleneck.posterior(features).z.detach()).requires_grad_()
    at_decoder = torch.autograd.grad(module.likelihood.nll(module.decoder(z), x).sum(), z)[0]
    through = torch.autograd.grad(module.bottleneck.project(features), features, at_decoder)[0]
    torch.testing.assert_close(
        torch.autograd.grad(module.cost(features, Batch(x)).objective.sum(), features)[0], through
    )
    assert float(through.abs().max()) > 0


def test_the_commitment_pulls_the_encoder_alone_and_a_gradient_codebook_follows() -> None:
    torch.manual_seed(0)
    book, h = GradientCodebook(4, 3, 0.0, 1.0), torch.randn(6, 3, 2, requires_grad=True)
    chosen = book(h)
    chosen.terms["commitment"].sum().backward(retain_graph=True)
    entries = chosen.passed.detach()
    torch.testing.assert_close(h.grad, 2 * (h - entries).detach())
    assert book.vectors.grad is None
    h.grad = None
    chosen.charge.sum().backward()
    expected = torch.zeros(4, 3).index_add_(
        0, chosen.indices.flatten(), 2 * (entries - h).movedim(1, -1).reshape(-1, 3)
    )
    torch.testing.assert_close(book.vectors.grad, expected.detach())
    torch.testing.assert_close(h.grad, 2 * (h - entries).detach())


def test_the_decoder_does_not_move_a_gradient_codebook() -> None:
    module = ist.VQVAE(
        quantizer=VectorQuantizer(codebook="gradient"), latent_dim=3, hidden=(4, 8)
    ).build((1, 8, 8))
    loss = module.loss(Batch(torch.rand(5, 1, 8, 8)))
    (vectors,) = (book.vectors for book in module.bottleneck.level_quantizers)
    assert torch.autograd.grad(
        loss.terms["distortion"].sum(), vectors, allow_unused=True, retain_graph=True
    ) == (None,)
    assert float(torch.autograd.grad(loss.objective.sum(), vectors)[0].abs().sum()) > 0


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_both_ways_of_learning_entries_use_them_and_lower_the_distortion(
    codebook: str, digits: ist.data.Data
) -> None:
    values = {
        "quantizer": VectorQuantizer(16, codebook),
        "epochs": 8,
        "batch_size": 64,
        "learning_rate": 5e-3,
        "hidden": (8, 16),
    }
    history = brief("vqvae", digits.train.x[:512], **values).history_
    assert history[-1]["distortion"] < 0.7 * history[0]["distortion"]
    assert history[-1]["usage"] > 0.9
    assert history[-1]["perplexity"] > 5


def epoch_of(book: Codebook, rows: torch.Tensor, epoch: float) -> dict[str, float]:
    book.anneal(epoch)
    take(book, rows)
    return book.close_epoch()


def test_dead_entries_start_anew_as_a_whole() -> None:
    book = book_at([[0.0, 0.0], [50.0, 0.0], [60.0, 0.0]], renewed_until=9.0)
    book.counts[1] = 0.25
    rows = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    assert epoch_of(book, rows, 7.5)["usage"] == pytest.approx(1 / 3)
    for entry in (1, 2):
        assert book.vectors[entry].tolist() in rows.tolist()
        assert book.sums[entry].tolist() == book.vectors[entry].tolist()
        assert float(book.counts[entry]) == 1.0
    assert float(book.counts[0]) == pytest.approx(0.9 + 0.2)


@pytest.mark.parametrize(("epoch", "renewed"), [(7.9, True), (8.0, False), (9.5, False)])
def test_dead_entries_are_left_alone_at_the_end(epoch: float, renewed: bool) -> None:
    book = book_at([[0.0], [50.0]], renewed_until=9.0)
    epoch_of(book, torch.ones(4, 1), epoch)
    assert (float(book.vectors[1]) != 50.0) == renewed


def test_what_is_kept_says_whether_dead_entries_are_renewed() -> None:
    # A run may be stopped after the last step of an epoch: its end is then closed without another
    # step.
    late, again = (
        book_at([[0.0], [50.0]], renewed_until=9.0),
        book_at([[1.0], [2.0]], renewed_until=9.0),
    )
    late.anneal(9.5)
    take(late, torch.ones(4, 1))
    again.load_state_dict(late.state_dict())
    again.close_epoch()
    assert float(again.vectors[1]) == 50.0


def test_entries_that_idle_within_an_epoch_start_anew() -> None:
    book = book_at([[0.0], [50.0]], renewed_until=1.0)
    places = []
    for _ in range(20):
        take(book, torch.ones(4, 1))
        places.append(float(book.vectors[1]))
    assert places == [50.0] * 19 + [1.0]
    rare = book_at([[float(100 * k)] for k in range(64)], renewed_until=1.0)
    for _ in range(20):  # 4 vectors a step: ten fair shares of each of 64 entries take 160 steps
        take(rare, torch.ones(4, 1))
    assert float(rare.vectors[1]) == 100.0


def test_usage_and_perplexity_count_the_whole_epoch() -> None:
    book = book_at([[0.0], [10.0], [20.0], [30.0], [40.0]])
    for rows in ([[0.0], [10.0]], [[0.0], [20.0]]):
        take(book, torch.tensor(rows))
    found = book.close_epoch()
    assert found["usage"] == pytest.approx(3 / 5)
    assert found["perplexity"] == pytest.approx(
        math.exp(0.5 * math.log(2) + 2 * 0.25 * math.log(4))
    )
    assert epoch_of(book, torch.tensor([[40.0]]), 0.0) == {
        "usage": pytest.approx(1 / 5),
        "perplexity": pytest.approx(1.0),
    }


@quantised
def test_usage_and_perplexity_stand_in_the_history_and_on_the_progress_line(
    name: str, few: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    row = brief(name, few, verbose=2).history_[-1]
    line = capsys.readouterr().err
    for suffix in ("",) if name == "vqvae" else ("_top", "_bottom"):
        assert 0 < row[f"usage{suffix}"] <= 1 <= row[f"perplexity{suffix}"] <= 16
        assert f"usage{suffix} {row[f'usage{suffix}']:.4g}" in line


@pytest.mark.usefixtures("doubles")
@quantised
def test_the_loss_of_an_example_does_not_depend_on_its_batch(name: str) -> None:
    torch.manual_seed(0)
    module = ist.MEMBERS[name](
        latent_dim=3, quantizer=VectorQuantizer(codebook_size=8), hidden=(4, 8)
    ).build((1, 16, 16))
    x = torch.rand(6, 1, 16, 16)
    together = module.eval().loss(Batch(x))
    alone = [module.loss(Batch(one)) for one in x.split(1)]
    torch.testing.assert_close(together.objective, torch.cat([loss.objective for loss in alone]))
    torch.testing.assert_close(
        together.terms["commitment"], torch.cat([loss.terms["commitment"] for loss in alone])
    )
    torch.testing.assert_close(
        together.objective, together.terms["distortion"] + 0.25 * together.terms["commitment"]
    )
    torch.testing.assert_close(module.train().loss(Batch(x)).objective, together.objective)


def test_kmeans_finds_the_centres_and_repeats() -> None:
    torch.manual_seed(0)
    middles = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    rows = (middles[:, None] + 0.1 * torch.randn(3, 200, 2)).flatten(0, 1)
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        found.append(centres(rows, 3))
    assert torch.equal(*found)
    nearest = torch.cdist(middles, found[0]).min(1)
    assert sorted(nearest.indices.tolist()) == [0, 1, 2]
    assert float(nearest.values.max()) < 0.1


def test_fewer_vectors_than_entries_are_the_centres() -> None:
    found = centres(torch.tensor([[1.0], [2.0], [1.0]]), 5)
    assert found.flatten().tolist() == [1.0, 2.0, 1.0, 2.0, 1.0]


def test_training_starts_at_kmeans_of_the_encoder_s_outputs(digits: ist.data.Data) -> None:
    model = brief(
        "vqvae",
        digits.train.x,
        learning_rate=1e-12,
        epochs=1,
        quantizer=VectorQuantizer(decay=0.999999, codebook_size=32),
    )
    module = model.module_
    with torch.no_grad():
        vectors = (
            module.bottleneck.project(module.encoder(torch.from_numpy(digits.train.x)))
            .movedim(1, -1)
            .reshape(-1, 4)
        )
    distance = model.terms(digits.train.x)["commitment"].mean() / 4  # of one of the four positions
    assert distance < 0.4 * float((vectors - vectors.mean(0)).square().sum(1).mean())
    assert model.history_[0]["usage"] > 0.9


@quantised
def test_indices_decode_to_the_reconstruction(name: str, few: np.ndarray) -> None:
    model = brief(name, few)
    indices = model.encode(few)
    assert np.array_equal(model.decode(indices), model.reconstruct(few))
    assert np.array_equal(model.inverse_transform(model.transform(few)), model.reconstruct(few))
    flat = model._codes_for_prior(few)
    assert flat.dtype == torch.int64
    assert flat.shape == (
        len(few),
        sum(math.prod(level.grid) for level in model.module_.bottleneck.levels),
    )
    assert np.array_equal(model._decoded(flat), model.reconstruct(few))
    assert np.array_equal(model.decode(flat.numpy()), model.reconstruct(few))
    assert np.array_equal(model.encode(few.astype(np.float64))[0], indices[0])


@quantised
def test_codes_are_entries(name: str, few: np.ndarray) -> None:
    model = brief(name, few)
    books = [book.vectors.numpy() for book in model.module_.bottleneck.level_quantizers]
    grids = model.encode(few) if name == "vqvae2" else (model.encode(few),)
    rows = [
        np.moveaxis(book[grid], -1, 1).reshape(len(few), -1)
        for book, grid in zip(books, grids, strict=True)
    ]
    assert all(grid.dtype == np.int64 for grid in grids)
    assert np.array_equal(model.transform(few), np.concatenate(rows, axis=1))


def test_both_levels_reach_the_picture(few: np.ndarray) -> None:
    model = brief("vqvae2", few)
    top, bottom = model.encode(few)
    assert (top.shape, bottom.shape) == ((129, 1, 1), (129, 2, 2))
    picture = model.decode((top, bottom))
    assert not np.array_equal(model.decode(((top + 1) % 16, bottom)), picture)
    assert not np.array_equal(model.decode((top, (bottom + 1) % 16)), picture)
    assert [level.size for level in model.module_.bottleneck.levels] == [16, 16]


def test_the_top_is_decided_first_and_the_bottom_knows_it() -> None:
    torch.manual_seed(0)
    code = ist.VQVAE2(latent_dim=3, hidden=(4, 8)).build((1, 16, 16)).bottleneck.eval()
    features = torch.randn(2, 8, 4, 4)
    top = code.level_quantizers[0](code.propose(features, [])).passed
    assert not torch.equal(code.propose(features, [top]), code.propose(features, [top + 1]))


def test_levels_of_any_number_know_all_coarser_ones() -> None:
    torch.manual_seed(0)
    spec = ExampleSpec("signal", (1, 100))
    member = ist.VQVAE2(latent_dim=3, hidden=(8, 8), scales=3, ratio=4)
    module = member.build(spec).eval()
    code = module.bottleneck
    assert [level.grid for level in code.levels] == [(2,), (7,), (25,)]
    assert code.suffixes == ["_level_1", "_level_2", "_level_3"]
    features = torch.randn(2, 8, 25)
    vectors = [level.passed for _, level in code.quantize(features)]
    assert [tuple(each.shape) for each in vectors] == [(2, 3, 2), (2, 3, 7), (2, 3, 25)]
    for place in (0, 1):
        others = [v + (i == place) for i, v in enumerate(vectors)]
        for level in range(place + 1, 3):
            assert not torch.equal(
                code.propose(features, others[:level]), code.propose(features, vectors[:level])
            )
        assert not torch.equal(code.join(others), code.join(vectors))
    assert tuple(code.join(vectors).shape[1:]) == code.passed_shape
    tokens = ist.VQVAE2(latent_dim=3, scales=3, tokens=9).build((30,)).bottleneck
    assert [level.grid for level in tokens.levels] == [(2,), (4,), (9,)]
    assert tuple(tokens(torch.randn(2, 128)).z.shape[1:]) == tokens.passed_shape


def test_three_levels_are_encoded_decoded_and_named(few: np.ndarray) -> None:
    model = brief("vqvae2", few, scales=3, hidden=(8,))
    grids = model.encode(few)
    assert [grid.shape for grid in grids] == [(129, 1, 1), (129, 2, 2), (129, 4, 4)]
    assert grids.top is grids[0] and grids.bottom is grids[2]
    np.testing.assert_array_equal(model.decode(grids), model.reconstruct(few))
    other = grids._replace(top=(grids.top + 1) % 16)
    assert other.bottom is grids.bottom
    assert not np.array_equal(model.decode(other), model.decode(grids))
    copied = pickle.loads(pickle.dumps(grids))
    assert all(map(np.array_equal, copied, grids)) and len(copied) == 3
    assert {"usage_level_1", "perplexity_level_3"} <= set(model.history_[-1])
    with pytest.raises(ist.InputError, match="ratio=6 is no power of two: give 2, 4 or 8"):
        ist.VQVAE2(ratio=6).build((1, 8, 8))


@pytest.mark.parametrize(
    ("shape", "bottom", "top"),
    [((1, 27, 27), (7, 7), (4, 4)), ((3, 33, 20), (9, 5), (5, 3)), ((1, 28, 28), (7, 7), (4, 4))],
)
def test_odd_sizes(shape: tuple[int, ...], bottom: tuple[int, ...], top: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((9, *shape)).astype(np.float32)
    one, two = (
        brief(name, x, hidden=(4, 8), epochs=1, channels="first") for name in ("vqvae", "vqvae2")
    )
    assert one.encode(x).shape == (9, *bottom)
    assert [grid.shape[1:] for grid in two.encode(x)] == [top, bottom]
    assert one.reconstruct(x).shape == two.reconstruct(x).shape == x.shape


def test_images_get_a_grid_and_anything_else_gets_tokens(few: np.ndarray) -> None:
    image = ist.VQVAE().build((1, 28, 28))
    assert any(isinstance(layer, Block) for layer in image.modules())
    assert image.bottleneck.levels[0] == ((7, 7), 128)
    assert ist.VQVAE(tokens=5).build((30,)).bottleneck.levels[0].grid == (5,)
    assert [level.grid for level in ist.VQVAE2(tokens=5).build((30,)).bottleneck.levels] == [
        (2,),
        (5,),
    ]
    model = brief("vqvae", few, network="mlp", tokens=3)
    assert model.encode(few).shape == (129, 3)
    own = torch.nn.Conv2d(1, 2, 3, stride=3)
    assert brief("vqvae", few, encoder=own).encode(few).shape == (129, 2, 2)


@quantised
def test_the_rate_is_that_of_a_uniform_prior_and_makes_a_bound(
    name: str, digits: ist.data.Data
) -> None:
    model = brief(name, digits.train.x[:129])
    rate = {"vqvae": 4, "vqvae2": 5}[name] * math.log(16)
    np.testing.assert_allclose(model.terms(digits.test.x)["rate"], rate, rtol=1e-6)
    found = ist.evaluate(model, replace(digits, train=digits.train.take(np.arange(60))))
    assert found["rate"].value == pytest.approx(rate)
    assert found["neg_elbo"].value == pytest.approx(-model.score(digits.test.x), rel=1e-5)
    black_or_white = replace(digits.test, x=digits.test.x.round())
    measured = replace(digits, train=digits.train.take(np.arange(60)), test=black_or_white)
    found = ist.evaluate(model, measured)
    assert found["bits_per_dim"].value == pytest.approx(
        found["neg_elbo"].value / 64 / math.log(2), rel=1e-5
    )


def test_the_bound_lies_below_the_likelihood_under_a_uniform_prior() -> None:
    x = np.random.default_rng(0).integers(0, 2, (20, 6)).astype(np.float32)
    model = brief("vqvae", x, tokens=2, quantizer=VectorQuantizer(codebook_size=4), epochs=2)
    every = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    with torch.no_grad():
        logits = model.module_.decoder(model.module_.bottleneck.expand(every))
        nll = torch.stack(
            [
                model.module_.likelihood.nll(logits, torch.from_numpy(row).expand(16, -1))
                for row in x
            ]
        )
    evidence = (-nll - math.log(16)).logsumexp(1).numpy()
    assert (model.score_samples(x) <= evidence + 1e-5).all()


def test_codes_that_do_not_fit_are_refused(few: np.ndarray) -> None:
    one, two = brief("vqvae", few), brief("vqvae2", few)
    with pytest.raises(
        ist.InputError,
        match=r"indices run from 0 to 16, but the codebook has 16 entries: .* from 0 to 15",
    ):
        one.decode(np.array([[[0, 16], [1, 2]]]))
    with pytest.raises(ist.InputError, match=r"indices run from -1 to 2"):
        one.decode(np.array([[[0, -1], [1, 2]]]))
    with pytest.raises(
        ist.InputError, match=r"shape \(1, 3\), but this model takes \(n, 2, 2\), or \(n, 4\)"
    ):
        one.decode(np.zeros((1, 3), int))
    both = (
        r"shape \(2, 1, 1\) and \(3, 2, 2\), but this model takes \(n, 1, 1\) and \(n, 2, 2\), or"
        r" \(n, 5\)"
    )
    with pytest.raises(ist.InputError, match=both):
        two.decode((np.zeros((2, 1, 1), int), np.zeros((3, 2, 2), int)))
    with pytest.raises(
        ist.InputError, match=r"codes have the shape \(1, 3\), but this model takes \(n, 4, 2, 2\)"
    ):
        one.decode(np.zeros((1, 3)))


@quantised
def test_nothing_is_sampled_without_a_prior(name: str, few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError, match=r"has no prior over its codes.*call fit_prior\(X\) once"
    ):
        brief(name, few).sample(3)


def test_a_collapsed_codebook_is_reported(few: np.ndarray) -> None:
    code = (
        ist.VQVAE2(quantizer=VectorQuantizer(codebook_size=100), latent_dim=3, hidden=(4, 8))
        .build((1, 16, 16))
        .bottleneck
    )
    top, bottom = torch.arange(50 * 4).view(50, 4) % 100, torch.arange(50 * 16).view(50, 16) % 3
    (diagnostic,) = code.diagnostics(Indexed(torch.zeros(50, 60), torch.cat([top, bottom], dim=1)))
    assert str(diagnostic).startswith(
        "only 3 of 100 codebook entries are in use at the bottom (codebook collapse): train"
    )
    assert str(diagnostic).endswith("or do with codebook_size=6.")
    with pytest.warns(ist.LearningWarning, match="VQVAE: only 1 of 16 codebook entries are in use"):
        brief("vqvae", np.zeros_like(few))


def test_half_precision_trains_the_codebook_in_full(few: np.ndarray) -> None:
    model = brief("vqvae", few, precision="bfloat16")
    assert model.module_.bottleneck.level_quantizers[0].sums.dtype == torch.float32
    assert np.isfinite(model.score(few))
