"""The comparison with other codecs: what it measures, and what its page says."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import (
    pages,
    rate_distortion,
    rate_distortion_pictures,
    rate_distortion_training,
)
from benchmarks.kept import KeptRows


def row(codec: str, setting: int, bits: float, psnr: float, image: str = "coffee") -> dict:
    return {
        "image": image,
        "codec": codec,
        "setting": setting,
        "bits_per_pixel": bits,
        "psnr": psnr,
        "ms_ssim": psnr / 50,
        "bytes": 1000 * bits,
        "rate_bytes": 980 * bits,
        "encoded_per_second": 2.0,
        "decoded_per_second": 4.0,
        "network_encodes": 0.003,
    }


ROWS = [
    *(row("Hyperprior", 0, 0.4, 30, image) for image in ("coffee", "chelsea")),
    row("JPEG", 10, 0.2, 24),
    row("JPEG", 10, 0.4, 26, "chelsea"),
    *(row("JPEG", 50, 0.5, 28, image) for image in ("coffee", "chelsea")),
]


def test_psnr_of_pixels_that_are_all_one_step_off() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    assert rate_distortion.psnr(image, image + 1) == pytest.approx(20 * np.log10(255))


def test_means_are_over_images_at_a_setting() -> None:
    found = rate_distortion_pictures.means(ROWS, "psnr")
    assert found["JPEG"] == [(pytest.approx(0.3), 25), (0.5, 28)]


def test_other_codecs_are_read_at_the_bits_of_the_model() -> None:
    found = rate_distortion_pictures.numbers(ROWS)
    assert found["0.bits"] == pytest.approx(0.4)
    assert found["0.JPEG.psnr"] == pytest.approx(26.5)  # half way from 25 to 28
    assert found["0.excess"] == pytest.approx(1 / 0.98 - 1)
    assert found["encode"] == pytest.approx(2.0)
    seconds = 2 * 8 * 400 / 0.4 / 1e6 / 2
    assert found["encode.coder"] == pytest.approx(1 - 0.006 / seconds)


def test_every_codec_gives_a_file_that_its_own_reader_opens() -> None:
    from PIL import Image

    ramp = np.linspace(0, 255, 48 * 32 * 3).reshape(48, 32, 3).astype(np.uint8)
    for codec in rate_distortion.CODECS.values():
        sizes = [len(codec.encode(Image.fromarray(ramp), quality)) for quality in (10, 90)]
        restored = rate_distortion.opened(codec.encode(Image.fromarray(ramp), 90))
        assert sizes[0] < sizes[1]
        assert restored.shape == ramp.shape
        assert rate_distortion.psnr(ramp, restored) > 25


def test_patches_are_turned_so_that_all_four_differ() -> None:
    x = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    found = rate_distortion_training.turned(x)
    assert len(found) == 8
    assert len({each.tobytes() for each in found}) == 8
    assert all(
        sorted(each.ravel()) == sorted(x[place % 2].ravel()) for place, each in enumerate(found)
    )


def test_the_page_has_the_numbers_that_were_measured() -> None:
    text = rate_distortion.PAGE.read_text(encoding="utf-8")
    rows = KeptRows(rate_distortion_pictures.RESULTS, rate_distortion_pictures.KEYS).rows()
    assert pages.filled(text, rate_distortion_pictures.numbers(rows)) == text
    assert len(pages.MARKED.findall(text)) > 40
