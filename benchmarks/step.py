"""What a step of 784-256-32 costs, written in other ways: which of them gain anything.

A variant does 50 steps on batches of 128; all do the same work on the same network, and most of
them the same way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.contestants import floor, work
from isthmus.training.optimizers import Adam

STEPS, BATCH, ROUNDS = 50, work.AE_BATCH, 15

X = torch.randint(0, 256, (STEPS * BATCH, work.PIXELS), dtype=torch.uint8)


def network(in_place: bool = False) -> nn.Sequential:
    """784-256-32 and back, up to the logits."""
    torch.manual_seed(0)
    encoder = (nn.Linear(784, 256), nn.ReLU(in_place), nn.Linear(256, 32))
    return nn.Sequential(*encoder, nn.Linear(32, 256), nn.ReLU(in_place), nn.Linear(256, 784))


def batches() -> Iterator[Tensor]:
    """Gathered and made floating, one after another."""
    for rows in torch.randperm(len(X)).split(BATCH):
        yield X.index_select(0, rows).float().mul_(1 / 255)


def prefetched() -> Iterator[Tensor]:
    """The same, with the next batch made by another thread meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        orders = torch.randperm(len(X)).split(BATCH)
        make = lambda rows: X.index_select(0, rows).float().mul_(1 / 255)  # noqa: E731
        coming = pool.submit(make, orders[0])
        for rows in orders[1:]:
            ready, coming = coming.result(), pool.submit(make, rows)
            yield ready
        yield coming.result()


def squares(logits: Tensor, x: Tensor) -> Tensor:
    """The squared error as it is written on paper."""
    return (logits.sigmoid() - x).square().sum(1)


def fused_squares(logits: Tensor, x: Tensor) -> Tensor:
    """The squared error by torch's own function, as isthmus has it."""
    return F.mse_loss(logits.sigmoid(), x, reduction="none").sum(1)


