"""Adversarial and clustering autoencoders do what their names say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.metrics.clustering import cluster_accuracy, cluster_nmi
from isthmus.models.clustering import assignment, sharpened


def test_the_codes_of_an_aae_look_like_the_prior(digits: ist.data.Data) -> None:
    values = {
        "latent_dim": 2,
        "epochs": 40,
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
    moved = last["distortion"] - first["distortion"]
    assert moved > 0 if variant == "dec" else moved < 0


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
    assert "all examples have the same code" in bottleneck.diagnostics((torch.ones(9, 2),))[0]


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
