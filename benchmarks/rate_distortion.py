"""Rate against distortion on photographs, beside JPEG, WebP and AVIF.

    python -m benchmarks.rate_distortion train --photographs FOLDER --seconds 600 --out RUN
    python -m benchmarks.rate_distortion measure RUN [--photographs-of FOLDER]
    python -m benchmarks.rate_distortion draw RUN [--photographs-of FOLDER]

``train`` cuts patches out of a folder of photographs and trains one Hyperprior for several rates,
for so many seconds. ``measure`` compresses photographs that come with scikit-image, and the first
test images of the CIFAR-10 part, to real files, and adds lines to
benchmarks/results/rate_distortion.jsonl. ``draw`` makes docs/images/rate-distortion.png and
docs/images/rate-distortion-details.png.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import isthmus as ist
from benchmarks import pages
from benchmarks import rate_distortion_pictures as pictures
from benchmarks import rate_distortion_training as training
from benchmarks.kept import ANEW, KeptRows

PAGE = pages.DOCS / "rate-distortion.md"
CIFAR_IMAGES = 200


@dataclass(frozen=True)
class Codec:
    """A codec of Pillow: its format, its qualities, and what else it is told."""

    format: str
    qualities: tuple[int, ...]
    options: Mapping[str, Any]

    def encode(self, image: Image.Image, quality: int) -> bytes:
        """The bytes of a whole file."""
        file = BytesIO()
        image.save(file, self.format, quality=quality, **self.options)
        return file.getvalue()


CODECS = {
    "JPEG": Codec("JPEG", (10, 25, 45, 65, 80, 90), {"optimize": True}),
    "WebP": Codec("WEBP", (1, 10, 30, 55, 75, 88), {"method": 6}),
    "AVIF": Codec("AVIF", (10, 25, 40, 55, 70, 82), {"speed": 6}),
}


def measure(arguments: argparse.Namespace) -> None:
    """Files of every image by every codec: their sizes, and what is left of the image.

    What is measured of other codecs stays; ``--anew`` measures that again too.
    """
    model = ist.load(arguments.run)
    kept = KeptRows(pictures.RESULTS, pictures.KEYS, anew=arguments.anew)
    for name, image in photographs(arguments.photographs_of):
        for codec, setting, encode, decode in ways(model, image):
            if codec != pictures.OWN and not kept.lacks(name, codec, setting):
                continue
            started = time.process_time()
            content = encode()
            between = time.process_time()
            restored = decode(content)
            seconds = between - started, time.process_time() - between
            found = judged(image, restored, content, seconds)
            if codec == pictures.OWN:
                found |= of_the_coder(model, image)
            kept.put((name, codec, setting), found)
            print(name, codec, setting, {key: round(value, 4) for key, value in found.items()})
    for codec, setting, found in small_images(model, kept):
        kept.put(("cifar10", codec, setting), found)
        print("cifar10", codec, setting, found)


def photographs(folder: str | None) -> Iterator[tuple[str, np.ndarray]]:
    """The names and the pixels ``(height, width, 3)`` of photographs nobody trained on."""
    for name in pictures.PHOTOGRAPHS:
        file = next(path for path in sorted(_home(folder).glob(f"{name}.*")))
        with Image.open(file) as image:
            yield name, np.asarray(image.convert("RGB"))


def _home(folder: str | None) -> Path:
    if folder is not None:
        return Path(folder)
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise SystemExit("scikit-image is not installed: pass --photographs-of FOLDER.")
    return Path(found.origin).parent / "data"


Way = tuple[str, int, Callable[[], bytes], Callable[[bytes], np.ndarray]]
"""A codec, its setting, from nothing to a file, and from a file to pixels."""


def ways(model: Any, image: np.ndarray) -> Iterator[Way]:
    """Every codec at every setting; the model's files are read by a model that knows no setting."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))[None]  # (1, 3, h, w)

    def own(quality: int) -> bytes:
        model.quality = quality
        content: bytes = model.compress(planes)
        return content

    def back(content: bytes) -> np.ndarray:
        return pixels_of(model.decompress(content))[0]

    back(own(0))  # tables are made once in a process
    for quality in range(len(model.distortion_weights)):
        yield pictures.OWN, quality, lambda quality=quality: own(quality), back
    given = Image.fromarray(image)
    for name, codec in CODECS.items():
        for quality in codec.qualities:
            yield (
                name,
                quality,
                lambda codec=codec, quality=quality: codec.encode(given, quality),
                opened,
            )


def opened(content: bytes) -> np.ndarray:
    """The pixels of a file of Pillow's."""
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def pixels_of(restored: np.ndarray) -> np.ndarray:
    """Reconstructions ``(n, 3, h, w)`` as pixels ``(n, h, w, 3)``, uint8."""
    x = restored if restored.dtype == np.uint8 else np.rint(restored * 255).clip(0, 255)
    return np.moveaxis(x.astype(np.uint8), 1, -1)


def judged(
    image: np.ndarray, restored: np.ndarray, content: bytes, seconds: tuple[float, float]
) -> dict[str, float]:
    """What a file of one image costs, and how near it is; megapixels a second of a processor."""
    area = image.shape[0] * image.shape[1]
    return {
        "bytes": len(content),
        "bits_per_pixel": 8 * len(content) / area,
        "psnr": psnr(image, restored),
        "ms_ssim": ms_ssim(image, restored),
        "encoded_per_second": area / seconds[0] / 1e6,
        "decoded_per_second": area / seconds[1] / 1e6,
    }


