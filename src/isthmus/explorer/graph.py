"""Encoder and decoder of a trained member as graphs of torch's own operators, for the browser."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from isthmus.core.autoencoder import Autoencoder
from isthmus.core.batch import Batch

OPERATORS = frozenset(
    """
    abs add addmm alias amax amin any arange argmax argmin atanh bmm cat clamp clone
    constant_pad_nd convolution cos div elu embedding eq erf exp expand expm1 full full_like ge
    gelu getitem gt hardtanh index index_select le leaky_relu lift_fresh_copy log log1p
    logical_not lt max maximum mean min minimum mm mul native_batch_norm
    native_batch_norm_legit_no_training native_group_norm native_layer_norm neg permute pow
    reciprocal relu round rsqrt scatter select sigmoid sign silu sin slice softmax softplus
    split_with_sizes sqrt squeeze sub sum tanh to_copy topk unsqueeze upsample_nearest2d var
    view where
    """.split()  # noqa: SIM905  (a list of eighty strings is no easier to read)
)
"""What the evaluator in the page knows; ``front/operators.js`` has a function for each."""


@dataclass(frozen=True)
class Graph:
    """A function of one example, as a list of operators.

    Attributes:
        inputs: the shape of each input, the axis of examples (of one) included.
        nodes: ``{"name": …, "op": …, "args": […]}``, each after what it needs.
        outputs: the names of what comes out.
        weights: what it computes with, by name.
    """

    inputs: tuple[tuple[int, ...], ...]
    nodes: tuple[Mapping[str, Any], ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, Tensor]

    @property
    def unknown(self) -> list[str]:
        """The operators that the evaluator in the page does not know."""
        return sorted({node["op"] for node in self.nodes} - OPERATORS)

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {"inputs": self.inputs, "nodes": self.nodes, "outputs": self.outputs}


class Decoding(nn.Module):
    """From a code, ``(n, code)``, and the condition of a member that takes one, ``(n, c)``, to the
    reconstruction as it is shown, ``(n, *shape)``.

    Args:
        module: whose decoder it is.
        scale: what a value inside is multiplied by to be shown.
        offset: what is added then.
    """

    def __init__(self, module: Autoencoder, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.module = module
        self.scale, self.offset = nn.Buffer(scale), nn.Buffer(offset)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        code = z.reshape(len(z), *self.module.bottleneck.code_shape)
        return self.module.decode(code, condition) * self.scale + self.offset


class Encoding(nn.Module):
    """From an example as it is shown, ``(n, *shape)``, and its condition where the member takes
    one, to its posterior, each part ``(n, size)``: the code first, then what the member says of its
    spread, or its indices.

    Args:
        module: whose encoder it is.
        scale: as for :class:`Decoding`.
        offset: as for :class:`Decoding`.
    """

    def __init__(self, module: Autoencoder, scale: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.module = module
        self.scale, self.offset = nn.Buffer(scale), nn.Buffer(offset)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, ...]:
        found = self.module.encode(Batch((x - self.offset) / self.scale, condition))
        return tuple(part.reshape(len(x), -1) for part in found)


def traced(module: nn.Module, *shapes: tuple[int, ...]) -> Graph:
    """The graph of a module for one example, with an input of each of the shapes, decomposed into
    torch's core operators.
    """
    module = module.eval()
    weights = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    weights = {name: value.detach() for name, value in weights.items()}

    def function(values: Mapping[str, Tensor], *inputs: Tensor) -> Any:
        return torch.func.functional_call(module, dict(values), inputs)

    with torch.no_grad():
        found = make_fx(
            function,
            tracing_mode="fake",
            decomposition_table=dict(core_aten_decompositions().items()),
        )(weights, *(torch.zeros(1, *shape) for shape in shapes))
    found.graph.eliminate_dead_code()
    kind = type(module).__name__
    return _listed(found, list(weights), weights, tuple((1, *shape) for shape in shapes), kind)


def _listed(
    found: fx.GraphModule,
    names: list[str],
    weights: Mapping[str, Tensor],
    shapes: tuple[tuple[int, ...], ...],
    kind: str,
) -> Graph:
    """A graph of torch as a list; weights keep the names that the module gives them, constants that
    the trace found are called by its ``kind``, so that graphs of one model can share their weights.
    """
    called: dict[fx.Node, str] = {}
    constants: dict[str, Tensor] = {}
    nodes: list[dict[str, Any]] = []
    placeholders = iter([*names, *(f"input {place}" for place in range(len(shapes)))])
    outputs: tuple[str, ...] = ()

    def plain(value: Any) -> Any:
        if isinstance(value, fx.Node):
            return {"tensor": called[value]}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, float) and not math.isfinite(value):  # JSON has no word for it
            return {
                "number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
            }
        if isinstance(value, torch.dtype):
            return str(value).removeprefix("torch.")
        return value if isinstance(value, bool | int | float | str | None) else None

    for node in found.graph.nodes:
        if node.op == "placeholder":
            called[node] = next(placeholders)
        elif node.op == "get_attr":
            called[node] = f"{kind} {node.name}"
            constants[called[node]] = getattr(found, str(node.target))
        elif node.op == "call_function":
            called[node] = node.name
            nodes.append({"name": node.name, "op": _operator(node), "args": plain(_in_order(node))})
        elif node.op == "output":
            last = node.args[0]
            made = last if isinstance(last, list | tuple) else [last]
            outputs = tuple(called[part] for part in made)
    used = json.dumps(nodes) + json.dumps(outputs)
    kept = {name: value for name, value in weights.items() if json.dumps(name) in used}
    return Graph(shapes, tuple(nodes), outputs, kept | constants)


def _operator(node: fx.Node) -> str:
    name = getattr(node.target, "_opname", getattr(node.target, "__name__", str(node.target)))
    return str(name).lstrip("_")


def _in_order(node: fx.Node) -> list[Any]:
    """The arguments of an operator by their places, defaults filled in where one was named."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not node.kwargs:
        return list(node.args)
    named = dict(node.kwargs)
    return [
        node.args[place]
        if place < len(node.args)
        else named.get(argument.name, argument.default_value)
        for place, argument in enumerate(schema.arguments)
    ]
