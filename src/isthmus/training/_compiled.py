"""A step that is traced once and compiled: from a batch to the gradients, in one piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._inductor import standalone_compile
from torch.fx.experimental.proxy_tensor import make_fx

from isthmus.core.objectives import Side, TrainableModule
from isthmus.errors import InputError
from isthmus.training._gradients import Gradients, Ready, Seen
from isthmus.training.runtimes import Runtime

Graph = Callable[..., Sequence[Tensor]]


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
        options = {"fallback_random": True, "triton.cudagraphs": self.runtime.device.type == "cuda"}
        try:
            with torch.random.fork_rng():
                graph = make_fx(gradients)(*copies, *leaves)
            compiled: Graph = standalone_compile(
                graph, [*self._state, *leaves], options={"config_patches": options}
            )
        except Exception as error:  # the compiler raises errors of many kinds
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"this training cannot be compiled here ({reason[0]}): pass compile=False."
            ) from error
        return compiled


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
