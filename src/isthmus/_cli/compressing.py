"""Commands that make files smaller, and large again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus._cli.shared import (
    Condition,
    DataDir,
    Input,
    Json,
    Label,
    Overwrite,
    Run,
    Skip,
    columns_of,
    condition_from,
    examples_for,
    open_run,
    options_of,
    rows_from,
    say,
    wrote,
)
from isthmus.errors import InputError

if TYPE_CHECKING:
    from isthmus.data._sources.images import Images

ENDING = ".isth"
_LOSSLESS = (".bmp", ".png", ".tif", ".tiff", ".webp")  # what pixels can be written as, unchanged
_WORTH_A_BAR = 2
_RESTORE = "restore it from a copy"


def compress_command(
    run: Run,
    data: Input,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help=".isth; or, for a folder of images, a folder"),
    ],
    data_dir: DataDir = None,
    label: Label = None,
    skip_unreadable: Skip = False,
    condition: Condition = None,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="keep every value, by a likelihood of single values")
    ] = False,
    quality: Annotated[
        int | None, typer.Option(help="which of a member's qualities, where it has several", min=0)
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Compress examples to few bytes, which the same run decompresses.

    A folder of images becomes a folder, a file each; or a single file, which is smaller.
    """
    from isthmus._cli import exports, pictures
    from isthmus.core.files import write_bytes
    from isthmus.data._loading import holds_images, open_images

    is_folder = out.suffix.lower() != ENDING
    if is_folder and not (holds_images(data) and Path(data).is_dir()):
        exports.check_target(out, (ENDING,), overwrite)
    if is_folder:
        pictures.require_target(data, out, "compress", overwrite)
    else:
        exports.check_target(out, (ENDING,), overwrite)
    model, options = open_run(run), options_of(data_dir, label, None, skip_unreadable)
    _choose(model, quality)
    told = condition_from(model, condition) | ({"lossless": True} if lossless else {})
    if not holds_images(data) or not (is_folder or Path(data).is_file()):
        rows = rows_from(data, model, **options)
        content = model.compress(examples_for(model, rows, data, needed=condition is None), **told)
        write_bytes(out, content)
        _told(out, len(rows), _bytes_of(rows.x), len(content), as_json)
        return
    images = open_images(data, like=model, **options)
    made = Compression(model, images, told)
    if is_folder:
        names = [file.name + ENDING for file in images.files]
        with pictures.filling(out, data, names, command="compress", overwrite=overwrite) as new:
            for name, content in made.files():
                new.write(name + ENDING, content)
    else:
        for _, content in made.files():
            write_bytes(out, content)
    _told(out, made.count, made.before, made.after, as_json)


def decompress_command(
    run: Run,
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="a file that compress wrote, or a folder of them")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help=".npy, .png; .csv or .parquet for a table; a folder for a folder",
        ),
    ],
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Decompress what compress wrote, by the same run.

    What is damaged or of another run is refused, and nothing is written.
    """
    from isthmus._cli import exports, pictures
    from isthmus.core.files import content_of, reading, write_bytes

    if data.is_dir():
        pictures.require_target(str(data), out, "decompress", overwrite)
        _restore_folder(open_run(run), data, out, overwrite, as_json)
        return
    exports.check_target(out, (exports.ARRAY, exports.PICTURE, *exports.TABLES), overwrite)
    if not data.exists():
        raise InputError(f"{data} is missing: name a file that isthmus compress wrote.")
    model = open_run(run)
    with reading(data, _RESTORE):
        examples = model.decompress(content_of(data, _RESTORE))
    is_photograph = len(examples) == 1 and model.preprocessor_.spec.kind == "image"
    if out.suffix.lower() == exports.PICTURE and is_photograph:
        write_bytes(out, _picture(model, examples, out.suffix))
    else:
        exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


class Compression:
    """Images as bytes, one after the other, and a count of what that saved.

    Args:
        model: the member.
        images: what was looked at.
        told: what a conditional member is told of them, and how they are coded.
    """

    def __init__(self, model: Any, images: Images, told: dict[str, Any]) -> None:
        self.model, self.images, self.told = model, images, told
        self.count = self.before = self.after = 0

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The name of each image, and its bytes."""
        from isthmus.data._sources.pixels import decoded
        from isthmus.data._sources.progress import track

        layout, any_size = self.model.preprocessor_.layout, self.model.any_size
        pairs = list(zip(self.images.files, self.images.heads, strict=True))
        for file, head in track(pairs, "compressing", _WORTH_A_BAR):
            form = replace(self.images.form, size=head.size) if any_size else self.images.form
            pixels = decoded(file.path, form)[None]
            x = pixels if any_size else layout.inverse_transform(pixels)
            content = self.model.compress(x, **self.told)
            self.count, self.before = self.count + 1, self.before + pixels.nbytes
            self.after += len(content)
            yield file.name, content


