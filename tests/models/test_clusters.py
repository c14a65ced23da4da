"""Clusters: where they start, what they are drawn to, and the mixture behind a VAE."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import Isomap
from sklearn.mixture import GaussianMixture
from torch import distributions

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.data.batches import StoreBatches
from isthmus.data.stores import ArrayStore
from isthmus.metrics.clustering import cluster_accuracy
from isthmus.models._centres import Targets, assignment, sharpened
from isthmus.models._ellipses import means_of_clusters, shares_in_ellipses
from isthmus.models._whitening import whiten
from isthmus.training.optimizers import SGDOptimizer, make_optimizer

SMALL: dict[str, Any] = {"latent_dim": 3, "hidden": (16,), "random_state": 0, "verbose": 0}
STILL: dict[str, Any] = {"clustering_rate": 1e-12, "epochs": 1, "random_state": 0, "verbose": 0}


@pytest.fixture(scope="module")
def trained(few: np.ndarray) -> Any:
    return ist.AE(**SMALL, epochs=3).fit(few)


def test_what_a_start_decides_or_a_run_does_not_hold_is_said(
    few: np.ndarray, tmp_path: Path
) -> None:
    ae = ist.AE(latent_dim=3, hidden=(8,), epochs=1, random_state=0).fit(few)
    settings: dict[str, Any] = {"n_clusters": 3, "epochs": 1, "random_state": 0}
    for field, value in (("scaling", "standard"), ("kind", "vector")):
        with pytest.raises(ist.InputError, match=f"trained with {field}='auto', but this"):
            ist.ClusteringAE.starting_from(ae, **{field: value}, **settings).fit(few)
    with pytest.raises(ist.InputError, match="clustering_weight=3 weighs clusters beside the"):
        ist.ClusteringAE(clustering_weight=3.0, **settings).fit(few)
    model = ist.ClusteringAE.starting_from(ae, **settings).fit(few)
    loaded = clone(ist.load(model.save(tmp_path / "run")))
    with pytest.raises(ist.InputError, match="started from a trained AE that was in memory"):
        loaded.fit(few)
    assert len(loaded.set_params(start=ae).fit(few).labels_) == len(few)
    with pytest.raises(ist.InputError, match="12 examples, which a map of 11 dimensions"):
        ist.ManifoldClustering(FrozenEstimator(ae), 3, neighbours=3, dimensions=11).fit(few[:12])


def test_clusters_start_from_a_trained_autoencoder(trained: Any, few: np.ndarray) -> None:
    model = ist.ClusteringAE.starting_from(trained, n_clusters=4, **STILL)
    assert clone(model).start is trained  # with what it has learnt
    model.fit(few)
    assert [row["epoch"] for row in model.history_] == [1.0]  # no pretraining
    np.testing.assert_allclose(model.codes(few), trained.codes(few), atol=1e-6)
    np.testing.assert_allclose(model.reconstruct(few), trained.reconstruct(few), atol=1e-6)
    assert model.preprocessor_ is trained.preprocessor_


def test_a_run_is_a_start_and_is_not_needed_afterwards(
    trained: Any, few: np.ndarray, tmp_path: Path
) -> None:
    run = trained.save(tmp_path / "ae")
    model = ist.ClusteringAE(**SMALL | STILL, n_clusters=4, start=str(run)).fit(few)
    np.testing.assert_allclose(model.codes(few), trained.codes(few), atol=1e-6)
    whole = ist.ClusteringAE.starting_from(trained, n_clusters=4, **STILL).fit(few)
    again = ist.load(whole.save(tmp_path / "clusters"))
    np.testing.assert_array_equal(again.predict(few), whole.labels_)


@pytest.mark.parametrize(
    ("start", "values", "message"),
    [
        (
            lambda ae: ae,
            {"hidden": (8,)},
            r"start is trained with hidden=\(16,\), but this ClusteringAE has hidden=\(8,\): pass"
            r" the same, or make it by ClusteringAE.starting_from\(member\)",
        ),
        (lambda ae: clone(ae), {}, r"start=AE\(…\) is not trained: call its fit first"),
        (lambda ae: 3.5, {}, "start=3.5 is not usable"),
        (lambda ae: np, {}, "is no autoencoder: give a trained member"),
        (
            lambda ae: ist.AE(**SMALL, code_activation="tanh", epochs=1).fit(np.eye(9)),
            {},
            r"start=AE\(…\) has no code that is a linear map of features",
        ),
    ],
    ids=["other networks", "untrained", "number", "module", "curved"],
)
def test_what_is_no_start_is_refused(
    trained: Any, few: np.ndarray, start: Any, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.ClusteringAE(**SMALL | values, n_clusters=4, epochs=1, start=start(trained)).fit(few)


def test_whitened_codes_are_uncorrelated_and_decode_to_the_same(
    trained: Any, few: np.ndarray
) -> None:
    plain = ist.ClusteringAE.starting_from(trained, n_clusters=4, **STILL)
    model = plain.set_params(whiten=True).fit(few)
    codes = model.codes(few)
    np.testing.assert_allclose(np.cov(codes.T), np.eye(3), atol=1e-4)
    np.testing.assert_allclose(codes.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(model.reconstruct(few), trained.reconstruct(few), atol=1e-5)


def test_codes_in_a_plane_are_whitened_within_it() -> None:
    torch.manual_seed(0)
    module = ist.AE(latent_dim=3, hidden=(4,)).build((6,))
    layer = module.bottleneck.linear
    with torch.no_grad():
        layer.weight[2] = layer.weight[0]
        layer.bias[2] = layer.bias[0]
    batch = Batch(torch.rand(50, 6))
    before = module(batch).detach()
    whitened = whiten(module, layer, module.encode(batch)[0].detach())
    assert bool(whitened.isfinite().all())
    torch.testing.assert_close(module.encode(batch)[0], whitened, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(module(batch), before, atol=1e-4, rtol=1e-4)


def test_a_decoder_that_cannot_take_up_the_whitening_is_named(few: np.ndarray) -> None:
    model = ist.ClusteringAE(
        latent_dim=2,
        n_clusters=2,
        pretrain_epochs=1,
        epochs=1,
        whiten=True,
        decoder=lambda code, shape: torch.nn.Sequential(
            torch.nn.Linear(2, 64, bias=False), torch.nn.Unflatten(1, (1, 8, 8))
        ),
    )
    with pytest.raises(ist.InputError, match="whiten=True folds a linear map into the first layer"):
        model.fit(few)
    assert not hasattr(model, "history_")  # before anything is trained


def test_a_decoder_that_sees_a_condition_is_named_too(digits: ist.data.Data) -> None:
    model = ist.VaDE(latent_dim=10, n_clusters=2, whiten=True, condition="label", epochs=1)
    with pytest.raises(ist.InputError, match="no linear layer of 10 inputs, the code alone"):
        model.fit(digits.train.x[:60], digits.train.y[:60])


def gathering(**values: Any) -> Any:
    """A module with centres, in training mode."""
    torch.manual_seed(0)
    member = ist.ClusteringAE(latent_dim=2, n_clusters=3, hidden=(8,), **values)
    return member, member.build((1, 4, 4)).train()


def test_a_batch_may_make_its_own_targets() -> None:
    _, module = gathering(target_interval=0)
    batch = Batch(torch.rand(5, 1, 4, 4))
    q = assignment(module.encode(batch)[0], module.bottleneck.centres)
    p = sharpened(q, q.sum(0))
    expected = (p * (p / q).log()).sum(1)
    torch.testing.assert_close(module.loss(batch).terms["clustering"], expected)
    alone = module.eval().loss(Batch(batch.x[:1])).terms["clustering"]  # as it is without others
    torch.testing.assert_close(alone, module.loss(batch).terms["clustering"][:1])


def test_moved_examples_are_drawn_to_the_targets_of_unmoved_ones() -> None:
    _, module = gathering(corruption=lambda x: 1 - x)
    batch = Batch(torch.rand(5, 1, 4, 4))
    p = module.bottleneck.anchor(batch)
    moved = module.encode(Batch(1 - batch.x))[0]
    q = assignment(moved, module.bottleneck.centres)
    loss = module.loss(batch)
    torch.testing.assert_close(loss.terms["clustering"], (p * (p / q).log()).sum(1))
    given = module.loss(batch._replace(target=p.flip(0))).terms["clustering"]
    torch.testing.assert_close(given, (p.flip(0) * (p.flip(0) / q).log()).sum(1))


def test_one_pass_through_the_encoder_and_none_through_the_decoder(few: np.ndarray) -> None:
    member = ist.ClusteringAE(**SMALL, n_clusters=3, pretrain_epochs=0, epochs=2, batch_size=129)
    calls: list[bool] = []
    build = member._assembled

    def watched(encoder: Any, bottleneck: Any, decoder: Any, likelihood: Any) -> Any:
        encoder.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
        decoder.register_forward_hook(lambda *_: calls.append(True) if decoder.training else None)
        return build(encoder, bottleneck, decoder, likelihood)

    member._assembled = watched  # type: ignore[method-assign]
    member.fit(few)
    assert sum(calls) == 2  # one step in each of two epochs


def test_a_decoder_that_is_left_behind_is_no_fault_and_is_said(digits: ist.data.Data) -> None:
    few = replace(digits, train=digits.train.take(slice(200)), test=digits.test.take(slice(100)))
    model = ist.ClusteringAE(n_clusters=4, pretrain_epochs=0, epochs=1, random_state=0)
    with pytest.warns(ist.LearningWarning, match="once there are centres; pass variant='idec'"):
        model.fit(few.train)
    found = {finding.name: finding.severity for finding in ist.diagnose(model, few)}
    assert found["worse-than-mean"] == "note"


def test_targets_follow_at_intervals_and_can_be_made_again() -> None:
    _, module = gathering(target_interval=2)
    x = ArrayStore(torch.rand(7, 1, 4, 4).numpy())
    batches = StoreBatches(x, torch.device("cpu"))
    targets = Targets(module.eval(), 2)
    rows = torch.tensor([4, 0])
    found = []
    with torch.no_grad():
        for _ in range(3):
            targets.refresh(batches)
            found.append(targets(rows))
            module.bottleneck.centres += 0.5
        again = Targets(module, 2)
        again.read(batches)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert not torch.allclose(found[1], found[2])
    torch.testing.assert_close(again(rows), found[2], rtol=0, atol=0)


def test_gathering_has_an_optimiser_of_its_own() -> None:
    member, module = gathering(clustering_optimizer="sgd", clustering_rate=0.25)
    first, second = (stage.objectives[0] for stage in member._stages(module))
    assert type(make_optimizer(second, member)) is SGDOptimizer
    assert make_optimizer(second, member).learning_rate == 0.25
    assert type(make_optimizer(first, member)) is not SGDOptimizer


def test_the_weight_of_idec_is_that_of_a_mean() -> None:
    torch.manual_seed(0)
    _, module = gathering(variant="idec")
    batch = Batch(torch.rand(5, 1, 4, 4))
    loss = module.loss(batch)  # 0.1 beside a mean over 16 numbers is 1.6 beside their sum
    expected = loss.terms["distortion"] + 1.6 * loss.terms["clustering"]
    torch.testing.assert_close(loss.objective, expected)
    _, module = gathering(variant="idec", clustering_weight=3.0)
    assert module.loss_function.weight == 3.0


def test_convolutions_cluster_too(few: np.ndarray) -> None:
    model = ist.ClusteringAE(
        network="conv",
        hidden=(4, 8),
        variant="idec",
        latent_dim=4,
        n_clusters=3,
        pretrain_epochs=1,
        epochs=1,
        whiten=True,
        corruption="affine",
        random_state=0,
    ).fit(few)
    assert set(model.labels_) <= {0, 1, 2}


# ------------------------------------------------------------------ a mixture behind a VAE


def mixture() -> tuple[Any, Any]:
    """A bottleneck with a prior of its own, and the same prior by torch's distributions."""
    torch.manual_seed(0)
    module = ist.VaDE(latent_dim=2, n_clusters=3, hidden=(8,)).build((1, 4, 4))
    own = module.bottleneck.prior
    with torch.no_grad():
        own.logits.copy_(torch.tensor([0.3, -0.4, 1.0]))
        own.log_var.copy_(torch.randn(3, 2))
    each = distributions.Independent(distributions.Normal(own.mu, (0.5 * own.log_var).exp()), 1)
    shares = distributions.Categorical(logits=own.logits)
    return module, distributions.MixtureSameFamily(shares, each)


