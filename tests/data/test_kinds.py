"""Kinds of examples: decided once, overridable, saved, and part of what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isthmus as ist

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("kind", "outer", "decided", "shape"),
    [
        ("auto", (6,), "vector", (6,)),
        ("auto", (6, 5), "image", (1, 6, 5)),
        ("auto", (3, 6, 5), "image", (3, 6, 5)),
        ("signal", (2, 50), "signal", (2, 50)),
        ("signal", (50,), "signal", (1, 50)),
        ("sequence", (50, 2), "sequence", (50, 2)),
        ("sequence", (50,), "sequence", (50, 1)),
        ("vector", (6, 5), "vector", (30,)),
        ("image", (6, 5), "image", (1, 6, 5)),
    ],
)
def test_kinds(
    kind: str, outer: tuple[int, ...], decided: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    x = RNG.standard_normal((12, *outer)).astype(np.float32)
    model = ist.VAE(kind=kind, epochs=1, hidden=(8,), network="mlp", random_state=0).fit(x)
    assert (model.preprocessor_.spec.kind, model.preprocessor_.spec.shape) == (decided, shape)
    assert model.reconstruct(x).shape == x.shape
    again = ist.load(model.save(tmp_path / "run"))
    assert again.preprocessor_.spec == model.preprocessor_.spec
    np.testing.assert_allclose(again.reconstruct(x), model.reconstruct(x), atol=1e-6)
    with pytest.raises(ist.InputError, match=f"read as {decided}s? of"):
        model.transform(RNG.standard_normal((3, *outer, 2)).astype(np.float32).reshape(3, -1, 2, 2))


def test_each_channel_of_a_signal_has_its_own_scale() -> None:
    x = RNG.standard_normal((200, 2, 30)) * np.array([[1.0], [1000.0]]) + 5
    model = ist.AE(kind="signal", epochs=1, random_state=0).fit(x)
    offset, scale = model.preprocessor_.scaling.offset, model.preprocessor_.scaling.scale
    np.testing.assert_allclose(scale, x.std((0, 2))[:, None], rtol=1e-5)
    np.testing.assert_allclose(offset, x.mean((0, 2))[:, None], rtol=1e-4)
    np.testing.assert_allclose(model.squared_error(x).mean(), 60, rtol=0.2)


def test_columns_with_names_are_a_table() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(RNG.standard_normal((30, 3)), columns=["age", "height", "weight"])
    model = ist.AE(epochs=1, random_state=0).fit(frame)
    assert model.preprocessor_.spec.kind == "table"
    columns = model.preprocessor_.spec.columns
    assert [(column.name, column.kind) for column in columns] == [
        (name, "number") for name in frame.columns
    ]
    assert model.likelihood_ == "columns"


def test_a_kind_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ist.InputError, match=r"kind='image' does not fit examples of shape \(6,\)"):
        ist.AE(kind="image").fit(RNG.random((5, 6)))
    with pytest.raises(
        ist.InputError, match=r"reads step by step, but X is read as signals of up to 2"
    ):
        ist.AE(kind="signal", network="recurrent").fit(RNG.random((5, 2, 30)))
    with pytest.raises(ist.InputError, match=r"unequal length: pass kind='signal' for \(channels"):
        ist.AE().fit([np.zeros((4, 2)), np.zeros((3, 2))])


def test_sequences_of_unequal_length_for_a_member_that_is_not_recurrent() -> None:
    waves = [np.sin(np.arange(length) / 3)[:, None] for length in (30, 20, 25, 28)]
    model = ist.AE(kind="sequence", network="mlp", latent_dim=2, epochs=2, random_state=0)
    restored = model.fit(waves).reconstruct(waves)
    assert [len(wave) for wave in restored] == [30, 20, 25, 28]
    longer = [np.concatenate([wave, np.zeros((1, 1))]) for wave in waves[1:]]
    assert not np.allclose(model.transform(longer), model.transform(waves[1:]))
    np.testing.assert_allclose(model.transform(waves[1:2]), model.transform(waves)[1:2], atol=1e-6)
