"""Going on: warm starts, portions, and checkpoints that are given more epochs."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import isthmus as ist
from isthmus.errors import LearningWarning
from tests.small import small


def make(name: str = "ae", **values: Any) -> Any:
    brief = {"epochs": 2, "random_state": 0, "batch_size": 64, "hidden": (16,), "verbose": 0}
    return ist.MEMBERS[name](**{**brief, **small(name), "hidden": brief["hidden"], **values})


def epochs_of(model: Any) -> list[float]:
    return [row["epoch"] for row in model.history_]


def weights_equal(a: Any, b: Any) -> bool:
    states = a.module_.state_dict(), b.module_.state_dict()
    return all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


def moved(x: np.ndarray) -> np.ndarray:
    return (3 * x.reshape(len(x), -1) - 7).astype(np.float64)


def test_a_warm_start_in_two_parts_ends_where_one_long_training_ends(few: np.ndarray) -> None:
    # Bit for bit, because this member draws nothing: the order of an epoch follows from seed and
    # epoch, and the optimisers are kept.
    whole = make(epochs=5).fit(few)
    parts = make(epochs=2, warm_start=True).fit(few).set_params(epochs=3).fit(few)
    assert epochs_of(parts) == [1, 2, 3, 4, 5]
    assert weights_equal(whole, parts)


def test_noise_is_not_drawn_again(few: np.ndarray) -> None:
    # With a learning rate that moves nothing, the same noise would give the same terms.
    model = make("vae", epochs=1, learning_rate=1e-12, batch_size=200, warm_start=True)
    first, second = (model.fit(few).history_[-1]["distortion"] for _ in range(2))
    assert first != pytest.approx(second, rel=1e-5)


def test_the_examples_that_are_set_aside_stay_the_same(few: np.ndarray) -> None:
    model = make(epochs=1, validation=0.3, random_state=None, warm_start=True, learning_rate=1e-12)
    first, second = (model.fit(few).history_[-1]["val_objective"] for _ in range(2))
    assert first == pytest.approx(second, rel=1e-6)


def test_without_it_fit_starts_anew(few: np.ndarray) -> None:
    model = make().fit(few)
    first = model.transform(few)
    assert np.array_equal(model.fit(few).transform(few), first)
    assert epochs_of(model) == [1, 2]


def test_the_scaling_stays_that_of_the_first_examples(few: np.ndarray) -> None:
    x = moved(few)
    model = make(warm_start=True).fit(x)
    scaling = model.preprocessor_.to_json()
    model.fit(x[:50] * 2)
    assert model.preprocessor_.to_json() == scaling


def test_optimisers_that_are_not_there_any_more_start_anew(few: np.ndarray) -> None:
    kept = make(warm_start=True).fit(few)
    copied = pickle.loads(pickle.dumps(kept))
    assert not hasattr(copied, "_moments")
    assert not weights_equal(kept.fit(few), copied.fit(few))
    other = make(warm_start=True).fit(few).set_params(optimizer="sgd", learning_rate=1e-4).fit(few)
    assert epochs_of(other) == [1, 2, 3, 4]


def test_warm_ups_are_not_done_again_and_cosine_stands_where_it_would_stand(
    few: np.ndarray,
) -> None:
    model = make("vae", epochs=4, kl_warmup=4.0, schedule="cosine", warm_start=True).fit(few)
    model.fit(few)
    whole = make("vae", epochs=8, kl_warmup=4.0, schedule="cosine").fit(few)
    rates = [[row["learning_rate"] for row in each.history_] for each in (model, whole)]
    assert rates[0][4:] == rates[1][4:]
    assert float(model.module_.bottleneck.weight) == 1.0


@pytest.mark.parametrize(
    ("name", "values", "stages"),
    [
        ("stacked", {"pretrain_epochs": 1}, 3),
        ("clustering", {"pretrain_epochs": 1, "n_clusters": 3}, 2),
    ],
)
def test_pretraining_is_not_done_again(
    name: str, values: dict[str, Any], stages: int, few: np.ndarray
) -> None:
    model = make(name, warm_start=True, **values).fit(few)
    before = len(model.history_)
    model.fit(few)
    assert epochs_of(model) == list(range(1, before + 3))
    assert {row["stage"] for row in model.history_[before:]} == {stages}
    model.partial_fit(few).partial_fit(few).fit(few)
    assert epochs_of(model) == list(range(1, before + 7))


def test_codebooks_stay_where_they_are(few: np.ndarray) -> None:
    model = make(
        "vqvae",
        quantizer=ist.quantizers.VectorQuantizer(8, decay=0.999999),
        warm_start=True,
        learning_rate=1e-9,
    )
    before = model.fit(few).module_.bottleneck.quantizers[0].vectors.clone()
    model.fit(few)
    assert np.allclose(model.module_.bottleneck.quantizers[0].vectors, before, atol=1e-3)


def test_other_networks_cannot_go_on(few: np.ndarray) -> None:
    model = make(warm_start=True).fit(few)
    with pytest.raises(ist.InputError, match=r"warm_start=True cannot go on .* set back what"):
        model.set_params(hidden=(8,)).fit(few)


def test_snapshots_and_early_stopping_go_on(few: np.ndarray) -> None:
    model = make(epochs=4, snapshots=2, validation=0.2, patience=3, warm_start=True).fit(few)
    model.fit(few)
    assert [snapshot.epoch for snapshot in model.snapshots_] == [0, 4, 8]
    assert len(model.history_) == 8


def test_a_loaded_run_says_that_fit_starts_anew(few: np.ndarray, tmp_path: Path) -> None:
    path = make().fit(few).save(tmp_path / "run")
    model = ist.load(path).set_params(epochs=3)
    with pytest.warns(UserWarning, match=r"fit trains from the start.*set warm_start=True"):
        model.fit(few)
    assert epochs_of(model) == [1, 2, 3]
    going = ist.load(path).set_params(epochs=3, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", LearningWarning)
        going.fit(few)
        clone(ist.load(path)).fit(few)
    assert epochs_of(going) == [1, 2, 3, 4, 5]


# ---------------------------------------------------------------------- portions


@pytest.mark.parametrize("name", list(ist.MEMBERS))
def test_portions_train_any_member(name: str, few: np.ndarray) -> None:
    model = make(name, epochs=30, schedule="cosine")
    for portion in (few[:64], few[64:]) * 2:
        model.partial_fit(portion)
    assert epochs_of(model) == [1, 2, 3, 4]
    rate = getattr(model, "closing_rate", model.learning_rate)  # that of the last stage
    assert {row["learning_rate"] for row in model.history_} == {rate}
    model.set_params(warm_start=True, epochs=1).fit(few)
    assert epochs_of(model)[-1] == 5
    assert model.transform(few).shape[0] == len(few)


def test_portions_learn(few: np.ndarray) -> None:
    model = make(learning_rate=1e-2).partial_fit(few[:64])
    first = model.score(few)
    for _ in range(30):
        model.partial_fit(few[:64]).partial_fit(few[64:])
    assert model.score(few) > first + 1


# ---------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("name", ["ae", "vae", "vqvae", "stacked", "clustering"])
def test_a_checkpoint_goes_on_for_more_epochs(name: str, few: np.ndarray, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    make(name, epochs=10, checkpoint_dir=folder).fit(few)
    longer = make(name, epochs=12, checkpoint_dir=folder).fit(few)
    whole = make(name, epochs=12).fit(few)
    assert epochs_of(longer) == epochs_of(whole)
    if name != "vqvae":  # whose entries were renewed until epoch 9 in one, 10.8 in the other
        assert weights_equal(longer, whole)


def test_fewer_epochs_than_are_done_are_refused(few: np.ndarray, tmp_path: Path) -> None:
    make(epochs=3, checkpoint_dir=str(tmp_path)).fit(few)
    with pytest.raises(
        ist.RunError, match=r"has finished 3 epochs, which is more than the 2 that are asked for"
    ):
        make(epochs=2, checkpoint_dir=str(tmp_path)).fit(few)


def test_a_warm_start_keeps_checkpoints_of_its_own(few: np.ndarray, tmp_path: Path) -> None:
    first = make().fit(few)
    folder = str(tmp_path / "run")
    going = pickle.loads(pickle.dumps(first)).set_params(warm_start=True, checkpoint_dir=folder)
    again = pickle.loads(pickle.dumps(going))
    other = make(random_state=1).fit(few).set_params(warm_start=True, checkpoint_dir=folder)
    assert weights_equal(going.fit(few), again.fit(few))  # the second reads what the first wrote
    with pytest.raises(ist.RunError, match=r"weights at the start"):
        other.set_params(random_state=0).fit(few)
