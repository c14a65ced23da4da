"""What holds for every registered prior, and what members do with it."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

import isthmus as ist
from isthmus.core import declarations, editions, fields, tensor_files
from isthmus.core.autoencoder import Bottleneck
from isthmus.core.forward import Code, Level, Point
from isthmus.priors import Prior, fitted
from isthmus.priors import _storage as storage
from isthmus.registry import PRIORS

every_prior = pytest.mark.parametrize("name", list(PRIORS))
every_density = pytest.mark.parametrize(
    "name", [name for name in PRIORS if PRIORS[name].has_log_prob]
)
LEVELS = (Level((2,), 2), Level((2, 2), 3))


def make(name: str, **values: Any) -> Prior:
    brief = {"epochs": 2, "batch_size": 32} if "epochs" in fields.declared(PRIORS[name]) else {}
    return PRIORS[name](**{**brief, **values})


def codes_for(prior: Prior, n: int = 60) -> tuple[torch.Tensor, tuple[Level, ...]]:
    random = torch.Generator().manual_seed(0)
    if not prior.takes_indices:
        return torch.randn(n, 3, generator=random) * torch.tensor([0.1, 1.0, 10.0]) + 5, ()
    grids = [
        torch.randint(level.size, (n, int(np.prod(level.grid))), generator=random)
        for level in LEVELS
    ]
    return torch.cat(grids, 1), LEVELS


LABELS = np.arange(60) % 3


def learnt(prior: Prior) -> torch.Tensor:
    """All that a prior learnt, in a row."""
    tensors, _ = prior.state()
    return torch.cat([tensors[key].flatten().double() for key in sorted(tensors)])


@every_prior
def test_declarations_read_from_source_are_the_real_ones(name: str) -> None:
    assert declarations.read(PRIORS.target(name)) == fields.declared(PRIORS[name])
    assert list(inspect.signature(PRIORS[name]).parameters) == [
        f.name for f in dataclasses.fields(PRIORS[name])
    ]


@every_prior
@pytest.mark.parametrize("labels", [None, LABELS], ids=["plain", "labels"])
def test_what_is_saved_draws_the_same_bits(
    name: str, labels: np.ndarray | None, tmp_path: Path
) -> None:
    prior = make(name)
    codes, levels = codes_for(prior)
    prior.fit(codes, labels, levels, seed=1)
    with editions.edition(tmp_path / "run", (storage.FILE,)) as new:
        new.publish({"prior": storage.write_prior(prior, new)})
    manifest, contents = editions.read_edition(tmp_path / "run")
    tensors, _ = tensor_files.parse_tensors(contents[storage.FILE], tmp_path / storage.FILE)
    again = storage.read_prior(manifest["prior"], tensors, tmp_path, "cpu")
    assert again is not None
    assert again.get_params() == prior.get_params() | (
        {"device": "cpu"} if "device" in prior.get_params() else {}
    )
    torch.manual_seed(0)
    first = prior.sample(20)
    torch.manual_seed(0)
    assert torch.equal(first, again.sample(20))
    assert first.shape == (20, *codes.shape[1:])
    assert first.dtype == codes.dtype
    if prior.has_log_prob:
        assert torch.equal(prior.log_prob(codes), again.log_prob(codes))
    assert getattr(again, "history_", None) == getattr(prior, "history_", None)


@every_prior
def test_the_same_seed_gives_the_same_bits_and_leaves_the_random_state_alone(name: str) -> None:
    codes, levels = codes_for(make(name))
    before = torch.get_rng_state()
    by_seed = [learnt(make(name).fit(codes, None, levels, seed=seed)) for seed in (1, 1, 2)]
    own = [
        learnt(make(name, random_state=7).fit(codes, None, levels, seed=seed)) for seed in (1, 2)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(by_seed[0], by_seed[1])
    assert torch.equal(own[0], own[1])
    assert name == "mixture" or not torch.equal(by_seed[0], by_seed[2])


@every_density
def test_all_classes_together_are_their_weighted_sum(name: str) -> None:
    prior = make(name)
    codes, levels = codes_for(prior)
    labels = np.repeat(["a", "b"], [40, 20])
    prior.fit(codes, labels, levels)
    each = [prior.log_prob(codes, np.full(60, label)).double().exp() for label in ("a", "b")]
    torch.testing.assert_close(
        prior.log_prob(codes).double().exp(), (40 * each[0] + 20 * each[1]) / 60, rtol=1e-5, atol=0
    )


@every_prior
def test_labels_that_cannot_be_used(name: str) -> None:
    prior = make(name)
    codes, levels = codes_for(prior)
    prior.fit(codes, LABELS, levels)
    assert torch.equal(
        torch.tensor(prior.sample(2, label=2).shape), torch.tensor([2, codes.shape[1]])
    )
    with pytest.raises(ist.InputError, match=r"unknown label '7': Known: 0, 1, 2"):
        prior.sample(2, label=7)
    with pytest.raises(
        ist.InputError,
        match=r"label has the shape \(3,\): give one label, or one for each of the 2 examples",
    ):
        prior.sample(2, label=[0, 1, 2])
    with pytest.raises(
        ist.InputError, match=r"labels have the shape \(5,\), but there are 60 examples"
    ):
        prior.fit(codes, LABELS[:5], levels)
    plain = make(name).fit(codes, None, levels)
    with pytest.raises(
        ist.InputError,
        match=r"label=1 needs a prior that knows labels: call fit_prior\(X, y\) once",
    ):
        plain.sample(2, label=1)
    if plain.has_log_prob:
        with pytest.raises(ist.InputError, match="fitted without labels"):
            plain.log_prob(codes, LABELS)


@every_prior
def test_codes_that_cannot_be_used(name: str) -> None:
    prior = make(name)
    codes, levels = codes_for(prior)
    with pytest.raises(
        ist.InputError, match=r"does not fit codes that are (maps|vectors|indices): pass prior='"
    ):
        prior.fit(codes, None, () if levels else LEVELS)
    with pytest.raises(ist.InputError, match="give at least one, as"):
        prior.fit(codes[:0], None, levels)
    if not levels:
        with pytest.raises(ist.InputError, match="codes hold NaN or infinity"):
            prior.fit(codes.clone().fill_(torch.nan), None, levels)
    prior.fit(codes, None, levels)
    refused = "codes" if prior.has_log_prob else "knows no log p of a code: fit a prior that does"
    with pytest.raises(ist.InputError, match=refused):
        prior.log_prob(codes[:, :2])


def test_codes_of_three_axes_or_more_are_called_maps() -> None:
    for axes in (1, 2):
        codes = torch.zeros(5, 2, *[4] * axes)
        with pytest.raises(
            ist.InputError,
            match=r"^PixelCNN does not fit codes that are maps: pass prior='mixture' or 'flow' or",
        ):
            make("pixelcnn").fit(codes)


@every_prior
def test_who_cannot_go_on_names_who_can(name: str) -> None:
    prior = make(name)
    if not prior.continues:
        with pytest.raises(
            ist.InputError,
            match=rf"^{type(prior).__name__} draws a code as a whole: fit prior='pixelcnn' or"
            r" 'transformer' to go on from indices that are known\.$",
        ):
            prior.complete(torch.tensor([[-1]]))


def test_what_is_no_prior_is_refused() -> None:
    with pytest.raises(ist.InputError, match=r"unknown prior 'mixtur': did you mean 'mixture'\?"):
        fitted("mixtur", torch.zeros(5, 2), None, (), seed=0)
    with pytest.raises(
        ist.InputError,
        match=r"prior=3 is not usable: give 'auto', a name \(mixture, flow, two-stage, diffusion",
    ):
        fitted(3, torch.zeros(5, 2), None, (), seed=0)  # type: ignore[arg-type]
    with pytest.raises(ist.InputError, match="components=0 is not usable"):
        fitted(make("mixture", components=0), torch.zeros(5, 2), None, (), seed=0)


# ---------------------------------------------------------------------- with members


def test_an_ae_samples_once_a_prior_is_fitted(digits: ist.data.Data, tmp_path: Path) -> None:
    model = ist.AE(latent_dim=8, epochs=12, learning_rate=5e-3, random_state=0).fit(digits.train)
    with pytest.raises(
        ist.InputError, match=r"AE has no prior .*call fit_prior\(X\) once \(isthmus fit-prior RUN"
    ):
        model.sample(4)
    with pytest.raises(ist.InputError, match=r"AE has no fitted prior: call fit_prior\(X\) once"):
        model.score_prior(digits.test.x)
    model.fit_prior(digits.train)
    wanted = np.arange(200) % 10
    drawn = model.sample(200, label=wanted, random_state=0)
    reader = KNeighborsClassifier(1).fit(digits.train.x.reshape(-1, 64), digits.train.y)
    assert (reader.predict(drawn.reshape(-1, 64)) == wanted).mean() > 0.75
    assert model.score_prior(digits.test.x, digits.test.y) > model.score_prior(digits.test.x)
    again = ist.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.sample(8, random_state=1), model.sample(8, random_state=1))
    assert again.sample(3, label=[1, 2, 3], random_state=0).shape == (3, 1, 8, 8)


def test_a_fitted_prior_takes_the_place_of_a_vaes_own(few: np.ndarray) -> None:
    model = ist.VAE(latent_dim=2, epochs=3, random_state=0).fit(few)
    own = model.sample(8, random_state=0)
    mixture = ist.priors.Mixture(components=2)
    model.fit_prior(few.astype(np.float64), prior=mixture)
    assert not hasattr(mixture, "means_")  # it was copied
    assert not np.array_equal(model.sample(8, random_state=0), own)
    assert not np.array_equal(
        model.prior_.means_, ist.VAE(epochs=1).fit(few).fit_prior(few, prior=mixture).prior_.means_
    )
    model.fit(few)
    assert np.array_equal(model.sample(8, random_state=0), own)  # another training, another code


def test_a_posterior_is_drawn_from_and_not_its_mean(few: np.ndarray) -> None:
    model = ist.VAE(latent_dim=2, epochs=1, random_state=0).fit(few)
    drawn = model._codes_for_prior(few)
    # a posterior of an untrained VAE is wide
    assert drawn.std(0).min() > 1.5 * model.transform(few).std(0).max()


class Quantized(Bottleneck):
    """Which of three features is the greatest, at each of four places."""

    def __init__(self, features: tuple[int, ...]) -> None:
        super().__init__()
        self.code_shape, self.levels = (4,), (Level((2, 2), 3),)
        # batch norm, so that all are chosen
        self.map = torch.nn.Sequential(torch.nn.Linear(features[0], 12), torch.nn.BatchNorm1d(12))

    @property
    def passed_shape(self) -> tuple[int, ...]:
        return (12,)

    def posterior(self, features: torch.Tensor) -> Point:
        return Point(self.map(features).view(-1, 4, 3).argmax(2))

    def expand(self, code: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(code, 3).flatten(1).float()

    def forward(self, features: torch.Tensor, noise: torch.Tensor | None = None) -> Code:
        soft = self.map(features).view(-1, 4, 3).softmax(2).flatten(1)
        return Code(self.expand(self.posterior(features).z) + soft - soft.detach())


@dataclasses.dataclass(repr=False, eq=False, kw_only=True)
class Quantised(ist.AE):
    """A member whose codes are indices."""

    def _bottleneck(self, features: tuple[int, ...]) -> Bottleneck:
        return Quantized(features)


def test_a_member_with_indices_gets_a_pixelcnn(digits: ist.data.Data) -> None:
    model = Quantised(epochs=2, random_state=0, verbose=0).fit(digits.train)
    with pytest.raises(
        ist.InputError, match=r"Quantised has no prior over its codes.*call fit_prior\(X\) once"
    ):
        model.sample(4)
    with pytest.raises(
        ist.InputError,
        match="Mixture does not fit codes that are indices: pass prior='pixelcnn'",
    ):
        model.fit_prior(digits.train, prior="mixture")
    model.fit_prior(
        digits.train, prior=ist.priors.PixelCNN(epochs=8, channels=8, layers=2, learning_rate=2e-2)
    )
    assert model.sample(5, label=3, random_state=0).shape == (5, 1, 8, 8)
    codes = model._codes_for_prior(digits.test.x)
    shares = np.bincount(codes.numpy() @ [27, 9, 3, 1], minlength=81) / len(codes)
    entropy = -sum(share * np.log(share) for share in shares if share > 0)
    assert entropy > 1  # the codes say something
    assert model.score_prior(digits.test.x) == pytest.approx(-entropy, abs=0.25)


def test_priors_are_found_by_their_class_names() -> None:
    assert ist.priors.Flow is PRIORS["flow"]
    assert {"Mixture", "Flow", "PixelCNN", "Prior"} <= set(dir(ist.priors))
    with pytest.raises(AttributeError, match="has no attribute 'Flwo'"):
        _ = ist.priors.Flwo
