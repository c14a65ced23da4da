"""The scale hyperprior: its normalisation, its densities, its rates, any size, and its files."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm

import isthmus as ist
from isthmus.compression import rounding
from isthmus.compression.container import read_coded
from isthmus.compression.frequencies import SCALES, frequencies, gaussian
from isthmus.core.batch import Batch
from isthmus.core.bounds import bounded
from isthmus.likelihoods import SquaredErrorLikelihood
from isthmus.models._factorised import FactorisedDensity
from isthmus.models._hyperprior import (
    LOG_LOWEST,
    STEP,
    HyperpriorBottleneck,
    gaussian_mass,
    on_table,
)
from isthmus.networks.gdn import GDN

NARROW: dict[str, Any] = {
    "hidden": (8, 8, 8, 12),
    "latent_dim": 12,
    "hyper_channels": 6,
    "random_state": 0,
    "verbose": 0,
}


def pictures(n: int, height: int = 32, width: int = 32) -> np.ndarray:
    """Smooth pictures with an edge, uint8 ``(n, 3, height, width)``."""
    random = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    slopes = random.normal(size=(n, 3, 2)) / 16
    waves = np.sin(np.einsum("ncd,dhw->nchw", slopes, places) + random.normal(size=(n, 3, 1, 1)))
    edges = (random.normal(size=(n, 2)) @ (places - 16).reshape(2, -1) > 0).reshape(
        n, 1, height, -1
    )
    return np.rint(255 * (0.5 + 0.3 * waves + 0.2 * (edges - 0.5)).clip(0, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> Any:
    weights = (5, 500)
    member = ist.Hyperprior(
        distortion_weights=weights, epochs=16, batch_size=16, learning_rate=3e-3, **NARROW
    )
    return member.fit(pictures(96))


# ------------------------------------------------------------------ divisive normalisation


@pytest.mark.parametrize("sides", [(5,), (4, 3)])
def test_gdn_divides_by_what_all_channels_are_at_a_place(sides: tuple[int, ...]) -> None:
    layer, x = GDN(3), torch.randn(2, 3, *sides)
    with torch.no_grad():
        layer.root_gamma.uniform_(0, 1)
        layer.root_beta.uniform_(0.5, 1)
    gamma, beta = (p.detach().numpy() ** 2 for p in (layer.root_gamma, layer.root_beta))
    power = np.einsum("ij,nj...->ni...", gamma, x.numpy() ** 2)
    norms = np.sqrt(beta[(None, ..., *[None] * len(sides))] + 1e-6 + power)
    np.testing.assert_allclose(layer(x).detach(), x.numpy() / norms, rtol=1e-5)
    layer.inverse = True
    np.testing.assert_allclose(layer(x).detach(), x.numpy() * norms, rtol=1e-5)


def test_gradients_of_gdn_are_those_of_differences_and_move_every_weight() -> None:
    layer = GDN(2).double()
    x = torch.randn(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    layer(x).square().sum().backward()
    assert all(bool((p.grad.abs() > 0).all()) for p in layer.parameters())  # also of γ near 0


# ------------------------------------------------------------------ densities


def test_the_mass_of_a_whole_number_is_that_of_scipy_and_all_of_them_sum_to_one() -> None:
    y = torch.arange(-60.0, 61, dtype=torch.float64)
    for scale in (0.3, 1.0, 7.0):
        mass = gaussian_mass(y, torch.full_like(y, math.log(scale)))
        wanted = norm.cdf((y + 0.5) / scale) - norm.cdf((y - 0.5) / scale)
        np.testing.assert_allclose(mass, np.maximum(wanted, 1e-9), rtol=1e-6, atol=1e-12)
        assert float(mass.sum()) == pytest.approx(1, abs=1e-6)


def test_the_rate_of_a_wide_gaussian_is_its_differential_entropy() -> None:
    y, scale = torch.arange(-200.0, 201, dtype=torch.float64), 12.0
    mass = gaussian_mass(y, torch.full_like(y, math.log(scale)))
    entropy = -float((mass * mass.log()).sum())
    assert entropy == pytest.approx(0.5 * math.log(2 * math.pi * math.e * scale**2), abs=1e-3)


def test_scales_are_those_of_the_table_the_nearest_to_each() -> None:
    table = on_table(torch.linspace(-5, 9, 5000)).exp().unique()
    assert len(table) == SCALES
    np.testing.assert_allclose(table, 2 ** ((np.arange(SCALES) - 26) / 8), rtol=1e-5)
    assert float(on_table(torch.tensor(0.6 * STEP))) == pytest.approx(STEP)
    assert float(on_table(torch.tensor(-9.0))) == pytest.approx(LOG_LOWEST)


def test_a_factorised_density_learns_two_modes_to_within_two_percent_of_their_entropy() -> None:
    torch.manual_seed(0)
    density = FactorisedDensity(1)
    near = torch.where(torch.rand(4000) < 0.3, 6.0, -4.0) + 1.5 * torch.randn(4000)
    values, counts = near.round().unique(return_counts=True)
    shares = counts / counts.sum()
    optimizer = torch.optim.Adam(density.parameters(), 5e-2)
    for _ in range(150):
        optimizer.zero_grad()
        rate = -(shares * density.mass(values.reshape(1, 1, 1, -1)).log().flatten()).sum()
        rate.backward()
        optimizer.step()
    entropy = float(-(shares * shares.log()).sum())
    assert entropy < float(rate.detach()) < 1.02 * entropy
    numbers = torch.arange(-60.0, 61).reshape(1, 1, 1, -1)
    assert float(density.mass(numbers).sum().detach()) == pytest.approx(1, abs=1e-4)


def test_quantiles_are_the_inverse_of_the_cumulative() -> None:
    density = FactorisedDensity(3)
    shares = torch.rand(2, 3, 4, 1) * 0.98 + 0.01
    rows = density.quantile(shares).transpose(0, 1).reshape(3, 1, -1)
    found = density.cumulative_logits(rows).sigmoid().reshape(3, 2, 4, 1).transpose(0, 1)
    torch.testing.assert_close(found, shares, atol=1e-4, rtol=0)


def test_a_gradient_beyond_a_bound_passes_where_it_leads_back() -> None:
    x = torch.tensor([-1.0, 0.5, 2.0, -1.0, 2.0], requires_grad=True)
    found = bounded(x, 0.0, 1.0)
    assert found.tolist() == [0.0, 0.5, 1.0, 0.0, 1.0]
    (found * torch.tensor([-1.0, 1.0, 1.0, 1.0, -1.0])).sum().backward()
    assert x.grad.tolist() == [-1.0, 1.0, 1.0, 0.0, 0.0]


def test_a_clipped_squared_error_is_that_of_what_is_shown() -> None:
    likelihood = SquaredErrorLikelihood(clipped=True)
    parameters, x = torch.tensor([[-0.5, 0.25, 1.5]]), torch.tensor([[0.0, 0.5, 0.5]])
    assert likelihood.nll(parameters, x).tolist() == [0.0625 + 0.25]
    assert likelihood.mean(parameters).tolist() == [[0.0, 0.25, 1.0]]


# ------------------------------------------------------------------ the member


def test_the_objective_is_the_weighted_distortion_and_the_rate(model: Any) -> None:
    x = Batch(torch.from_numpy(pictures(4)) / 255)
    module = model.module_
    for quality, weight in enumerate((5, 500)):
        module.bottleneck.quality = quality
        loss = module.loss(x)
        wanted = weight * loss.terms["distortion"] + loss.terms["rate"]
        torch.testing.assert_close(loss.objective, wanted)
        assert bool((loss.terms["hyper_rate"] < loss.terms["rate"]).all())


def test_in_training_the_code_is_noisy_and_every_weight_has_its_turn(model: Any) -> None:
    module = model.build((3, 32, 32)).train()
    features = module.encoder(torch.rand(64, 3, 32, 32))
    code = module.bottleneck(features)
    assert set(code.weight.round().tolist()) == {5.0, 500.0}
    again = module.bottleneck(features)
    assert not torch.equal(code.z, again.z)


def test_the_higher_the_weight_the_longer_the_code_and_the_smaller_the_error(model: Any) -> None:
    x, found = pictures(32), []
    for quality in (0, 1):
        model.quality = quality
        terms = model.terms(x)
        found.append((terms["rate"].mean(), terms["distortion"].mean()))
    (low_rate, low_error), (high_rate, high_error) = found
    assert low_rate < 0.8 * high_rate
    assert high_error < 0.8 * low_error


def test_a_code_is_whole_numbers_and_decoding_it_is_the_reconstruction(model: Any) -> None:
    x = pictures(5)
    y, z, scale = model.encode(x)
    assert y.shape == (5, 12, 2, 2) == scale.shape
    assert z.shape == (5, 6, 1, 1)
    assert np.array_equal(y, np.rint(y))
    assert np.array_equal(z, np.rint(z))
    np.testing.assert_allclose(model.decode(y), model.reconstruct(x), atol=1e-6)
    assert np.array_equal(model.transform(x), y.reshape(5, -1))


def test_an_evaluation_says_the_bits_of_a_pixel(model: Any) -> None:
    x = pictures(12)
    data = ist.data.Data("pictures", ist.data.Part(x), ist.data.Part(x))
    found = ist.evaluate(model, data)["bits_per_pixel"].value
    assert found == pytest.approx(model.terms(x)["rate"].mean() / math.log(2) / 32**2)


@pytest.mark.parametrize("size", [(70, 45), (16, 100), (5, 7)])
def test_images_of_any_size(model: Any, size: tuple[int, int]) -> None:
    x = pictures(2, *size)
    assert model.reconstruct(x).shape == x.shape
    height, width = (math.ceil(side / 16) for side in size)
    assert model.encode(x).y.shape == (2, 12, height, width)
    assert model.for_size(*size).sample(3, random_state=0).shape == (3, 3, *size)
    terms = model.terms(x)
    np.testing.assert_allclose(model.score_samples(x), -terms["distortion"] - terms["rate"])
    np.testing.assert_allclose(model.squared_error(x), terms["distortion"], rtol=1e-4)


def test_an_image_padded_by_its_own_edge_is_the_same_inside(model: Any) -> None:
    x = pictures(1, 40, 40)
    padded = np.pad(x, ((0, 0), (0, 0), (0, 8), (0, 8)), mode="edge")
    assert np.array_equal(model.encode(x).y, model.encode(padded).y)
    np.testing.assert_allclose(
        model.reconstruct(x), model.reconstruct(padded)[..., :40, :40], atol=1e-5
    )


def test_colours_last_come_back_last() -> None:
    x = np.moveaxis(pictures(12), 1, -1)
    model = ist.Hyperprior(epochs=1, **NARROW).fit(x)
    other = np.moveaxis(pictures(2, 50, 40), 1, -1)
    assert model.reconstruct(other).shape == other.shape
    assert model.for_size(50, 40).preprocessor_.spec.shape == (3, 50, 40)
    with pytest.raises(ist.InputError, match=r"height=0 is not usable: give a whole number from 1"):
        model.for_size(0, 40)
    with pytest.raises(ist.InputError, match=r"width=8\.5 is not usable: give a whole number"):
        model.for_size(8, 8.5)


def test_samples_are_drawn_from_both_levels(model: Any) -> None:
    first, second = (model.sample(4, random_state=seed) for seed in (0, 0))
    assert np.array_equal(first, second)
    assert first.shape == (4, 3, 32, 32)
    assert not np.array_equal(first, model.sample(4, random_state=1))
    middle = model.sample(2, temperature=0, random_state=0)
    assert np.array_equal(middle[0], middle[1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"distortion_weights": ()}, r"distortion_weights=\(\) asks for no rate: give at least"),
        ({"quality": 4}, r"quality=4 does not exist: .* has 4 distortion_weights, .* 0 to 3"),
    ],
)
def test_settings_that_make_no_rate(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.Hyperprior(**values).build((3, 32, 32))


def test_what_is_refused_says_what_to_do(model: Any) -> None:
    with pytest.raises(ist.InputError, match="learns the prior of its codes in training"):
        model.fit_prior(pictures(4))
    with pytest.raises(ist.InputError, match=r"shape \(1, 40, 40\).*of any size"):
        model.reconstruct(pictures(2, 40, 40)[:, :1])
    with pytest.raises(ist.InputError, match=r"for \(8, 8\) alone: .* only convolves"):
        ist.Hyperprior(epochs=1, verbose=0, network="mlp").fit(
            np.random.default_rng(0).random((20, 8, 8))
        ).reconstruct(np.zeros((2, 9, 9)))


@pytest.mark.parametrize("quality", [-1, "0", 1.0, True, 7])
def test_a_quality_that_is_refused_does_not_stay(model: Any, quality: Any) -> None:
    kept = model.quality
    message = "does not exist: this Hyp" if quality == 7 else "is not usable: give a whole number"
    for way in (
        lambda: setattr(model, "quality", quality),
        lambda: model.set_params(quality=quality),
    ):
        with pytest.raises(ist.InputError, match=f"quality={quality!r} {message}"):
            way()
    assert model.quality == kept


# ------------------------------------------------------------------ files


def test_a_file_gives_the_reconstruction_of_any_size_and_quality(model: Any) -> None:
    for quality, size in ((0, (32, 32)), (1, (70, 45)), (0, (5, 7))):
        model.quality = quality
        x = pictures(3, *size)
        content = model.compress(x)
        restored = model.reconstruct(x)
        model.quality = 1 - quality  # a file says its own
        found = model.decompress(content)
        assert found.dtype == restored.dtype
        np.testing.assert_allclose(found, restored, atol=1e-6)
    model.quality = None


def test_a_file_has_the_bits_of_the_table_and_of_the_rate(model: Any) -> None:
    x = pictures(96)
    y, z, scale = model.encode(x)
    streams = read_coded(model.compress(x))[0].streams
    bits = 8 * sum(map(len, streams))
    places = np.rint(8 * np.log2(scale)).astype(int) + 26
    tables = [gaussian(index) / 2**24 for index in range(SCALES)]
    of_y = 0.0
    for place, number in zip(places.ravel(), y.ravel().astype(int), strict=True):
        end = len(tables[place]) // 2
        of_y -= math.log2(tables[place][min(max(number, -end), end) + end])
        of_y += 48 * (abs(number) >= end)  # beyond the reach of its Gaussian
    numbers = torch.arange(z.min(), z.max() + 1).expand(1, 6, -1)
    logs = model.module_.bottleneck.density.mass(numbers)[0].log().detach().numpy()
    shares = frequencies(np.rint(64 * (logs.max(1, keepdims=True) - logs)).astype(int)) / 2**24
    chosen = (z - z.min()).astype(int).swapaxes(0, 1).reshape(6, -1)
    of_z = -np.log2(np.take_along_axis(shares, chosen, axis=1)).sum()
    assert bits == pytest.approx(of_y + of_z, rel=0.01)
    assert bits == pytest.approx(model.terms(x)["rate"].sum() / math.log(2), rel=0.02)


def test_codes_are_the_same_with_other_threads_and_other_batches(model: Any) -> None:
    x, before = pictures(9, 64, 48), torch.get_num_threads()
    whole = model.compress(x)
    try:
        torch.set_num_threads(2)
        assert model.compress(x) == whole
        restored = model.decompress(whole)
    finally:
        torch.set_num_threads(before)
    alone = [model.decompress(model.compress(one[None]))[0] for one in x]
    np.testing.assert_allclose(restored, alone, atol=1e-6)


def test_scales_that_another_machine_would_round_otherwise_are_written_down(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder's numbers are off by as much as the margin allows, and its codes are the same."""
    x = pictures(2, 48, 48)
    monkeypatch.setattr(rounding, "MARGIN", 0.05)  # so that some lie within it
    content = model.compress(x)
    notes = read_coded(content)[0].streams[2]
    assert len(notes) > 8
    wanted = model.decompress(content)
    table_places = HyperpriorBottleneck.table_places
    random = torch.Generator().manual_seed(0)

    def elsewhere(self: HyperpriorBottleneck, z: torch.Tensor) -> torch.Tensor:
        places = table_places(self, z)
        return places + 0.04 * (2 * torch.rand(places.shape, generator=random) - 1)

    monkeypatch.setattr(HyperpriorBottleneck, "table_places", elsewhere)
    assert np.array_equal(model.decompress(content), wanted)


