"""A folder of images: classes, colours, sizes, and files that are not what they seem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus as ist
from isthmus.data import load, read
from isthmus.errors import DataWarning, InputError

RED, GREY = (255, 0, 0), 100


def draw(
    path: Path, colour: int | tuple[int, ...] = GREY, size: tuple[int, int] = (4, 6), mode: str = ""
) -> Path:
    """Save an image of one colour; ``size`` is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode or ("L" if isinstance(colour, int) else "RGB"), size[::-1], colour).save(path)
    return path


def test_grey_images_without_classes(tmp_path):
    for name in ("b.png", "a.bmp", "c.tif"):
        draw(tmp_path / name)
    rows = read(tmp_path)
    assert (rows.x.shape, rows.x.dtype) == ((3, 1, 4, 6), np.uint8)
    assert (rows.x == GREY).all()
    assert (rows.y, rows.classes, rows.files) == (None, None, ("a.bmp", "b.png", "c.tif"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "gif", "webp", "tif"])
def test_every_format_is_read(tmp_path, suffix):
    draw(tmp_path / f"a.{suffix}", RED)
    x = read(tmp_path).x
    assert x.shape == (1, 3, 4, 6)
    np.testing.assert_allclose(x[0, :, 0, 0], RED, atol=3)  # jpg and webp lose a little


def test_sub_folders_are_classes_and_one_colour_image_makes_all_rgb(tmp_path):
    draw(tmp_path / "dogs" / "1.png", RED)
    draw(tmp_path / "cats" / "deep" / "2.png", GREY)
    (tmp_path / "readme.txt").write_text("not an image")
    draw(tmp_path / ".hidden" / "3.png")
    rows = read(tmp_path)
    assert (rows.classes, rows.y.tolist(), rows.files) == (
        ("cats", "dogs"),
        [0, 1],
        ("cats/deep/2.png", "dogs/1.png"),
    )
    assert rows.x[:, :, 0, 0].tolist() == [[GREY] * 3, list(RED)]


def test_folders_called_train_and_test_are_the_two_parts(tmp_path):
    for i in range(3):
        draw(tmp_path / "train" / "cats" / f"{i}.png", i)
        draw(tmp_path / "train" / "dogs" / f"{i}.png", 10 + i)
    draw(tmp_path / "test" / "dogs" / "9.png", 99)
    data = load(tmp_path)
    assert (len(data.train), data.test.x.ravel()[0], data.test.y.tolist()) == (6, 99, [1])
    assert data.classes == ("cats", "dogs")


def test_a_folder_is_split_and_named_after_itself(tmp_path):
    for label in ("a", "b"):
        for i in range(10):
            draw(tmp_path / "faces" / label / f"{i}.png", i)
    data = load(tmp_path / "faces")
    assert (data.name, data.shape, np.bincount(data.test.y).tolist()) == (
        "faces",
        (1, 4, 6),
        [2, 2],
    )


def test_different_sizes_are_refused_naming_two_files(tmp_path):
    draw(tmp_path / "a.png", size=(4, 6))
    draw(tmp_path / "b.png", size=(8, 5))
    with pytest.raises(
        InputError,
        match=r"differ in size .*a.png is 4x6, .*b.png is 8x5: pass size, such as size=4",
    ):
        read(tmp_path)


@pytest.mark.parametrize(("size", "shape"), [(3, (3, 3)), ((5, 7), (5, 7)), ([2, 9], (2, 9))])
def test_size_resizes(tmp_path, size, shape):
    draw(tmp_path / "a.png", size=(4, 6))
    draw(tmp_path / "b.png", size=(8, 5))
    assert read(tmp_path, size=size).x.shape == (2, 1, *shape)


@pytest.mark.parametrize("size", [0, -3, (4,), (4, 0), 2.5, True, "64"])
def test_a_bad_size_is_refused(tmp_path, size):
    draw(tmp_path / "a.png")
    with pytest.raises(
        InputError,
        match=r"size=.* must be a whole number above 0, or two of them: \(height, width\)",
    ):
        read(tmp_path, size=size)


def test_an_image_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    image = Image.new("RGB", (6, 4), RED)
    image.paste((0, 0, 0), (0, 0, 6, 2))  # the upper half is black
    image.save(tmp_path / "a.png", exif=exif)
    x = read(tmp_path).x
    assert x.shape == (1, 3, 6, 4)
    assert x[0, 0, 0].tolist() == [255, 255, 0, 0]


def test_transparency_is_dropped_without_a_warning(tmp_path):
    draw(tmp_path / "a.png", (1, 2, 3, 128), mode="RGBA")
    palette = Image.new("P", (6, 4))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "b.png", transparency=b"\x00\xff")
    assert read(tmp_path).x[:, :, 0, 0].tolist() == [[1, 2, 3], [10, 20, 30]]


def test_a_file_that_is_no_image_is_named(tmp_path):
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("not an image")
    with pytest.raises(
        InputError, match=r"b.png cannot be read as an image .*: replace it, or take it out"
    ):
        read(tmp_path)


