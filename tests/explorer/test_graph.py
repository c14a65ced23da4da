"""Networks in the browser: every graph gives there what torch gives here."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.explorer._front import script
from isthmus.explorer._groups import Redrawing
from isthmus.explorer.graph import OPERATORS, Decoding, Encoding, traced
from isthmus.registry import MEMBERS
from tests.small import small

SHAPE = (1, 8, 8)
IMAGES = [name for name in MEMBERS if name != "recurrent"]
FIXED = {
    "biva",
    "masked",
    "nvae",
    "vqvae",
    "vqvae2",
    "stacked",
}  # members that bring networks of their own


@pytest.fixture(scope="module")
def evaluator(browser: Any) -> Iterator[Any]:
    """A page of a real browser with the evaluator in it."""
    source = script("evaluator.js", "tensors.js", "operators.js")
    page = browser.new_page()
    page.add_script_tag(
        content=f"{source}\nObject.assign(window, {{ knows, evaluate, Tensor, OPERATORS }});",
        type="module",
    )
    page.wait_for_function("() => Boolean(window.evaluate)")
    yield page
    page.close()


def in_bytes(value: Any) -> bytes:
    """Single-precision numbers, the least significant byte first."""
    return np.ascontiguousarray(value, "<f4").tobytes()


def in_the_browser(evaluator: Any, module: nn.Module, *inputs: torch.Tensor) -> list[torch.Tensor]:
    """What the evaluator makes of the inputs of one example."""
    graph = traced(module, *(tuple(x.shape[1:]) for x in inputs))
    assert graph.unknown == []
    weights = {
        name: {"shape": list(value.shape), "data": base64.b64encode(in_bytes(value)).decode()}
        for name, value in graph.weights.items()
    }
    found = evaluator.evaluate(
        """([graph, weights, inputs]) => {
            const known = {};
            for (const name in weights) {
                const { data, shape } = weights[name];
                const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
                known[name] = new Tensor(new Float32Array(bytes.buffer), shape);
            }
            return evaluate(JSON.parse(graph), known, ...inputs).map((one) => Array.from(one.data));
        }""",
        [json.dumps(graph.to_json()), weights, [x.flatten().tolist() for x in inputs]],
    )
    return [torch.tensor(values, dtype=torch.float32) for values in found]


def test_both_sides_know_the_same_operators(evaluator: Any) -> None:
    assert sorted(evaluator.evaluate("Object.keys(OPERATORS)")) == sorted(OPERATORS)


@pytest.mark.parametrize(
    ("name", "network"),
    [
        (name, network)
        for name in IMAGES
        for network in (
            # a network is the same whoever has it
            ["own"] if name in FIXED else ["mlp", "conv", "residual"][: 3 if name == "vae" else 1]
        )
    ],
)
def test_every_member_of_images_is_live(evaluator: Any, name: str, network: str) -> None:
    torch.manual_seed(0)
    own = {"network": network, "hidden": (8, 6)} if network != "own" else {}
    member = MEMBERS[name](**small(name) | own)
    module = member.build(SHAPE).eval()
    scale, offset = torch.tensor([2.0]), torch.tensor([-0.5])
    code = torch.randn(1, *module.bottleneck.code_shape).flatten(1)
    for part, x in (
        (Decoding(module, scale, offset), code),
        (Encoding(module, scale, offset), torch.rand(1, *SHAPE)),
    ):
        with torch.no_grad():
            expected = part(x)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for mine, theirs in zip(in_the_browser(evaluator, part, x), expected, strict=True):
            torch.testing.assert_close(mine, theirs.flatten().float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("quantizer", ["fsq", "residual", "product", "lfq"])
def test_every_quantizer_is_live(evaluator: Any, quantizer: str) -> None:
    torch.manual_seed(0)
    module = ist.VQVAE(quantizer=quantizer, hidden=(4, 8)).build(SHAPE).eval()
    part, x = Encoding(module, torch.ones(1), torch.zeros(1)), torch.rand(1, *SHAPE)
    with torch.no_grad():
        expected = part(x)
    for mine, theirs in zip(in_the_browser(evaluator, part, x), expected, strict=True):
        torch.testing.assert_close(mine, theirs.flatten().float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sparsity", list(ist.registry.SPARSITIES))
def test_every_sparsity_is_live(evaluator: Any, sparsity: str) -> None:
    torch.manual_seed(0)
    module = ist.DictionaryAE(sparsity=sparsity, latent_dim=40).build(SHAPE).eval()
    part, x = Encoding(module, torch.ones(1), torch.zeros(1)), torch.rand(1, *SHAPE)
    with torch.no_grad():
        (expected,) = part(x)
    (found,) = in_the_browser(evaluator, part, x)
    torch.testing.assert_close(found, expected.flatten(), rtol=1e-4, atol=1e-4)
    assert 0 < int((found > 0).sum()) < 40


def test_a_hierarchy_is_drawn_anew_as_torch_does(evaluator: Any) -> None:
    torch.manual_seed(0)
    module = ist.NVAE(width=8).build(SHAPE).eval()
    code, noise = torch.randn(2, 1, *module.bottleneck.code_shape)
    keep, part = torch.ones_like(code), Redrawing(module)
    keep[:, 3:] = 0
    with torch.no_grad():
        expected = part(code, noise, keep)
    (found,) = in_the_browser(evaluator, part, code, noise, keep)
    torch.testing.assert_close(found, expected.flatten(), rtol=1e-4, atol=1e-4)


CONDITIONAL = [name for name in IMAGES if "condition" in MEMBERS[name]().get_params()]


@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "label") for name in CONDITIONAL), ("vae", "covariates")]
)
def test_every_conditional_member_is_live(
    evaluator: Any, name: str, kind: str, few: np.ndarray
) -> None:
    labels = np.arange(len(few)) % 3
    known = labels if kind == "label" else np.stack([labels * 0.5, labels**2], axis=1)
    member = MEMBERS[name](**small(name), condition=kind, epochs=1, random_state=0)
    if "quantizer" in member.get_params():  # entries that are no copies of each other
        member.set_params(quantizer=ist.quantizers.VectorQuantizer(codebook_size=8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = member.fit(few, known).module_.float().eval()
    one = (torch.ones(1), torch.zeros(1))
    condition = torch.randn(1, 3 if kind == "label" else 2)
    code = torch.randn(1, *module.bottleneck.code_shape).flatten(1)
    for part, x in (
        (Decoding(module, *one), code),
        (Encoding(module, *one), torch.rand(1, *SHAPE)),
    ):
        with torch.no_grad():
            expected = part(x, condition)
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = in_the_browser(evaluator, part, x, condition)
        for mine, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(mine, theirs.flatten().float(), rtol=1e-3, atol=1e-3)


class Odd(nn.Module):
    """Operators that no member of ours is made of, but a network of one's own may be."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, 4)
        self.batch = nn.BatchNorm2d(4)
        self.batch.running_mean.copy_(torch.randn(4))
        self.batch.running_var.copy_(torch.rand(4) + 0.5)
        self.grouped = nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)
        self.back = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.attention = nn.Linear(4, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(nn.functional.interpolate(x, scale_factor=2))
        h = self.batch(nn.functional.gelu(self.back(nn.functional.silu(self.grouped(h)))))
        h = nn.functional.pad(h, (1, 0, 0, 2), value=0.3).flatten(2).transpose(1, 2)
        q, k, v = self.attention(h).chunk(3, -1)
        h = torch.softmax(q @ k.transpose(1, 2) / 2, -1) @ v
        h = torch.where(h > 0, h, nn.functional.elu(h)).clamp(-2, 2)
        best = h.max(1).values - h.min(1).values
        return torch.cat([best.round(), h.mean(1), h.std(1), torch.erf(h[:, ::7, 1])], 1)


def test_operators_of_ones_own_networks(evaluator: Any) -> None:
    torch.manual_seed(0)
    module, x = Odd().eval(), torch.randn(1, 4, 6, 5)
    with torch.no_grad():
        expected = module(x)
    (found,) = in_the_browser(evaluator, module, x)
    torch.testing.assert_close(found, expected.flatten(), rtol=1e-4, atol=1e-4)


def test_an_operator_that_the_page_does_not_know_is_named() -> None:
    class Rare(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)

    assert traced(Rare(), (3,)).unknown == ["special_bessel_j0"]
