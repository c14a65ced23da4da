"""The diffusion prior: closed forms for normal codes, and codes that are no normal ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

import isthmus as ist
from isthmus.priors import Diffusion
from isthmus.priors._denoisers import MapDenoiser, denoiser
from isthmus.priors._noising import NOISINGS, Noising
from isthmus.priors.diffusion import DiffusionDensity

SMALL = {"width": 32, "blocks": 2, "batch_size": 256, "random_state": 0, "verbose": 0}
QUICK = SMALL | {"learning_rate": 4e-3, "ema_decay": 0.99, "batch_size": 128}
every_objective = pytest.mark.parametrize("objective", list(NOISINGS))


class ExactVelocity(nn.Module):
    """E[v | z] where standardised codes are N(0, deviation²) in every number."""

    def __init__(self, noising: Noising, deviation: float) -> None:
        super().__init__()
        self.noising, self.deviation = noising, deviation
        self.unused = nn.Parameter(torch.zeros(()))  # says on which device it is

    def forward(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        (signal, noise), (up, down) = self.noising.weights(t), self.noising.slopes(t)
        variance = (signal * self.deviation).square() + noise.square()
        share = (up * signal * self.deviation**2 + down * noise) / variance
        return share.view(-1, *[1] * (z.ndim - 1)) * z


def exact_density(objective: str, shape: tuple[int, ...], deviation: float) -> DiffusionDensity:
    noising = NOISINGS[objective]()
    density = DiffusionDensity(shape, 0, noising, width=8, blocks=1, label_dropout=0.0)
    density.network = ExactVelocity(noising, deviation)
    return density.eval()


@every_objective
@pytest.mark.parametrize("deviation", [1.0, 0.3])
def test_the_bound_of_the_best_denoiser_is_the_density_of_a_normal_code(
    objective: str, deviation: float
) -> None:
    density = exact_density(objective, (4,), deviation)
    density.mean.fill_(2.0)
    density.scale.copy_(torch.tensor([1.0, 2.0, 3.0, 0.5]))
    truth = torch.distributions.Normal(density.mean, deviation * density.scale)
    torch.manual_seed(0)
    codes = truth.sample((1000,))
    bound, log_prob = density.log_prob(codes), truth.log_prob(codes).sum(1)
    # an estimate of each code, so that some lie above; their mean does not
    assert float(bound.mean() - log_prob.mean()) == pytest.approx(0, abs=0.05)
    assert float((bound - log_prob).std()) < 1.5
    wrong = exact_density(objective, (4,), 2 * deviation)
    wrong.mean.copy_(density.mean), wrong.scale.copy_(density.scale)
    modelled = torch.distributions.Normal(wrong.mean, 2 * deviation * wrong.scale)
    below = wrong.log_prob(codes).mean() - modelled.log_prob(codes).sum(1).mean()
    assert float(below) == pytest.approx(0, abs=0.1)  # that of the model, which is normal too


@every_objective
def test_a_worse_denoiser_has_a_lower_bound(objective: str) -> None:
    density = exact_density(objective, (2, 3, 3), 1.0)
    torch.manual_seed(0)
    codes = torch.randn(200, 2, 3, 3)
    best = density.log_prob(codes).mean()
    exact = density.network

    class Worse(nn.Module):
        def forward(self, z: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
            return exact(z, t, condition) + 0.1  # type: ignore[no-any-return]

    density.network = Worse()
    # a velocity that is wrong by δ is a noise that is wrong by α δ: ½ ∫ α² δ² d dλ more, but for
    # the linear schedule, whose time runs otherwise
    lost = float(best - density.log_prob(codes).mean())
    if objective == "v":
        wanted = 18 * 0.005 * (math.log1p(math.exp(10)) - math.log1p(math.exp(-10)) + 1)
        assert lost == pytest.approx(wanted, rel=0.2)
    assert lost > 0.5


@every_objective
@pytest.mark.parametrize("sampler", ["ddim", "heun"])
def test_draws_of_the_best_denoiser_are_normal(objective: str, sampler: str) -> None:
    prior = Diffusion(**SMALL, epochs=1, objective=objective, sampler=sampler, steps=50)
    prior.fit(torch.randn(40, 3, generator=torch.Generator().manual_seed(0)))
    prior.module_.network = ExactVelocity(prior.module_.noising, 0.4)
    prior.module_.mean.zero_(), prior.module_.scale.fill_(2.0)
    for temperature in (1.0, 0.5, 0.0):
        torch.manual_seed(0)
        drawn = prior.sample(1000, temperature=temperature)
        assert float(drawn.std()) == pytest.approx(0.8 * temperature, rel=0.07, abs=1e-6)


def clusters(n: int, seed: int = 0) -> tuple[Tensor, np.ndarray]:
    """Three clusters on a line of a plane, the last with half of all codes."""
    random = torch.Generator().manual_seed(seed)
    places = (torch.arange(n) % 4).clamp_max(2)
    centres = torch.tensor([[-4.0, 0.0], [0.0, 3.0], [4.0, 0.0]])
    return centres[places] + 0.3 * torch.randn(n, 2, generator=random), places.numpy()


@pytest.fixture(scope="module", params=list(NOISINGS))
def learnt(request: pytest.FixtureRequest) -> Diffusion:
    codes, places = clusters(1024)
    return Diffusion(**QUICK, epochs=60, objective=request.param).fit(codes, places)


def nearest(codes: Tensor) -> Tensor:
    centres = torch.tensor([[-4.0, 0.0], [0.0, 3.0], [4.0, 0.0]])
    return torch.cdist(codes, centres).argmin(1)


def test_classes_and_their_shares_come_out_of_noise(learnt: Diffusion) -> None:
    torch.manual_seed(0)
    shares = nearest(learnt.sample(2000)).bincount(minlength=3) / 2000
    assert shares.tolist() == [pytest.approx(share, abs=0.04) for share in (0.25, 0.25, 0.5)]
    for label in range(3):
        drawn = learnt.sample(300, label=label)
        assert float((nearest(drawn) == label).float().mean()) > 0.95
        assert float(drawn.std(0).max()) == pytest.approx(0.3, abs=0.2)
    codes, places = clusters(400, seed=1)
    others = (places + 1) % 3
    assert float((learnt.log_prob(codes, places) - learnt.log_prob(codes, others)).mean()) > 5


def test_modes_come_in_their_shares_without_labels() -> None:
    codes, _ = clusters(1024)
    prior = Diffusion(**QUICK, epochs=60).fit(codes)
    torch.manual_seed(0)
    drawn = prior.sample(2000)
    shares = nearest(drawn).bincount(minlength=3) / 2000
    assert shares.tolist() == [pytest.approx(share, abs=0.08) for share in (0.25, 0.25, 0.5)]
    gaussian = ist.priors.Mixture(components=1).fit(codes).log_prob(codes).mean()
    assert float(prior.log_prob(codes).mean()) > float(gaussian) + 0.5
    with pytest.raises(ist.InputError, match="needs a prior that knows labels"):
        prior.path(2, label=1)


def test_guidance_leads_away_from_what_other_classes_are(learnt: Diffusion) -> None:
    def drawn(guidance: float) -> Tensor:
        learnt.set_params(guidance=guidance)
        torch.manual_seed(0)
        return learnt.sample(300, label=1)

    plain, guided = drawn(0.0), drawn(2.0)
    assert torch.equal(plain, drawn(0.0))
    classes = learnt._one_hot(torch.ones(300, dtype=torch.int64))
    density = learnt._set_anew()
    torch.manual_seed(0)
    noise, t = torch.randn(300, 2), torch.full((300,), 0.6)
    own, without = (density.velocity(noise, t, given) for given in (classes, None))
    torch.testing.assert_close(density._guided(noise, t, classes), own)
    learnt.set_params(guidance=2.0)
    learnt._set_anew()
    torch.testing.assert_close(
        density._guided(noise, t, classes), own + 2 * (own - without), atol=1e-5, rtol=1e-5
    )
    learnt.set_params(guidance=0.0)
    assert float(guided[:, 1].mean()) > float(plain[:, 1].mean())  # further from the other two


def test_the_same_seed_gives_the_same_way_which_ends_in_the_sample(learnt: Diffusion) -> None:
    learnt.set_params(steps=12)
    torch.manual_seed(3)
    drawn = learnt.sample(5, label=[0, 1, 2, 0, 1])
    torch.manual_seed(3)
    stops = learnt.path(5, label=[0, 1, 2, 0, 1])
    assert [stop.time for stop in stops] == pytest.approx(np.linspace(1, 0, 13).tolist())
    assert torch.equal(stops[-1].code, drawn)
    assert torch.equal(stops[-1].guess, drawn)
    torch.manual_seed(3)
    noise = learnt.module_.restored(torch.randn(5, 2))
    torch.testing.assert_close(stops[0].code, noise)
    learnt.set_params(steps=25)


def test_a_run_draws_the_same_and_its_drawing_can_be_set_anew(
    few: np.ndarray, tmp_path: Path
) -> None:
    labels = np.arange(len(few)) % 2
    model = ist.VAE(latent_dim=3, epochs=1, random_state=0).fit(few)
    model.fit_prior(few, labels, prior=Diffusion(**SMALL, epochs=2, guidance=1.0, steps=10))
    again = ist.load(model.save(tmp_path / "run"))
    first = model.sample(6, label=1, random_state=0)
    assert np.array_equal(first, again.sample(6, label=1, random_state=0))
    assert np.isfinite(first).all()
    assert again.prior_.get_params()["guidance"] == 1.0
    again.prior_.set_params(steps=20)
    assert not np.array_equal(first, again.sample(6, label=1, random_state=0))


def test_a_map_of_stripes_is_learnt_channel_by_channel() -> None:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(256, 1, 4, 1, generator=random).sign().expand(-1, 1, 4, 3)
    codes = torch.cat([rows, 10 - 3 * rows], 1)  # (n, 2, 4, 3)
    settings = {"width": 16, "blocks": 1, "learning_rate": 1e-2}
    prior = Diffusion(**QUICK | settings, epochs=40).fit(codes)
    assert prior.module_.mean.shape == (2, 1, 1)
    assert prior.module_.mean[1].item() == pytest.approx(10 - 3 * float(rows.mean()), abs=1e-4)
    torch.manual_seed(0)
    drawn = prior.sample(200)
    assert drawn.shape == (200, 2, 4, 3)
    is_on = drawn[:, 0] > 0
    assert float((is_on == is_on[..., :1]).float().mean()) > 0.95
    assert float(((drawn[:, 1] < 10) == is_on).float().mean()) > 0.95


def test_the_map_of_a_vae_comes_out_of_noise(few: np.ndarray) -> None:
    model = ist.VAE(code="map", channels=2, hidden=(8,), epochs=1, random_state=0).fit(few)
    model.fit_prior(few, prior=Diffusion(**SMALL | {"width": 8}, epochs=1, steps=4))
    grid = model.module_.bottleneck.code_shape
    assert model.prior_.code_shape_ == grid
    assert model.prior_.module_.mean.shape == (2, 1, 1)
    assert model.sample(3, random_state=0).shape == (3, *few.shape[1:])
    assert model.prior_.path(3)[0].code.shape == (3, *grid)


@pytest.mark.parametrize("shape", [(5,), (3, 20), (2, 7, 7), (4, 16, 9), (1, 1, 1)])
def test_networks_keep_the_shape_see_all_of_a_code_and_start_at_zero(
    shape: tuple[int, ...],
) -> None:
    torch.manual_seed(0)
    network = denoiser(shape, 2, 16, 1)
    z, t = torch.randn(3, *shape), torch.tensor([0.1, 0.5, 0.9])
    assert torch.equal(network(z, t, None), torch.zeros(3, *shape))
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.2)
    z.requires_grad_()
    found = network(z, t, torch.eye(2)[[0, 1, 0]])
    (seen,) = torch.autograd.grad(found[1].flatten()[0], z)
    assert bool((seen[1] != 0).all())
    assert not seen[[0, 2]].any()
    assert not torch.equal(network(z, t, None), found)
    assert not torch.equal(network(z, t + 0.1, None), network(z, t, None))


def test_maps_with_long_sides_are_made_coarser() -> None:
    grids = [MapDenoiser((2, *grid), 0, 8, 1).inside for grid in ((15, 15), (16, 16), (32, 40))]
    depths = []
    for floor in grids:
        depth = 0
        while not floor.is_coarsest:
            floor, depth = floor.inside, depth + 1
        depths.append(depth)
    assert depths == [0, 1, 2]


def test_few_codes_are_seen_more_often() -> None:
    assert [Diffusion()._epochs_for(n) for n in (100, 1438, 60_000)] == [3000, 250, 30]
    assert Diffusion(epochs=7)._epochs_for(100) == 7


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(
        ist.InputError,
        match=r"codes of the shape \(4, 2, 3, 3, 3\) are not usable by Diffusion: give vectors",
    ):
        Diffusion(**SMALL).fit(torch.randn(4, 2, 3, 3, 3))
    with pytest.raises(ist.InputError, match="unknown value of objective 'noise': Known: flow, v"):
        Diffusion(**SMALL, objective="noise").fit(torch.randn(4, 2))
    codes, places = clusters(40)
    prior = Diffusion(**SMALL, epochs=1, label_dropout=0.0).fit(codes, places)
    message = r"guidance=1.0 needs a network that has seen codes without labels: fit the prior"
    with pytest.raises(ist.InputError, match=message):
        prior.set_params(guidance=1.0)
    unguided = Diffusion(**SMALL, epochs=1, label_dropout=0.0, guidance=1.0).fit(codes, places)
    with pytest.raises(ist.InputError, match=message):
        unguided.sample(2, label=1)


def test_on_a_fitted_prior_what_is_refused_does_not_stay() -> None:
    prior = Diffusion(**SMALL, epochs=1).fit(clusters(40)[0])
    torch.manual_seed(0)
    settings, drawn = prior.get_params(), prior.sample(3)
    for values, message in (
        ({"steps": 3, "guidance": -3}, "guidance=-3 is not usable: give a number, at least 0"),
        ({"epochs": -5}, "epochs=-5 is not usable: give a whole number or None, at least 1"),
        ({"sampler": "euler"}, "unknown value of sampler 'euler'"),
        ({"schedule__warmup": -1}, "warmup=-1 is not usable: give a number, at least 0"),
        ({"width": 99}, r"width=99 cannot be set .* under width=32: fit again, with Diffusion\("),
        ({"objective": "flow"}, "objective='flow' cannot be set on a fitted Diffusion, which has"),
    ):
        with pytest.raises(ist.InputError, match=message):
            prior.set_params(**values)
        assert prior.get_params() == settings
    with pytest.raises(ist.InputError, match="steps=-1 is not usable: give a whole number"):
        prior.steps = -1
    torch.manual_seed(0)
    assert torch.equal(prior.sample(3), drawn)
    prior.set_params(steps=4, epochs=7, width=32, schedule__final=0.5)
    assert (prior.steps, prior.epochs, prior.schedule.final) == (4, 7, 0.5)
    assert clone(prior).set_params(width=99).width == 99  # which is not fitted
