"""The contract: everything that holds for every registered member, new ones included."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import isthmus as ist
from isthmus.core import declarations, fields
from isthmus.core.batch import Batch
from isthmus.core.objectives import Objective
from isthmus.training import checkpoint as checkpoints
from isthmus.training._steps import Step
from tests.small import small

LIKELIHOODS: dict[str, Any] = {  # those of tables and of sound have tests of their own
    name: name for name in ist.registry.LIKELIHOODS if name not in ("columns", "spectral")
} | {"logistic-mixture": ist.likelihoods.LogisticMixture(components=2, bins=17)}
every_member = pytest.mark.parametrize("name", list(ist.MEMBERS))


def takes(name: str, network: str) -> bool:
    return network == "recurrent" or "auto" in fields.declared(ist.MEMBERS[name])["network"].names


every_image_member = pytest.mark.parametrize(
    "name", [name for name in ist.MEMBERS if takes(name, "conv")]
)


every_open_member = pytest.mark.parametrize(
    "name", [name for name in ist.MEMBERS if ist.MEMBERS[name].takes_networks]
)


def make(name: str, **values: Any) -> Any:
    """A small member; NVAE's deeper ladder has tests of its own."""
    return ist.MEMBERS[name](
        **{"epochs": 2, "random_state": 0, "batch_size": 64, **small(name), **values}
    )


def as_declared(name: str) -> dict[str, Any]:
    """Its networks as they are without a setting."""
    return {"hidden": fields.declared(ist.MEMBERS[name])["hidden"].default}


@pytest.fixture(scope="module")
def fitted(few: np.ndarray) -> Callable[[str], Any]:
    """A member of seed 0, fitted once for all tests that only look at it."""
    return functools.cache(lambda name: make(name, latent_dim=3, snapshots=2).fit(few))


# An example of weight 2 stands in one batch of chance, an example that is there twice in two.
# Members that take labels read −1 as none, which one of the checks has for a class.
NOT_HELD = {
    "check_classifiers_classes",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}


@every_member
def test_scikit_learn_contract(name: str) -> None:
    found = check_estimator(make(name, epochs=1, hidden=(8,)), on_fail=None, on_skip=None)
    failed = {each["check_name"] for each in found if each["status"] == "failed"}
    assert [
        f"{each['check_name']}: {each['exception']}"
        for each in found
        if each["check_name"] in failed - NOT_HELD
    ] == []
    assert sum(each["status"] == "passed" for each in found) > 40


@every_member
def test_shapes_and_layout_come_back(
    name: str, few: np.ndarray, fitted: Callable[[str], Any]
) -> None:
    model = fitted(name)
    z = model.transform(few)
    assert z.shape == (129, len(model.get_feature_names_out()))
    assert model.inverse_transform(z).shape == few.shape
    assert model.reconstruct(few[:, 0][:5].reshape(5, 1, 8, 8)).shape == (5, 1, 8, 8)
    assert model.score_samples(few).shape == (129,)
    assert model.squared_error(few).shape == (129,)


@every_member
def test_training_starts_from_the_mean_of_the_data_unless_codes_are_drawn(
    name: str, few: np.ndarray
) -> None:
    model = make(
        name, epochs=1, learning_rate=1e-12, likelihood=ist.likelihoods.SquaredError("sigmoid")
    ).fit(few)
    # a bias of zero starts at 0.5
    off = abs(model.reconstruct(few).mean() - few.mean()) / abs(0.5 - few.mean())
    assert off > 0.5 if model.module_.bottleneck.is_random else off < 0.3


# What a member may get wrong is how it reads the parameters: one a value, several, or those of a
# count, which depend on the size of the example. The other likelihoods are like one of these.
UNLIKE = ("bernoulli", "logistic-mixture", "negative-binomial")


@pytest.mark.parametrize(
    ("name", "likelihood"),
    [
        (name, likelihood)
        for name in ist.MEMBERS
        for likelihood in (LIKELIHOODS if name in ("ae", "vae") else UNLIKE)
    ],
)
def test_trains_and_reports_under_every_likelihood(
    name: str, likelihood: str, few: np.ndarray
) -> None:
    if ist.registry.LIKELIHOODS[likelihood]().requires_counts:
        few = np.rint(16 * few)
    model = make(name, likelihood=LIKELIHOODS[likelihood], epochs=8, **as_declared(name)).fit(few)
    assert model.likelihood_ == likelihood
    last = [row for row in model.history_ if row.get("stage") == model.history_[-1].get("stage")]
    assert last[-1]["objective"] < last[0]["objective"] or model.moving_objective
    terms = model.terms(few)
    np.testing.assert_allclose(
        model.score_samples(few), -(terms["distortion"] + terms.get("rate", 0)), rtol=1e-6
    )


