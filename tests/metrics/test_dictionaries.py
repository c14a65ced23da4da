"""Units of a code: what is counted, and what a network still knows with a reconstruction inside."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import isthmus as ist
from isthmus.metrics import cross_entropy_recovered, features


@pytest.fixture(scope="module")
def model(digits: ist.data.Data) -> Any:
    sparsity = ist.sparsities.TopK(k=6)
    return ist.DictionaryAE(
        latent_dim=40, sparsity=sparsity, epochs=3, learning_rate=3e-3, random_state=0
    ).fit(digits.train)


def test_units_are_counted_over_a_stream_of_examples(model: Any, digits: ist.data.Data) -> None:
    x = digits.test.x
    z = model.transform(x)
    found = features(model, x, count=3)
    np.testing.assert_allclose(found.frequency, (z > 0).mean(0))
    np.testing.assert_allclose(found.active, 6)
    used = z.sum(0) / np.maximum((z > 0).sum(0), 1)
    np.testing.assert_allclose(found.mean, used, rtol=1e-5)
    for unit in range(40):
        order = np.sort(z[:, unit])[::-1][:3]
        np.testing.assert_allclose(found.strongest[unit], order)
        np.testing.assert_allclose(z[found.top[unit], unit], order)
        edges = np.linspace(0, z[:, unit].max() or 1, 21)
        counts = np.histogram(z[z[:, unit] > 0, unit].astype(np.float64), edges)[0]
        assert np.abs(found.histogram[unit] - counts).sum() <= 2  # at the edges, by rounding
    assert found.dead.tolist() == np.flatnonzero((z > 0).sum(0) == 0).tolist()
    assert (found.frequency[found.dense(0.2)] > 0.2).all()


def test_directions_are_the_atoms_and_neighbours_the_most_alike(
    model: Any, digits: ist.data.Data
) -> None:
    found = features(model, digits.test.x)
    atoms = model.module_.decoder.unit.detach().numpy()
    np.testing.assert_allclose(found.directions, atoms, atol=1e-6)
    cosines = atoms @ atoms.T - 2 * np.eye(40)
    np.testing.assert_array_equal(found.nearest, cosines.argmax(1))
    np.testing.assert_allclose(found.similarity, cosines.max(1), atol=1e-5)


def test_the_l1_member_has_units_too_and_a_vae_has_none(digits: ist.data.Data) -> None:
    sparse = ist.SparseAE(latent_dim=20, hidden=(), epochs=1, random_state=0).fit(digits.train)
    assert features(sparse, digits.test.x).directions.shape == (20, 64)
    vae = ist.VAE(epochs=1, random_state=0).fit(digits.train)
    with pytest.raises(ist.InputError, match="the code of VAE is below 0, so no unit of it is"):
        features(vae, digits.test.x)


class Transformer(nn.Module):
    """One block of attention over tokens, which predicts the next."""

    def __init__(self, words: int = 12, width: int = 32) -> None:
        super().__init__()
        self.embed, self.places = nn.Embedding(words, width), nn.Embedding(16, width)
        self.block = nn.TransformerEncoderLayer(
            width, 2, 64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.head = nn.Linear(width, words)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        h = self.embed(tokens) + self.places(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        logits: Tensor = self.head(self.block(h, src_mask=mask, is_causal=True))
        return logits


def text(n: int, seed: int) -> Tensor:
    """Tokens that count up by 1, 2 or 3 from anywhere, modulo 12, eight of them."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(12, (n, 1), generator=generator)
    step = torch.randint(1, 4, (n, 1), generator=generator)
    return (start + step * torch.arange(8)) % 12


@pytest.fixture(scope="module")
def transformer() -> Transformer:
    torch.manual_seed(0)
    network = Transformer()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for seed in range(150):
        tokens = text(64, seed)
        loss = F.cross_entropy(network(tokens)[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def test_a_dictionary_of_a_transformer_keeps_what_it_knows(transformer: Transformer) -> None:
    batches = [text(64, seed) for seed in range(1000, 1020)]
    rows = ist.data.activations(transformer, "block", batches)
    settings: dict[str, Any] = {"latent_dim": 96, "epochs": 6, "learning_rate": 5e-3}
    wide = ist.DictionaryAE(sparsity=ist.sparsities.TopK(k=12), random_state=0, **settings)
    narrow = ist.DictionaryAE(sparsity=ist.sparsities.TopK(k=1), random_state=0, **settings)
    held_out = [text(64, 2000)]
    found = [
        cross_entropy_recovered(model.fit(rows).folded(), transformer, "block", held_out)
        for model in (wide, narrow)
    ]
    assert found[0]["clean"].value < 0.7 < found[0]["ablated"].value  # the step is a guess at first
    assert found[0]["recovered"].value > 0.9
    assert found[1]["recovered"].value < found[0]["recovered"].value - 0.02


def test_what_is_recovered_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3))
    x = torch.randn(50, 4)
    y = network(x).argmax(1)

    def loss(output: Tensor, batch: Any) -> Tensor:
        return F.cross_entropy(output, batch[1], reduction="none")

    half = nn.Identity()
    half.forward = lambda h: 0.5 * h  # type: ignore[method-assign]
    found = cross_entropy_recovered(half, network, "0", [(x[:20], y[:20]), (x[20:], y[20:])], loss)
    with torch.no_grad():
        h = network[0](x)
        clean, restored, ablated = (
            float(F.cross_entropy(network[1](share * h), y)) for share in (1.0, 0.5, 0.0)
        )
    assert [found[name].value for name in ("clean", "reconstructed", "ablated")] == pytest.approx(
        [clean, restored, ablated], rel=1e-5
    )
    assert found["recovered"].value == pytest.approx((ablated - restored) / (ablated - clean))
    with pytest.raises(ist.InputError, match="layer '0' does not lower the loss: with 0 in its"):
        cross_entropy_recovered(
            half, network, "0", [(x, y)], lambda output, batch: output.square().sum(1)
        )


