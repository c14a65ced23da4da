"""Code of one's own is known by what it does: the same source is the same, another is seen."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import isthmus as ist
from isthmus.core.own_code import identity

SOURCE = """
import torch
from torch import nn

WIDTH = 8


def activation(x):
    return torch.relu(x)


class Net(nn.Module):
    scale = 2.0

    def __init__(self, size=3, width=4):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(size, width), nn.Dropout(0.1))
        self.register_buffer("kept", torch.zeros(2))
        self.register_buffer("lost", torch.zeros(2), persistent=False)

    def forward(self, x):
        return activation(self.layers(x)) * self.scale


def build(shape, *, depth=1):
    \"\"\"A text that says nothing of what is done.\"\"\"
    inner = [nn.Linear(WIDTH, WIDTH) for _ in range(depth)]
    return nn.Sequential(nn.Flatten(), nn.Linear(3, WIDTH), *inner)


def made(factor):
    return lambda x: x * factor
"""


def module_of(source: str) -> ModuleType:
    module = ModuleType("mine")
    exec(compile(source, "mine.py", "exec"), module.__dict__)
    return module


def net(m: ModuleType) -> Any:
    return m.Net()


ASKED: dict[str, Callable[[ModuleType], Any]] = {
    "build": lambda m: m.build,
    "Net": lambda m: m.Net,
    "an object": net,
    "a partial": lambda m: functools.partial(m.build, depth=2),
    "a closure": lambda m: m.made(3.0),
}


@pytest.mark.parametrize("asked", ASKED)
def test_the_same_source_is_the_same(asked: str) -> None:
    later = "# a remark\n\n" + SOURCE.replace("A text that says", "Other words that say")
    first, second = (identity(ASKED[asked](module_of(source))) for source in (SOURCE, later))
    assert first == second


@pytest.mark.parametrize(
    ("asked", "old", "new"),
    [
        ("build", "nn.Linear(3, WIDTH)", "nn.Linear(3, WIDTH, bias=False)"),
        ("build", "WIDTH = 8", "WIDTH = 9"),
        ("build", "depth=1", "depth=2"),
        ("Net", "torch.relu(x)", "torch.tanh(x)"),
        ("Net", "scale = 2.0", "scale = 2.5"),
        ("an object", "torch.relu(x)", "torch.tanh(x)"),
        ("an object", "width=4", "width=5"),
        ("an object", "Dropout(0.1)", "Dropout(0.2)"),
        ("an object", 'lost", torch.zeros(2)', 'lost", torch.ones(2)'),
        ("a partial", "WIDTH = 8", "WIDTH = 9"),
        ("a closure", "x * factor", "x + factor"),
    ],
)
def test_another_source_is_another(asked: str, old: str, new: str) -> None:
    assert old in SOURCE
    other = module_of(SOURCE.replace(old, new))
    assert identity(ASKED[asked](module_of(SOURCE))) != identity(ASKED[asked](other))


def test_weights_and_kept_buffers_do_not_count_for_a_checkpoint_has_them() -> None:
    module = module_of(SOURCE)
    first, second = module.Net(), module.Net()
    second.kept += 1
    assert not torch.equal(first.layers[0].weight, second.layers[0].weight)
    assert identity(first) == identity(second)
    assert identity(module.made(2.0)) != identity(module.made(3.0))


def test_what_holds_itself_ends() -> None:
    held: list[Any] = [1]
    held.append(held)
    assert identity(held) == identity(held)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert identity(deep).startswith("Python 3.")


@pytest.mark.slow
def test_another_process_finds_the_same(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE + "\nKNOWN = {'b', 'a', 'c'}\n")
    asks = (
        "import mine; from isthmus.core.own_code import identity;"
        " print(identity(mine.build, mine.Net(), mine.KNOWN, {'x', 'y'}))"
    )
    started = [  # side by side; the order of a set is that of the seed of its hashes
        subprocess.Popen(
            [sys.executable, "-c", asks],
            cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in started)
    assert first == second != ""


def resumed(folder: Path, x: np.ndarray, epochs: int, **values: Any) -> ist.AE:
    return ist.AE(
        latent_dim=2, epochs=epochs, random_state=0, checkpoint_dir=str(folder), **values
    ).fit(x)


@pytest.mark.parametrize(
    ("field", "message"),
    [("encoder", "the run with code of encoder="), ("corruption", "code of corruption=")],
)
def test_a_training_does_not_go_on_with_other_code(
    field: str, message: str, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    source = {
        "encoder": "from torch import nn\ndef own(shape):\n    return nn.Linear(3, 4)\n",
        "corruption": "def own(x):\n    return x * 0.5\n",
    }[field]
    member = ist.AE if field == "encoder" else ist.DenoisingAE
    values = {"latent_dim": 2, "random_state": 0, "checkpoint_dir": str(tmp_path)}

    def go_on(source: str, epochs: int) -> None:
        member(epochs=epochs, **{field: module_of(source).own}, **values).fit(x)

    go_on(source, 1)
    go_on("# the same\n" + source, 2)
    with pytest.raises(ist.RunError, match=message.replace("the run", "a run")):
        go_on(source.replace("4", "5").replace("0.5", "0.6"), 3)


def test_a_training_does_not_go_on_with_another_value_of_one_example(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    resumed(tmp_path, x, 1)
    resumed(tmp_path, x.copy(), 2)
    x[1501, 1] += 1e-3
    with pytest.raises(ist.RunError, match=r"belongs to a run with data=.* but now data="):
        resumed(tmp_path, x, 3)


class OwnGaussian(ist.likelihoods.Gaussian):
    """A likelihood of one's own, which is known by its class."""


def test_parts_of_ones_own_are_named_by_their_slot(tmp_path: Path) -> None:
    from isthmus.core.own_code import brought_by

    plain = ist.VAE(likelihood=ist.likelihoods.Gaussian(scale=0.1))
    assert brought_by(plain) == {}
    own = ist.VAE(likelihood=OwnGaussian(scale=0.1), encoder=nn.Linear(3, 4))
    assert set(brought_by(own)) == {"code of likelihood", "code of encoder"}
