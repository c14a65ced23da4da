"""Parts in slots: names and configured parts mean the same, in Python, on the disk, in a search."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import Tensor, nn

import isthmus as ist
from isthmus import registry
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import declared, field
from isthmus.core.parts import from_plain, part_of, plain_values
from isthmus.corruptions import Masking
from isthmus.likelihoods import Gaussian
from isthmus.networks import MLP, Features, Network, Recurrent, TorchDefault
from isthmus.quantizers import Quantized, Quantizer, QuantizerPart, VectorQuantizer
from isthmus.training.optimizers import SGD, Adam
from isthmus.training.schedules import Cosine

PARTS = [
    ("NETWORKS", "network"),
    ("LIKELIHOODS", "likelihood"),
    ("OPTIMIZERS", "optimizer"),
    ("SCHEDULES", "schedule"),
    ("INITIALIZATIONS", "initialization"),
    ("CORRUPTIONS", "corruption"),
    ("QUANTIZERS", "quantizer"),
    ("POSTERIORS", "posterior"),
    ("LATENT_PRIORS", "latent_prior"),
    ("GEOMETRIES", "geometry"),
]


@dataclass(repr=False)
class Own(Network):
    """One layer, of a width that is told."""

    units: int = field(5, "how wide", low=1)

    def encoder(self, spec: ExampleSpec) -> Features:
        size = int(np.prod(spec.shape))
        return Features(nn.Sequential(nn.Flatten(), nn.Linear(size, self.units)), (self.units,))

    def decoder(self, code_shape: tuple[int, ...], spec: ExampleSpec) -> nn.Module:
        size = int(np.prod(spec.shape))
        return nn.Sequential(nn.Linear(code_shape[0], size), nn.Unflatten(1, spec.shape))


class SignsModule(Quantizer):
    """The sign of every dimension: as many indices as dimensions, and nothing to learn."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.levels = (2,) * dim

    def forward(self, proposed: Tensor) -> Quantized:
        indices = (proposed > 0).long().movedim(1, -1)  # (n, *grid, dim)
        passed = self.embed(indices).detach() + proposed - proposed.detach()
        return Quantized(passed, indices)

    def embed(self, indices: Tensor) -> Tensor:
        return (2.0 * indices - 1).movedim(-1, 1)


@dataclass(repr=False)
class Signs(QuantizerPart):
    """The sign of every dimension."""

    def dim(self, latent_dim: int) -> int:
        return 3

    def _module(self, dim: int, epochs: int) -> SignsModule:
        return SignsModule(dim)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (registry.NETWORKS, registry.QUANTIZERS):
        monkeypatch.setattr(kind, "_targets", dict(kind._targets))
    registry.NETWORKS.add("own", f"{__name__}:Own")
    registry.QUANTIZERS.add("signs", f"{__name__}:Signs")


@pytest.mark.parametrize(("kind", "slot"), PARTS)
def test_every_part_is_a_part_and_survives_json(kind: str, slot: str) -> None:
    known = getattr(registry, kind)
    member = {
        "corruption": ist.DenoisingAE,
        "quantizer": ist.VQVAE,
        "posterior": ist.VAE,
        "latent_prior": ist.VAE,
        "geometry": ist.VAE,
    }.get(slot, ist.AE)
    for name in known:
        part = part_of(name, known)
        assert known.admits(part)
        assert known.name_of(type(part)) == name
        assert clone(part) == part
        model = member(**{slot: part})
        kept = json.loads(json.dumps(plain_values(model)))
        assert kept[slot]["name"] == name
        assert from_plain({slot: kept[slot]}, declared(member)) == {slot: part}


