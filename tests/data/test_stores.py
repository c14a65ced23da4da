"""What is kept inside a member: large offsets keep their differences, sparse rows stay sparse."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

import isthmus as ist
from isthmus.data._layout import Extent
from isthmus.data._scaling import fit_scaling
from isthmus.data._statistics import moments, reach
from isthmus.data.batches import StoreBatches
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.settling import fit_preprocessor
from isthmus.data.stores import ArrayStore, SparseStore, Store
from isthmus.errors import DataWarning

RNG = np.random.default_rng(0)
MINUTE = 1_700_000_000 + np.arange(60)  # Unix seconds; a step of float32 is 128 there
CPU = torch.device("cpu")


def standardised(preprocessor: Preprocessor, store: Store) -> np.ndarray:
    return torch.cat([chunk.x for chunk in preprocessor.batches(store, CPU).chunks()]).numpy()


@pytest.mark.parametrize("kind", ["float64", "int64", ">f8", "memory map"])
def test_the_seconds_of_a_minute_stay_apart(kind: str, tmp_path: Path) -> None:
    x = np.stack([MINUTE, np.arange(60)], axis=1).astype("f8" if kind == "memory map" else kind)
    if kind == "memory map":
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    preprocessor, inside = fit_preprocessor(x, scaling="auto")
    values = standardised(preprocessor, inside)
    right = (np.arange(60) - 29.5) / np.sqrt((60**2 - 1) / 12)  # of 60 equal steps
    np.testing.assert_allclose(values, np.stack([right, right], axis=1), rtol=1e-5, atol=1e-6)
    assert values.dtype == np.float32
    back = preprocessor.inverse_transform(values.astype(np.float64))
    np.testing.assert_allclose(back[:, 0], MINUTE, rtol=0, atol=1e-4)
    again = Preprocessor.from_json(preprocessor.to_json())
    assert np.array_equal(standardised(again, again.transform(x)), values)


def test_the_seconds_of_a_frame_come_back_from_a_model() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"time": MINUTE.repeat(5), "place": RNG.normal(size=300)})
    model = ist.AE(latent_dim=2, hidden=(), epochs=150, learning_rate=0.01, random_state=0)
    restored = np.asarray(model.fit(frame).reconstruct(frame))
    assert len(np.unique(model.transform(frame), axis=0)) == 300
    np.testing.assert_allclose(restored[:, 0], frame["time"], rtol=0, atol=1)  # a second of sixty


def test_whole_numbers_that_float64_cannot_hold_are_said() -> None:
    x = np.arange(60)[:, None] * np.array([1, 2**49])
    model = ist.AE(epochs=1, random_state=0)
    said = r"whole numbers of up to 33,214,047,251,857,408, and float64 cannot tell .* from the"
    with pytest.warns(DataWarning, match=said):
        model.fit(x)
    pandas = pytest.importorskip("pandas")
    with pytest.warns(DataWarning, match=said):
        model.fit(pandas.DataFrame({"a": x[:, 1], "b": np.linspace(0, 5, 60)}))
    with pytest.warns(DataWarning, match=said):
        model.fit(sparse.csr_array(x))
    model.fit(x[:16])  # 15 * 2**49 < 2**53


def test_a_number_beyond_float32_is_refused() -> None:
    model = ist.AE(epochs=1, random_state=0).fit(RNG.normal(size=(20, 3)))
    x = np.zeros((4, 3))
    x[2, 1] = 1e300
    with pytest.raises(ist.InputError, match=r"X holds 1e\+300 \(row 2, from 0\), which is beyond"):
        model.transform(x)


def test_statistics_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data._statistics._VALUES", 20)
    x = RNG.normal(size=(50, 3, 4)) * 3 + 1e6
    for axis in (0, (0, 2), None):
        mean, scale = moments(x, axis)
        np.testing.assert_allclose(mean, x.mean(axis), rtol=1e-14)
        np.testing.assert_allclose(scale, x.std(axis), rtol=1e-8)
        for found, right in zip(reach(x, axis), (x.min(axis), x.max(axis)), strict=True):
            assert np.array_equal(found, right)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_column_of_one_value_has_no_scale(form: Any) -> None:
    x = np.stack([np.full(1000, 0.1), np.linspace(0, 9, 1000)], axis=1)
    assert np.full(1000, 0.1).std() > 0  # by rounding
    assert fit_scaling("standard", form(x), Extent(0, 9)).scale[0] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaling", ["auto", "standard", "minmax"])
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_rows_give_the_codes_of_the_array(dtype: Any, scaling: str, form: Any) -> None:
    x = sparse.random_array((120, 30), density=0.1, random_state=0, dtype=dtype) * 5
    dense = x.toarray()
    dense[:, 3] = 0
    given = form(dense)
    values: dict[str, Any] = {"scaling": scaling, "epochs": 2, "validation": 0.2, "hidden": (16,)}
    of_sparse, of_dense = (ist.AE(random_state=0, **values).fit(some) for some in (given, dense))
    codes = of_sparse.transform(given)
    assert codes.dtype == dtype
    np.testing.assert_allclose(codes, of_dense.transform(dense), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(codes, of_sparse.transform(dense), rtol=1e-4, atol=1e-6)
    for found, right in zip(
        (of_sparse.reconstruct(given), of_sparse.squared_error(given), of_sparse.score(given)),
        (of_dense.reconstruct(dense), of_dense.squared_error(dense), of_dense.score(dense)),
        strict=True,
    ):
        np.testing.assert_allclose(found, right, rtol=1e-3, atol=1e-4)


def test_sparse_rows_stay_sparse_and_share_memory() -> None:
    x = sparse.random_array((50, 40), density=0.1, random_state=0).tocsr()
    _, inside = fit_preprocessor(x, scaling="standard")
    assert isinstance(inside, SparseStore)
    assert np.shares_memory(inside.rows.data, x.data)
    some = inside.take(np.array([7, 3]))
    np.testing.assert_array_equal(some.gather(torch.tensor([1, 0])), x.toarray()[[3, 7]])
    twice = sparse.csr_array((np.ones(3), [1, 1, 0], [0, 2, 3]), shape=(2, 2))  # a place twice
    _, inside = fit_preprocessor(twice, scaling="standard")
    assert twice.nnz == 3  # what was handed in is left alone
    np.testing.assert_array_equal(inside.slice(0, 2), [[0, 2], [1, 0]])
    np.testing.assert_array_equal(inside.scaling.offset, [0.5, 1])


def test_fingerprints_follow_the_values() -> None:
    x = sparse.random_array((50, 40), density=0.1, random_state=0).tocsr()
    other = x.copy()
    other.data[5] += 1
    stores: list[Store] = [fit_preprocessor(some, scaling="none")[1] for some in (x, x.copy())]
    assert stores[0].fingerprint() == stores[1].fingerprint()
    assert fit_preprocessor(other, scaling="none")[1].fingerprint() != stores[0].fingerprint()


def test_wrong_sparse_rows_are_named() -> None:
    x = sparse.random_array((50, 40), density=0.1, random_state=0).tocsr()
    x.data[5] = np.nan
    row, column = (int(place[5]) for place in x.tocoo().coords)
    with pytest.raises(
        ist.InputError, match=rf"X holds NaN \(row .*: row {row}, column {column}\)"
    ):
        ist.AE().fit(x)
    x.data[5] = 0
    with pytest.raises(ist.InputError, match="kind='signal' takes no sparse X"):
        ist.AE(kind="signal").fit(x)
    with pytest.raises(ist.InputError, match=r"0 sample\(s\) \(shape=\(0, 40\)\)"):
        ist.AE(epochs=1, random_state=0).fit(x).transform(x[:0])


def test_sparse_images_are_scaled_as_a_whole() -> None:
    x = sparse.random_array((40, 36), density=0.2, random_state=0).tocsr() * 9
    models = [
        ist.AE(image_shape=(1, 6, 6), network="conv", epochs=1, random_state=0).fit(some)
        for some in (x, x.toarray())
    ]
    offsets, scales = zip(
        *((m.preprocessor_.scaling.offset, m.preprocessor_.scaling.scale) for m in models),
        strict=True,
    )
    np.testing.assert_allclose(offsets[0], x.toarray().mean(), rtol=1e-12)
    np.testing.assert_allclose(scales[0], x.toarray().std(), rtol=1e-12)
    np.testing.assert_allclose(
        models[0].transform(x), models[1].transform(x.toarray()), rtol=1e-4, atol=1e-6
    )


def test_text_and_one_hot_columns_are_trained_on_as_they_come() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    texts = [f"{a} likes {b}" for a in ("ann", "bob", "cid") for b in ("tea", "rum", "ale")] * 4
    model = make_pipeline(TfidfVectorizer(), ist.VAE(epochs=2, random_state=0))
    assert model.fit(texts).transform(texts).shape == (36, 2)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": [text[:3] for text in texts], "drink": texts})
    encode = make_column_transformer((OneHotEncoder(), ["name", "drink"]), sparse_threshold=1)
    ae = ist.AE(epochs=2, random_state=0)
    assert make_pipeline(encode, ae).fit(frame).transform(frame).shape == (36, 2)
    assert sparse.issparse(encode.fit_transform(frame))


def test_what_sparse_rows_go_through_besides() -> None:
    x = sparse.random_array((60, 20), density=0.2, random_state=0).tocsr()
    y = np.repeat(["a", "b"], 30)
    base = ist.AE(epochs=1, random_state=0)
    classifier = ist.AutoencoderClassifier(base, epochs=2, random_state=0).fit(x, y)
    assert classifier.predict(x).shape == (60,)
    assert ist.OutlierDetector(base).fit(x).predict(x).shape == (60,)
    conditional = ist.VAE(condition="label", epochs=1, random_state=0).fit(x, y)
    assert conditional.transform(x, y).shape == (60, 2)
    denoiser = ist.DenoisingAE(epochs=1, random_state=0).fit(x)
    np.testing.assert_allclose(denoiser.denoise(x), denoiser.denoise(x.toarray()), atol=1e-5)
    base.fit(x).partial_fit(x)
    assert base.set_params(warm_start=True).fit(x).history_[-1]["epoch"] == 3


def test_large_sparse_rows_train_without_a_dense_copy() -> None:
    n, columns = 2_000, 20_000
    x = sparse.random_array((n, columns), density=1e-4, random_state=0, dtype=np.float32).tocsr()
    tracemalloc.start()
    ist.AE(hidden=(16,), epochs=1, random_state=0, scaling="standard").fit(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.15 * n * columns * 4


def test_codes_are_handed_out_as_they_are() -> None:
    indices = torch.arange(6).reshape(3, 2)
    batches = StoreBatches(ArrayStore(indices.numpy()), CPU)
    assert torch.equal(batches.batch(torch.tensor([2, 0])).x, torch.tensor([[4, 5], [0, 1]]))


@pytest.mark.parametrize("dtype", [np.uint16, np.float16, np.int8, np.uint32, bool])
def test_every_type_of_number_has_its_own_values(dtype: Any) -> None:
    x = RNG.integers(0, 2 if dtype is bool else 100, (30, 4)).astype(dtype)
    preprocessor, inside = fit_preprocessor(x, scaling="standard")
    right = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float)
    np.testing.assert_allclose(standardised(preprocessor, inside), right, rtol=1e-5, atol=1e-6)
