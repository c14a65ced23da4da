"""Members with a few labels: their losses against derivations in plain torch, and how labels come
in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.data._mixing import Mixed, Mixing
from isthmus.data.few_labels import Labelled, labels_of
from isthmus.models._few_labels import labelled_cost

MEMBERS = (ist.LadderNetwork, ist.SemiSupervisedVAE, ist.SemiSupervisedAAE)
every_member = pytest.mark.parametrize("member", MEMBERS)
SOME = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def with_classes(member: Any, classes: int, shape: tuple[int, ...]) -> Any:
    return member._with(_class_count=classes)._module(shape)


def small(member: type, **values: Any) -> Any:
    return member(**{"epochs": 2, "batch_size": 32, "hidden": (16,), "random_state": 0, **values})


@pytest.fixture(scope="module")
def y(digits: ist.data.Data) -> np.ndarray:
    found = digits.train.y[:129].copy()
    found[60:] = -1
    return found


# ------------------------------------------------------------------ the losses


def standardised(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows with a label in SOME by their own moments, and the others by theirs."""
    mean, scale = torch.empty_like(h), torch.empty_like(h)
    for rows in ([0, 2], [1, 3]):
        mean[rows], scale[rows] = h[rows].mean(0), (h[rows].var(0, unbiased=False) + 1e-10).sqrt()
    return (h - mean) / scale, mean, scale


def combined(state: dict[str, Tensor], place: int, u: Tensor, noisy: Tensor | None) -> Tensor:
    """The combinator of Rasmus et al., appendix B."""
    a, b = (state[f"bottleneck.combinators.{place}.{name}"] for name in ("mean", "gain"))
    mean = a[0] * torch.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
    gain = b[0] * torch.sigmoid(b[1] * u + b[2]) + b[3] * u + b[4]
    return mean if noisy is None else (noisy - mean) * gain + mean


@pytest.mark.parametrize("kind", [int, float, str])
def test_a_score_is_the_share_told_rightly_of_those_with_a_label(
    kind: type, digits: ist.data.Data
) -> None:
    x, y = digits.train.x[:200], digits.train.y[:200]
    ladder = ist.LadderNetwork(hidden=(16,), epochs=2, random_state=0).fit(x, y)
    base = ist.AE(latent_dim=8, epochs=1, random_state=0)
    classifier = ist.AutoencoderClassifier(base, epochs=3, random_state=0).fit(x, y)
    for model in (ladder, classifier):
        right = model.predict(x) == y
        assert model.score(x, y.astype(kind)) == pytest.approx(right.mean())
        some = y.copy()
        some[50:] = -1
        assert model.score(x, some) == pytest.approx(right[:50].mean())
        weight = np.where(y < 5, 3.0, 1.0)
        expected = np.average(right, weights=weight)
        assert model.score(x, y, sample_weight=weight) == pytest.approx(expected)
        with pytest.raises(ist.InputError, match=r"sample_weight has the shape \(3,\)"):
            model.score(x, y, sample_weight=weight[:3])
        part = digits.test
        assert model.score(part) == pytest.approx((model.predict(part.x) == part.y).mean())
        with pytest.raises(ist.InputError, match="no label of y is among the classes that this"):
            model.score(x, np.array(["cat", "dog"] * 100))
        with pytest.raises(ist.InputError, match=r"y has the shape \(200, 2\)"):
            model.score(x, np.stack([y, y], 1))
        with pytest.raises(ist.InputError, match="y has no label, so there is nothing to compare"):
            model.score(x, np.full(200, -1))


def test_what_is_no_list_of_classifiers_is_refused(digits: ist.data.Data) -> None:
    with pytest.raises(ist.InputError, match="classifiers is a int: give a dictionary of"):
        ist.label_curves(5, digits)  # type: ignore[arg-type]


