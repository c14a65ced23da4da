"""Pictures one after another as one file: a GIF with one palette, an MP4 by ffmpeg."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from isthmus.errors import InputError, missing_extra

_GREYS, _CLASSES, _OTHERS = 32, 40, 96  # colours of the palette; there are three of each class
_APART = 12  # of 255: what is nearer to a colour of the palette is not added to it


@dataclass(frozen=True)
class Format:
    """What an ending of a name asks for.

    Attributes:
        frames: how many pictures, where nobody says it.
        seconds: how long each is shown.
        dpi: of a picture; a video halves the resolution of colours.
    """

    frames: int
    seconds: float
    dpi: int


FORMATS = {".gif": Format(40, 0.09, 96), ".mp4": Format(96, 0.04, 144)}


def as_gif(pictures: Sequence[Image.Image], colours: np.ndarray, hold: float) -> bytes:
    """The pictures with one palette, in which ``colours`` ``(n, 4)`` stay what they are.

    The last picture stays for ``hold`` seconds.
    """
    palette = _palette(pictures[-1], colours)
    first, *others = [
        picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
    ]
    seconds = [FORMATS[".gif"].seconds] * (len(pictures) - 1) + [hold]
    buffer = io.BytesIO()
    first.save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=[round(1000 * second) for second in seconds],
        loop=0,
    )
    return buffer.getvalue()


def as_mp4(pictures: Iterator[Image.Image], hold: float) -> bytes:
    """The pictures as H.264, which every browser plays; the last stays for ``hold`` seconds.

    Raises:
        MissingExtraError: where there is no ffmpeg.
        InputError: where ffmpeg fails, with its words.
    """
    program, first = ffmpeg(), next(pictures)
    size = f"{first.width}x{first.height}"
    seconds = FORMATS[".mp4"].seconds
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "film.mp4"
        given = f"-f rawvideo -pix_fmt rgb24 -s {size} -r {1 / seconds:g} -i -"
        # the colours of a pixel are kept for every two: sides must be even
        made = "-an -c:v libx264 -crf 21 -pix_fmt yuv420p -vf crop=trunc(iw/2)*2:trunc(ih/2)*2"
        command = [program, "-v", "error", *given.split(), *made.split()]
        command += ["-movflags", "+faststart", str(target)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            said = _fed(process, first, pictures, round(hold / seconds))
        if process.returncode != 0 or not target.is_file():
            words = said.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise InputError(
                f"ffmpeg ({program}) could not write the video: {words[-1]}; give a name that ends"
                " in .gif, or pip install 'isthmus[video]' for an ffmpeg that can."
            )
        return target.read_bytes()


def ffmpeg() -> str:
    """Where the program is: that of imageio-ffmpeg, or one on the path."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        found = shutil.which("ffmpeg")
        if found is None:
            raise missing_extra("imageio-ffmpeg", "video", "an MP4") from error
        return found
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _fed(
    process: subprocess.Popen[bytes],
    first: Image.Image,
    others: Iterator[Image.Image],
    repeated: int,
) -> bytes:
    """Hand the pictures over, the last of them several times; gives what is said of it."""
    assert process.stdin is not None and process.stderr is not None
    last = first.tobytes()
    try:
        process.stdin.write(last)
        for picture in others:
            last = picture.tobytes()
            process.stdin.write(last)
        for _ in range(repeated):
            process.stdin.write(last)
        process.stdin.close()
    except BrokenPipeError:  # it has ended, and says why
        pass
    return process.stderr.read()


def _palette(picture: Image.Image, colours: np.ndarray) -> Image.Image:
    """Greys, the colours of the points in steps towards white, and what else a picture needs.

    Left to itself, a palette follows what covers most of the picture, and classes of few points
    would change colour.
    """
    greys = np.linspace(0, 1, _GREYS)[:, None].repeat(3, axis=1)
    points = np.unique(colours[:, :3], axis=0)[:_CLASSES]
    mixed = [share * points + 1 - share for share in (1.0, 0.7, 0.4)]
    own = (np.concatenate([greys, *mixed]) * 255).round().astype(np.uint8)
    others = np.asarray(picture.quantize(_OTHERS).getpalette(), dtype=np.uint8).reshape(-1, 3)
    nearest = np.abs(others[:, None].astype(int) - own).max(axis=2).min(axis=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([own, others[nearest > _APART]])[:256].tobytes())
    return palette
