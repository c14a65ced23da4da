"""The loop: what it records, when it stops, and what it keeps when a loss breaks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.training._steps import measure, steps_per_epoch
from isthmus.training.callbacks.snapshots import snapshot_epochs


def small(**values: Any) -> Any:
    return ist.AE(**{"epochs": 3, "random_state": 0, "batch_size": 64, "hidden": (16,), **values})


@pytest.mark.parametrize(
    ("n", "size", "steps"), [(128, 64, 2), (129, 64, 2), (130, 64, 3), (1, 64, 1), (65, 64, 1)]
)
def test_a_last_batch_of_one_joins_its_neighbour(n: int, size: int, steps: int) -> None:
    assert steps_per_epoch(n, size) == steps


def test_the_epoch_mean_weighs_a_short_last_batch_by_its_size(few: np.ndarray) -> None:
    # With a learning rate that moves nothing, the epoch's mean is the mean over all examples.
    model = small(epochs=1, batch_size=100, learning_rate=1e-12).fit(few)
    assert model.history_[0]["distortion"] == pytest.approx(-model.score(few), rel=1e-5)


def test_history_has_a_row_an_epoch_with_every_term(few: np.ndarray) -> None:
    model = ist.VAE(epochs=3, random_state=0, validation=0.2).fit(few)
    assert [row["epoch"] for row in model.history_] == [1, 2, 3]
    expected = {
        "epoch",
        "objective",
        "distortion",
        "rate",
        "val_objective",
        "val_distortion",
        "val_rate",
    }
    assert set(model.history_[0]) == expected | {"learning_rate", "seconds"}


def test_every_example_is_seen_once_an_epoch_in_another_order(few: np.ndarray) -> None:
    seen: list[np.ndarray] = []

    class Spy(torch.nn.Flatten):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(x.detach().numpy().copy())
            return super().forward(x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spy, "__deepcopy__", lambda self, memo: self, raising=False)
        small(epochs=2, encoder=Spy()).fit(few)
    epochs = np.split(np.concatenate(seen), 2)
    flat = few.reshape(len(few), -1)
    for epoch in epochs:
        assert np.array_equal(np.sort(epoch.reshape(flat.shape), axis=0), np.sort(flat, axis=0))
    assert not np.array_equal(epochs[0], epochs[1])


def test_cosine_falls_from_the_learning_rate_towards_zero(few: np.ndarray) -> None:
    rates = [row["learning_rate"] for row in small(epochs=4, schedule="cosine").fit(few).history_]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * 1e-3
    constant = small(epochs=2).fit(few).history_
    assert {row["learning_rate"] for row in constant} == {1e-3}


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimiser_learns(optimizer: str, few: np.ndarray) -> None:
    history = small(optimizer=optimizer, epochs=5, weight_decay=1e-4).fit(few).history_
    assert history[-1]["objective"] < history[0]["objective"]


def test_clipping_bounds_the_step_of_plain_descent(few: np.ndarray) -> None:
    values: dict[str, Any] = {
        "optimizer": "sgd",
        "epochs": 1,
        "batch_size": 129,
        "learning_rate": 1.0,
    }
    start = dict(small(**values | {"learning_rate": 1e-12}).fit(few).module_.named_parameters())
    moved = dict(small(clip_norm=0.01, **values).fit(few).module_.named_parameters())
    distance = math.sqrt(
        sum(float((moved[name].detach() - start[name].detach()).square().sum()) for name in start)
    )
    assert distance == pytest.approx(0.01, rel=1e-3)


def test_early_stopping_restores_the_best_weights() -> None:
    rng = np.random.default_rng(0)
    x, held_out = rng.random((40, 30), dtype=np.float32), rng.random((40, 30), dtype=np.float32)
    model = ist.AE(
        hidden=(64,),
        latent_dim=20,
        epochs=300,
        patience=5,
        learning_rate=1e-2,
        random_state=0,
        likelihood="mse",
    )
    model.fit(x, validation_data=held_out)
    objectives = [row["val_objective"] for row in model.history_]
    assert len(objectives) < 300
    assert len(objectives) - 1 - int(np.argmin(objectives)) == 5
    assert -model.score(held_out) == pytest.approx(min(objectives), rel=1e-5)


def test_no_epoch_of_a_warm_up_counts_as_the_best(few: np.ndarray) -> None:
    # Without the rate the objective is lowest at the start: those epochs must not win.
    model = ist.VAE(
        epochs=12,
        kl_warmup=6,
        patience=2,
        validation=0.3,
        beta=8.0,
        random_state=0,
        learning_rate=1e-2,
    )
    assert len(model.fit(few).history_) >= 8


def test_patience_without_validation_is_refused(few: np.ndarray) -> None:
    with pytest.raises(
        ist.InputError, match=r"patience=3 needs examples to measure: pass validation=0\.1"
    ):
        small(patience=3).fit(few)


def test_measuring_leaves_weights_statistics_and_random_state_alone(few: np.ndarray) -> None:
    model = ist.VAE(epochs=1, random_state=0).fit(few)
    batches = model.preprocessor_.batches(model.preprocessor_.transform(few), torch.device("cpu"))
    before = torch.get_rng_state()
    assert measure(model.module_, model.module_.loss, batches) == measure(
        model.module_, model.module_.loss, batches
    )
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("term", ["distortion", "rate"])
def test_a_loss_that_is_not_finite_names_the_term_and_the_step_and_keeps_the_last_good_weights(
    term: str, few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.core.autoencoder import Autoencoder, Loss

    original, calls = Autoencoder.loss, [0]

    def breaking(self: Autoencoder, x: torch.Tensor, noise: torch.Tensor | None = None) -> Loss:
        calls[0] += 1
        loss = original(self, x, noise)
        if calls[0] < 6:  # two steps an epoch: the sixth is the second of the third epoch
            return loss
        bad = {**loss.terms, term: loss.terms[term] * math.nan}
        return Loss(bad["distortion"] + bad["rate"], bad)

    good = ist.VAE(epochs=2, batch_size=64, random_state=0).fit(few)
    monkeypatch.setattr(Autoencoder, "loss", breaking)
    model = ist.VAE(epochs=9, batch_size=64, random_state=0)
    with pytest.raises(
        ist.DivergenceError, match=rf"{term} is not finite at step 2 of epoch 3.*learning rate"
    ):
        model.fit(few)
    monkeypatch.undo()
    assert np.array_equal(model.transform(few), good.transform(few))
    assert len(model.history_) == 2


def test_a_real_divergence_is_reported(few: np.ndarray) -> None:
    model = small(
        optimizer="sgd",
        learning_rate=1e6,
        likelihood=ist.likelihoods.SquaredError(output="linear"),
        epochs=30,
    )
    with pytest.raises(ist.DivergenceError, match=r"it is 1e\+06: try a tenth"):
        model.fit(few)
    assert np.isfinite(model.transform(few)).all()


def test_bfloat16_trains_and_keeps_sums_in_float32(few: np.ndarray) -> None:
    model = small(precision="bfloat16", epochs=5).fit(few)
    assert model.history_[-1]["objective"] < model.history_[0]["objective"]
    assert model.transform(few).dtype == np.float32


@pytest.mark.parametrize(
    ("count", "epochs", "expected"),
    [
        (0, 10, set()),
        (1, 10, {10}),
        (2, 10, {0, 10}),
        (5, 8, {0, 1, 3, 5, 8}),
        (50, 3, {0, 1, 2, 3}),
    ],
)
def test_moments_of_snapshots(count: int, epochs: int, expected: set[int]) -> None:
    assert set(snapshot_epochs(count, epochs)) == expected


def test_snapshots_keep_codes_of_the_probes_and_do_not_disturb_training(few: np.ndarray) -> None:
    plain = ist.VAE(epochs=4, random_state=0).fit(few)
    watched = ist.VAE(epochs=4, random_state=0, snapshots=3).fit(few, probes=few[:7])
    assert [s.epoch for s in watched.snapshots_] == [0, 1, 4]
    assert watched.snapshots_[0].grid.shape == (225, 1, 8, 8)
    assert np.array_equal(plain.transform(few), watched.transform(few))
    np.testing.assert_allclose(
        watched.snapshots_[-1].codes, watched.transform(few[:7]), rtol=1e-5, atol=1e-6
    )


def test_a_model_that_ignores_its_code_says_so(few: np.ndarray) -> None:
    with pytest.warns(
        ist.LearningWarning, match=r"all 2 dimensions .*posterior collapse.*lower beta \(it is 50\)"
    ):
        ist.VAE(beta=50.0, epochs=20, random_state=0).fit(few)


@pytest.mark.parametrize("name", ["ae", "vae", "aae", "vqvae"])
@pytest.mark.parametrize(("epochs", "rate"), [(1, 1e38), (1, 1e20), (3, 1e38)])
def test_weights_that_the_last_step_of_an_epoch_spoilt_are_not_kept(
    name: str, epochs: int, rate: float, few: np.ndarray
) -> None:
    # One step an epoch: its own loss is good, and only what comes after it shows the damage.
    values = {"batch_size": 1000, "random_state": 0, "epochs": epochs}
    model = ist.MEMBERS[name](learning_rate=rate, **values)
    with pytest.raises(ist.DivergenceError, match=r"is not finite (after the last step|at step 1)"):
        model.fit(few)
    untouched = ist.MEMBERS[name](learning_rate=1e-30, **(values | {"epochs": 1})).fit(few)
    np.testing.assert_allclose(model.reconstruct(few), untouched.reconstruct(few), atol=1e-4)


def test_weights_of_an_adversary_count_too(few: np.ndarray) -> None:
    model = ist.AAE(critic_learning_rate=1e38, epochs=1, batch_size=1000, random_state=0)
    with pytest.raises(ist.DivergenceError, match=r"after the last step of epoch 1\. Likely"):
        model.fit(few)
    assert np.isfinite(model.score_samples(few)).all()


def test_the_last_look_changes_no_numbers(few: np.ndarray) -> None:
    # It draws noise and damage, which must not move what is drawn afterwards.
    before = torch.get_rng_state()
    model = ist.VAE(epochs=1, random_state=0).fit(few).partial_fit(few)
    assert torch.equal(before, torch.get_rng_state()) and len(model.history_) == 2
