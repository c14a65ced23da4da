"""Commands that make files smaller, and large again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

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
    from isthmus.data._sources.pixels import Form
    from isthmus.data._sources.sounds import Clip

Made: TypeAlias = Callable[[], tuple[bytes, int]]
"""What makes the bytes of a file, and says how many there were in memory."""

ENDING = ".isth"
_PICTURES = (".bmp", ".tif", ".tiff", ".webp")  # what pixels are written as unchanged, beside .png
_WORTH_A_BAR = 2
_RESTORE = "restore it from a copy"


def compress_command(
    run: Run,
    data: Input,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help=".isth; or, for a folder of images or sounds, a folder"),
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

    A folder of images or sounds becomes a folder, a file each; of images or arrays, a single file
    for all is smaller.
    """
    from isthmus._cli import exports, pictures
    from isthmus.core.files import write_bytes
    from isthmus.data._reading import holds_images, holds_sounds, require_source

    require_source(data)
    is_folder, are_sounds = out.suffix.lower() != ENDING, holds_sounds(data)
    is_source = Path(data).expanduser().is_dir()
    if not is_folder or not is_source or not (are_sounds or holds_images(data)):
        exports.check_target(out, (ENDING,), overwrite)
    elif is_folder:
        pictures.require_target(data, out, "compress", overwrite)
    model, options = open_run(run), options_of(data_dir, label, None, skip_unreadable)
    _choose(model, quality)
    told = condition_from(model, condition) | ({"lossless": True} if lossless else {})
    if not are_sounds and (not holds_images(data) or (is_source and not is_folder)):
        rows = rows_from(data, model, **options)
        content = model.compress(examples_for(model, rows, data, needed=condition is None), **told)
        write_bytes(out, content)
        _told(out, len(rows), _bytes_of(rows.x), len(content), as_json)
        return
    parts = (
        _sounds(model, data, told, skip_unreadable)
        if are_sounds
        else _images(model, data, told, options)
    )
    place = Path(data).expanduser()
    made = Compression(parts, place if is_source else place.parent)
    if is_folder:
        names = [name + ENDING for name, _ in parts]
        with pictures.filling(out, data, names, command="compress", overwrite=overwrite) as new:
            for name, content in made.files():
                new.write(name + ENDING, content)
    elif len(parts) == 1:
        for _, content in made.files():
            write_bytes(out, content)
    else:
        raise InputError(f"{data} holds {len(parts)} sounds, and {out} is one file: name a folder.")
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
            help=".npy, .png; .wav or .flac; .csv or .parquet for a table; a folder for a folder",
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

    if not data.exists():
        raise InputError(f"{data} is missing: name a file that isthmus compress wrote.")
    if data.is_dir():
        pictures.require_target(str(data), out, "decompress", overwrite)
        _restore_folder(open_run(run), data, out, overwrite, as_json)
        return
    endings = (exports.ARRAY, exports.PICTURE, *exports.SOUNDS, *exports.TABLES)
    exports.check_target(out, endings, overwrite)
    model = open_run(run)
    exports.check_target(out, exports.endings_of(model), overwrite)
    with reading(data, _RESTORE):
        content = content_of(data, _RESTORE)
        if out.suffix.lower() in exports.SOUNDS:
            write_bytes(out, _sound(model, content, out.suffix))
            say(str(out), {"out": out}, as_json)
            return
        examples = model.decompress(content)
    is_photograph = len(examples) == 1 and model.preprocessor_.spec.kind == "image"
    if out.suffix.lower() == exports.PICTURE and is_photograph:
        write_bytes(out, _picture(model, examples, out.suffix))
    else:
        exports.write_examples(out, examples, columns_of(model))
    wrote(out, examples, as_json)


