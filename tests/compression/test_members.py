"""Members compress examples to bytes, and any process with the same model reads them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

import isthmus as ist
from isthmus.compression import Coded, ExampleForm, coded_bytes, identity_of, read_coded
from isthmus.core import memory
from tests.warm import Warm

PRIOR = {"channels": 8, "layers": 2, "epochs": 2, "random_state": 0, "verbose": 0}


@pytest.fixture(scope="module")
def digits() -> ist.data.Data:
    return ist.data.load("digits")


def trained(x: Any, y: Any = None, **settings: Any) -> ist.VQVAE:
    quantizer = ist.quantizers.VectorQuantizer(codebook_size=16)
    common = {"quantizer": quantizer, "epochs": 1, "random_state": 0, "verbose": 0, "hidden": (8,)}
    return ist.VQVAE(**common | settings).fit(x, y)


@pytest.fixture(scope="module")
def plain(digits: ist.data.Data) -> ist.VQVAE:
    return trained(digits.train.x)


@pytest.fixture(scope="module")
def charged(digits: ist.data.Data) -> ist.VQVAE:
    """A member with a prior over its codes."""
    model = trained(digits.train.x)
    return model.fit_prior(digits.train.x, prior=ist.priors.PixelCNN(**PRIOR))


def sealed(content: bytes) -> bytes:
    """Data whose checksum fits again, as whoever changes them on purpose would leave them."""
    return content[:-4] + zlib.crc32(content[:-4]).to_bytes(4, "little")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_what_comes_back_is_the_reconstruction(
    plain: ist.VQVAE, digits: ist.data.Data, dtype: type
) -> None:
    white = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    x = (digits.test.x[:20] * white).astype(dtype)
    found = plain.decompress(plain.compress(x))
    assert found.dtype == plain.reconstruct(x).dtype
    assert (found == plain.reconstruct(x)).all()


def test_the_size_is_what_the_likelihood_says(charged: ist.VQVAE, digits: ist.data.Data) -> None:
    x = np.tile(digits.test.x, (3, 1, 1, 1))
    coded, _ = read_coded(charged.compress(x))
    bits = -charged.score_prior(x) * len(x) / np.log(2)
    assert 8 * sum(map(len, coded.streams)) == pytest.approx(bits, rel=0.02)


def test_a_prior_that_knows_classes_charges_for_their_mixture(digits: ist.data.Data) -> None:
    model, few = trained(digits.train.x), digits.train.y < 3
    prior = ist.priors.PixelCNN(**PRIOR)
    model.fit_prior(digits.train.x[few], digits.train.y[few], prior=prior)
    x = digits.train.x[few]
    content = model.compress(x)
    bits = -model.score_prior(x) * len(x) / np.log(2)
    assert 8 * sum(map(len, read_coded(content)[0].streams)) == pytest.approx(
        bits, rel=0.02, abs=160
    )
    assert (model.decompress(content) == model.reconstruct(x)).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_threads_reads_the_same(
    charged: ist.VQVAE, digits: ist.data.Data, threads: int
) -> None:
    content, before = charged.compress(digits.test.x[:70]), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            assert charged.compress(digits.test.x[:70]) == content
            found = charged.decompress(content)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found, charged.reconstruct(digits.test.x[:70]), atol=1e-6)


def test_another_process_reads_the_same(
    warm: Warm, charged: ist.VQVAE, digits: ist.data.Data, tmp_path: Path
) -> None:
    charged.save(tmp_path / "run")
    (tmp_path / "seven.isth").write_bytes(charged.compress(digits.test.x[:7]))
    program = (
        "import sys, numpy as np, isthmus as ist\n"
        "np.save(sys.argv[3], ist.decompress(sys.argv[1], sys.argv[2]))"
    )
    words = [tmp_path / "seven.isth", tmp_path / "run", tmp_path / "found.npy"]
    process = warm.start("-c", program, *words)
    assert (process.communicate()[1], process.returncode) == ("", 0)
    found = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(found, charged.reconstruct(digits.test.x[:7]), atol=1e-6)


def test_a_conditional_member_is_told_the_same_again(digits: ist.data.Data) -> None:
    model = trained(digits.train, condition="label")
    prior = ist.priors.PixelCNN(**PRIOR)
    for fitted in (model, model.fit_prior(digits.train, prior=prior)):
        content = fitted.compress(digits.test)
        assert (fitted.decompress(content) == fitted.reconstruct(digits.test)).all()
    bits = -model.score_prior(digits.test.x, digits.test.labels) * 359 / np.log(2)
    labels = 359 * np.log2(10)
    total = 8 * sum(map(len, read_coded(content)[0].streams))
    assert total == pytest.approx(bits + labels, rel=0.03)


def test_covariates_are_kept_as_numbers(digits: ist.data.Data) -> None:
    x, c = digits.train.x[:200], np.random.default_rng(0).normal(size=(200, 2))
    model = trained(x, c, condition="covariates")
    content = model.compress(x[:9], c[:9])
    assert (model.decompress(content) == model.reconstruct(x[:9], c[:9])).all()


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
def test_signals_end_where_they_ended() -> None:
    draw = np.random.default_rng(0)
    signals = [np.sin(np.arange(n) / 3)[None] + draw.normal(size=n) / 9 for n in (32, 20, 32, 27)]
    model = ist.VQVAE(kind="signal", epochs=1, random_state=0, verbose=0, hidden=(4, 8))
    model.fit(signals * 8)
    found = model.decompress(model.compress(signals))
    assert [row.shape for row in found] == [row.shape for row in signals]
    wanted = model.reconstruct(signals)
    assert all((mine == other).all() for mine, other in zip(found, wanted, strict=True))


@pytest.mark.filterwarnings("ignore::isthmus.errors.LearningWarning")
def test_rows_of_a_table_come_back_as_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    draw = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": draw.normal(size=60), "b": draw.choice(["x", "y"], 60)})
    model = ist.VQVAE(epochs=1, random_state=0, verbose=0).fit(frame)
    pandas.testing.assert_frame_equal(
        model.decompress(model.compress(frame)), model.reconstruct(frame)
    )


def test_a_model_that_is_not_the_one_names_it(
    plain: ist.VQVAE, charged: ist.VQVAE, digits: ist.data.Data
) -> None:
    x = digits.test.x[:3]
    content, name = plain.compress(x), str(identity_of(plain))
    other = trained(digits.train.x[:100])
    assert name.startswith("VQVAE with the checksum ")
    with pytest.raises(ist.InputError, match=f"compressed by a {name}, and this is a VQVAE"):
        other.decompress(content)
    with pytest.raises(ist.InputError, match=f"compressed by a {name}, which is none of the 2"):
        ist.decompress(content, [other, other])
    for data, model, message in (
        (other, content, r"data is of type VQVAE: give the bytes .*ist.decompress\(data, model\)"),
        (3, other, r"data is of type int: give the bytes that compress made, or the path"),
        (content, content, r"model is of type bytes: give a trained member, the folder of a run"),
        (content, [3, other], r"model is of type int: give a trained member"),
    ):
        with pytest.raises(ist.InputError, match=message):
            ist.decompress(data, model)
    with pytest.raises(ist.InputError, match=f"compressed by a {name}: pass that member"):
        ist.decompress(content)
    with pytest.raises(ist.InputError, match="under another prior of this VQVAE"):
        plain.decompress(charged.compress(x))
    # a file from before the prior was fitted needs none
    assert (ist.decompress(content, [other, charged]) == plain.reconstruct(x)).all()


@pytest.mark.parametrize("has_prior", [False, True])
def test_every_damaged_byte_is_refused(
    plain: ist.VQVAE, charged: ist.VQVAE, digits: ist.data.Data, has_prior: bool
) -> None:
    model = charged if has_prior else plain
    content = model.compress(digits.test.x[:3])
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ist.InputError, match=r"damaged|begin otherwise|of version"):
            model.decompress(bytes(changed))
        with pytest.raises(ist.InputError, match=r"damaged|begin otherwise"):
            model.decompress(content[:place])


@pytest.mark.parametrize("has_prior", [False, True])
def test_bytes_that_were_changed_on_purpose_do_no_harm(
    plain: ist.VQVAE,
    charged: ist.VQVAE,
    digits: ist.data.Data,
    has_prior: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every byte takes three other values under a checksum that fits."""
    model = charged if has_prior else plain
    monkeypatch.setattr(memory, "room", lambda: 2**31)
    content = model.compress(digits.test.x[:3])
    for place in range(4, len(content) - 4):
        for change in (1, 0x80, 0xFF):
            changed = bytearray(content)
            changed[place] ^= change
            try:
                found = model.decompress(sealed(bytes(changed)))
            except ist.InputError:
                continue
            assert found.shape[1:] == digits.test.x.shape[1:]


@pytest.mark.parametrize(
    ("form", "streams"),
    [
        (ExampleForm(2**47, (1, 8, 8)), (b"", b"", b"crc?", b"")),
        (ExampleForm(3, (1, 2**20, 2**19)), (b"", b"", b"crc?", b"")),
        (ExampleForm(3, (1, 8, 8)), (b"",)),
        (ExampleForm(3, (1, 8, 8)), (b"", b"xx", b"crc?", b"")),
    ],
)
def test_sizes_in_a_head_are_not_believed(
    plain: ist.VQVAE, form: ExampleForm, streams: tuple[bytes, ...]
) -> None:
    content = coded_bytes(Coded(form, streams), identity_of(plain))
    with pytest.raises(ist.InputError, match=r"are damaged|would take|come out otherwise"):
        plain.decompress(content)


def test_what_is_no_bytes_is_named(plain: ist.VQVAE) -> None:
    with pytest.raises(ist.InputError, match="data is a list: give the bytes"):
        plain.decompress([1, 2])  # type: ignore[arg-type]
