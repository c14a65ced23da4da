"""Adversarial and clustering autoencoders do what their names say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.metrics.clustering import cluster_accuracy, cluster_nmi
from isthmus.models._centres import assignment, sharpened


def test_the_codes_of_an_aae_look_like_the_prior(digits: ist.data.Data) -> None:
    values = {
        "latent_dim": 2,
        "epochs": 20,
        "random_state": 0,
        "batch_size": 64,
        "learning_rate": 2e-3,
    }
    codes = [
        model.fit(digits.train).transform(digits.test.x)
        for model in (ist.AE(**values), ist.AAE(**values))
    ]
    gaps = [abs(z.mean(0)).max() + abs(z.std(0) - 1).max() for z in codes]
    assert gaps[1] < 0.4
    assert gaps[1] < 0.3 * gaps[0]


def test_each_player_moves_its_own_weights_alone(few: np.ndarray) -> None:
    module = ist.AAE(latent_dim=2).build((1, 8, 8))
    autoencoder, critic = module.objectives()
    assert {id(p) for p in critic.parameters} == {
        id(p) for p in module.bottleneck.critic.parameters()
    }
    assert len(autoencoder.parameters) + len(critic.parameters) == len(list(module.parameters()))
    slow = ist.AAE(epochs=2, critic_learning_rate=1e-12, random_state=0).fit(few)
    torch.manual_seed(slow.random_state)
    before = ist.AAE(epochs=1, critic_learning_rate=1e-12, random_state=0).fit(few)
    for name, weight in before.module_.bottleneck.critic.state_dict().items():
        torch.testing.assert_close(weight, slow.module_.bottleneck.critic.state_dict()[name])
    assert not torch.equal(before.module_.encoder[1].weight, slow.module_.encoder[1].weight)


def test_the_losses_of_the_game_against_their_definition() -> None:
    torch.manual_seed(0)
    module = ist.AAE(latent_dim=2, adversary_weight=3.0).build((1, 8, 8))
    x = torch.rand(4, 1, 8, 8)
    probability = module.bottleneck.critic(module.encode(Batch(x))[0]).sigmoid()
    loss = module.loss(Batch(x))
    torch.testing.assert_close(loss.terms["adversary"], -probability.log())
    torch.testing.assert_close(loss.objective, loss.terms["distortion"] - 3 * probability.log())
    for layer in module.bottleneck.critic:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.zeros_(layer.weight)
    critic = module.objectives()[1].loss(loss.made).objective
    # a critic that knows nothing
    torch.testing.assert_close(critic, torch.full((4,), 2 * math.log(2)))


def reference_of_the_game(module: Any, x: torch.Tensor, eps: torch.Tensor) -> dict[str, Any]:
    """The terms of a VAE-GAN by its definition, with the code drawn by ``eps``."""
    judge = module.loss_function.discriminator
    mu, log_var = module.encode(Batch(x))
    z = mu + (0.5 * log_var).exp() * eps
    restored, new = (module.likelihood.mean(module.parameters_of(c)) for c in (z, game_noise(z)))
    probability = [judge(examples)[1].sigmoid() for examples in (x, restored, new)]
    gap = judge.encoder(x).flatten(1) - judge.encoder(restored).flatten(1)
    return {
        "rate": 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1),
        "similarity": 0.5 * (gap**2).sum(1),
        "fooling": -probability[1].log() - probability[2].log(),
        "distortion": -torch.distributions.Bernoulli(restored).log_prob(x).flatten(1).sum(1),
        "discriminator": -probability[0].log()
        - 0.5 * (1 - probability[1]).log()
        - 0.5 * (1 - probability[2]).log(),
    }


def game_noise(z: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(5)
    return torch.randn_like(z)


@pytest.fixture
def game() -> Any:
    torch.manual_seed(0)
    member = ist.VAEGAN(
        latent_dim=3,
        beta=0.5,
        similarity_weight=2.0,
        adversary_weight=3.0,
        pixel_weight=0.25,
        likelihood="bernoulli",
    )
    return member.build((1, 8, 8))


def test_the_losses_of_a_vaegan_against_their_definition(game: Any) -> None:
    x, eps = torch.rand(4, 1, 8, 8).round(), torch.randn(4, 3)
    expected = reference_of_the_game(game, x, eps)
    torch.manual_seed(5)
    loss = game.loss(Batch(x), eps)
    terms = {name: loss.terms[name] for name in ("rate", "similarity", "fooling", "distortion")}
    for name, term in terms.items():
        torch.testing.assert_close(term, expected[name])
    weights = {"rate": 0.5, "similarity": 2.0, "fooling": 3.0, "distortion": 0.25}
    total = sum(weight * expected[name] for name, weight in weights.items())
    torch.testing.assert_close(loss.objective, total)
    torch.manual_seed(5)
    told = game.objectives()[1].loss(loss.made).objective
    torch.testing.assert_close(told, expected["discriminator"])
    torch.nn.init.zeros_(game.loss_function.discriminator.head[0].weight)
    torch.nn.init.zeros_(game.loss_function.discriminator.head[0].bias)
    blind = game.objectives()[1].loss(loss.made).objective
    torch.testing.assert_close(blind, torch.full((4,), 2 * math.log(2)))


def test_the_decoder_of_a_vaegan_plays_and_the_encoder_does_not(game: Any) -> None:
    fooling = game.loss(Batch(torch.rand(4, 1, 8, 8))).terms["fooling"].mean()
    seen = [*game.encoder.parameters(), *game.bottleneck.parameters()]
    playing = list(game.decoder.parameters())
    gradients = torch.autograd.grad(fooling, [*seen, *playing], allow_unused=True)
    assert all(gradient is None for gradient in gradients[: len(seen)])
    assert any(g is not None and g.abs().sum() > 0 for g in gradients[len(seen) :])


def test_the_discriminator_judges_the_pass_that_was_made(game: Any) -> None:
    calls = {"encoder": 0, "decoder": 0}

    def count(name: str) -> Any:
        def hook(*_: Any) -> None:
            calls[name] += 1

        return hook

    for name in calls:
        getattr(game, name).register_forward_hook(count(name))
    autoencoder, discriminator = game.objectives()
    made = autoencoder.loss(Batch(torch.rand(4, 1, 8, 8))).made
    assert calls == {"encoder": 1, "decoder": 3}  # from the code, from it detached, from noise
    told = discriminator.loss(made.with_tensors(made.tensors)).objective.mean()
    assert calls == {"encoder": 1, "decoder": 4}  # from noise; what came of codes is there
    told.backward()
    judge = game.loss_function.discriminator
    assert {id(p) for p in discriminator.parameters} == {id(p) for p in judge.parameters()}
    moved = {id(p) for p in game.parameters() if p.grad is not None}
    assert moved == {id(p) for p in discriminator.parameters}


def test_a_vaegan_trains_both_sides(few: np.ndarray) -> None:
    member = ist.VAEGAN(latent_dim=2, epochs=2, random_state=0)
    torch.manual_seed(0)
    rows = member.fit(few).history_
    assert {"distortion", "rate", "similarity", "fooling", "discriminator"} <= set(rows[-1])
    slow = ist.VAEGAN(latent_dim=2, epochs=1, discriminator_learning_rate=1e-12, random_state=0)
    later = ist.VAEGAN(latent_dim=2, epochs=2, discriminator_learning_rate=1e-12, random_state=0)
    one, two = (model.fit(few).module_ for model in (slow, later))
    for before, after in zip(
        one.loss_function.parameters(), two.loss_function.parameters(), strict=True
    ):
        torch.testing.assert_close(before, after)
    assert not torch.equal(next(one.encoder.parameters()), next(two.encoder.parameters()))


def test_assignment_and_target_against_the_formulas() -> None:
    z, centres = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    q = assignment(z, centres)
    torch.testing.assert_close(q[0], torch.tensor([1.0, 0.1]) / 1.1)
    torch.testing.assert_close(q[1], torch.tensor([1 / 26, 1 / 17]) / (1 / 26 + 1 / 17))
    p = sharpened(q, q.sum(0))
    expected = q**2 / q.sum(0)
    torch.testing.assert_close(p, expected / expected.sum(1, keepdim=True))


@pytest.mark.parametrize("variant", ["dec", "idec"])
def test_clusters_are_found(variant: str) -> None:
    x, y = make_blobs(300, n_features=6, centers=4, cluster_std=0.8, random_state=3)
    model = ist.ClusteringAE(
        n_clusters=4,
        latent_dim=3,
        variant=variant,
        pretrain_epochs=20,
        epochs=10,
        batch_size=32,
        random_state=0,
    ).fit(x)
    assert cluster_accuracy(y, model.labels_).value > 0.95
    assert np.array_equal(model.predict(x), model.labels_)
    assert np.array_equal(model.transform(x).argmin(1), model.labels_)
    first, last = (
        next(row for row in rows if row["stage"] == 2)
        for rows in (model.history_, model.history_[::-1])
    )
    assert last["clustering"] < first["clustering"]
    if variant == "idec":
        assert last["distortion"] < first["distortion"]
    else:
        assert "distortion" not in last  # nothing is decoded
    model.partial_fit(x[:9])
    assert np.array_equal(model.labels_, model.predict(x[:9]))


def test_targets_stand_still_for_an_epoch_and_keep_codes_apart(digits: ist.data.Data) -> None:
    model = ist.ClusteringAE(
        latent_dim=2, n_clusters=8, pretrain_epochs=5, epochs=20, learning_rate=5e-3, random_state=0
    )
    model.fit(digits.train)
    # with targets that move along, all codes fall into one point
    assert len(np.unique(model.labels_)) == 8
    bottleneck, x = model.module_.bottleneck, torch.rand(5, 1, 8, 8)
    before = bottleneck.anchor(Batch(x))
    with torch.no_grad():
        bottleneck.centres += 1.0
    torch.testing.assert_close(bottleneck.anchor(Batch(x)), before)
    q = bottleneck.anchor.assigned(Batch(x))
    torch.testing.assert_close(before, sharpened(q, bottleneck.anchor.sums))
    assert not any(parameter.requires_grad for parameter in bottleneck.anchor.parameters())


def test_codes_that_tell_nothing_apart_are_named() -> None:
    bottleneck = ist.AE().build((1, 8, 8)).bottleneck
    assert bottleneck.diagnostics((torch.randn(9, 2),)) == []
    assert "all examples have the same code" in str(bottleneck.diagnostics((torch.ones(9, 2),))[0])


def test_distances_lead_back_to_the_code(few: np.ndarray) -> None:
    model = ist.ClusteringAE(
        n_clusters=8, latent_dim=3, pretrain_epochs=3, epochs=1, random_state=0
    ).fit(few)
    distances = model.transform(few[:5])
    np.testing.assert_allclose(
        model.inverse_transform(distances), model.reconstruct(few[:5]), atol=1e-3
    )
    with pytest.raises(
        ist.InputError, match=r"distances have the shape \(5, 3\), but this model takes \(n, 8\)"
    ):
        model.inverse_transform(distances[:, :3])
    with pytest.raises(
        ist.InputError,
        match="n_clusters=200 needs at least as many examples, but X holds 129: ask for fewer",
    ):
        ist.ClusteringAE(n_clusters=200, pretrain_epochs=1, epochs=1).fit(few)


def test_cluster_accuracy_and_nmi_by_hand() -> None:
    labels, clusters = np.array([0, 0, 1, 1, 2, 2]), np.array([5, 5, 3, 3, 3, 9])
    assert cluster_accuracy(labels, clusters).value == pytest.approx(5 / 6)
    assert cluster_accuracy(labels, np.zeros(6, int)).value == pytest.approx(2 / 6)
    assert cluster_nmi(labels, labels + 7).value == pytest.approx(1.0)


def test_evaluation_measures_the_clusters(digits: ist.data.Data) -> None:
    model = ist.ClusteringAE(n_clusters=10, pretrain_epochs=5, epochs=1, random_state=0).fit(
        digits.train
    )
    measures = ist.evaluate(model, digits)
    assert measures["cluster_accuracy"].value > 0.3
    assert "cluster_nmi" not in ist.evaluate(ist.AE(epochs=1).fit(digits.train), digits)