def _restore_folder(model: Any, data: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Write what every file of a folder holds: images as such, anything else as arrays."""
    from isthmus._cli import exports, pictures
    from isthmus.core.files import content_of, reading
    from isthmus.data._sources.progress import track

    found = sorted(path for path in data.rglob(f"*{ENDING}") if path.is_file())
    if not found:
        raise InputError(f"{data} holds no file that ends in {ENDING}: name another.")
    names = {path: _plain_name(model, path.relative_to(data).as_posix()) for path in found}
    listed = list(names.values())
    with pictures.filling(out, str(data), listed, command="decompress", overwrite=overwrite) as new:
        for path, name in track(list(names.items()), "decompressing", _WORTH_A_BAR):
            with reading(path, _RESTORE):
                examples = model.decompress(content_of(path, _RESTORE))
            is_image = not name.endswith(exports.ARRAY)
            if is_image and len(examples) != 1:
                raise InputError(f"{path} holds {len(examples)} images: decompress it by itself.")
            content = (
                _picture(model, examples, Path(name).suffix)
                if is_image
                else exports.array_bytes(examples)
            )
            new.write(name, content)
    say(f"{out}: {len(found)} files", {"out": out, "files": len(found)}, as_json)


def _plain_name(model: Any, name: str) -> str:
    """What a file is called that holds the same, as pixels or as an array."""
    from isthmus._cli.exports import ARRAY, PICTURE

    name = name.removesuffix(ENDING)
    is_image = model.preprocessor_.spec.kind == "image"
    endings, ending = (_LOSSLESS, PICTURE) if is_image else ((ARRAY,), ARRAY)
    return name if name.lower().endswith(endings) else name + ending


def _picture(model: Any, examples: Any, ending: str) -> bytes:
    """A single image in the layout of the data, as the bytes of a file."""
    from isthmus._cli.pictures import image_bytes, white_of

    is_deep = examples.dtype.name == "uint16"
    images = examples if model.any_size else model.preprocessor_.layout.transform(examples)
    pixels = images[0]  # (c, h, w)
    if pixels.dtype.kind == "u":
        pixels = pixels / (65535 if is_deep else 255)
    return image_bytes(ending, pixels, white_of(ending, pixels, is_deep))


def _choose(model: Any, quality: int | None) -> None:
    """Set a member's quality, where it has several."""
    if quality is None:
        return
    if "quality" not in model.get_params(deep=False):
        raise InputError(
            f"--quality {quality} means nothing to {type(model).__name__}, which has one quality:"
            " leave it out, or train 'hyperprior'."
        )
    model.set_params(quality=quality)


def _bytes_of(x: Any) -> int:
    """The bytes that examples take in memory."""
    from isthmus.data.frames import is_frame

    return int(x.memory_usage(index=False).sum() if is_frame(x) else x.nbytes)


def _told(out: Path, n: int, before: int, after: int, as_json: bool) -> None:
    """Say how many bytes there are, and how many there were in memory."""
    found = {"out": out, "examples": n, "bytes": after, "before": before}
    examples = f"{n:,} example{'s' * (n > 1)}"
    say(f"{out}: {examples}, {after:,} bytes of {before:,} in memory", found, as_json)
