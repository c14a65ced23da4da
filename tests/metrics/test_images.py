"""Measures of two stacks of images against their formulas, and what a denoising member gains."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import isthmus as ist
from isthmus.data import Data, Part
from isthmus.metrics import evaluate, images

CLEANING = ["psnr_damaged", "psnr_cleaned", "ssim_damaged", "ssim_cleaned"]


@pytest.fixture(scope="module")
def small(digits: Data) -> Data:
    """Without labels, so that no classifier of codes is trained."""
    return replace(digits, train=Part(digits.train.x), test=Part(digits.test.x[:80]))


@pytest.fixture(scope="module")
def model(small: Data) -> ist.Estimator:
    return ist.DenoisingAE(corruption=ist.corruptions.Masking(0.3), epochs=30, random_state=0).fit(
        small.train
    )


def test_psnr_is_that_of_the_mean_square_over_an_image() -> None:
    x = torch.zeros(2, 3, 4, 5)
    damaged = x.clone()
    damaged[0] += 0.1
    damaged[1, 0, 0, 0] = 1.0  # one of 60 values
    np.testing.assert_allclose(images.psnr(damaged, x), [20, 10 * np.log10(60)], rtol=1e-5)


def test_ssim_of_an_image_with_itself_is_one_and_falls_with_noise() -> None:
    torch.manual_seed(0)
    x = torch.rand(5, 3, 16, 20)
    np.testing.assert_allclose(images.ssim(x, x), np.ones(5), rtol=1e-6)
    little, much = (images.ssim((x + s * torch.randn_like(x)).clamp(0, 1), x) for s in (0.1, 0.4))
    assert (little < 1).all() and (little > much).all()


def test_ssim_of_flat_images_compares_their_brightness() -> None:
    a, b = torch.full((1, 1, 12, 12), 0.5), torch.full((1, 1, 12, 12), 0.7)
    expected = (2 * 0.5 * 0.7 + 0.01**2) / (0.5**2 + 0.7**2 + 0.01**2)
    np.testing.assert_allclose(images.ssim(a, b), [expected], rtol=1e-4)


def test_the_window_is_eleven_or_what_fits_and_reaches_no_farther() -> None:
    assert [images.window((1, h, 40)) for h in (28, 11, 10, 8, 3, 2, 1)] == [11, 11, 9, 7, 3, 1, 1]
    x = torch.rand(1, 1, 8, 30)
    changed = x.clone()
    changed[..., -1] = 1 - changed[..., -1]
    ones = images.ssim(changed[..., :-4], x[..., :-4])  # a window of 7 reaches 3 pixels
    np.testing.assert_allclose(ones, [1.0], rtol=1e-6)
    assert images.ssim(changed, x)[0] < 0.99


@pytest.mark.parametrize("side", [3, 4, 5, 8, 9, 10, 11])
def test_ssim_of_small_images_is_the_formula_over_the_named_window(side: int) -> None:
    torch.manual_seed(side)
    x, y = torch.rand(2, 1, 1, side, side, dtype=torch.float64)
    width = images.window(x.shape)
    assert images.ssim(x, y)[0] == pytest.approx(
        by_hand(x[0, 0].numpy(), y[0, 0].numpy(), width), rel=1e-6
    )


def by_hand(x: np.ndarray, y: np.ndarray, width: int) -> float:
    """SSIM place by place, over windows with mirrored edges."""
    half = width // 2
    line = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * (1.5 * width / 11) ** 2))
    weights = np.outer(line, line) / line.sum() ** 2
    a, b = (np.pad(image, half, mode="reflect") for image in (x, y))
    found = []
    for i in range(len(x)):
        for j in range(len(x)):
            p, q = a[i : i + width, j : j + width], b[i : i + width, j : j + width]
            m, n = (weights * p).sum(), (weights * q).sum()
            v, w, c = (
                (weights * p * p).sum() - m * m,
                (weights * q * q).sum() - n * n,
                (weights * p * q).sum() - m * n,
            )
            found.append(
                (2 * m * n + 1e-4) * (2 * c + 9e-4) / ((m * m + n * n + 1e-4) * (v + w + 9e-4))
            )
    return float(np.mean(found))


def test_a_denoising_member_is_measured_before_and_after(model: ist.Estimator, small: Data) -> None:
    measures = evaluate(model, small)
    assert [name for name in measures if name.endswith(("_damaged", "_cleaned"))] == CLEANING
    assert [measures[name].title for name in CLEANING] == [
        "PSNR, damaged",
        "PSNR, cleaned",
        "SSIM, damaged",
        "SSIM, cleaned",
    ]
    assert measures["psnr_cleaned"].value > measures["psnr_damaged"].value + 3
    assert measures["ssim_cleaned"].value > measures["ssim_damaged"].value
    assert "windows of 7 × 7 pixels" in measures["ssim_damaged"].help
    assert evaluate(model, small) == measures


def test_the_damage_is_the_members_own(model: ist.Estimator, small: Data) -> None:
    torch.manual_seed(0)
    x = torch.from_numpy(small.test.x)
    damaged = x * (torch.rand_like(x) >= 0.3)
    measures = evaluate(model, small)
    assert measures["psnr_damaged"].value == pytest.approx(images.psnr(damaged, x).mean(), rel=1e-5)
    cleaned = torch.from_numpy(model.denoise(damaged.numpy()))
    assert measures["psnr_cleaned"].value == pytest.approx(images.psnr(cleaned, x).mean(), rel=1e-4)
    assert measures["ssim_cleaned"].value == pytest.approx(images.ssim(cleaned, x).mean(), rel=1e-4)


def test_noise_beyond_black_and_white_is_clipped(few: np.ndarray) -> None:
    model = ist.DenoisingAE(corruption=lambda x: x + 5, epochs=1, random_state=0).fit(few)
    white = images.psnr(torch.ones(50, 1, 8, 8), torch.from_numpy(few[:50])).mean()
    measures = evaluate(model, Data("few", Part(few), Part(few[:50])))
    assert measures["psnr_damaged"].value == pytest.approx(white, rel=1e-5)


def test_without_torchmetrics_psnr_is_left(
    model: ist.Estimator, small: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    assert [
        name for name in evaluate(model, small) if name.endswith(("_damaged", "_cleaned"))
    ] == CLEANING[:2]
    with pytest.raises(
        ist.InputError,
        match=r"SSIM needs the package 'torchmetrics': pip install 'isthmus\[metrics\]'",
    ):
        images.ssim(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8))


def test_images_of_two_pixels_have_no_structure_and_tables_no_pixels() -> None:
    random = np.random.default_rng(0)
    for shape, kept in (((2, 9), CLEANING[:2]), ((6,), [])):
        part = Part(random.random((40, *shape), dtype=np.float32))
        measures = evaluate(
            ist.DenoisingAE(epochs=1, random_state=0).fit(part), Data("tiny", part, part)
        )
        assert [name for name in measures if name.endswith(("_damaged", "_cleaned"))] == kept