def test_gaps_make_no_fractions_of_classes(digits: ist.data.Data) -> None:
    x, y = digits.train.x[:100], digits.train.y[:100].astype(float)
    y[60:] = np.nan  # as pandas writes a column of whole numbers with gaps
    with pytest.warns(ist.DataWarning, match="no label for 40 of 100"):
        model = ist.SemiSupervisedVAE(hidden=(16,), epochs=1, random_state=0).fit(x, y)
    assert model.classes_.dtype.kind == "i"
    assert model.sample(2, label=3).shape == (2, 1, 8, 8)
    assert model.score(x, digits.train.y[:100]) == (model.predict(x) == digits.train.y[:100]).mean()


def test_the_ladder_costs_what_the_paper_says() -> None:
    """784-free: 6 values, a layer of 5, a code of 4, 3 classes; without noise, for which the two
    ways up are one.
    """
    torch.manual_seed(0)
    ladder = ist.LadderNetwork(
        hidden=(5,),
        latent_dim=4,
        noise=0.0,
        denoising_weights=(1000.0, 10.0, 0.1),
        label_weight=2.0,
        reconstruction_weight=0.5,
        likelihood=ist.likelihoods.SquaredError(output="linear"),
    )
    module = with_classes(ladder, 3, (6,))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    state, x = module.state_dict(), torch.randn(4, 6)
    up, down = ([state[f"bottleneck.{way}.{i}.weight"] for i in range(3)] for way in ("up", "down"))
    shifts = [state[f"bottleneck.shifts.{i}"] for i in range(3)]
    h, layers = x, []
    for place in range(3):
        layers.append(standardised(h @ up[place].T))
        h = F.relu(layers[-1][0] + shifts[place])
    logits = state["bottleneck.sharpness"] * (layers[2][0] + shifts[2])

    def falling(noisy: list[Tensor | None]) -> list[Tensor]:
        u, found = logits.softmax(1), []
        for place in (3, 2, 1, 0):
            found.append(combined(state, place, standardised(u)[0], noisy[place]))
            u = found[-1] @ down[place - 1].T if place else u
        return found[::-1]

    z = [layer[0] for layer in layers]
    estimates = falling([x, *z])
    output = state["decoder.bias"]
    wanted = 1000 / 6 * (estimates[0] + output - x).square().sum(1)
    for estimate, (own, mean, scale), weight in zip(
        estimates[1:], layers, (10.0, 0.1, 0.1), strict=True
    ):
        wanted = wanted + weight * (own - (estimate - mean) / scale).square().mean(1)
    wanted = wanted * torch.tensor([0.0, 2.0, 0.0, 2.0])  # the mean of those without a label
    by_code = falling([None, None, z[1], z[2]])[0] + output
    distortion = (by_code - x).square().sum(1)
    entropy = torch.stack(
        [
            -logits.log_softmax(1)[0, 1] * 2,
            torch.zeros(()),
            -logits.log_softmax(1)[2, 0] * 2,
            torch.zeros(()),
        ]
    )
    loss = module.train().loss(Batch(x, label=SOME))
    torch.testing.assert_close(loss.terms["denoising"], wanted)
    torch.testing.assert_close(loss.terms["distortion"], distortion)
    torch.testing.assert_close(loss.terms["cross_entropy"], entropy)
    torch.testing.assert_close(loss.objective, wanted + 0.5 * distortion + 2.0 * entropy)


def test_a_ladder_that_is_not_asked_to_decode_says_so(digits: ist.data.Data, y: np.ndarray) -> None:
    model = small(ist.LadderNetwork, reconstruction_weight=0.0, epochs=1)
    with pytest.warns(UserWarning, match="pass reconstruction_weight=1 for codes"):
        model.fit(digits.train.x[:129], y)


def test_moments_in_use_are_those_of_the_training() -> None:
    from isthmus.networks._batch_norm import Normaliser

    torch.manual_seed(0)
    normaliser, batches = Normaliser(3), [3 + 2 * torch.randn(500, 3) for _ in range(20)]
    for batch in batches:
        normaliser(batch)
    found = normaliser.eval()(torch.cat(batches))
    torch.testing.assert_close(found.z.mean(0), torch.zeros(3), atol=0.02, rtol=0)
    torch.testing.assert_close(found.z.std(0), torch.ones(3), atol=0.02, rtol=0)