def next_tokens(network: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits = network(tokens)
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")


class Masked(nn.Module):
    """A network that is called as those of the hub are."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.inner(input_ids)
        return made


def test_padding_is_no_token(transformer: Transformer) -> None:
    tokens = text(30, 3000)
    mask = torch.ones_like(tokens)
    mask[:10, 5:], mask[10:20, :3] = 0, 0
    batch = UserDict({"input_ids": tokens, "attention_mask": mask})  # as a tokenizer gives it
    found = cross_entropy_recovered(nn.Identity(), Masked(transformer), "inner.block", [batch])
    losses, real = next_tokens(transformer, tokens), mask.bool()
    expected = losses[real[:, 1:] & real[:, :-1]].mean()
    assert found["clean"].value == pytest.approx(float(expected), rel=1e-4)
    assert found["recovered"].value == pytest.approx(1, abs=1e-5)


def test_batches_may_be_read_once_and_be_of_few_bits(transformer: Transformer) -> None:
    same = nn.Linear(32, 32)
    with torch.no_grad():
        same.weight.copy_(torch.eye(32))
        same.bias.zero_()
    batches = [text(32, seed) for seed in range(3000, 3002)]
    whole = cross_entropy_recovered(same, transformer, "block", batches)
    once = cross_entropy_recovered(same, transformer, "block", iter(batches))
    assert once["clean"].value == whole["clean"].value
    steps = torch.eye(12).roll(1, 0) + torch.eye(12).roll(2, 0) + torch.eye(12).roll(3, 0)
    rough = nn.Sequential(nn.Embedding(12, 12), nn.Linear(12, 12), nn.Linear(12, 12))
    with torch.no_grad():  # one, two or three further
        for layer, weight in zip(rough, (torch.eye(12), torch.eye(12), 3 * steps), strict=True):
            layer.weight.copy_(weight)
        rough[1].bias.zero_()
        rough[2].bias.zero_()
    few = nn.Sequential(nn.Linear(12, 12), nn.Identity())
    few[0].load_state_dict(rough[1].state_dict())
    found = cross_entropy_recovered(nn.Identity(), rough.bfloat16(), "1", batches)
    assert found["recovered"].value == pytest.approx(1) and found["clean"].value < 1.6
    assert cross_entropy_recovered(few, rough, "1", batches)["reconstructed"].value < 1.6


def test_what_a_network_writes_over_is_kept_as_it_was() -> None:
    """Activations and the input of a transcoder are those before an operation in place."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3))
    x = torch.randn(50, 4)
    both = np.asarray(ist.data.activations(network, ("0", "2"), [x])[:50])
    with torch.no_grad():
        np.testing.assert_allclose(both[:, :6], network[0](x), rtol=1e-5, atol=1e-6)
    seen: list[float] = []
    read = nn.Linear(6, 3)
    read.register_forward_pre_hook(lambda layer, given: seen.append(float(given[0].min())))
    y = network(x).argmax(1)

    def loss(output: torch.Tensor, batch: Any) -> torch.Tensor:
        return F.cross_entropy(output, batch[1], reduction="none")

    cross_entropy_recovered(read, network, "2", [(x, y)], loss, reads="0")
    assert seen[0] < 0


def test_what_cannot_stand_for_a_layer_is_refused(transformer: Transformer) -> None:
    batches, wide = [text(8, 3000)], nn.Linear(32, 5)
    member = ist.DictionaryAE(latent_dim=8, epochs=1, random_state=0)
    folded = member.fit(np.random.default_rng(0).normal(size=(50, 16))).folded()
    with pytest.raises(ist.InputError, match=r"dictionary is a DictionaryAE.*model\.folded\(\)"):
        cross_entropy_recovered(member, transformer, "block", batches)  # type: ignore[arg-type]
    with pytest.raises(ist.InputError, match="gives 5 numbers in the place of the 32"):
        cross_entropy_recovered(wide, transformer, "block", batches)
    with pytest.raises(ist.InputError, match="the dictionary takes rows of 16 numbers"):
        cross_entropy_recovered(folded, transformer, "block", batches)
    with pytest.raises(ist.InputError, match="batches holds no batch"):
        cross_entropy_recovered(nn.Identity(), transformer, "block", [])
    with pytest.raises(ist.InputError, match="batches is a int: give a list"):
        cross_entropy_recovered(nn.Identity(), transformer, "block", 5)  # type: ignore[arg-type]
    late = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    with pytest.raises(ist.InputError, match="layer '1' runs after '0'"):
        cross_entropy_recovered(nn.Identity(), late, "0", [torch.randn(3, 4)], reads="1")
    one = folded(torch.zeros(16))
    torch.testing.assert_close(one, folded(torch.zeros(1, 16))[0])


def test_a_transcoder_reads_one_layer_and_stands_for_another() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 1), nn.Flatten(), nn.Linear(32, 3))
    x = torch.randn(40, 1, 6, 6)
    y = network(x).argmax(1)
    same = nn.Linear(4, 2)  # what the layer does at every place
    with torch.no_grad():
        same.weight.copy_(network[1].weight[:, :, 0, 0])
        same.bias.copy_(network[1].bias)

    def loss(output: Tensor, batch: Any) -> Tensor:
        return F.cross_entropy(output, batch[1], reduction="none")

    found = cross_entropy_recovered(same, network, "1", [(x, y)], loss, reads="0")
    assert found["recovered"].value == pytest.approx(1, abs=1e-5)
    assert found["ablated"].value > found["clean"].value + 0.01
    assert all(not layer._forward_hooks for layer in network.modules())
