"""Networks: shapes, mirroring, and the choice by the shape of the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.core.autoencoder import encoded
from isthmus.core.batch import Batch
from isthmus.core.example import ExampleSpec
from isthmus.likelihoods import (
    BernoulliLikelihood,
    Likelihood,
    SquaredError,
    SquaredErrorLikelihood,
)
from isthmus.networks import choose
from isthmus.networks._output_bias import init_output_bias
from isthmus.networks.dilated import Dilated
from isthmus.networks.residual import Block


def layers(module: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in module.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((1, 64, 48), "Conv"),
        ((3, 32, 32), "Conv"),
        ((1, 28, 28), "MLP"),
        ((3, 8, 8), "MLP"),
        ((784,), "MLP"),
        ((5, 6), "MLP"),
    ],
)
def test_auto_chooses_by_shape(shape: tuple[int, ...], kind: str) -> None:
    spec = ExampleSpec.of(shape)
    assert type(choose("auto", spec, None, "relu")).__name__ == kind
    named = "Residual" if len(shape) == 3 else kind
    assert type(choose("auto", spec, None, "relu", grids="residual")).__name__ == named


def test_the_decoder_mirrors_the_encoder() -> None:
    module = ist.AE(latent_dim=32, hidden=(256, 128, 64), network="mlp").build((1, 28, 28))
    sizes = [(layer.in_features, layer.out_features) for layer in layers(module, nn.Linear)]
    assert sizes == [
        (784, 256),
        (256, 128),
        (128, 64),
        (64, 32),
        (32, 64),
        (64, 128),
        (128, 256),
        (256, 784),
    ]


def test_no_hidden_layer_is_a_linear_map() -> None:
    module = ist.AE(latent_dim=3, hidden=(), likelihood=SquaredError("linear")).build((7,))
    a, b = torch.randn(2, 1, 7)

    def whole(x: torch.Tensor) -> torch.Tensor:
        return module(Batch(x))

    torch.testing.assert_close(whole(a + b) - whole(b), whole(a) - whole(torch.zeros(1, 7)))


@pytest.mark.parametrize(
    "shape",
    [(1, 28, 28), (1, 27, 27), (3, 33, 20), (3, 100, 75), (1, 1, 1), (2, 5, 64), (1, 64), (3, 37)],
)
@pytest.mark.parametrize("widths", [(4,), (4, 8), (4, 8, 8)])
@pytest.mark.parametrize("name", ["conv", "residual", "dilated"])
def test_convolutions_come_back_to_any_size(
    name: str, shape: tuple[int, ...], widths: tuple[int, ...]
) -> None:
    if name == "dilated" and len(shape) == 3:
        shape = shape[1:]
    spec = ExampleSpec("signal", shape) if len(shape) == 2 else ExampleSpec.of(shape)
    network = choose(name, spec, widths, "relu")
    features = network.encoder(spec)
    given = features.encoder(torch.rand(2, *shape))
    assert given.shape[1:] == features.shape
    for code in ((6,), (6, *features.shape[1:]), (6, 3), (2, 3, 9)):
        assert network.decoder(code, spec)(torch.rand(2, *code)).shape == (2, *shape)


def test_a_grid_of_the_coarse_size_enters_by_position() -> None:
    # Changing one place of a grid changes what is around it, and nothing far away.
    spec = ExampleSpec.of((1, 64, 64))
    decoder = choose("residual", spec, (4, 8), "relu").decoder((3, 16, 16), spec)
    grid = torch.rand(1, 3, 16, 16)
    moved = grid.clone()
    moved[..., 0, 0] += 1
    change = (decoder(moved) - decoder(grid)).detach().abs().amax(dim=(0, 1))
    assert float(change[:4, :4].max()) > 0
    assert float(change[32:, 32:].max()) == 0


def test_a_signal_is_convolved_over_its_time() -> None:
    # The layers are those of an image of height 1 whose kernels see one row.
    torch.manual_seed(0)
    spec = ExampleSpec("signal", (2, 13))
    network = choose("auto", spec, (4, 6), "relu")
    encoder = network.encoder(spec).encoder
    decoder = network.decoder((3,), spec)
    (first, second), x = layers(encoder, nn.Conv1d), torch.randn(5, 2, 13)

    def image(h: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        wide = {"stride": (1, 2), "padding": (0, 1)}
        return torch.conv2d(h, layer.weight[:, :, None], layer.bias, **wide).relu()

    padded = torch.cat([x, torch.zeros(5, 2, 3)], dim=2)[:, :, None]  # to a multiple of four
    torch.testing.assert_close(encoder(x), image(image(padded, first), second)[:, :, 0])
    assert len(layers(decoder, nn.ConvTranspose1d)) == 2
    assert decoder(torch.randn(5, 3)).shape == (5, 2, 13)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("name", ["conv", "residual", "dilated"])
def test_a_short_signal_has_the_same_features_however_far_it_is_padded(
    name: str, activation: str
) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 20)

    def features(time: int, steps: int) -> torch.Tensor:
        spec = ExampleSpec("signal", (2, time))
        encoder = choose(name, spec, (4, 6), activation).encoder(spec).encoder
        encoder.load_state_dict(weights)
        padded = torch.full((3, 2, time), 7.0)
        padded[..., :steps] = x[..., :steps]
        mask = torch.arange(time).expand(3, 2, -1) < steps
        return encoded(encoder, Batch(padded, mask=mask))

    spec = ExampleSpec("signal", (2, 20))
    whole = choose(name, spec, (4, 6), activation).encoder(spec).encoder
    weights = whole.state_dict()
    torch.testing.assert_close(features(48, 20)[..., :5], whole(x))
    assert not features(48, 20)[..., 5:].any()
    torch.testing.assert_close(features(48, 17)[..., :5], features(24, 17)[..., :5])
    torch.testing.assert_close(features(20, 17), features(24, 17)[..., :5])


def test_a_block_adds_to_what_passes_it() -> None:
    block = Block((4, 5, 5), "relu")
    x = torch.randn(2, 4, 5, 5)
    inner = torch.conv2d(x.relu(), block.change[1].weight, block.change[1].bias, padding=1)
    outer = torch.conv2d(inner.relu(), block.change[3].weight, block.change[3].bias)
    torch.testing.assert_close(block(x), x + outer)
    assert inner.shape[1] == 2


def test_dilated_places_are_that_far_apart_and_the_step_scales_what_is_added() -> None:
    block, x = Block((2, 40), "relu", dilation=9, step=0.25), torch.randn(1, 2, 40)
    inner = torch.conv1d(
        x.relu(), block.change[1].weight, block.change[1].bias, padding=9, dilation=9
    )
    outer = torch.conv1d(inner.relu(), block.change[3].weight, block.change[3].bias)
    torch.testing.assert_close(block(x), x + 0.25 * outer)


def test_a_dilated_network_sees_as_far_as_its_strides_and_stacks_say() -> None:
    spec = ExampleSpec("signal", (1, 1024))
    network = Dilated(widths=(4, 4), blocks=2, dilation=3, activation="linear")
    features = network.encoder(spec)
    assert features.shape == (4, 256)  # a hop of 4
    x = torch.zeros(1, 1, 1024, requires_grad=True)
    features.encoder(x)[0, :, 128].sum().backward()
    (seen,) = x.grad[0, 0].nonzero(as_tuple=True)
    # two strided convolutions see 10 steps; a stack sees 1 + 3 places to each side, of 2 and 4
    assert (int(seen.min()), int(seen.max())) == (512 - 3 - 4 * 2 - 4 * 4, 512 + 6 + 4 * 2 + 4 * 4)
    decoder = network.decoder((3, 256), spec)
    dilations = [layer.change[1].dilation[0] for layer in decoder if isinstance(layer, Block)]
    assert dilations == [3, 1, 3, 1]


def test_dilated_networks_are_for_signals() -> None:
    with pytest.raises(ist.InputError, match=r"network='dilated' is for signals.*kind='signal'"):
        ist.AE(network="dilated").build((1, 28, 28))


def test_residual_networks_serve_any_member(few: np.ndarray) -> None:
    model = ist.VAE(network="residual", hidden=(8, 16), epochs=3, random_state=0).fit(few)
    assert (
        len(layers(model.module_.encoder, Block)) == len(layers(model.module_.decoder, Block)) == 2
    )
    assert model.history_[-1]["objective"] < model.history_[0]["objective"]
    assert model.reconstruct(few).shape == few.shape


def test_convolutions_need_images() -> None:
    with pytest.raises(ist.InputError, match=r"network='conv' needs images.*\(64,\).*image_shape="):
        ist.AE(network="conv").build((64,))
    with pytest.raises(ist.InputError, match=r"read as sequences of up to 9 × 2.*kind='signal'"):
        ist.AE(network="conv").build((9, 2))


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "linear"]
)
def test_every_activation_can_be_named(name: str) -> None:
    module = ist.AE(activation=name, hidden=(4,)).build((6,))
    assert module(Batch(torch.rand(3, 6))).shape == (3, 6)


@pytest.mark.parametrize(
    ("name", "shape", "over"),
    [
        ("mlp", (2, 4, 5), (0,)),
        ("mlp", (6,), (0,)),
        ("conv", (2, 4, 5), (0, 2, 3)),
        ("residual", (2, 4, 5), (0, 2, 3)),
        ("recurrent", (7, 3), (0, 1)),
        ("recurrent", (6,), (0, 1)),
        ("recurrent", (2, 4, 5), (0, 2)),
        ("conv", (4, 4), (0, 2)),
    ],
)
@pytest.mark.parametrize(
    "likelihood",
    [BernoulliLikelihood(), SquaredErrorLikelihood(), SquaredErrorLikelihood(unit_range=True)],
)
def test_a_decoder_that_hears_nothing_says_the_mean(
    name: str, shape: tuple[int, ...], over: tuple[int, ...], likelihood: Likelihood
) -> None:
    x = torch.rand(50, *shape) ** 2
    is_signal = name == "conv" and len(shape) == 2
    spec = ExampleSpec("signal", shape) if is_signal else ExampleSpec.of(shape)
    decoder = choose(name, spec, (8,), "relu").decoder((3,), spec)
    init_output_bias(decoder, likelihood, Batch(x))
    *_, last = (layer for layer in decoder.modules() if hasattr(layer, "weight"))
    nn.init.zeros_(last.weight)
    torch.testing.assert_close(
        likelihood.mean(decoder(torch.rand(2, 3)))[:1], x.mean(over, keepdim=True).expand(1, *shape)
    )


def test_padding_does_not_count_for_the_mean() -> None:
    x = torch.rand(20, 5, 3)
    x[:10, 3:] = float("nan")
    spec = ExampleSpec.of((5, 3))
    decoder = choose("recurrent", spec, (8,), "relu").decoder((2,), spec)
    init_output_bias(decoder, SquaredErrorLikelihood(), Batch(x.nan_to_num(), mask=~x.isnan()))
    torch.testing.assert_close(decoder.last[-1].bias.detach(), x[~x.isnan().any(2)].mean(0))


def test_a_decoder_of_another_kind_is_left_as_it_is() -> None:
    decoder = nn.Sequential(
        nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 9, bias=False), nn.Unflatten(1, (1, 3, 3))
    )
    before = decoder[0].bias.clone()
    init_output_bias(decoder, BernoulliLikelihood(), Batch(torch.rand(5, 1, 3, 3)))
    torch.testing.assert_close(decoder[0].bias, before)
