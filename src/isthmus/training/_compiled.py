"""A step that is traced once and compiled: from a batch to the gradients, in one piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._inductor import standalone_compile
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from isthmus.core.objectives import Side, TrainableModule
from isthmus.errors import InputError
from isthmus.training._gradients import Gradients, Ready, Seen
from isthmus.training.runtimes import Runtime

Graph = Callable[..., Sequence[Tensor]]

_WARM = 3  # calls before a graph is recorded


class CompiledGradients(Gradients):
    """The gradients of whole batches by a compiled graph; a shorter last batch goes without.

    Forward and backward pass are traced together, as one function of all parameters, all buffers
    and the batch, and compiled as such: activations, losses and their derivatives then run in a few
    passes over memory, and Python is entered once a step. Random numbers are those of torch, so
    that the same seed draws the same noise with and without.

    Args:
        module: what is trained; its parameters and buffers are the graph's inputs, and keep their
            places in memory.
        objective: whose loss is differentiated.
        ready: from what it is called with to the batch that the loss takes.
        batch_size: examples in a batch that the graph is made for.
        runtime: where it runs.
        keeps_pass: whether an adversary waits for the forward pass.
    """

    def __init__(
        self,
        module: TrainableModule,
        objective: Side,
        ready: Ready,
        batch_size: int,
        runtime: Runtime,
        keeps_pass: bool = False,
    ) -> None:
        super().__init__(objective, ready, runtime, is_alone=False, keeps_pass=keeps_pass)
        self.module, self.batch_size = module, batch_size
        self._graph: Graph | None = None
        self._tensors = [*module.parameters(), *module.buffers()]
        self._state = [tensor.detach() for tensor in self._tensors]
        self._moved: list[nn.Parameter] = []

    def __call__(self, seen: Seen) -> Tensor:
        if seen.size != self.batch_size:
            return super().__call__(seen)
        if self._graph is None:
            self._graph = self._compiled(seen)
        values, *found = self._graph(*self._state, *seen.tensors)
        gradients = found[len(found) - len(self._moved) :]
        if self.made is not None:  # that of the tracing, or of the step before
            made = found[: len(found) - len(self._moved)]
            self.made = self.made.with_tensors([*seen.tensors, *made])
        for parameter, gradient in zip(self._moved, gradients, strict=True):
            parameter.grad = gradient
        return values

    def _compiled(self, seen: Seen) -> Graph:
        leaves = seen.tensors
        names = [
            name for name, _ in (*self.module.named_parameters(), *self.module.named_buffers())
        ]
        places = {id(tensor): place for place, tensor in enumerate(self._tensors)}
        wanted = [places[id(parameter)] for parameter in self.objective.parameters]
        cost = _Cost(self.module, self.loss)

        def gradients(*inputs: Tensor) -> list[Tensor]:
            state, given = inputs[: len(names)], inputs[len(names) :]
            renamed = {f"module.{name}": tensor for name, tensor in zip(names, state, strict=True)}
            objective, values = torch.func.functional_call(
                cost, renamed, (seen.with_tensors(given),)
            )
            found = torch.autograd.grad(
                objective.mean(), [state[place] for place in wanted], allow_unused=True
            )
            self._moved = [
                p
                for p, gradient in zip(self.objective.parameters, found, strict=True)
                if gradient is not None
            ]
            # The fused optimiser reads both by their places in memory.
            pairs = zip(
                self._moved, (gradient for gradient in found if gradient is not None), strict=True
            )
            made = [] if self.made is None else self.made.made
            moving = (_laid_out_like(parameter, gradient) for parameter, gradient in pairs)
            return [values, *made, *moving]

        # Tracing runs the step once: on copies, so that running statistics and the random state
        # stay as they are.
        copies = [
            tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in self._tensors
        ]
        try:
            with torch.random.fork_rng():
                traced = _of_any_layout(make_fx(gradients)(*copies, *leaves))
            return self._fast(traced, leaves)
        except Exception as error:  # the compiler raises errors of many kinds
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"this training cannot be compiled here ({reason[0]}): pass compile=False."
            ) from error

    def _fast(self, traced: GraphModule, given: Sequence[Tensor]) -> Graph:
        """A traced step, compiled; on a CUDA device recorded, also where the compiler gives up."""
        is_recorded = self.runtime.device.type == "cuda"
        options = {"fallback_random": True}
        try:
            compiled: Graph = standalone_compile(
                traced, [*self._state, *given], options={"config_patches": options}
            )
            return Recorded(compiled, self._state, given) if is_recorded else compiled
        except Exception:  # layouts that it did not expect, say
            if not is_recorded:
                raise
            return Recorded(traced, self._state, given)


class Recorded:
    """A graph on a CUDA device, recorded once and replayed: a step is one launch.

    The operations of a small network take less time than Python needs to ask for them. What is
    recorded reads and writes fixed places in memory: the state stays where it is, the batch is
    copied to where it lay at the recording, and the results lie where they lay then, so whoever
    wants to keep one copies it before the next call. torch's generator counts the numbers that a
    replay draws, so that they are those of a graph that was not recorded.

    Args:
        graph: what is recorded, a function of the state and of a batch.
        state: parameters and buffers, which keep their places.
        given: the tensors of a batch of the size that all will have.
    """

    def __init__(self, graph: Graph, state: Sequence[Tensor], given: Sequence[Tensor]) -> None:
        self.given = [tensor.detach().clone() for tensor in given]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        # kernels are chosen, and memory is found, in calls that touch nothing
        with torch.cuda.stream(side), torch.random.fork_rng():
            for _ in range(_WARM):
                graph(*(tensor.clone() for tensor in state), *self.given)
        torch.cuda.current_stream().wait_stream(side)
        self.recording = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.recording):
            self.results = list(graph(*state, *self.given))
        self.known = len(state)

    def __call__(self, *inputs: Tensor) -> Sequence[Tensor]:
        for place, tensor in zip(self.given, inputs[self.known :], strict=True):
            place.copy_(tensor)
        self.recording.replay()
        return self.results


def _of_any_layout(graph: GraphModule) -> GraphModule:
    """The graph with its views as reshapes.

    The compiler may lay a tensor out otherwise than the tracing did, and a view of that need not
    exist.
    """
    for node in graph.graph.nodes:
        if node.target is torch.ops.aten.view.default:
            node.target = torch.ops.aten.reshape.default
    graph.recompile()
    return graph


def _laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the order of memory that its parameter has."""
    return (
        gradient
        if gradient.stride() == parameter.stride()
        else torch.empty_like(parameter).copy_(gradient)
    )


class _Cost(nn.Module):
    """A loss as a module, so that tracing can exchange the tensors of the module behind it."""

    def __init__(
        self, module: TrainableModule, loss: Callable[[Any], tuple[Tensor, Tensor]]
    ) -> None:
        super().__init__()
        self.module, self.loss = module, loss

    def forward(self, batch: Any) -> tuple[Tensor, Tensor]:
        return self.loss(batch)
