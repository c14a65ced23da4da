"""The floor: a task's bare products or convolutions, and the bare update of Adam.

Nothing else is done: no data are gathered, no biases added, no activations, no loss. The results
are kept where training would keep them, so that they pass through the same caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.contestants import work
from benchmarks.contestants.work import Data, Round, Rounds
from isthmus.training.runtimes import keep_freed_memory

keep_freed_memory()  # else the system takes large blocks back after every step
torch.set_flush_denormal(True)
if work.DEVICE != "cpu":  # on the CPU it would cost time at every call
    torch.set_default_device(work.DEVICE)

CHUNK = 2048


class Update:
    """The update of Adam, all parameters in one call."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.first, self.second = ([torch.zeros_like(p) for p in self.parameters] for _ in range(2))
        self.counts = [torch.ones(())] * len(self.parameters)

    def __call__(self, gradients: Sequence[Tensor]) -> None:
        torch._fused_adam_(
            self.parameters,
            list(gradients),
            self.first,
            self.second,
            [],
            self.counts,
            lr=1e-6,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


def dense(sizes: tuple[int, ...], batch: int, examples: int, update: bool) -> Rounds:
    shapes = work.mirrored(sizes)
    weights = [torch.randn(b, a) * 0.05 for a, b in shapes]
    biases = [torch.zeros(b) for _, b in shapes]
    move = Update([*weights, *biases])
    x, last = torch.rand(batch, sizes[0]), torch.randn(batch, sizes[0])

    def step() -> None:
        inputs = [x]
        for weight in weights:
            inputs.append(inputs[-1].mm(weight.t()))
        found, gradient = [], last
        for place in reversed(range(len(weights))):
            found.append(gradient.t().mm(inputs[place]))
            if place:
                gradient = gradient.mm(weights[place])
        if update:
            move([*reversed(found), *biases])

    return repeated(step, examples // batch)


def repeated(step: Callable[[], object], steps: int) -> Rounds:
    run = replayed(step) if work.DEVICE == "cuda" else step

    def rounds() -> Round:
        start = time.perf_counter()
        for _ in range(steps):
            run()
        if work.DEVICE != "cpu":
            torch.accelerator.synchronize()
        return Round(time.perf_counter() - start)

    rounds()
    return rounds


def replayed(step: Callable[[], object]) -> Callable[[], object]:
    """A step recorded as a CUDA graph, so that the floor is not one of launches."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, work.AE_EXAMPLES, update=True)


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, work.DEEP_EXAMPLES, update=True)


class Convolution:
    """One convolution, forward and backward, in one memory format."""

    def __init__(
        self,
        shape: Sequence[int],
        weight: Sequence[int],
        stride: int,
        padding: int,
        transposed: bool,
        first: bool,
    ) -> None:
        self.x = torch.randn(*shape)
        self.weight = torch.randn(*weight) * 0.05
        self.settings = ([stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], 1)
        self.wanted = [not first, True, False]
        self.gradient = torch.randn_like(self.forward())

    def forward(self) -> Tensor:
        return torch.convolution(self.x, self.weight, None, *self.settings)

    def backward(self) -> Tensor:
        return torch.ops.aten.convolution_backward(
            self.gradient, self.x, self.weight, None, *self.settings, self.wanted
        )[1]

    def to(self, memory_format: torch.memory_format) -> None:
        self.x, self.weight, self.gradient = (
            tensor.contiguous(memory_format=memory_format)
            for tensor in (self.x, self.weight, self.gradient)
        )


def convolutional(
    layers: Sequence[Convolution], products: Sequence[tuple[int, int]], batch: int, steps: int
) -> Rounds:
    """Convolutions in the memory format that suits them better, and the network's linear maps."""
    weights = [torch.randn(b, a) * 0.05 for a, b in products]
    pairs = [(torch.randn(batch, a), torch.randn(batch, b)) for a, b in products]
    move = Update([*(layer.weight for layer in layers), *weights])

    def step() -> None:
        for layer in layers:
            layer.forward()
        for (x, _), weight in zip(pairs, weights, strict=True):
            x.mm(weight.t())
        found = [layer.backward() for layer in layers]
        for (x, gradient), weight in zip(pairs, weights, strict=True):
            found.append(gradient.t().mm(x))
            gradient.mm(weight)
        move([gradient.contiguous() for gradient in found])

    candidates = {}
    for memory_format in (torch.contiguous_format, torch.channels_last):
        for layer in layers:
            layer.to(memory_format)
        candidates[memory_format] = min(
            repeated(step, max(1, steps // 4))().seconds for _ in range(3)
        )
    for layer in layers:
        layer.to(min(candidates, key=lambda name: candidates[name]))
    move.parameters[: len(layers)] = [layer.weight.contiguous() for layer in layers]
    return repeated(step, steps)


def conv_vae(data: Data) -> Rounds:
    n, (a, b) = work.CONV_BATCH, work.CONV_CHANNELS
    layers = [
        Convolution((n, 1, 28, 28), (a, 1, 4, 4), 2, 1, False, True),
        Convolution((n, a, 14, 14), (b, a, 4, 4), 2, 1, False, False),
        Convolution((n, b, 7, 7), (b, a, 4, 4), 2, 1, True, False),
        Convolution((n, a, 14, 14), (a, 1, 4, 4), 2, 1, True, False),
    ]
    products = [(b * 49, 2 * work.CONV_CODE), (work.CONV_CODE, b * 49)]
    return convolutional(layers, products, n, work.CONV_EXAMPLES // n)


def vqvae(data: Data) -> Rounds:
    n, c, half = work.VQ_BATCH, work.VQ_CHANNELS, work.VQ_CHANNELS // 2
    block = [
        ((n, c, 8, 8), (half, c, 3, 3), 1, 1, False, False),
        ((n, half, 8, 8), (c, half, 1, 1), 1, 0, False, False),
    ]
    shapes = [
        ((n, 3, 32, 32), (c, 3, 4, 4), 2, 1, False, True),
        ((n, c, 16, 16), (c, c, 4, 4), 2, 1, False, False),
        *block,
        *block,
        ((n, c, 8, 8), (work.VQ_DIM, c, 1, 1), 1, 0, False, False),
        ((n, work.VQ_DIM, 8, 8), (c, work.VQ_DIM, 1, 1), 1, 0, False, False),
        *block,
        *block,
        ((n, c, 8, 8), (c, c, 4, 4), 2, 1, True, False),
        ((n, c, 16, 16), (c, 3, 4, 4), 2, 1, True, False),
    ]
    return convolutional([Convolution(*shape) for shape in shapes], [], n, work.VQ_EXAMPLES // n)


def transform(data: Data) -> Rounds:
    return forward(list(pairwise(work.DEEP)), 60_000)


def scores(data: Data) -> Rounds:
    return forward(work.mirrored(work.DEEP), 60_000)


def likelihood(data: Data) -> Rounds:
    shapes = list(pairwise([work.LIKELIHOOD_CODE, *reversed(work.LIKELIHOOD)]))
    part = forward(
        shapes, work.LIKELIHOOD_EXAMPLES * work.LIKELIHOOD_SAMPLES // work.LIKELIHOOD_PART
    )
    return lambda: Round(work.LIKELIHOOD_PART * part().seconds)


def forward(shapes: Sequence[tuple[int, int]], rows: int) -> Rounds:
    """The products of layers, forward, for as many rows; the last chunk counts by its share."""
    x = torch.rand(CHUNK, shapes[0][0])
    weights = [torch.randn(b, a) * 0.05 for a, b in shapes]

    def step() -> None:
        h = x
        for weight in weights:
            h = h.mm(weight.t())

    whole = repeated(step, rows // CHUNK)
    return lambda: Round(whole().seconds * rows / (rows // CHUNK * CHUNK))
