"""The transformer: how far it looks back, and what turns its attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

import isthmus as ist
from isthmus.core.forward import Level
from isthmus.priors import Transformer
from isthmus.priors._attending import AttentionSize
from isthmus.priors._attention import Rotary, backwards, turned
from isthmus.priors.transformer import CausalTransformer


@pytest.mark.parametrize(("window", "length"), [(1, 5), (3, 3), (3, 4), (4, 8), (4, 11), (20, 7)])
def test_a_window_is_a_band_below_the_diagonal(window: int, length: int) -> None:
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, 2, 3, length, 4, dtype=torch.float64)
    place, other = torch.arange(length)[:, None], torch.arange(length)
    band = (other <= place) & (other > place - window)
    expected = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=band)
    torch.testing.assert_close(backwards(window)(queries, keys, values), expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_layers_together_look_back_as_far_as_their_windows(layers: int) -> None:
    torch.manual_seed(0)
    size = AttentionSize(condition_size=0, channels=8, layers=layers, heads=2)
    network = CausalTransformer(size, Level((20,), 3), (), context=4).double().eval()
    indices = torch.zeros(1, 20, dtype=torch.int64)
    changed = []
    with torch.no_grad():
        whole = network(indices, (), None)
        for place in range(20):
            other = indices.clone()
            other[0, place] = 1
            changed.append((network(other, (), None) - whole).abs().sum(2)[0] > 1e-12)
    reach = 1 + layers * 3  # the index before, and three more places in each layer
    expected = [[place < at <= place + reach for at in range(20)] for place in range(20)]
    assert torch.stack(changed).tolist() == expected


def test_attention_depends_on_the_distance_along_rows_and_columns() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 8)
    turns = Rotary((5, 6), 8)()
    queries, keys = (turned(each.expand(1, 1, 30, 8), turns)[0, 0] for each in (query, key))
    products = (queries @ keys.T).view(5, 6, 5, 6)
    torch.testing.assert_close(products[1, 1, 3, 2], products[2, 4, 4, 5])  # 2 down, 1 right
    assert float((products[1, 1, 3, 2] - products[1, 1, 2, 3]).abs()) > 1e-3
    torch.testing.assert_close(queries.norm(dim=1), query.norm().expand(30))


def test_a_long_row_is_learnt_by_a_window() -> None:
    random = np.random.default_rng(0)
    start = random.integers(0, 3, (192, 1))
    codes = torch.from_numpy((start + np.arange(80) // 2) % 3)  # each twice, in turns
    prior = Transformer(
        channels=16,
        layers=1,
        heads=1,
        context=8,
        batch_size=16,
        epochs=30,
        learning_rate=1e-2,
        dropout=0.0,
        random_state=0,
        verbose=0,
    ).fit(codes, None, (Level((80,), 3),))
    assert float(prior.log_prob(codes[:20]).mean()) == pytest.approx(-np.log(3), abs=0.4)
    torch.manual_seed(0)
    drawn = prior.sample(10)
    expected = (drawn[:, :1] + torch.arange(80) // 2) % 3
    assert float((drawn == expected).float().mean()) > 0.97


def test_channels_that_heads_cannot_share() -> None:
    with pytest.raises(
        ist.InputError, match=r"channels=30 cannot be shared by heads=4: give a multiple of 16\."
    ):
        Transformer(channels=30).fit(torch.zeros(5, 4).long(), None, (Level((4,), 3),))
