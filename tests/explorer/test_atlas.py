"""A cloud of codes as a table for embedding-atlas."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

import isthmus as ist
from isthmus.explorer import write_atlas
from isthmus.explorer._atlas import png_of


def test_a_row_is_an_example(digits: ist.data.Data, tmp_path: Path) -> None:
    model = ist.load("pretrained:vae-digits-2d")
    table = parquet.read_table(write_atlas(model, digits, tmp_path / "codes.parquet"))
    assert table.column_names == ["x", "y", "label", "part", "image"]
    x = np.concatenate([digits.train.x, digits.test.x])
    codes = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    np.testing.assert_allclose(codes, model.transform(x), atol=1e-5)
    labels = np.concatenate([digits.train.labels, digits.test.labels])
    assert table["label"].to_pylist() == labels.astype(str).tolist()
    assert table["part"].to_pylist().count("test") == len(digits.test)
    picture = Image.open(io.BytesIO(table["image"][1500].as_py()["bytes"]))
    np.testing.assert_allclose(np.asarray(picture) / 255, x[1500].reshape(8, 8), atol=0.002)


def test_many_numbers_are_shown_by_their_principal_components(
    few: np.ndarray, tmp_path: Path
) -> None:
    model = ist.VQVAE(epochs=1, random_state=0).fit(few)
    data = ist.data.Data("few", ist.data.Part(few), ist.data.Part(few[:0]))
    table = parquet.read_table(write_atlas(model, data, tmp_path / "c.parquet", pictures=False))
    assert table.column_names == ["x", "y", "label", "part"]
    assert table["label"].null_count == len(few)
    codes = model.transform(few)
    singular = np.linalg.svd(codes - codes.mean(0), compute_uv=False)
    for name, size in zip("xy", singular, strict=False):
        assert np.linalg.norm(table[name].to_numpy()) == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 6)])
def test_pictures_are_png(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png_of(picture))))
    np.testing.assert_array_equal(read, picture[0] if shape[0] == 1 else picture.transpose(1, 2, 0))


def test_the_table_is_written_from_a_shell(isthmus: Any, tmp_path: Path) -> None:
    run = ist.load("pretrained:vae-digits-2d").save(tmp_path / "run")
    out = tmp_path / "codes.parquet"
    status, printed, _ = isthmus("explore", run, "--data", "digits", "--atlas", out)
    opener = f"embedding-atlas {out} --x x --y y --image image"
    assert (status, printed.strip()) == (0, f"{out}: 1,797 codes; look at them with {opener}")
    status, _, said = isthmus(
        "explore", run, run, "--data", "digits", "--atlas", tmp_path / "b.parquet"
    )
    assert (status, "--atlas holds the codes of one run, not of 2: give one" in said) == (2, True)
    status, _, said = isthmus("explore", run, "--data", "digits", "--atlas", out, "--out", "x.html")
    assert (status, "--out and --atlas are two things" in said) == (2, True)


def test_another_ending_than_parquet_is_refused(digits: ist.data.Data, tmp_path: Path) -> None:
    model = ist.load("pretrained:vae-digits-2d")
    with pytest.raises(ist.InputError, match=r"x.csv.* is no table: give a name that ends in"):
        write_atlas(model, digits, tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())
