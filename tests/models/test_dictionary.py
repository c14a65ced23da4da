"""Dictionaries: sparsities by their papers, atoms of length 1, and directions that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import isthmus as ist
from isthmus.core.batch import Batch
from isthmus.core.objectives import Loss
from isthmus.sparsities import L1, BatchTopK, Gated, JumpReLU, TopK

UNITS, WIDTH = 24, 16
KINDS: dict[str, Any] = {
    "topk": TopK(k=3),
    "batch-topk": BatchTopK(k=3),
    "jumprelu": JumpReLU(weight=0.3),
    "gated": Gated(weight=2.0),
    "l1": L1(weight=0.6),
}
every = pytest.mark.parametrize("name", list(ist.registry.SPARSITIES))


def planted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Examples that are sums of about two out of 20 directions, and these directions."""
    random = np.random.default_rng(0)
    atoms = random.normal(size=(20, WIDTH))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    drawn = np.random.default_rng([1, seed])
    z = (drawn.random((n, 20)) < 0.1) * drawn.uniform(0.5, 1.5, (n, 20))
    return (4 * z @ atoms + 1).astype(np.float32), atoms


def trained(sparsity: Any, n: int = 2000, **values: Any) -> Any:
    settings = {
        "latent_dim": UNITS,
        "epochs": 8,
        "batch_size": 32,
        "learning_rate": 1e-2,
        "schedule": "cosine",
        "random_state": 0,
    }
    return ist.DictionaryAE(sparsity=sparsity, **settings | values).fit(planted(n)[0])


def built(sparsity: Any, **values: Any) -> Any:
    """A module whose biases are not 0, and whose thresholds and gates are where they matter."""
    torch.manual_seed(0)
    module = ist.DictionaryAE(sparsity=sparsity, latent_dim=UNITS, **values).build(
        (WIDTH,), unit_range=False
    )
    for parameter in module.parameters():
        if parameter.dim() == 1:
            parameter.data += 0.1 * torch.randn_like(parameter)
    return module


def loss_of(module: Any, x: Tensor) -> tuple[Loss, dict[str, Tensor]]:
    """The loss of a batch, and the gradient of its mean with respect to each parameter."""
    loss = module.loss(Batch(x))
    loss.objective.mean().backward()
    return loss, {name: each.grad for name, each in module.named_parameters()}


def compared(module: Any, x: Tensor, by_hand: Any) -> None:
    """The objective and all its gradients are those of a function of plain tensors."""
    loss, gradients = loss_of(module, x)
    own = {name: each.detach().clone().requires_grad_() for name, each in module.named_parameters()}
    wanted = by_hand(own, x)
    wanted.mean().backward()
    torch.testing.assert_close(loss.objective, wanted)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, own[name].grad, msg=name)