def bounds(module: Any, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """−log p(x | y, z) and the rest of −ELBO(x, y) of one draw, each ``(n, classes)``."""
    bottleneck, found = module.bottleneck, []
    features = module.encoder(x)
    for place in range(3):
        y = F.one_hot(torch.full((len(x),), place), 3).float()
        mu, log_var = (bottleneck.project(features) + bottleneck.of_class(y)).chunk(2, 1)
        z = mu + (0.5 * log_var).exp() * noise
        nll = F.binary_cross_entropy_with_logits(
            module.decoder(torch.cat([z, y], 1)), x, reduction="none"
        ).sum(1)
        kl = 0.5 * (mu.square() + log_var.exp() - log_var - 1).sum(1)
        found.append((nll, kl + math.log(3)))
    return tuple(torch.stack(each, 1) for each in zip(*found, strict=True))  # type: ignore[return-value]


def test_m2_costs_what_the_paper_says() -> None:
    torch.manual_seed(0)
    member = ist.SemiSupervisedVAE(hidden=(8,), latent_dim=2, label_weight=5.0)
    module = with_classes(member, 3, (6,))
    x, noise = torch.rand(4, 6), torch.randn(4, 5)
    loss = module.cost(module.encoder(x), Batch(x, label=SOME), noise)
    nll, rest = bounds(module, x, noise[:, :2])
    log_q = module.bottleneck.classify(module.encoder(x)).log_softmax(1)
    q = log_q.exp()
    unlabelled = (q * (nll + rest + log_q)).sum(1)  # −U(x)
    labelled = (SOME * (nll + rest)).sum(1)  # −L(x, y)
    # α counts per labelled example, of which there are two in four
    labelled = labelled - 5.0 * 2 * (SOME * log_q).sum(1)
    is_known = SOME.sum(1) > 0
    torch.testing.assert_close(loss.objective, torch.where(is_known, labelled, unlabelled))


def test_the_likelihood_of_m2_is_that_of_a_quadrature() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((60, 6)).round().astype(np.float32)
    y = rng.integers(2, size=60)  # so that q(y | x) stays wide, and weights do not vary much
    values = {"latent_dim": 1, "epochs": 8, "learning_rate": 1e-2, "label_weight": 0.3}
    model = small(ist.SemiSupervisedVAE, **values).fit(x, y)
    grid = torch.linspace(-8, 8, 4001)[:, None]
    log_p = torch.distributions.Normal(0, 1).log_prob(grid[:, 0]) + math.log(16 / 4000)
    with torch.no_grad():
        of_each = []
        for place in range(2):
            codes = torch.cat([grid, F.one_hot(torch.tensor(place), 2).expand(4001, -1)], 1)
            logits = model.module_.decoder(codes)
            given = -F.binary_cross_entropy_with_logits(
                logits[:, None].expand(-1, 10, -1),
                torch.from_numpy(x[:10]).expand(4001, -1, -1),
                reduction="none",
            ).sum(2)
            of_each.append(torch.logsumexp(given + log_p[:, None], 0))
        truth = -(torch.logsumexp(torch.stack(of_each), 0) - math.log(2)).numpy()
    found = model.nll(x[:10], samples=40_000)
    np.testing.assert_allclose(found, truth, atol=0.03)
    assert (truth <= -model.score_samples(x[:10]) + 0.02).all()  # the bound lies above


def test_the_adversarial_one_costs_what_the_paper_says() -> None:
    torch.manual_seed(0)
    member = ist.SemiSupervisedAAE(
        hidden=(8,), latent_dim=2, adversary_weight=0.5, label_weight=4.0, critic_hidden=(7,)
    )
    module = with_classes(member, 3, (6,))
    x = torch.rand(4, 6)
    features, bottleneck = module.encoder(x), module.bottleneck
    logits = bottleneck.classify(features)
    style, y = bottleneck.project(features), logits.softmax(1)
    nll = F.binary_cross_entropy_with_logits(
        module.decoder(torch.cat([style, y], 1)), x, reduction="none"
    ).sum(1)
    fooled = -torch.sigmoid(bottleneck.style_critic(style)).log()
    fooled = fooled - torch.sigmoid(bottleneck.class_critic(y)).log()
    entropy = -(SOME * logits.log_softmax(1)).sum(1) * 2
    loss = module.loss(Batch(x, label=SOME))
    torch.testing.assert_close(loss.objective, nll + 0.5 * fooled + 4.0 * entropy)


def test_the_mean_of_the_cost_is_that_of_the_labelled() -> None:
    logits = torch.randn(4, 3)
    cost, terms = labelled_cost(logits, SOME)
    wanted = F.cross_entropy(logits[[0, 2]], torch.tensor([1, 0]))
    torch.testing.assert_close(cost.mean(), wanted)
    wrong = (logits[[0, 2]].argmax(1) != torch.tensor([1, 0])).float().mean()
    torch.testing.assert_close(terms["error"].mean(), wrong)
    nothing, _ = labelled_cost(logits, torch.zeros(4, 3))
    assert bool((nothing == 0).all())


# ------------------------------------------------------------------ how labels come in


def test_every_batch_has_labelled_examples_and_an_epoch_goes_through_all() -> None:
    label = torch.zeros(50, 2)
    label[[3, 7, 11, 20]] = torch.tensor([1.0, 0.0])
    mixed = Mixed(label, 50, Mixing(batch_size=10, share=0.3))
    order = mixed.order(0, 0, None)
    assert len(order) == len(mixed) == 50 + 3 * 8
    batches = order.split(10)
    assert [int(mixed.are_beside(rows).sum()) for rows in batches] == [3] * 8
    fresh = mixed.examples(order[~mixed.are_beside(order)])
    assert sorted(fresh.tolist()) == list(range(50))
    beside = mixed.examples(order[mixed.are_beside(order)])
    counts = beside.bincount(minlength=50)
    assert counts[[3, 7, 11, 20]].tolist() == [6] * 4 and int(counts.sum()) == 24
    assert not torch.equal(order, mixed.order(0, 1, None))


@every_member
def test_few_labels_teach_classes(member: type, digits: ist.data.Data, tmp_path: Any) -> None:
    values = {"hidden": (64,), "latent_dim": 16, "learning_rate": 5e-3, "batch_size": 100}
    model = small(member, n_labels=100, epochs=8, **values).fit(digits.train.take(slice(500)))
    assert model.score(digits.test.x, digits.test.y) > 0.7
    probabilities = model.predict_proba(digits.test.x)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert np.array_equal(model.classes_[probabilities.argmax(1)], model.predict(digits.test.x))
    again = ist.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.predict_proba(digits.test.x), probabilities)
    assert again.classes_.dtype == model.classes_.dtype