def test_codes_that_come_out_otherwise_are_refused(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = model.compress(pictures(2))
    table_places = HyperpriorBottleneck.table_places
    monkeypatch.setattr(
        HyperpriorBottleneck, "table_places", lambda self, z: table_places(self, z) + 3
    )
    with pytest.raises(ist.InputError, match="the codes come out otherwise here than they went in"):
        model.decompress(content)


@pytest.mark.parametrize("channels", ["first", "last", "none"])
def test_image_files_of_any_size_whatever_the_layout_of_training(
    channels: str, tmp_path: Path, status_of: Callable[..., int]
) -> None:
    x, files = pictures(10), pictures(2, 41, 30)
    if channels == "last":
        x = np.moveaxis(x, 1, -1)
    if channels == "none":
        x = x[:, 0]
    ist.Hyperprior(epochs=1, **NARROW).fit(x).save(tmp_path / "run")
    (tmp_path / "in").mkdir()
    mode = "L" if channels == "none" else "RGB"
    for place, image in enumerate(files):
        Image.fromarray(np.moveaxis(image, 0, -1)).convert(mode).save(tmp_path / f"in/{place}.png")
    names = [tmp_path / name for name in ("run", "in", "files", "out")]
    assert status_of("compress", *names[:3], "--quality", "1") == 0
    assert status_of("decompress", names[0], *names[2:]) == 0
    restored = sorted((tmp_path / "out").glob("*.png"))
    assert len(restored) == 2
    for path in restored:
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((30, 41), mode)


@pytest.mark.slow
def test_another_process_reads_the_same_codes(model: Any, tmp_path: Path) -> None:
    x = pictures(3, 50, 70)
    model.save(tmp_path / "run")
    (tmp_path / "x.isth").write_bytes(model.compress(x))
    script = (
        "import sys, numpy, torch, isthmus as ist; torch.set_num_threads(2);"
        "m = ist.load(sys.argv[1] + '/run'); data = open(sys.argv[1] + '/x.isth', 'rb').read();"
        "numpy.save(sys.argv[1] + '/x.npy', m.decompress(data))"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), model.reconstruct(x), atol=1e-6)