def test_a_truncated_image_is_named(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"a.png cannot be read as an image"):
        read(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "below").mkdir()
    message = r"holds no images \(.bmp, .*\) and no sounds \(.flac, .*\): name another folder"
    for reader in (read, load):
        with pytest.raises(InputError, match=message):
            reader(tmp_path)


def test_a_class_without_images_is_refused(tmp_path):
    draw(tmp_path / "cats" / "a.png")
    (tmp_path / "dogs").mkdir()
    with pytest.raises(
        InputError, match=r"dogs holds no images, but every sub-folder is a class: move it out"
    ):
        read(tmp_path)


def test_images_beside_the_classes_are_refused(tmp_path):
    draw(tmp_path / "cats" / "a.png")
    draw(tmp_path / "loose.png")
    with pytest.raises(InputError, match=r"in sub-folders and beside them \(loose.png\)"):
        read(tmp_path)


def test_one_image_cannot_be_split(tmp_path):
    draw(tmp_path / "a.png")
    with pytest.raises(InputError, match="1 row to train and test on: at least 2 are needed"):
        load(tmp_path)


def test_a_single_image_is_read(tmp_path):
    rows = read(draw(tmp_path / "photo.JPG", GREY))
    assert (rows.x.shape, rows.y, rows.files) == ((1, 1, 4, 6), None, ("photo.JPG",))
    assert read(tmp_path / "photo.JPG", size=(3, 5)).x.shape == (1, 1, 3, 5)


def test_files_that_are_no_images_are_said(tmp_path):
    draw(tmp_path / "a.png")
    for name in ("README.md", "Thumbs.db", ".notes.txt"):  # these are taken for granted
        (tmp_path / name).write_text("x")
    read(tmp_path)
    for name in ("b.heic", "c.heic", "d.txt", "raw"):
        (tmp_path / name).write_text("x")
    with pytest.warns(
        DataWarning,
        match=r"left out 4 files that are no images of a known format \(.heic, .txt, raw\)",
    ):
        read(tmp_path)


def test_a_link_to_a_folder_above_is_not_followed_for_ever(tmp_path):
    draw(tmp_path / "cats" / "a.png")
    (tmp_path / "cats" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert read(tmp_path).files == ("cats/a.png",)


@pytest.fixture
def damaged(tmp_path) -> Path:
    """Three images, a file that is none, and one that is cut in its middle."""
    for part, names in (("train", "abc"), ("test", "d")):
        for i, name in enumerate(names):
            draw(tmp_path / part / "cats" / f"{name}.png", 10 * i)
    (tmp_path / "train" / "cats" / "b.png").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    path = tmp_path / "train" / "cats" / "a2.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    return tmp_path


def test_unreadable_images_are_left_out_where_asked_for(damaged):
    with pytest.raises(InputError, match=r"b.png cannot be .* or pass skip_unreadable=True"):
        load(damaged, size=(4, 6))
    with pytest.warns(
        DataWarning,
        match="left out 2 files that cannot be read as images: train/cats/a2.png, train/cats/b.png",
    ):
        data = load(damaged, size=(4, 6), skip_unreadable=True)
    assert data.train.x[:, 0, 0, 0].tolist() == [0, 20]
    assert (len(data.test), data.classes) == (1, ("cats",))
    assert sorted(data.unread) == ["train/cats/a2.png", "train/cats/b.png"]
    assert data.source["skip_unreadable"] is True


def test_a_folder_with_nothing_readable_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InputError, match="holds no image that can be read: name another"):
        read(tmp_path, skip_unreadable=True)


@pytest.mark.parametrize(("channels", "colour"), [(1, 76), (3, RED)])
def test_images_are_brought_to_the_form_of_a_member(tmp_path, channels, colour):
    shape = (channels, 5, 7)
    x = np.random.default_rng(0).random((20, *shape), dtype=np.float32)
    model = ist.AE(latent_dim=2, hidden=(4,), network="mlp", epochs=1, verbose=0).fit(x)
    draw(tmp_path / "cats" / "a.png", RED)
    draw(tmp_path / "b.png", RED, size=(9, 9))  # classes are not asked for
    rows = read(tmp_path, like=model)
    assert (rows.x.shape, rows.y) == ((2, *shape), None)
    assert rows.x[:, :, 0, 0].tolist() == [np.ravel(colour).tolist()] * 2
    with pytest.raises(InputError, match=r"size=9 does not fit this AE, .* images of 5x7: leave"):
        read(tmp_path, like=model, size=9)


def test_images_are_brought_to_the_layout_of_a_member(tmp_path):
    x = np.random.default_rng(0).random((20, 5, 7, 3), dtype=np.float32)
    model = ist.AE(latent_dim=2, hidden=(4,), network="mlp", epochs=1, verbose=0).fit(x)
    draw(tmp_path / "a.png", RED)
    x = read(tmp_path, like=model).x
    assert (x.shape, x[0, 0, 0].tolist()) == ((1, 5, 7, 3), list(RED))