class ByHand(torch.autograd.Function):
    """The squared error of a sigmoid, its gradient written out."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, x: Tensor) -> Tensor:
        y = logits.sigmoid()
        difference = y - x
        ctx.save_for_backward(y, difference)
        return difference.square().sum(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        y, difference = ctx.saved_tensors
        return torch.ops.aten.sigmoid_backward(difference.mul_(2 * gradient[:, None]), y), None


def loop(
    make_optimizer: Callable[[list[nn.Parameter]], Any],
    loss: Callable[[Tensor, Tensor], Tensor],
    batches: Callable[[], Iterator[Tensor]] = batches,
    in_place: bool = False,
) -> Callable[[], None]:
    """A loop of the usual shape."""
    model = network(in_place)
    optimizer = make_optimizer(list(model.parameters()))

    def run() -> None:
        for x in batches():
            loss(model(x), x).mean().backward()
            optimizer.step()
            if isinstance(optimizer, torch.optim.Optimizer):
                optimizer.zero_grad(set_to_none=True)

    return run


def in_the_backward_pass() -> Callable[[], None]:
    """Every parameter is moved as soon as its gradient is there."""
    model = network()
    for parameter in model.parameters():
        single = Adam([parameter], 1e-3, 0.0)
        parameter.register_post_accumulate_grad_hook(lambda _, single=single: single.step())

    def run() -> None:
        for x in batches():
            fused_squares(model(x), x).mean().backward()

    return run


def without_autograd() -> Callable[[], None]:
    """Forward and backward pass written out, in place where that is possible."""
    layers = [layer for layer in network() if isinstance(layer, nn.Linear)]
    optimizer = Adam(
        [parameter for layer in layers for parameter in (layer.weight, layer.bias)], 1e-3, 0.0
    )

    @torch.no_grad()
    def run() -> None:
        for x in batches():
            inputs = [x]
            for place, layer in enumerate(layers):
                h = torch.addmm(layer.bias, inputs[-1], layer.weight.t())
                inputs.append(h.relu_() if work.is_active(place, len(layers)) else h)
            y = inputs.pop().sigmoid_()
            gradient = torch.ops.aten.sigmoid_backward((y - x).mul_(2 / len(x)), y)
            for place in reversed(range(len(layers))):
                layers[place].bias.grad = gradient.sum(0)
                layers[place].weight.grad = gradient.t().mm(inputs[place])
                if place:
                    gradient = gradient.mm(layers[place].weight)
                    if work.is_active(place - 1, len(layers)):
                        gradient = torch.ops.aten.threshold_backward(gradient, inputs[place], 0)
            optimizer.step()

    return run


def compiled_forward() -> Callable[[], None]:
    """The forward pass, and with it the backward pass, by torch.compile."""
    model = network()
    optimizer = Adam(list(model.parameters()), 1e-3, 0.0)
    loss = torch.compile(lambda x: fused_squares(model(x), x).mean(), fullgraph=True, dynamic=False)

    def run() -> None:
        for x in batches():
            loss(x).backward()
            optimizer.step()

    return run


def isthmus_step(**settings: Any) -> Callable[[], None]:
    """The step of isthmus itself."""
    import isthmus as ist
    from isthmus.core.objectives import Stage
    from isthmus.data._scaling import Scaling
    from isthmus.data.batches import StoreBatches
    from isthmus.data.stores import ArrayStore
    from isthmus.training._steps import Step
    from isthmus.training.optimizers import make_optimizer
    from isthmus.training.runtimes import SingleProcess

    member = ist.AE(
        latent_dim=32, hidden=(256,), network="mlp", likelihood="mse", batch_size=BATCH, **settings
    )
    module, runtime = member.build((784,)).train(), SingleProcess("cpu")
    stage = Stage(1, module.objectives())
    pixels = Scaling("pixels", np.zeros(1), np.full(1, 255.0), True)
    batches = StoreBatches(ArrayStore(X.numpy(), pixels), runtime.device)
    step = Step(
        module, stage, [make_optimizer(stage.objectives[0], member)], batches, member, runtime
    )

    def run() -> None:
        for rows in torch.randperm(len(X)).split(BATCH):
            step(rows, 0.0)

    return run


def on_one_thread(run: Callable[[], None]) -> Callable[[], None]:
    """The same on a single thread."""

    def single() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        run()
        torch.set_num_threads(threads)

    return single


def torch_adam(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """torch's own class around the same fused update."""
    return torch.optim.Adam(parameters, fused=True)


def our_adam(parameters: list[nn.Parameter]) -> Adam:
    """The class of isthmus around it."""
    return Adam(parameters, 1e-3, 0.0)


def variants() -> dict[str, Callable[[], None]]:
    """Every variant, ready to run."""
    products = floor.dense(work.AE, BATCH, STEPS * BATCH, update=True)
    return {
        "floor": lambda: products() and None,
        "plain loop, torch.optim.Adam(fused=True)": loop(torch_adam, squares),
        "plain loop, Adam of isthmus": loop(our_adam, squares),
        "… and F.mse_loss for the squares": loop(our_adam, fused_squares),
        "… and the gradient of the loss by hand": loop(
            our_adam, lambda logits, x: ByHand.apply(logits, x)
        ),
        "… and rectifiers that work in place": loop(our_adam, fused_squares, in_place=True),
        "… and the next batch by another thread": loop(our_adam, fused_squares, prefetched),
        "… and one thread": on_one_thread(loop(our_adam, fused_squares)),
        "… and parameters moved in the backward pass": in_the_backward_pass(),
        "… and torch.compile of the forward pass": compiled_forward(),
        "everything by hand, no autograd": without_autograd(),
        "isthmus": isthmus_step(),
        "isthmus_compiled": isthmus_step(compile=True),
    }


def measured() -> Mapping[str, Any]:
    """Seconds of the rounds of every variant."""
    runs = variants()
    for run in runs.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            found[name].append(round(time.perf_counter() - start, 5))
    return {name: {"seconds": seconds} for name, seconds in found.items()}


if __name__ == "__main__":
    for name, rounds in measured().items():
        print(f"{statistics.median(rounds['seconds']) / STEPS * 1e3:.3f} ms a step: {name}")
