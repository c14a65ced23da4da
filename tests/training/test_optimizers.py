"""The optimisers do what torch's own classes do, without what those import."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.core.objectives import Objective
from isthmus.training.optimizers import SGD, Optimizer, make_optimizer

OURS: dict[str, Any] = {"plain": SGD(momentum=0.0), "nesterov": SGD(nesterov=True)}
THEIRS: dict[str, Any] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda parameters, **values: torch.optim.SGD(parameters, momentum=0.9, **values),
    "plain": torch.optim.SGD,
    "nesterov": lambda parameters, **values: torch.optim.SGD(
        parameters, momentum=0.9, nesterov=True, **values
    ),
}


def pair(name: str, weight_decay: float = 0.0) -> tuple[nn.Module, Optimizer, nn.Module, Any]:
    ours, theirs = (torch.manual_seed(0) and nn.Linear(7, 5) for _ in range(2))
    settings = ist.AE(optimizer=OURS.get(name, name), learning_rate=1e-2, weight_decay=weight_decay)
    optimizer = make_optimizer(Objective(tuple(ours.parameters()), lambda x: x), settings)
    return (
        ours,
        optimizer,
        theirs,
        THEIRS[name](theirs.parameters(), lr=1e-2, weight_decay=weight_decay, fused=True),
    )


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("name", list(THEIRS))
def test_ten_steps_end_where_those_of_torch_end(name: str, weight_decay: float) -> None:
    ours, optimizer, theirs, reference = pair(name, weight_decay)
    x = torch.randn(10, 4, 7, generator=torch.Generator().manual_seed(1))
    for batch in x:
        ours(batch).square().sum().backward()
        optimizer.step()
        reference.zero_grad()
        theirs(batch).square().sum().backward()
        reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


@pytest.mark.parametrize("name", list(THEIRS))
def test_what_is_restored_goes_on_as_if_nothing_had_happened(name: str) -> None:
    batch = torch.randn(4, 7, generator=torch.Generator().manual_seed(1))
    ends = []
    for interrupted in (False, True):
        module, optimizer, *_ = pair(name)
        for step in range(4):
            if interrupted and step == 2:
                kept = {
                    key: [t.clone() for t in v] if isinstance(v, list) else v.clone()
                    for key, v in optimizer.state().items()
                }
                optimizer = make_optimizer(
                    Objective(tuple(module.parameters()), lambda x: x),
                    ist.AE(optimizer=OURS.get(name, name), learning_rate=1e-2),
                )
                optimizer.restore(kept)
            module(batch).square().sum().backward()
            optimizer.step()
        ends.append(next(module.parameters()).detach())
    assert torch.equal(*ends)


def test_a_parameter_without_a_gradient_stays() -> None:
    module, optimizer, *_ = pair("adam")
    before = module.bias.detach().clone()
    (module.weight.square().sum()).backward()
    optimizer.step()
    assert torch.equal(module.bias, before)
    assert module.weight.grad is None


def test_gradients_that_a_module_brings_along_count_for_nothing(few: np.ndarray) -> None:
    def own(shape: tuple[int, ...]) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 8))

    def stained(shape: tuple[int, ...]) -> nn.Module:
        module = own(shape)
        for parameter in module.parameters():
            parameter.grad = torch.full_like(parameter, 100.0)
        return module

    clean, other = (
        ist.AE(encoder=encoder, epochs=1, random_state=0).fit(few) for encoder in (own, stained)
    )
    assert np.array_equal(clean.transform(few), other.transform(few))


def test_a_player_without_parameters_is_refused() -> None:
    with pytest.raises(ist.InputError, match="there is nothing to train"):
        make_optimizer(Objective((), lambda x: x), ist.AE())


def test_training_does_not_import_the_compiler() -> None:
    code = (
        "import sys, isthmus as ist; "
        "ist.VAE(epochs=1, verbose=0, clip_norm=1.0).fit(ist.data.load('digits').train.x[:64]); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code]).returncode == 0