@pytest.mark.usefixtures("registered")
def test_a_registered_network_is_a_value_of_the_slot(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.VAE(network="own", epochs=1).fit(few)
    assert model.module_.encoder[1].out_features == 5
    again = ist.load(
        ist.VAE(network=Own(units=7), epochs=1, random_state=0).fit(few).save(tmp_path / "run")
    )
    assert again.network == Own(units=7)
    with pytest.raises(ist.InputError, match="unknown value of network 'onw': did you mean 'own'"):
        ist.VAE(network="onw").fit(few)


def test_a_name_is_short_for_the_part_with_its_defaults(few: np.ndarray) -> None:
    values = {"epochs": 2, "random_state": 0, "hidden": (20,)}
    named = ist.AE(network="mlp", likelihood="gaussian", optimizer="sgd", schedule="cosine")
    parts = ist.AE(network=MLP(), likelihood=Gaussian(), optimizer=SGD(), schedule=Cosine())
    codes = [model.set_params(**values).fit(few).transform(few) for model in (named, parts)]
    assert np.array_equal(*codes)
    assert parts.likelihood_ == "gaussian"


def test_parameters_of_parts(few: np.ndarray) -> None:
    model = ist.VQVAE()
    assert model.get_params()["quantizer__codebook_size"] == 128
    assert model.get_params(deep=False)["quantizer"] == "vq"
    model.set_params(quantizer__codebook_size=12, optimizer__beta1=0.5)
    assert model.quantizer == VectorQuantizer(codebook_size=12)
    assert model.optimizer == Adam(beta1=0.5)
    copied = clone(model)
    assert copied.quantizer == model.quantizer
    assert copied.quantizer is not model.quantizer
    together = ist.VAE().set_params(likelihood="gaussian", likelihood__scale=0.2)
    assert together.likelihood == Gaussian(scale=0.2)
    with pytest.raises(
        ist.InputError, match="likelihood__scale is a field of a part, but likelihood='auto' is"
    ):
        ist.VAE().set_params(likelihood__scale=0.2)


def test_a_search_over_fields_of_parts(few: np.ndarray) -> None:
    grid = {"likelihood__scale": [0.1, 10.0]}
    model = ist.AE(likelihood="gaussian", epochs=1, random_state=0, verbose=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(few)
    assert search.best_estimator_.likelihood in (Gaussian(scale=0.1), Gaussian(scale=10.0))
    sizes = {"quantizer__codebook_size": [4, 8]}
    member = ist.VQVAE(epochs=1, hidden=(8,), random_state=0, verbose=0)
    found = GridSearchCV(member, sizes, cv=2, error_score="raise").fit(few).best_estimator_
    assert found.module_.bottleneck.levels[0].size in (4, 8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"likelihood": MLP()}, r"likelihood=MLP\(\) is not usable: give one of auto, bernoulli"),
        ({"likelihood": Gaussian}, r"likelihood=<class .*> is not usable"),
        (
            {"likelihood": Gaussian(scale=-1)},
            r"scale=-1 is not usable: give a number or None, above",
        ),
        ({"likelihood": None}, r"likelihood=None is not usable"),
        ({"network": MLP(widths=(0,))}, r"widths=\(0,\) is not usable"),
        ({"optimizer": SGD(nesterov=True, momentum=0)}, r"nesterov=True needs momentum"),
        (
            {"optimizer": Adam(beta1=1.0)},
            r"beta1=1\.0 is not usable: give a number, at least 0 and",
        ),
        ({"schedule": Cosine(final=2)}, r"final=2 is not usable"),
        ({"network": "conv", "image_shape": None}, r"network='conv' needs images"),
    ],
)
def test_parts_that_cannot_be_used(values: dict[str, Any], message: str, few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.AE(epochs=1, **values).fit(few.reshape(len(few), -1))


def test_a_likelihood_says_which_data_it_needs() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    with pytest.raises(
        ist.InputError,
        match=r"likelihood='bernoulli' needs values in \[0, 1\]: pass scaling='minmax', or another"
        r" likelihood \('gaussian' or 'mse'\)",
    ):
        ist.AE(likelihood=ist.likelihoods.Bernoulli()).fit(x)


def test_a_recurrent_member_needs_a_network_that_reads_sequences() -> None:
    x = np.random.default_rng(0).random((9, 6, 2))
    model = ist.RecurrentAE(network=Recurrent(cell="lstm"), epochs=1).fit(x)
    assert any(isinstance(layer, nn.LSTM) for layer in model.module_.modules())
    with pytest.raises(ist.InputError, match="network='mlp' cannot read sequences of unequal"):
        ist.RecurrentAE(network="mlp").fit(x)


def test_a_network_of_its_own_width_keeps_it(few: np.ndarray) -> None:
    model = ist.AE(network=MLP(widths=(9,)), hidden=(50, 40), activation="tanh").build((1, 8, 8))
    layers = [layer for layer in model.encoder if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in layers] == [9]
    assert any(isinstance(layer, nn.Tanh) for layer in model.encoder)


def test_torch_s_own_start_is_smaller_than_glorot_s() -> None:
    spread = {}
    for start in ("glorot", TorchDefault()):
        torch.manual_seed(0)
        module = ist.AE(hidden=(300,), initialization=start).build((1, 20, 20))
        spread[type(start).__name__] = float(module.encoder[1].weight.detach().std())
    bound = (1 / 400) ** 0.5  # torch draws from (-bound, bound)
    assert spread["TorchDefault"] == pytest.approx(bound / 3**0.5, rel=0.02)
    assert spread["str"] == pytest.approx((2 / 700) ** 0.5, rel=0.02)


def test_a_cosine_ends_at_its_share_after_a_warm_up() -> None:
    schedule = Cosine(final=0.1, warmup=0.2)
    assert [schedule.factor(share) for share in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx(
        [0.0, 0.5, 1.0, 0.55, 0.1]
    )
    assert Cosine().factor(0.5) == pytest.approx(0.5)


def test_a_function_of_one_s_own_damages(few: np.ndarray, tmp_path: Path) -> None:
    damage = ist.DenoisingAE(corruption=lambda x: 0 * x, epochs=1).fit(few)
    assert damage.module_.corruption(torch.ones(2)).tolist() == [0, 0]
    kept = ist.DenoisingAE(corruption=Masking(0.4), epochs=1, random_state=0).fit(few)
    assert ist.load(kept.save(tmp_path / "run")).corruption == Masking(0.4)


@pytest.mark.usefixtures("registered")
def test_a_quantizer_with_several_indices_a_vector(few: np.ndarray, tmp_path: Path) -> None:
    model = ist.VQVAE(quantizer="signs", hidden=(8,), epochs=2, random_state=0).fit(few)
    indices = model.encode(few)
    assert indices.shape == (129, 4, 4, 3)
    assert [(level.grid, level.size) for level in model.module_.bottleneck.levels] == [
        ((4, 4), 2)
    ] * 3
    np.testing.assert_allclose(model.decode(indices), model.reconstruct(few), atol=1e-6)
    flat = model._posterior(few).indices
    np.testing.assert_allclose(model.decode(flat), model.reconstruct(few), atol=1e-6)
    assert model.history_[-1]["rate"] == pytest.approx(48 * np.log(2))
    assert "commitment" not in model.history_[-1]
    again = ist.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.encode(few), indices)
    with pytest.raises(ist.InputError, match="indices run from 0 to 2, but the codebook has 2"):
        model.decode(np.where(indices == indices.max(), 2, indices))


@pytest.mark.usefixtures("registered")
def test_each_level_has_its_own_size() -> None:
    class Mixed(ist.VQVAE2):
        def _quantizers(self, count: int) -> tuple[list[Quantizer], int]:
            sizes = (40, 4)
            return [VectorQuantizer(k).build(3, epochs=1) for k in sizes], 3

    x = np.random.default_rng(0).random((60, 1, 8, 8)).astype(np.float32)
    model = Mixed(hidden=(8,), epochs=1, random_state=0).fit(x)
    top, bottom = model.encode(x)
    top[:] = 39
    assert model.decode((top, bottom)).shape == x.shape
    bottom[:] = 4
    with pytest.raises(ist.InputError, match=r"but the codebook has 4 entries: .* 0 to 3"):
        model.decode((top, bottom))


def test_a_misspelt_field_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"^unknown field 'latent_dims' of AE: did you mean 'late"):
        ist.AE(latent_dims=3)
    with pytest.raises(ist.InputError, match=r"^unknown field 'scael' of Gaussian: did you mean"):
        Gaussian(scael=1)
    with pytest.raises(ist.InputError, match=r"^unknown field 'contaminaton' of OutlierDetector"):
        ist.OutlierDetector(contaminaton=0.1)
    with pytest.raises(ist.InputError, match=r"^unknown field 'epoch' of AE: did you mean 'epo"):
        ist.AE().set_params(epoch=3)
    for nested in ({"likelihood": "gaussian"}, {"likelihood": Gaussian()}):
        with pytest.raises(ist.InputError, match=r"^unknown field 'bogus' of Gaussian: Known: "):
            ist.AE(**nested).set_params(likelihood__bogus=1)
    with pytest.raises(ist.InputError, match=r"^unknown field 'likelihod' of AE: did"):
        ist.AE().set_params(likelihod__scale=1)
    with pytest.raises(ist.InputError, match=r"^latent_dim__size is a field of a part, but late"):
        ist.AE().set_params(latent_dim__size=1)
    with pytest.raises(ist.InputError, match=r"unknown field 'latent_dims' of AE"):
        ist.AutoencoderClassifier(ist.AE()).set_params(member__latent_dims=3)


def test_a_part_with_a_constructor_of_its_own_keeps_its_names() -> None:
    class Wide(Masking):
        def __init__(self, share: float = 0.5) -> None:
            super().__init__(level=share)

    assert Wide(share=0.25).level == 0.25
    with pytest.raises(TypeError, match=r"^unknown field 'level' of Wide: Known: share"):
        Wide(level=0.25)