def test_labels_are_drawn_alike_of_each_class(digits: ist.data.Data) -> None:
    given = Labelled.of(labels_of(digits.train), "test")
    few = given.few(25, seed=0)
    counts = np.bincount(few.labels)
    assert counts.sum() == 25 and set(counts) == {2, 3}
    assert np.array_equal(few.labels, digits.train.y[few.rows])
    assert not np.array_equal(few.rows, given.few(25, seed=1).rows)
    with pytest.raises(
        ist.InputError, match=r"n_labels=5 is not usable: y holds 1438 labels of 10 classes, so"
    ):
        given.few(5, seed=0)


@every_member
def test_labels_of_any_kind(member: type, few: np.ndarray, y: np.ndarray) -> None:
    text = ["none" if label == 0 else str(label) for label in y]
    marked = [-1 if label == -1 else name for label, name in zip(y, text, strict=True)]
    model = small(member, epochs=1).fit(few, marked)
    assert sorted(model.classes_.tolist()) == sorted({name for name in text if name != "-1"})
    assert set(model.predict(few)) <= set(model.classes_)


@every_member
def test_amounts_and_single_classes_are_refused(member: type, few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match=r"0\.5.* are amounts and no classes: give text or"):
        small(member).fit(few, np.arange(129) + 0.5)
    with pytest.raises(ist.InputError, match=r"y names 1 class\(es\), but a classifier needs"):
        small(member).fit(few, np.zeros(129, int))
    with pytest.raises(ist.InputError, match="y holds 3 labels, X 129 examples: give each"):
        small(member).fit(few, [0, 1, 1])