def test_the_loss_of_a_vade_against_torch() -> None:
    module, prior = mixture()
    batch, noise = Batch(torch.rand(5, 1, 4, 4).round()), torch.randn(5, 2)
    mu, log_var = module.encode(batch)
    deviation = (0.5 * log_var).exp()
    z = mu + deviation * noise
    each = prior.component_distribution
    joint = each.log_prob(z[:, None]) + prior.mixture_distribution.probs.log()
    shares = joint.softmax(1)
    kl = torch.stack(
        [
            distributions.kl_divergence(
                distributions.Normal(mu, deviation),
                distributions.Normal(each.base_dist.loc[c], each.base_dist.scale[c]),
            ).sum(1)
            for c in range(3)
        ],
        1,
    )
    rate = (shares * (kl + (shares / prior.mixture_distribution.probs).log())).sum(1)
    loss = module.loss(batch, noise)
    torch.testing.assert_close(loss.terms["rate"], rate)
    x = module.likelihood.mean(module.parameters_of(z))
    distortion = -distributions.Bernoulli(x).log_prob(batch.x).flatten(1).sum(1)
    torch.testing.assert_close(loss.objective, distortion + rate)


def test_draws_of_a_vade_are_weighed_by_its_prior() -> None:
    module, prior = mixture()
    features, noise = module.features(Batch(torch.rand(4, 1, 4, 4))), torch.randn(6, 4, 2)
    mu, log_var = module.bottleneck.posterior(features)
    posterior = distributions.Normal(mu, (0.5 * log_var).exp())
    z, log_ratio = module.bottleneck.draw(features, noise)
    z = z.unflatten(0, (6, 4))
    torch.testing.assert_close(log_ratio, prior.log_prob(z) - posterior.log_prob(z).sum(-1))