@every_member
def test_same_seed_same_numbers(name: str, few: np.ndarray, fitted: Callable[[str], Any]) -> None:
    first = fitted(name)
    second, other = (clone(first).set_params(random_state=seed).fit(few) for seed in (0, 1))
    assert np.array_equal(first.transform(few), second.transform(few))
    assert np.array_equal(first.score_samples(few), second.score_samples(few))
    assert not np.array_equal(first.transform(few), other.transform(few))


@every_member
def test_results_are_the_same_at_every_call_and_leave_the_random_state_alone(
    name: str, few: np.ndarray, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_rng_state()
    model = make(name).fit(few)
    assert torch.equal(before, torch.get_rng_state())
    monkeypatch.setattr(torch.random, "set_rng_state", _not_touched)
    monkeypatch.setattr(torch, "manual_seed", _not_touched)
    again = ist.load(model.save(tmp_path / "run"))
    for call in ("transform", "reconstruct", "terms", "squared_error", "impute", "nll"):
        if hasattr(model, call):
            results = [getattr(each, call)(few[:20]) for each in (model, again, model)]
            first, *others = (list(r.values()) if isinstance(r, dict) else r for r in results)
            for other in others:
                np.testing.assert_array_equal(first, other, err_msg=call)
    if not model.module_.bottleneck.levels and not model.learns_prior:
        model.fit_prior(few, prior="mixture")
    if model.prior_ is not None or model.learns_prior:
        drawn = [model.sample(3, random_state=4) for _ in range(2)]
        assert np.array_equal(*drawn)
    assert torch.equal(before, torch.get_rng_state())


@every_member
def test_save_and_load_give_the_same_bits(
    name: str, few: np.ndarray, fitted: Callable[[str], Any], tmp_path: Any
) -> None:
    model = fitted(name)
    again = ist.load(model.save(tmp_path / "run"))
    assert type(again) is type(model)
    assert np.array_equal(model.transform(few), again.transform(few))
    assert np.array_equal(model.reconstruct(few), again.reconstruct(few))
    assert np.array_equal(model.score_samples(few), again.score_samples(few))
    assert again.history_ == model.history_
    assert [s.epoch for s in again.snapshots_] == [0, len(model.history_)]
    assert np.array_equal(again.snapshots_[-1].grid, model.snapshots_[-1].grid)


@every_member
def test_a_killed_run_ends_in_the_weights_of_an_uninterrupted_one(
    name: str, few: np.ndarray, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed three times: in the first step, two steps later, and four steps after that."""
    values = {"epochs": 4, "schedule": "cosine", "validation": 0.2, "patience": 3, "snapshots": 3}
    whole = make(name, **values).fit(few)
    monkeypatch.setattr(checkpoints, "_LEAST_INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 0)
    for steps in (1, 2, 4):
        with pytest.MonkeyPatch.context() as killing:
            killing.setattr(Step, "__call__", _dies_after(steps))
            with pytest.raises(RuntimeError, match="power cut"):
                make(name, checkpoint_dir=str(tmp_path), **values).fit(few)
    resumed = make(name, checkpoint_dir=str(tmp_path), **values).fit(few)
    assert _weights_equal(whole, resumed)
    assert [_without_time(row) for row in whole.history_] == [
        _without_time(row) for row in resumed.history_
    ]
    assert all(
        np.array_equal(a.codes, b.codes)
        for a, b in zip(whole.snapshots_, resumed.snapshots_, strict=True)
    )


def _dies_after(steps: int) -> Any:
    original, left = Step.__call__, [steps]

    def step(self: Step, rows: torch.Tensor, epoch: float) -> torch.Tensor:
        if left[0] == 0:
            raise RuntimeError("power cut")
        left[0] -= 1
        return original(self, rows, epoch)

    return step


def _not_touched(*arguments: Any) -> None:
    raise AssertionError("torch's random state was set outside of a training")


def _weights_equal(a: Any, b: Any) -> bool:
    states = a.module_.state_dict(), b.module_.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def _without_time(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "seconds"}


@every_member
@pytest.mark.parametrize(
    "shape",
    [(1,), (5,), (1, 27, 27), (3, 33, 20), (60, 45, 3), (2, 3), (1, 1, 1)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_any_shape_of_data(name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((9, *shape)).astype(np.float32)
    channels = "first" if shape == (1, 1, 1) else "auto"
    model = make(name, epochs=1, batch_size=4, channels=channels, **as_declared(name)).fit(x)
    assert model.reconstruct(x).shape == x.shape
    assert np.isfinite(model.score(x))


@every_image_member
@pytest.mark.parametrize("shape", [(1, 27, 27), (3, 33, 20)])
def test_convolutions_take_odd_sizes(name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 256, (9, *shape), dtype=np.uint8)
    model = make(name, epochs=1, network="conv", hidden=(4, 8, 8)).fit(x)
    assert any(isinstance(layer, torch.nn.Conv2d) for layer in model.module_.modules())
    restored = model.reconstruct(x)
    assert restored.shape == x.shape
    assert 0 <= restored.min() <= restored.max() <= 1


@every_open_member
def test_one_example_left_over_joins_the_batch_before_it(name: str, few: np.ndarray) -> None:
    # Batch norm has no variance of a single example, and would raise.
    encoder = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.BatchNorm1d(8)
    )
    model = make(name, encoder=encoder, batch_size=64).fit(few)
    assert len(few) % 64 == 1
    assert np.isfinite(model.transform(few)).all()


@every_member
def test_clone_pipeline_and_grid_search(name: str, few: np.ndarray) -> None:
    x = few.reshape(len(few), -1)
    model = make(name)
    assert clone(model).get_params() == model.get_params()
    pipeline = make_pipeline(StandardScaler(), make(name, latent_dim=2, epochs=1)).fit(x)
    assert pipeline.transform(x).shape == (len(x), len(pipeline.get_feature_names_out()))
    search = GridSearchCV(
        make(name, epochs=1), {"latent_dim": [1, 2]}, cv=2, error_score="raise"
    ).fit(x)
    assert search.best_params_["latent_dim"] in (1, 2)


@every_member
@pytest.mark.parametrize("given", [np.float32, np.float64])
def test_the_floating_type_comes_back(name: str, given: Any, few: np.ndarray) -> None:
    x = few.astype(given)
    model = make(name, epochs=1).fit(x)
    assert model.transform(x).dtype == given
    assert model.reconstruct(x).dtype == given


@every_member
def test_the_torch_module_is_usable_alone(name: str) -> None:
    model = ist.MEMBERS[name](latent_dim=8)
    module = model.build((1, 28, 28))
    x = torch.rand(5, 1, 28, 28)
    loss = module.loss(Batch(x))
    assert loss.objective.shape == (5,)
    assert all(term.shape == (5,) for term in loss.terms.values())
    for objective in (each for stage in model._stages(module) for each in stage.objectives):
        seen = Batch(x) if isinstance(objective, Objective) else module.loss(Batch(x)).made
        objective.loss(seen).objective.mean().backward(inputs=objective.parameters)
    assert all(
        parameter.grad is not None for parameter in module.parameters() if parameter.requires_grad
    )
    assert module(Batch(x)).shape == x.shape


@pytest.mark.usefixtures("doubles")
@every_member
def test_the_distortion_of_an_example_does_not_depend_on_its_batch(name: str) -> None:
    network = {"network": "mlp"} if takes(name, "mlp") else {}
    module = ist.MEMBERS[name](latent_dim=3, **network).build((1, 8, 8)).eval()
    x, noise = torch.rand(6, 1, 8, 8), torch.randn(1, *module.bottleneck.noise_shape)
    together = module.cost(module.encoder(x), Batch(x), noise).terms["distortion"]
    alone = torch.cat(
        [
            module.cost(module.encoder(one), Batch(one), noise).terms["distortion"]
            for one in x.split(1)
        ]
    )
    torch.testing.assert_close(together, alone)


@every_member
def test_what_needs_training_says_so(name: str, few: np.ndarray) -> None:
    model = make(name)
    for use in (model.transform, model.reconstruct, model.score, model.inverse_transform):
        with pytest.raises(NotFittedError):
            use(few)


@every_member
def test_declarations_read_from_source_are_the_real_ones(name: str) -> None:
    assert declarations.read(ist.MEMBERS.target(name)) == fields.declared(ist.MEMBERS[name])
    constructor = inspect.signature(ist.MEMBERS[name]).parameters
    assert list(constructor) == [f.name for f in dataclasses.fields(ist.MEMBERS[name])]


@every_open_member
def test_own_networks_survive_a_save(name: str, few: np.ndarray, tmp_path: Any) -> None:
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.Tanh())
    untouched = encoder[1].weight.clone()
    model = make(name, encoder=encoder).fit(few)
    assert torch.equal(encoder[1].weight, untouched)
    model.save(tmp_path / "run")
    with pytest.raises(ist.RunError, match=r"has its own encoder: pass load\(\.\.\., networks="):
        ist.load(tmp_path / "run")
    again = ist.load(tmp_path / "run", networks={"encoder": encoder})
    assert np.array_equal(again.transform(few), model.transform(few))