def of_the_coder(model: Any, image: np.ndarray) -> dict[str, float]:
    """The bytes that the likelihood says, and processor seconds of the networks that encode."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))[None]
    started = time.process_time()
    model.encode(planes)
    seconds = time.process_time() - started
    rate = float(model.terms(planes)["rate"][0])
    return {"rate_bytes": rate / np.log(2) / 8, "network_encodes": seconds}


def psnr(image: np.ndarray, restored: np.ndarray) -> float:
    """The peak signal-to-noise ratio of pixels over all colours, in decibels."""
    error = np.square(image.astype(np.float64) - restored).mean()
    return float(10 * np.log10(255**2 / error))


def ms_ssim(image: np.ndarray, restored: np.ndarray) -> float:
    """The multiscale structural similarity of two images, 1 where they are equal."""
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    a, b = (torch.from_numpy(x.copy()).permute(2, 0, 1)[None].float() for x in (restored, image))
    return float(multiscale_structural_similarity_index_measure(a, b, data_range=255.0))


def small_images(model: Any, kept: KeptRows) -> Iterator[tuple[str, int, dict[str, float]]]:
    """CIFAR-10: the mean of files of an image each, and, of the model, one file of all."""
    x = ist.data.load("cifar10").test.x[:CIFAR_IMAGES]
    images, model = np.moveaxis(x, 1, -1), model.for_size(32, 32)
    for quality in range(len(model.distortion_weights)):
        model.quality = quality
        restored = pixels_of(model.reconstruct(x))
        each = [len(model.compress(one[None])) for one in x]
        yield pictures.OWN, quality, _of_small(images, restored, each)
        yield (
            f"{pictures.OWN}, one file",
            quality,
            _of_small(images, restored, [len(model.compress(x))]),
        )
    for name, codec in CODECS.items():
        for quality in codec.qualities:
            if not kept.lacks("cifar10", name, quality):
                continue
            files = [codec.encode(Image.fromarray(one), quality) for one in images]
            restored = np.stack([opened(file) for file in files])
            yield name, quality, _of_small(images, restored, [len(file) for file in files])


def _of_small(images: np.ndarray, restored: np.ndarray, sizes: Sequence[int]) -> dict[str, float]:
    n, height, width, _ = images.shape
    return {
        "bytes": sum(sizes) / n,
        "bits_per_pixel": 8 * sum(sizes) / n / height / width,
        "psnr": float(np.mean([psnr(a, b) for a, b in zip(images, restored, strict=True)])),
    }


def draw(arguments: argparse.Namespace) -> None:
    """The page's numbers, the curves of what was measured, and details at equal bytes."""
    rows = KeptRows(pictures.RESULTS, pictures.KEYS).rows()
    pages.fill(PAGE, pictures.numbers(rows))
    pictures.write(pictures.curves(rows), "rate-distortion.png")
    model, shown = ist.load(arguments.run), {}
    for name, image in photographs(arguments.photographs_of):
        if name in pictures.DETAILS:
            shown[name] = list(at_equal_bytes(model, image, arguments.quality))
    pictures.write(pictures.details(shown), "rate-distortion-details.png", colours=256)


def at_equal_bytes(model: Any, image: np.ndarray, quality: int) -> Iterator[pictures.Shown]:
    """The original, and every codec at the largest file that is no larger than the model's."""
    yield "original", image, 0, 0.0
    own: pictures.Shown | None = None
    for codec, setting, encode, decode in ways(model, image):
        if codec == pictures.OWN and setting == quality:
            content = encode()
            restored = decode(content)
            own = pictures.OWN, restored, len(content), psnr(image, restored)
    assert own is not None
    given = Image.fromarray(image)
    for name, codec in CODECS.items():
        content = largest(codec, given, own[2])
        restored = opened(content)
        yield name, restored, len(content), psnr(image, restored)
    yield own


def largest(codec: Codec, image: Image.Image, size: int) -> bytes:
    """The file of the highest quality that is no larger than a size, or of the lowest."""
    best, low, high = codec.encode(image, 1), 1, 95
    while low < high:
        middle = (low + high + 1) // 2
        content = codec.encode(image, middle)
        if len(content) <= size:
            best, low = content, middle
        else:
            high = middle - 1
    return best


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    trains = commands.add_parser("train")
    trains.add_argument("--photographs", required=True, help="a folder of photographs")
    trains.add_argument("--seconds", type=float, default=600.0)
    trains.add_argument("--patch", type=int, default=128)
    trains.add_argument("--patches", type=int, default=None, help="at most so many")
    trains.add_argument("--batch-size", type=int, default=8)
    trains.add_argument("--learning-rate", type=float, default=5e-4)
    trains.add_argument("--network", default="gdn", choices=("gdn", "conv"))
    trains.add_argument("--hidden", default="64,64,64,128")
    trains.add_argument("--start", help="a run to go on from")
    trains.add_argument("--out", required=True)
    trains.set_defaults(run_command=training.train)
    for name, command in (("measure", measure), ("draw", draw)):
        uses = commands.add_parser(name)
        uses.add_argument("run")
        uses.add_argument("--photographs-of", help="the folder of scikit-image's photographs")
        uses.add_argument(ANEW, action="store_true", help="measure finished rows again")
        uses.add_argument("--quality", type=int, default=1, help="of the details")
        uses.set_defaults(run_command=command)
    arguments = parser.parse_args()
    arguments.run_command(arguments)


if __name__ == "__main__":
    main()
