"""Codes that are maps: a vector at each place of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.core.fields import declared

WITH_MAPS = [name for name, member in ist.MEMBERS.items() if "code" in declared(member)]
every_map = pytest.mark.parametrize("name", WITH_MAPS)


def make(name: str, **values: Any) -> Any:
    given = {"code": "map", "channels": 3, "hidden": (4, 8), "epochs": 1, "random_state": 0}
    return ist.MEMBERS[name](**given | values)


def test_those_have_maps_whose_mathematics_hold_for_them() -> None:
    assert set(WITH_MAPS) == {
        *("ae", "denoising", "contractive", "vae", "iwae", "betatc", "vaegan", "aae", "wae"),
        *("factorvae", "dipvae", "infovae", "hvae", "slicedwae", "rae"),
    }


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
@every_map
def test_a_map_is_encoded_decoded_sampled_and_saved(
    name: str, few: np.ndarray, tmp_path: Any
) -> None:
    x = few.reshape(-1, 1, 8, 8)
    model = make(name).fit(x)
    codes = model.encode(x[:5])
    z = codes[0] if isinstance(codes, tuple) else codes
    rows = model.transform(x[:5])
    assert z.shape == (5, 3, 2, 2)
    np.testing.assert_array_equal(rows, z.reshape(5, 12))
    np.testing.assert_array_equal(model.decode(z), model.inverse_transform(rows))
    np.testing.assert_allclose(model.decode(z), model.reconstruct(x[:5]), atol=1e-6)
    assert model.fit_prior(x).sample(3).shape == (3, 1, 8, 8)
    again = ist.load(model.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.transform(x[:5]), rows)


@every_map
def test_a_map_of_one_place_is_a_vector(name: str) -> None:
    """On 4 × 4 images two layers leave one place, where a 1×1 convolution is a linear map."""
    torch.manual_seed(0)
    shape = {"network": "residual", "latent_dim": 3}
    on_map = make(name, channels="auto", **shape).build((1, 4, 4))
    on_vector = make(name, code="vector", channels="auto", **shape).build((1, 4, 4))
    assert on_map.bottleneck.code_shape == (3, 1, 1)
    same = zip(on_vector.parameters(), on_map.parameters(), strict=True)
    with torch.no_grad():
        for vector, place in same:
            # both decoders begin with a linear map of the three numbers
            vector.copy_(place.reshape(vector.shape))
    x, eps = torch.rand(6, 1, 4, 4), torch.randn(6, *on_vector.bottleneck.noise_shape)
    losses = []
    for module, noise in ((on_vector, eps), (on_map, eps[..., None, None])):
        torch.manual_seed(1)
        losses.append(module.eval().loss(Batch(x), noise).objective)
    torch.testing.assert_close(*losses)


def test_the_rate_is_the_sum_over_the_map() -> None:
    torch.manual_seed(0)
    module = make("vae", beta=3.0).build((1, 8, 8))
    x = torch.rand(4, 1, 8, 8)
    loss = module.loss(Batch(x))
    mu, log_var = module.encode(Batch(x))
    each = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (log_var / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(loss.terms["rate"], each.sum((1, 2, 3)))
    torch.testing.assert_close(loss.objective, loss.terms["distortion"] + 3 * loss.terms["rate"])


def test_draws_of_a_map_are_weighed_by_the_densities_of_all_its_numbers() -> None:
    torch.manual_seed(0)
    module = make("vae").build((1, 8, 8))
    x, eps = torch.rand(2, 1, 8, 8), torch.randn(7, 2, 3, 2, 2)
    features = module.features(Batch(x))
    z, log_ratio = module.bottleneck.draw(features, eps)
    mu, log_var = module.bottleneck.posterior(features)
    z = z.unflatten(0, (7, 2))
    p, q = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(mu, (log_var / 2).exp())
    truth = (p.log_prob(z) - q.log_prob(z)).sum((2, 3, 4))
    torch.testing.assert_close(log_ratio, truth)


def test_a_place_of_a_map_depends_on_its_part_of_the_image() -> None:
    """Two 4×4 convolutions of stride 2 see 10 pixels around a place."""
    torch.manual_seed(0)
    module = make("ae", network="conv").build((1, 32, 32)).eval()
    x = torch.rand(1, 1, 32, 32)
    other = x.clone()
    other[..., :8, :8] = 0
    moved = (module.encode(Batch(x))[0] != module.encode(Batch(other))[0]).any(1)[0]
    assert moved[:2, :2].all()
    assert not moved[3:, :].any()
    assert not moved[:, 3:].any()


def test_a_signal_has_a_map_in_time() -> None:
    module = make("vae").build(ExampleSpec("signal", (2, 40)))
    assert module.bottleneck.code_shape == (3, 10)


@pytest.mark.parametrize(
    ("member", "values", "message"),
    [
        ("vae", {"code": "vector"}, r"channels=3 are those of a code that is a map, .* code='map'"),
        ("vae", {"latent_dim": 7}, r"channels=3 and latent_dim=7 both say how many numbers"),
        ("vae", {"network": "mlp"}, r"code='map' needs features on a grid, but the encoder gives"),
        ("stacked", {"code": None}, r"that of StackedAE is none: take an AE or a VAE with code="),
    ],
)
def test_maps_that_mean_nothing_are_refused(
    member: str, values: dict[str, Any], message: str
) -> None:
    given = {"code": "map", "channels": 3} | values
    model = ist.MEMBERS[member](**{k: v for k, v in given.items() if v is not None})
    with pytest.raises(ist.InputError, match=message):
        model.build((1, 8, 8))


def test_without_a_number_a_map_has_four_channels() -> None:
    assert ist.VAE(code="map").build((3, 32, 32)).bottleneck.code_shape == (4, 8, 8)
