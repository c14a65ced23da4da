"""Patches, sines and blocks of attention, beside torch's own and the formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.example import Column, ExampleSpec
from isthmus.networks.attention import AttentionBlock, among, everywhere, sines
from isthmus.networks.patches import Patches, of_parameters, patch_grid
from isthmus.networks.vit import ViT


def torch_layer(block: AttentionBlock, channels: int, heads: int) -> nn.TransformerEncoderLayer:
    """torch's own layer with the weights of a block."""
    layer = nn.TransformerEncoderLayer(
        channels, heads, 4 * channels, 0.0, "gelu", norm_first=True, batch_first=True
    )
    pairs = [
        (layer.self_attn.in_proj_weight, block.project.weight),
        (layer.self_attn.out_proj.weight, block.out.weight),
        (layer.self_attn.out_proj.bias, block.out.bias),
        (layer.linear1.weight, block.mlp[0].weight),
        (layer.linear1.bias, block.mlp[0].bias),
        (layer.linear2.weight, block.mlp[2].weight),
        (layer.linear2.bias, block.mlp[2].bias),
        *((getattr(layer.norm1, name), getattr(block.before, name)) for name in ("weight", "bias")),
        *(
            (getattr(layer.norm2, name), getattr(block.between, name))
            for name in ("weight", "bias")
        ),
    ]
    with torch.no_grad():
        layer.self_attn.in_proj_bias.zero_()
        for theirs, ours in pairs:
            theirs.copy_(ours)
    return layer


@pytest.mark.parametrize("heads", [1, 3])
def test_a_block_is_that_of_torch(heads: int) -> None:
    torch.manual_seed(0)
    block = AttentionBlock(12, heads).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    layer, x = torch_layer(block, 12, heads).double(), torch.randn(2, 7, 12, dtype=torch.float64)
    torch.testing.assert_close(block(x, everywhere), layer(x))
    seen = torch.rand(2, 7) > 0.4
    torch.testing.assert_close(block(x, among(seen)), layer(x, src_key_padding_mask=~seen))


def test_where_nothing_is_seen_all_are_attended_to() -> None:
    block, x = AttentionBlock(8, 2), torch.randn(1, 3, 8)
    nothing = torch.zeros(1, 3, dtype=torch.bool)
    torch.testing.assert_close(block(x, among(nothing)), block(x, everywhere))


def test_sines_are_those_of_the_formula() -> None:
    found = sines((3, 5), 16)
    for row in range(3):
        for column in range(5):
            wanted = [
                turn(place / 10_000 ** (i / 4))
                for place in (row, column)
                for turn in (math.sin, math.cos)
                for i in range(4)
            ]
            np.testing.assert_allclose(found[5 * row + column], wanted, atol=1e-6)
    line = sines((4,), 6)
    np.testing.assert_allclose(
        line[3], [f(3 / 10_000 ** (i / 3)) for f in (math.sin, math.cos) for i in range(3)]
    )
    assert sines((3, 3), 10).shape == (9, 10)


@pytest.mark.parametrize("side", [2, 4])
def test_patches_of_an_image_are_those_of_unfold(side: int) -> None:
    x = torch.rand(2, 3, 8, 12)
    owners, grid = patch_grid(ExampleSpec("image", (3, 8, 12)), side)
    patches = Patches(owners, math.prod(grid))
    assert torch.equal(patches.cut(x), functional.unfold(x, side, stride=side).mT)
    assert torch.equal(patches.joined(patches.cut(x)), x)


@pytest.mark.parametrize(
    ("spec", "side", "grid", "size"),
    [
        (ExampleSpec("image", (3, 33, 20)), None, (7, 4), 75),
        (ExampleSpec("image", (1, 28, 28)), None, (7, 7), 16),
        (ExampleSpec("image", (1, 8, 8)), None, (4, 4), 4),
        (ExampleSpec("signal", (2, 131)), None, (44,), 6),
        (ExampleSpec("sequence", (9, 3)), 2, (5,), 6),
        (ExampleSpec("vector", (5,)), None, (5,), 1),
        (ExampleSpec("vector", (130,)), None, (44,), 3),
    ],
)
def test_every_kind_is_cut_and_put_together_again(
    spec: ExampleSpec, side: int | None, grid: tuple[int, ...], size: int
) -> None:
    owners, found = patch_grid(spec, side)
    patches, x = Patches(owners, math.prod(found)), torch.rand(2, *spec.shape)
    assert (found, patches.size) == (grid, size)
    assert torch.equal(patches.joined(patches.cut(x)), x)
    assert torch.equal(patches.cut(x).sum((1, 2)), patches.cut(x).flatten(1).sum(1))
    flags = torch.rand(2, patches.count) > 0.5
    assert torch.equal(patches.any(patches.spread(flags)), flags)
    assert torch.equal(patches.all(patches.spread(flags)), flags)


def test_cells_of_a_table_stay_whole_and_parameters_follow_their_values() -> None:
    columns = (Column("a", "number"), Column("b", "category", 3), Column("c", "number"))
    owners, grid = patch_grid(ExampleSpec("table", (5,), columns), None)
    assert owners.tolist() == [0, 1, 1, 1, 2]
    assert grid == (3,)
    assert of_parameters(owners, (10,)).tolist() == [0, 1, 1, 1, 2] * 2


def test_a_vit_serves_any_member(few: np.ndarray) -> None:
    model = ist.VAE(network="vit", hidden=(16, 12), epochs=3, random_state=0, verbose=0).fit(few)
    assert model.history_[-1]["objective"] < model.history_[0]["objective"]
    places = ist.AE(network=ViT(patch=2), hidden=(8,), code="map", channels=3).build((1, 8, 8))
    assert places.encode(Batch(torch.rand(2, 1, 8, 8)))[0].shape == (2, 3, 4, 4)
    assert places(Batch(torch.rand(2, 1, 8, 8))).shape == (2, 1, 8, 8)


def test_each_value_has_a_bias_of_its_own_so_that_training_starts_from_the_mean(
    few: np.ndarray,
) -> None:
    model = ist.AE(
        network="vit", hidden=(8,), epochs=1, learning_rate=1e-12, random_state=0, verbose=0
    ).fit(few)
    bias = model.module_.decoder[-1].last.bias.view(1, 8, 8)
    torch.testing.assert_close(
        bias.detach().sigmoid(),
        torch.from_numpy(few.mean(0)).clamp(1e-3, 1 - 1e-3),
        atol=1e-4,
        rtol=0,
    )
