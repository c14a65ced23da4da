"""A compiled step trains as the plain one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

import isthmus as ist
from isthmus.training._compiled import CompiledGradients, _laid_out_like, _of_any_layout

pytestmark = pytest.mark.filterwarnings("ignore")  # the compiler's own


def twice(member: str, few: np.ndarray, **values: Any) -> tuple[Any, Any]:
    settings = {
        "epochs": 2,
        "batch_size": 50,
        "random_state": 0,
        "hidden": (16,),
        "network": "mlp",
        **values,
    }
    kind = ist.registry.MEMBERS[member]
    plain, compiled = (kind(**settings, compile=compile).fit(few) for compile in (False, True))
    return plain, compiled


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traced step as it is: what members differ in is what is traced, and the compiler takes
    seconds for each.
    """
    monkeypatch.setattr(CompiledGradients, "_fast", lambda self, traced, given: traced)


def test_the_same_seed_ends_in_the_same_weights(few: np.ndarray) -> None:
    # it draws noise; its weight of the rate changes from step to step
    _ends_alike("vae", {"kl_warmup": 2.0, "clip_norm": 5.0}, few)


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("aae", {}),  # two objectives
        ("sparse", {"sparsity": "topk"}),  # counts in a buffer
        ("dictionary", {"sparsity": "batch-topk", "hidden": ()}),  # atoms change between steps
    ],
)
@pytest.mark.usefixtures("uncompiled")
def test_what_is_traced_ends_in_the_same_weights(
    member: str, values: dict[str, Any], few: np.ndarray
) -> None:
    _ends_alike(member, values, few)


def _ends_alike(member: str, values: dict[str, Any], few: np.ndarray) -> None:
    plain, compiled = twice(member, few, **values)
    for ours, theirs in zip(compiled.history_, plain.history_, strict=True):
        assert {name: value for name, value in ours.items() if name != "seconds"} == pytest.approx(
            {name: value for name, value in theirs.items() if name != "seconds"}, rel=1e-4
        )
    assert np.allclose(plain.transform(few), compiled.transform(few), atol=1e-3)


def test_fewer_examples_than_a_batch_are_compiled_too(
    few: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = CompiledGradients._compiled
    monkeypatch.setattr(
        CompiledGradients,
        "_compiled",
        lambda self, batch: sizes.append(batch.size) or original(self, batch),
    )
    ist.AE(hidden=(4,), epochs=1, batch_size=500, compile=True).fit(few)
    assert sizes == [len(few)]


def normalised(shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(int(np.prod(shape)), 8), nn.BatchNorm1d(8), nn.Dropout(0.2)
    )


@pytest.mark.usefixtures("uncompiled")
def test_running_statistics_are_kept_and_dropout_draws_the_same(few: np.ndarray) -> None:
    plain, compiled = twice("ae", few, encoder=normalised, learning_rate=1e-6)
    ours, theirs = (dict(model.module_.encoder.named_buffers()) for model in (compiled, plain))
    assert any(name.endswith("running_mean") for name in ours)
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("uncompiled")
def test_batches_of_several_tensors_are_compiled_too(few: np.ndarray) -> None:
    y = np.arange(len(few)) % 2
    errors = [
        ist.AutoencoderClassifier(
            ist.AE(epochs=1, random_state=0),
            epochs=2,
            batch_size=50,
            random_state=0,
            compile=compile,
        )
        .fit(few, y)
        .history_[-1]["cross_entropy"]
        for compile in (False, True)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)


class Deciding(nn.Module):
    """Takes another way for other data, which no trace can follow."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.linear = nn.Linear(int(np.prod(shape)), 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.linear(x.flatten(1))
        return h if bool(h.sum() > 0) else -h


def test_what_cannot_be_compiled_says_so(few: np.ndarray) -> None:
    with pytest.raises(ist.InputError, match=r"cannot be compiled here \(.*\): pass compile=False"):
        ist.AE(encoder=Deciding, epochs=1, batch_size=50, compile=True).fit(few)


def test_a_gradient_is_laid_out_in_memory_as_its_parameter_is() -> None:
    parameter = torch.zeros(4, 3, 5, 5).to(memory_format=torch.channels_last)
    gradient = torch.randn(4, 3, 5, 5)
    assert _laid_out_like(parameter, gradient).stride() == parameter.stride()
    assert torch.equal(_laid_out_like(parameter, gradient), gradient)
    assert _laid_out_like(gradient, gradient) is gradient


def test_a_view_of_the_tracing_becomes_a_reshape_that_any_layout_has() -> None:
    traced = make_fx(lambda x: x.view(2, -1) * 2)(torch.ones(2, 3, 4))
    innermost = torch.randn(2, 4, 3).transpose(1, 2)
    with pytest.raises(RuntimeError, match="view"):
        traced(innermost)
    assert torch.equal(_of_any_layout(traced)(innermost), innermost.reshape(2, -1) * 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("member", "values"),
    [("vae", {"kl_warmup": 2.0}), ("aae", {}), ("vqvae", {"network": "residual"})],
)
def test_a_recorded_step_trains_as_the_plain_one_does(
    member: str, values: dict[str, Any], few: np.ndarray
) -> None:
    plain, recorded = twice(member, few, device="cuda", **values)
    assert recorded.history_[-1]["objective"] == pytest.approx(
        plain.history_[-1]["objective"], rel=1e-3
    )
