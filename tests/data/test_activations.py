"""Activations of a network as data: the numbers that its layers give, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import isthmus as ist


class Small(nn.Module):
    """A network of tokens: an embedding, a layer that mixes them, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.block = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.GELU())
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(8, 11)
        self.passes = 0

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        logits: Tensor = self.head(self.block(self.embed(input_ids)))
        self.passes += 1  # only where the pass comes to its end
        return logits


@pytest.fixture
def network() -> Small:
    torch.manual_seed(0)
    module = Small().train()
    module.block[1].eval()
    return module


def tokens(n: int, seed: int = 0) -> Tensor:
    return torch.randint(11, (n, 5), generator=torch.Generator().manual_seed(seed))


def test_every_token_is_a_row_and_the_network_stays_as_it_was(network: Small) -> None:
    batches = [tokens(4), tokens(3, seed=1)]
    rows = ist.data.activations(network, "block", batches)
    assert rows.shape == (35, 8)
    assert network.training and not network.block[1].training
    assert network.passes == 0  # what comes behind the layer is left out
    hidden = [network.eval().block(network.embed(batch)).detach() for batch in batches]
    np.testing.assert_array_equal(rows[:], torch.cat([h.flatten(0, 1) for h in hidden]).numpy())


def test_places_of_two_layers_stand_beside_each_other(network: Small) -> None:
    rows = ist.data.activations(network, ("embed", "block.0"), [tokens(4)])
    x = network.embed(tokens(4)).flatten(0, 1)
    np.testing.assert_array_equal(rows[:][:, :6], x.detach().numpy())
    np.testing.assert_allclose(rows[:][:, 6:], network.block[0](x).detach().numpy(), rtol=1e-6)


def test_what_an_attention_mask_leaves_out_is_no_row(network: Small) -> None:
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    batch = {"input_ids": tokens(2), "attention_mask": mask}
    rows = ist.data.activations(network, "embed", [batch])
    whole = network.embed(tokens(2)).detach().flatten(0, 1)
    np.testing.assert_array_equal(rows[:], whole[mask.flatten().bool()].numpy())


def test_every_place_of_an_image_is_a_row_of_its_channels() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
    x = torch.randn(5, 1, 6, 6)
    rows = ist.data.activations(network, "1", [(x, torch.zeros(5))])
    maps = network[:2](x).detach()
    assert rows.shape == (5 * 4 * 4, 3)
    np.testing.assert_array_equal(rows[16:32], maps[1].flatten(1).T.numpy())
    other = ist.data.activations(network, "1", [x], axis=2)
    np.testing.assert_array_equal(other[:12], maps[0].movedim(1, -1).flatten(0, -2).numpy())


def test_a_member_trains_on_them_as_on_the_array(network: Small) -> None:
    batches = [tokens(6, seed=seed) for seed in range(8)]
    rows = ist.data.activations(network, "block", batches)
    streamed, kept = (
        ist.DictionaryAE(latent_dim=16, epochs=2, random_state=0).fit(x) for x in (rows, rows[:])
    )
    x = rows[:]
    assert np.abs(streamed.transform(x) - kept.transform(x)).max() > 0  # of another order
    for model in (streamed, kept):
        assert model.squared_error(x).mean() < np.square(x / x.std()).sum(1).mean()
    np.testing.assert_allclose(
        streamed.preprocessor_.scaling.scale, kept.preprocessor_.scaling.scale, rtol=1e-6
    )


@pytest.mark.parametrize("layer", ["bottleneck", "head"])
def test_the_layers_of_a_classifier_of_ours(layer: str, digits: ist.data.Data) -> None:
    x, y = digits.train.x[:200], digits.train.y[:200]
    member = ist.AE(latent_dim=5, epochs=1, random_state=0)
    model = ist.AutoencoderClassifier(member, epochs=1, random_state=0).fit(x, y)
    if layer == "head":
        rows = ist.data.activations(model, "head", x)
        shares = torch.from_numpy(rows[:]).softmax(1).numpy()
        np.testing.assert_allclose(shares, model.predict_proba(x), atol=1e-6)
    else:
        rows = ist.data.activations(model, "bottleneck.project", x)
        np.testing.assert_allclose(rows[:], model.codes(x), atol=1e-6)


def once() -> Iterator[Tensor]:
    yield tokens(2)


@pytest.mark.parametrize(
    ("layer", "batches", "sentence"),
    [
        ("blocks", [tokens(2)], "'blocks' of Small is no layer|unknown layer|no layer 'blocks'"),
        ([], [tokens(2)], "names no layer: give the name of one at least"),
        ("unused", [tokens(2)], "'unused' is not called when Small runs: name another one"),
        ("embed", once(), "a generator, which cannot be gone through again and again: give a"),
        (("embed", "pooled"), [tokens(2)], "pooled"),
    ],
)
def test_what_cannot_be_read_is_said(
    network: Small, layer: Any, batches: Any, sentence: str
) -> None:
    with pytest.raises(ist.InputError, match=sentence):
        ist.data.activations(network, layer, batches)


def test_rows_that_do_not_belong_together_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 4))
    with pytest.raises(ist.InputError, match=r"\(48 of '0', 3 of '2'\): name layers that look"):
        ist.data.activations(network, ("0", "2"), [torch.randn(3, 1, 6, 6)])
    with pytest.raises(ist.InputError, match="is no torch module, and no trained model"):
        ist.data.activations(object(), "0", [torch.randn(3, 1, 6, 6)])