def test_samples_of_a_vade_have_the_moments_of_its_prior() -> None:
    module, prior = mixture()
    torch.manual_seed(1)
    z = module.bottleneck.prior.sample(40_000, 1.0)
    torch.testing.assert_close(z.mean(0), prior.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(z.var(0), prior.variance, atol=0.1, rtol=0.03)
    cold = module.bottleneck.prior.sample(9, 0.0)
    assert all(bool((row == prior.component_distribution.mean).all(1).any()) for row in cold)


def slanting() -> tuple[torch.Tensor, np.ndarray]:
    """Codes in three long ellipses side by side, and which each is in."""
    generator = np.random.default_rng(0)
    slant = np.array([[1.0, 0.9], [0.9, 1.0]])
    middles = np.array([[0.0, 0.0], [1.0, -1.0], [2.0, -2.0]])
    codes = [generator.multivariate_normal(middle, slant, 200) for middle in middles]
    return torch.from_numpy(np.concatenate(codes)).float(), np.repeat([0, 1, 2], 200)


def test_clusters_that_are_no_balls_are_found_in_any_scale() -> None:
    codes, y = slanting()
    upright = GaussianMixture(3, covariance_type="diag", n_init=5, random_state=0).fit(codes)
    assert cluster_accuracy(y, upright.predict(codes)).value < 0.8
    stretched = codes @ torch.tensor([[3.0, 1.0], [0.0, 0.2]])
    for seen in (codes, stretched, 1e4 * codes + 7):
        shares = shares_in_ellipses(seen, 3, 0)
        assert cluster_accuracy(y, shares.argmax(1).numpy()).value > 0.97
        torch.testing.assert_close(shares.sum(1), torch.ones(600))
        means = means_of_clusters(seen, shares)
        by_hand = np.stack([np.average(seen, axis=0, weights=share) for share in shares.T])
        np.testing.assert_allclose(means, by_hand, rtol=1e-3)


def test_fewer_different_codes_than_clusters_are_said() -> None:
    codes = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(9, 1)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(2\) found smaller"):
        shares = shares_in_ellipses(codes, 5, 0)
    assert bool(shares.isfinite().all())


@pytest.mark.parametrize("whiten", [False, True])
def test_a_vade_starts_from_a_mixture_of_codes(trained: Any, few: np.ndarray, whiten: bool) -> None:
    model = ist.VaDE.starting_from(
        trained,
        n_clusters=3,
        whiten=whiten,
        epochs=1,
        learning_rate=1e-12,
        random_state=0,
        verbose=0,
    ).fit(few)
    np.testing.assert_allclose(model.reconstruct(few), trained.reconstruct(few), atol=1e-5)
    probabilities = model.responsibilities(few)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert np.array_equal(probabilities.argmax(1), model.labels_)
    before, codes = trained.codes(few), model.codes(few)
    own = model.module_.bottleneck.prior
    share = own.logits.detach().softmax(0).numpy()
    mu, variance = own.mu.detach().numpy(), own.log_var.detach().exp().numpy()
    np.testing.assert_allclose(share @ mu, codes.mean(0), atol=1e-4)
    np.testing.assert_allclose(
        share @ variance + share @ mu**2 - (share @ mu) ** 2, codes.var(0), rtol=1e-3
    )
    if not whiten:
        np.testing.assert_allclose(codes, before, atol=1e-5)
        found = shares_in_ellipses(torch.from_numpy(before), 3, 0).mean(0)
        np.testing.assert_allclose(np.sort(share), np.sort(found), atol=0.02)
        return
    inside = share @ variance  # of one size along every axis; volumes are as before
    np.testing.assert_allclose(inside, inside.mean(), rtol=1e-3)
    within = np.cov(codes.T) - np.einsum("k,ki,kj->ij", share, mu, mu) + np.outer(*2 * [share @ mu])
    np.testing.assert_allclose(within, inside.mean() * np.eye(3), atol=0.02 * inside.mean())


def test_a_vade_finds_clusters() -> None:
    x, y = make_blobs(300, n_features=6, centers=4, cluster_std=0.8, random_state=3)
    model = ist.VaDE(
        n_clusters=4, latent_dim=3, pretrain_epochs=20, epochs=10, batch_size=32, random_state=0
    ).fit(x)
    assert cluster_accuracy(y, model.labels_).value > 0.95
    rows = [row for row in model.history_ if row["stage"] == 2]
    assert rows[-1]["objective"] < rows[0]["objective"]
    model.partial_fit(x[:9])
    assert np.array_equal(model.labels_, model.predict(x[:9]))
    with pytest.raises(ist.InputError, match="n_clusters=8 needs at least as many examples"):
        ist.VaDE(epochs=1).fit(x[:5])


# ------------------------------------------------------------------ clusters on a manifold


def test_a_manifold_is_divided_as_scikit_learn_divides_it(trained: Any, few: np.ndarray) -> None:
    model = ist.ManifoldClustering(
        FrozenEstimator(trained),
        n_clusters=3,
        manifold="isomap",
        neighbours=10,
        dimensions=2,
        random_state=0,
    ).fit(few)
    codes = trained.codes(few)
    places = Isomap(n_neighbors=10, n_components=2).fit(codes).transform(codes)
    np.testing.assert_allclose(model.transform(few), places, rtol=1e-4, atol=1e-4)
    by_hand = model.mixture_.predict(model.projection_.embedding_)
    assert np.array_equal(model.labels_, by_hand)
    np.testing.assert_allclose(model.responsibilities(few).sum(1), 1, rtol=1e-5)
    assert model.predict(few).dtype == np.int64


def test_a_whitened_manifold_forgets_the_scale_of_codes(trained: Any, few: np.ndarray) -> None:
    values = {"n_clusters": 3, "manifold": "isomap", "dimensions": 2, "random_state": 0}
    model = ist.ManifoldClustering(FrozenEstimator(trained), whiten=True, **values).fit(few)
    codes = PCA(whiten=True).fit_transform(trained.codes(few))
    np.testing.assert_allclose(np.cov(codes.T), np.eye(3), atol=1e-4)
    places = Isomap(n_neighbors=20, n_components=2).fit(codes).transform(codes)
    np.testing.assert_allclose(model.transform(few), places, rtol=1e-3, atol=1e-3)


def test_a_manifold_finds_clusters() -> None:
    x, y = make_blobs(120, n_features=6, centers=4, cluster_std=0.8, random_state=3)
    base = ist.AE(latent_dim=3, epochs=20, verbose=0)
    model = ist.ManifoldClustering(
        base, n_clusters=4, manifold="isomap", neighbours=40, random_state=0
    )
    assert cluster_accuracy(y, model.fit_predict(x)).value > 0.95
    assert not hasattr(base, "module_")


def test_umap_leaves_the_threads_of_torch_as_they_were(
    trained: Any, few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its OpenMP sets them for the whole process."""

    before = torch.get_num_threads()

    class UMAP(PCA):
        def __init__(self, n_components: int = 2, **others: Any) -> None:
            super().__init__(n_components)
            torch.set_num_threads(before + 2)

        def transform(self, X: Any) -> Any:
            torch.set_num_threads(before + 2)
            return super().transform(X)

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    model = ist.ManifoldClustering(FrozenEstimator(trained), n_clusters=3, dimensions=2)
    after = []
    try:
        for use in (model.fit, model.transform):
            use(few)
            after.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    assert after == [before, before]


def test_what_a_manifold_needs_is_said(
    trained: Any, few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = FrozenEstimator(trained)
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(
        ist.errors.MissingExtraError, match=r"manifold='umap' needs the package 'umap-learn'"
    ):
        ist.ManifoldClustering(frozen).fit(few)
    with pytest.raises(ist.InputError, match=r"X holds 129 examples, but neighbours=200"):
        ist.ManifoldClustering(frozen, manifold="isomap", neighbours=200).fit(few)
    with pytest.raises(ist.InputError, match="is not usable: give an estimator such as"):
        ist.ManifoldClustering(KMeans(3)).fit(few)  # type: ignore[arg-type]