@every_member
def test_without_labels_it_is_an_autoencoder(member: type, few: np.ndarray) -> None:
    model = small(member).fit(few)
    assert "cross_entropy" not in model.history_[-1]
    with pytest.raises(ist.InputError, match="was trained without labels, so it knows no classes"):
        model.predict(few)
    with pytest.raises(ist.InputError, match="began without labels: train it anew with fit"):
        model.partial_fit(few, np.arange(129) % 2)


@every_member
def test_portions_know_all_classes_from_the_first(
    member: type, few: np.ndarray, y: np.ndarray
) -> None:
    model = small(member).partial_fit(few[:40], y[:40] % 2, classes=[0, 1, 2])
    model.partial_fit(few, np.arange(129) % 3)
    assert model.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ist.InputError, match="y holds the label 3, but training began with"):
        model.partial_fit(few, np.arange(129) % 4)


@every_member
def test_validation_examples_are_judged_by_their_labels(
    member: type, few: np.ndarray, y: np.ndarray, digits: ist.data.Data
) -> None:
    truth = digits.train.y[:129]
    model = small(member).fit(few, y, validation_data=(few, truth))
    wrong = float(np.mean(model.predict(few) != truth))
    assert model.history_[-1]["val_error"] == pytest.approx(wrong, abs=1e-5)


@pytest.mark.parametrize("member", MEMBERS[1:])
def test_new_examples_of_a_class(
    member: Callable[..., Any], few: np.ndarray, y: np.ndarray
) -> None:
    model = small(member, latent_dim=2).fit(few, y)
    codes = model._new_codes(4, [3, 1, 4, 1], None, 1.0)
    assert codes[:, 2:].argmax(1).tolist() == [3, 1, 4, 1]
    assert model.sample(3, label=7, random_state=0).shape == (3, 1, 8, 8)
    with pytest.raises(ist.InputError, match="unknown label '12'"):
        model.sample(3, label=12)


def test_parts_bring_the_names_of_their_classes_and_numbers_stay_numbers(
    few: np.ndarray, digits: ist.data.Data
) -> None:
    y = np.arange(129) % 2
    named = small(ist.SemiSupervisedAAE, epochs=1).fit(ist.data.Part(few, y, ("cat", "dog")))
    assert named.classes_.tolist() == ["cat", "dog"]
    assert named.score(few, np.array(["cat", "dog"])[y]) == named.score(few, named.classes_[y])
    model = small(ist.SemiSupervisedAAE, epochs=1).fit(digits.train.take(slice(129)))
    assert model.classes_.tolist() == list(range(10))
    assert model.score(few, digits.train.y[:129].astype(str)) == pytest.approx(
        float(np.mean(model.predict(few) == digits.train.y[:129]))
    )


def test_going_on_sees_no_further_labels(few: np.ndarray, digits: ist.data.Data) -> None:
    y = digits.train.y[:129]
    drawn = [
        small(ist.SemiSupervisedAAE, n_labels=20, random_state=seed)._opened_examples(
            (few, y, None), None
        )[1]
        for seed in (None, None, 3)
    ]
    assert [int(examples.label.sum()) for examples in drawn] == [20, 20, 20]
    assert torch.equal(drawn[0].label, drawn[1].label)
    assert not torch.equal(drawn[0].label, drawn[2].label)


@every_member
def test_evaluations_take_codes_of_style_and_class(
    member: type, few: np.ndarray, y: np.ndarray, digits: ist.data.Data
) -> None:
    model = small(member, epochs=1).fit(few, y)
    little = ist.data.Data("digits", digits.train.take(slice(100)), digits.test.take(slice(60)))
    found = ist.evaluate(model, little)
    error = model.squared_error(little.test.x).mean()
    assert found["squared_error"].value == pytest.approx(error, rel=1e-5)
