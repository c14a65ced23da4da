"""The masked autoencoder: what is hidden stays hidden, and nothing else is charged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.models._masking import MaskedModule, normalised_patches
from isthmus.networks.vit import ViT

SMALL: dict[str, Any] = {"hidden": (16, 16), "verbose": 0, "random_state": 0}


def built(shape: tuple[int, ...] | ExampleSpec = (1, 8, 8), **values: Any) -> MaskedModule:
    torch.manual_seed(0)
    module = ist.MaskedAE(**{**SMALL, "likelihood": "mse", **values}).build(shape)
    assert isinstance(module, MaskedModule)
    return module.eval()


def test_the_loss_of_a_mask_made_by_hand() -> None:
    module, x = built(), torch.rand(2, 1, 8, 8)
    kept = torch.tensor([[0, 5, 10, 15], [3, 2, 1, 0]])  # patches of 2×2, in rows of four
    with torch.no_grad():
        loss = module.masked_loss(Batch(x), kept)
        tokens = module.encoder.vectors(x, kept=kept)
        said = module.predictor(module.placed(tokens, kept), module.shown_patches(kept))
    said = module.likelihood.mean(said)
    for n, numbers in enumerate(kept.tolist()):
        hidden = [place for place in range(16) if place not in numbers]
        squares = [
            (x[n, 0, 2 * (place // 4) + i, 2 * (place % 4) + j] - said[n, 0, r, c]) ** 2
            for place in hidden
            for i in (0, 1)
            for j in (0, 1)
            for r, c in [(2 * (place // 4) + i, 2 * (place % 4) + j)]
        ]
        assert float(loss.terms["masked_distortion"][n]) == pytest.approx(
            float(sum(squares)), rel=1e-5
        )
    torch.testing.assert_close(loss.objective, sum(loss.terms.values()))


def test_what_is_hidden_is_not_seen_and_what_is_seen_is_not_charged() -> None:
    module, kept = built(), torch.tensor([[1, 6, 8, 11]])
    x = torch.rand(1, 1, 8, 8)
    hidden = ~module.patches.spread(module.shown_patches(kept))
    assert int(hidden.sum()) == 48
    batch, other = Batch(x), Batch(x.where(~hidden, torch.rand_like(x)))
    encoder = module.encoder
    assert torch.equal(encoder.vectors(batch.x, kept=kept), encoder.vectors(other.x, kept=kept))
    said = torch.rand(1, 1, 8, 8, requires_grad=True)
    module.charged(said, batch, hidden).sum().backward()
    assert torch.equal(said.grad != 0, hidden)


def test_leaving_patches_out_is_the_same_as_not_attending_to_them() -> None:
    encoder, x = built().encoder, torch.rand(3, 1, 8, 8)
    kept = torch.rand(3, 16).argsort(1)[:, :4]
    seen = torch.zeros(3, 16, dtype=torch.bool).scatter(1, kept, True)
    all_computed = encoder.vectors(x, seen).gather(1, kept[..., None].expand(-1, -1, 16))
    torch.testing.assert_close(encoder.vectors(x, kept=kept), all_computed)


def test_the_encoder_computes_nothing_for_what_is_hidden() -> None:
    encoder, computed = built((3, 32, 32)).encoder, [0]
    for layer in encoder.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(
                lambda _, given, made: computed.append(computed.pop() + made.numel())
            )
    x, counts = torch.rand(2, 3, 32, 32), []
    for kept in (None, torch.arange(16).expand(2, -1)):
        encoder.vectors(x, kept=kept)
        counts.append(computed[0])
        computed[0] = 0
    assert 4 * counts[1] == counts[0] > 0


def test_three_quarters_are_hidden_and_every_patch_as_often() -> None:
    module = built()
    torch.manual_seed(0)
    shown = module.shown_patches(module.drawn(Batch(torch.rand(8000, 1, 8, 8))))
    assert torch.equal(shown.sum(1), torch.full((8000,), 4))
    torch.testing.assert_close(shown.float().mean(0), torch.full((16,), 0.25), atol=0.02, rtol=0)


@pytest.mark.parametrize(("ratio", "kept"), [(0.01, 15), (0.5, 8), (0.999, 1)])
def test_at_least_one_patch_is_hidden_and_not_all(ratio: float, kept: int) -> None:
    assert built(mask_ratio=ratio).drawn(Batch(torch.rand(2, 1, 8, 8))).shape == (2, kept)


def test_the_code_is_the_mean_of_the_tokens_and_says_nothing_to_the_encoder() -> None:
    module, x = built(), torch.rand(4, 1, 8, 8)
    tokens = module.encoder(Batch(x).x)  # (4, 16, 4, 4)
    torch.testing.assert_close(module.encode(Batch(x))[0], tokens.flatten(2).mean(2))
    module.decoded(Batch(x)).sum().backward()
    assert all(parameter.grad is None for parameter in module.encoder.parameters())
    assert all(parameter.grad is not None for parameter in module.decoder.parameters())


def test_a_quarter_of_a_batch_speaks_for_all_of_it() -> None:
    module, x = built(), torch.rand(8, 1, 8, 8)
    each = module.decoded(Batch(x))
    quarter = module.train().decoded(Batch(x))
    torch.testing.assert_close(quarter[:2], 4 * each[:2])
    assert torch.equal(quarter[2:], torch.zeros(6))


def test_normalised_patches_are_those_of_the_formula() -> None:
    patches = np.random.default_rng(0).normal(3, 2, (2, 3, 5))
    mean, var = patches.mean(2, keepdims=True), patches.var(2, ddof=1, keepdims=True)
    whole = normalised_patches(torch.from_numpy(patches), torch.ones(2, 3, 5, dtype=torch.float64))
    np.testing.assert_allclose(whole.numpy(), (patches - mean) / np.sqrt(var + 1e-6))
    counted = torch.ones(2, 3, 5, dtype=torch.float64)
    counted[:, :, 4] = 0
    part = normalised_patches(torch.from_numpy(patches), counted)[:, :, :4]
    first = torch.from_numpy(patches[:, :, :4])
    torch.testing.assert_close(part, normalised_patches(first, torch.ones_like(first)))


def test_normalised_targets_are_charged_by_the_squared_error() -> None:
    module, x = built(normalise_patches=True), torch.rand(2, 1, 8, 8)
    kept = torch.arange(4).expand(2, -1)
    tokens = module.encoder.vectors(x, kept=kept)
    said = module.predictor(module.placed(tokens, kept), module.shown_patches(kept))
    cut = module.patches.cut(x)
    errors = (module.patches.cut(said) - normalised_patches(cut, torch.ones_like(cut))).square()
    torch.testing.assert_close(
        module.masked_loss(Batch(x), kept).terms["masked_distortion"], errors[:, 4:].sum((1, 2))
    )


def test_the_code_of_a_short_signal_does_not_depend_on_its_padding() -> None:
    module, x = built(ExampleSpec("signal", (2, 64))), torch.rand(1, 2, 64)
    x[:, :, 24:] = 0
    mask = torch.zeros(1, 2, 64, dtype=torch.bool)
    mask[:, :, :24] = True
    noisy = x.where(mask, torch.rand_like(x))
    codes = [module.encode(Batch(each, mask=mask))[0] for each in (x, noisy)]
    torch.testing.assert_close(*codes)
    tokens = module.encoder(x, mask)
    torch.testing.assert_close(codes[0], tokens[:, :, :24].mean(2))


def test_hidden_columns_are_predicted_from_the_others() -> None:
    random = np.random.default_rng(0)
    z = random.normal(size=(300, 1)).astype(np.float32)
    x = np.concatenate([z, -2 * z, 3 * z, z + 1], 1) + 0.05 * random.normal(size=(300, 4))
    model = ist.MaskedAE(**SMALL, epochs=30, batch_size=30, learning_rate=3e-3, mask_ratio=0.5)
    model.fit(x)
    hidden = model.masked(x, random_state=1)
    assert np.isnan(hidden).mean() == 0.5
    filled = model.impute(hidden)
    gone = np.isnan(hidden)
    assert np.array_equal(filled[~gone], hidden[~gone])
    error = float(np.square((filled - x) / x.std(0))[gone].mean())
    assert error < 0.1, error


def test_a_table_of_several_kinds_is_read_cell_by_cell(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = np.array(["red", "green", "blue"])[random.integers(0, 3, 200)]
    frame = pd.DataFrame({"a": random.normal(size=200), "kind": kinds, "n": random.poisson(3, 200)})
    model = ist.MaskedAE(**SMALL, epochs=1).fit(frame)
    assert model.module_.encoder.patches.count == 3
    assert model.module_.encoder.patches.size == 3
    gaps = frame.mask(random.random(frame.shape) < 0.3)
    filled = model.impute(gaps)
    assert set(filled["kind"]) <= set(kinds) and not filled.isna().any(axis=None)
    again = ist.load(model.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.reconstruct(frame), model.reconstruct(frame))


def test_a_classifier_starts_from_the_encoder(few: np.ndarray) -> None:
    member = ist.MaskedAE(**SMALL, epochs=1)
    labels = (few.mean((1, 2, 3)) > few.mean()).astype(int)
    model = ist.AutoencoderClassifier(
        member, epochs=20, learning_rate=3e-3, random_state=0, verbose=0
    )
    assert model.fit(few, labels).score(few, labels) > 0.9
    assert model.codes(few).shape == (129, 16)


def test_the_decoder_is_lighter_as_the_published_one_is() -> None:
    tiny = ist.MaskedAE(hidden=(192,) * 12)
    assert tiny._vit.decoder_widths == (96,) * 4
    assert ist.MaskedAE()._vit.decoder_widths == (64,) * 2
    own = ist.MaskedAE(network=ViT(decoder_widths=(32,)))
    assert own._vit.decoder_widths == (32,)


@pytest.mark.parametrize(
    ("values", "shape", "message"),
    [
        ({"network": "mlp"}, (1, 8, 8), "network='mlp' cuts examples into no patches"),
        ({"hide": 0.3}, (1, 8, 8), "hide=0.3 hides single values.*set mask_ratio"),
        ({"encoder": torch.nn.Flatten()}, (1, 8, 8), "leave encoder and decoder out"),
        ({"normalise_patches": True}, (5,), "needs patches of several values"),
        ({"network": ViT(heads=3)}, (1, 8, 8), "heads=3 cannot share the 16 channels"),
        ({"network": ViT(patch=8)}, (1, 8, 8), "patch=8 makes a single patch .* smaller patch"),
    ],
)
def test_what_cannot_be_is_refused(
    values: dict[str, Any], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ist.InputError, match=message):
        ist.MaskedAE(**{**SMALL, **values}).build(shape)


def test_normalised_patches_fill_nothing_in(few: np.ndarray) -> None:
    model = ist.MaskedAE(**SMALL, epochs=1, normalise_patches=True).fit(few)
    with pytest.raises(ist.InputError, match="leaves open how bright a hidden patch is"):
        model.impute(model.masked(few, random_state=0))
    assert math.isfinite(model.score(few))


def test_cells_of_a_frame_are_left_out_by_hand() -> None:
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
    model = ist.MaskedAE(**SMALL, epochs=1).fit(frame)
    with pytest.raises(ist.InputError, match="patches of arrays are hidden"):
        model.masked(frame)