class Compression:
    """Files as bytes, one after the other, and a count of what that saved.

    Args:
        parts: the name of each, and what makes its bytes, and how many there were in memory.
        source: the folder in which they are.
    """

    def __init__(self, parts: Sequence[tuple[str, Made]], source: Path) -> None:
        self.parts, self.source = parts, source
        self.count = self.before = self.after = 0

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The name of each file, and its bytes."""
        from isthmus.core.files import speaking_of
        from isthmus.data._sources.progress import track

        for name, make in track(self.parts, "compressing", _WORTH_A_BAR):
            with speaking_of(self.source / name):
                content, before = make()
            self.count, self.before = self.count + 1, self.before + before
            self.after += len(content)
            yield name, content


def _images(
    model: Any, data: str, told: dict[str, Any], options: dict[str, Any]
) -> list[tuple[str, Made]]:
    """Images, each read when its turn comes."""
    from isthmus.data._reading import open_images
    from isthmus.data._sources.pixels import decoded

    images, layout = open_images(data, like=model, **options), model.preprocessor_.layout

    def make(path: Path, form: Form) -> tuple[bytes, int]:
        pixels = decoded(path, form)[None]
        x = layout.inverse_transform(pixels)
        return model.compress(x, **told), pixels.nbytes

    forms = [
        replace(images.form, size=head.size) if model.any_size else images.form
        for head in images.heads
    ]
    return [
        (file.name, partial(make, file.path, form))
        for file, form in zip(images.files, forms, strict=True)
    ]


def _sounds(
    model: Any, data: str, told: dict[str, Any], skip_unreadable: bool
) -> list[tuple[str, Made]]:
    """Sounds, each read when its turn comes."""
    from isthmus.core.paths import as_path
    from isthmus.data._sources.sounds import listed_sounds, read_sound
    from isthmus.estimators.sounds import compress_sound

    clips, _ = listed_sounds(as_path(data, "source"), skip_unreadable=skip_unreadable)

    def make(clip: Clip) -> tuple[bytes, int]:
        x = read_sound(clip)
        return compress_sound(model, x, clip.head.sample_rate, **told), x.nbytes

    return [(clip.file.name, partial(make, clip)) for clip in clips]


def _restore_folder(model: Any, data: Path, out: Path, overwrite: bool, as_json: bool) -> None:
    """Write what every file of a folder holds: images as such, anything else as arrays."""
    from isthmus._cli import pictures
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
                content = content_of(path, _RESTORE)
                new.write(name, _plain_bytes(model, content, Path(name).suffix))
    say(f"{out}: {len(found)} files", {"out": out, "files": len(found)}, as_json)


def _plain_name(model: Any, name: str) -> str:
    """What a file is called that holds the same, as pixels or as an array."""
    from isthmus._cli.exports import ARRAY, PICTURE, SOUNDS

    name = name.removesuffix(ENDING)
    spec = model.preprocessor_.spec
    endings: tuple[str, ...] = (ARRAY,)
    if spec.kind == "image":
        endings = (PICTURE, *_PICTURES)
    elif spec.sample_rate is not None:
        endings = SOUNDS
    return name if name.lower().endswith(endings) else name + endings[0]


def _plain_bytes(model: Any, content: bytes, ending: str) -> bytes:
    """What compressed data hold, as the bytes of a file: an image, a sound, or an array."""
    from isthmus._cli import exports

    if ending.lower() in exports.SOUNDS:
        return _sound(model, content, ending)
    examples = model.decompress(content)
    if ending == exports.ARRAY:
        return exports.array_bytes(examples)
    if len(examples) != 1:
        raise InputError(
            f"these are {len(examples)} images: decompress them by themselves, as .npy or .png."
        )
    return _picture(model, examples, ending)


def _sound(model: Any, content: bytes, ending: str) -> bytes:
    """A sound as the bytes of a file; one that goes beyond [-1, 1] is made quieter."""
    from isthmus.data._sources.sound_files import sound_bytes
    from isthmus.estimators.sounds import decompress_sound

    x = decompress_sound(model, content)
    return sound_bytes(ending.lower(), x, model.preprocessor_.spec.sample_rate)[0]


def _picture(model: Any, examples: Any, ending: str) -> bytes:
    """A single image in the layout of the data, as the bytes of a file."""
    from isthmus._cli.pictures import image_bytes, white_of

    is_deep = examples.dtype.name == "uint16"
    images = model.preprocessor_.layout.transform(examples)
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