def pre_of(own: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """W (x − b), and the same with the bias of the units."""
    linear = (x - own["decoder.bias"]) @ own["bottleneck.linear.weight"].T
    return linear, linear + own["bottleneck.linear.bias"]


def error_of(own: dict[str, Tensor], x: Tensor, z: Tensor) -> Tensor:
    atoms = own["decoder.weight"] / own["decoder.weight"].norm(dim=1, keepdim=True)
    return (x - own["decoder.bias"] - z @ atoms).square().sum(1)


def test_the_price_of_gated_units_is_that_of_the_paper() -> None:
    def by_hand(own: dict[str, Tensor], x: Tensor) -> Tensor:
        linear, gate = pre_of(own, x)
        r, c = (own[f"bottleneck.sparsity.{name}"] for name in ("log_scale", "shift"))
        z = (gate > 0) * F.relu(torch.exp(r) * linear + c)
        still = {name: value.detach() for name, value in own.items() if "decoder" in name}
        # in the paper's second error the decoder, its bias included, stands still
        return error_of(own, x, z) + 2 * F.relu(gate).sum(1) + error_of(still, x, F.relu(gate))

    compared(built(KINDS["gated"]), torch.randn(6, WIDTH), by_hand)


class _Jump(torch.autograd.Function):
    """JumpReLU with the derivatives of its paper's appendix: a rectangle of width ε."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, theta: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(a, theta)
        ctx.width = width
        return a * (a > theta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        a, theta = ctx.saved_tensors
        near = ((a - theta).abs() <= ctx.width / 2).to(a.dtype)
        return gradient * (a > theta), (-theta / ctx.width * near * gradient).sum(0), None


class _Step(torch.autograd.Function):
    """The step of JumpReLU's penalty, which moves thresholds alone."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, theta: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(a, theta)
        ctx.width = width
        return (a > theta).to(a.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        a, theta = ctx.saved_tensors
        near = ((a - theta).abs() <= ctx.width / 2).to(a.dtype)
        return None, (-near / ctx.width * gradient).sum(0), None


def test_jumprelu_learns_thresholds_as_its_paper_says() -> None:
    width = 0.8

    def by_hand(own: dict[str, Tensor], x: Tensor) -> Tensor:
        a = F.relu(pre_of(own, x)[1])
        theta = own["bottleneck.sparsity.log_threshold"].exp()
        z, active = _Jump.apply(a, theta, width), _Step.apply(a, theta, width)
        return error_of(own, x, z) + 0.3 * active.sum(1)

    module = built(JumpReLU(weight=0.3, threshold=0.5, bandwidth=width))
    compared(module, torch.randn(40, WIDTH), by_hand)
    assert module.bottleneck.sparsity.log_threshold.grad.abs().max() > 1e-3


def test_dead_units_learn_what_the_others_leave() -> None:
    module = built(KINDS["topk"], dead_after=100, auxiliary_units=4, auxiliary_weight=0.25)
    module.bottleneck.silent[:10] = 500.0  # the batch does not count them as alive again
    with torch.no_grad():
        module.bottleneck.linear.bias[:10] -= 2.0

    def by_hand(own: dict[str, Tensor], x: Tensor) -> Tensor:
        a = F.relu(pre_of(own, x)[1])
        error = error_of(own, x, _largest(a, 3))
        atoms = own["decoder.weight"] / own["decoder.weight"].norm(dim=1, keepdim=True)
        left = (x - own["decoder.bias"] - _largest(a, 3) @ atoms).detach()
        dead = _largest(a[:, :10], 4) @ atoms[:10]
        return error + 0.25 * ((left - dead).square().sum(1) - error.detach())

    compared(module, 0.5 * torch.randn(8, WIDTH), by_hand)
    assert module.bottleneck.silent[:10].min() == 508


def _largest(a: Tensor, k: int) -> Tensor:
    """The k largest of each row, by sorting."""
    return a * (a >= a.sort(dim=1, descending=True).values[:, k - 1 : k])


def test_each_prefix_of_a_matryoshka_reconstructs_by_itself() -> None:
    def by_hand(own: dict[str, Tensor], x: Tensor) -> Tensor:
        z = F.relu(pre_of(own, x)[1])
        prefixes = [z * (torch.arange(UNITS) < size) for size in (4, 12, UNITS)]
        return sum(error_of(own, x, each) for each in prefixes) + 0.6 * z.sum(1)

    compared(built(KINDS["l1"], prefixes=(4, 12)), torch.randn(6, WIDTH), by_hand)


def test_a_batch_keeps_its_largest_units_and_single_examples_their_threshold() -> None:
    part = BatchTopK(k=2).build(5).train()
    batches = torch.rand(3, 4, 5)
    least = []
    for pre in batches:
        values = pre.flatten().sort(descending=True).values
        least.append(values[7])
        assert torch.equal(part(pre, torch.zeros(5)).z, pre * (pre >= values[7]))
    threshold = torch.stack(least).mean()
    torch.testing.assert_close(part.threshold, threshold)
    pre = torch.rand(4, 5)
    assert torch.equal(part.eval()(pre, torch.zeros(5)).z, pre * (pre >= part.threshold))
    assert torch.equal(part.codes(pre[:1], torch.zeros(5)), (pre * (pre >= part.threshold))[:1])


def test_outside_of_training_as_many_units_are_active_on_average() -> None:
    model = trained(BatchTopK(k=3))
    active = (model.transform(planted(1000, seed=1)[0]) > 0).sum(1)
    assert abs(active.mean() - 3) < 0.3
    assert active.std() > 0.5  # an example uses more than another


@every
def test_planted_directions_are_found(name: str) -> None:
    model, atoms = trained(KINDS[name], epochs=15), planted(1)[1]
    found = model.module_.decoder.unit.detach().numpy()
    assert np.median((atoms @ found.T).max(1)) > 0.95


@every
def test_atoms_have_length_1_and_gradients_no_part_along_them(name: str) -> None:
    module = trained(KINDS[name], n=200, epochs=2).module_
    torch.testing.assert_close(module.decoder.unit.norm(dim=1), torch.ones(UNITS))
    module.train().anneal(1.0)
    torch.testing.assert_close(module.decoder.weight.norm(dim=1), torch.ones(UNITS))
    _, gradients = loss_of(module, torch.randn(50, WIDTH))
    gradient = gradients["decoder.weight"]
    assert gradient.abs().max() > 0.01
    assert (gradient * module.decoder.weight).sum(1).abs().max() < 1e-5 * gradient.norm()


@every
@pytest.mark.parametrize("scaling", ["rms", "standard"])
def test_folded_it_says_the_same_in_the_units_of_the_data(name: str, scaling: str) -> None:
    model, x = trained(KINDS[name], n=300, epochs=2, scaling=scaling), planted(64, seed=1)[0]
    folded = model.folded()
    with torch.no_grad():
        codes = folded.encode(torch.from_numpy(x).view(8, 8, WIDTH))
        restored = folded(torch.from_numpy(x))
    np.testing.assert_allclose(codes.flatten(0, 1), model.transform(x), atol=1e-4)
    np.testing.assert_allclose(restored, model.reconstruct(x), atol=1e-4)
    assert sum(1 for each in folded.modules() if isinstance(each, torch.nn.Linear)) == 2


def test_a_transcoder_predicts_one_place_from_another() -> None:
    x, _ = planted(2000)
    y = np.maximum(x @ np.random.default_rng(3).normal(size=(WIDTH, 5)).astype(np.float32), 0)
    rows = np.concatenate([x, y], axis=1)
    model = ist.DictionaryAE(
        sparsity=TopK(k=8), latent_dim=64, inputs=WIDTH, epochs=20, learning_rate=3e-3,
        random_state=0,
    ).fit(rows)  # fmt: skip
    predicted = model.transcode(x)
    assert predicted.shape == (2000, 5)
    assert np.square(predicted - y).mean() < 0.2 * y.var(0).mean()
    np.testing.assert_array_equal(predicted, model.transcode(rows))
    restored = model.reconstruct(rows)
    np.testing.assert_allclose(restored[:, :WIDTH], x, rtol=1e-6)
    np.testing.assert_allclose(restored[:, WIDTH:], predicted)
    scale = model.preprocessor_.scaling.scale.item()
    errors = np.square((predicted - y) / scale).sum(1)
    np.testing.assert_allclose(model.squared_error(rows), errors, rtol=1e-4)
    np.testing.assert_allclose(-model.score_samples(rows), errors, rtol=1e-4)
    with torch.no_grad():
        folded = model.folded()(torch.from_numpy(x))
    np.testing.assert_allclose(folded, predicted, atol=1e-3 * scale)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"prefixes": (8, 4)}, r"prefixes=\(8, 4\) must rise and stay below latent_dim=24: give"),
        ({"prefixes": (30,)}, r"prefixes=\(30,\) must rise and stay below latent_dim=24: give"),
        ({"inputs": WIDTH}, "inputs=16 reads the first columns and predicts the others, but"),
        ({"decoder": torch.nn.Linear(UNITS, WIDTH)}, "has no place in a DictionaryAE, whose"),
    ],
)
def test_what_cannot_be_is_said(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ist.InputError, match=sentence):
        trained("topk", n=50, epochs=1, **values)


def test_only_what_is_linear_can_be_folded_and_only_transcoders_predict() -> None:
    model = trained("topk", n=50, epochs=1, hidden=(8,))
    with pytest.raises(ist.InputError, match=r"cannot be folded into two linear maps: train it"):
        model.folded()
    with pytest.raises(ist.InputError, match="inputs=None makes no transcoder: call reconstruct"):
        model.transcode(planted(3)[0])
    transcoder = trained("topk", n=50, epochs=1, inputs=10)
    with pytest.raises(ist.InputError, match=r"reads 10 columns: give \(n, 10\), or whole rows"):
        transcoder.transcode(planted(3)[0][:, :9])


@pytest.mark.parametrize(
    "member",
    [
        ist.DictionaryAE(latent_dim=4, sparsity=ist.sparsities.TopK(k=9)),
        ist.DictionaryAE(latent_dim=4, sparsity=ist.sparsities.BatchTopK(k=9)),
        ist.SparseAE(latent_dim=4, sparsity="topk", k=9),
    ],
)
def test_more_units_than_there_are_cannot_be_kept(member: Any) -> None:
    with pytest.raises(ist.InputError, match="k=9 keeps more units than the 4 of the code"):
        member.fit(np.eye(8, dtype=np.float32))
