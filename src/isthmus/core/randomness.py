"""Random numbers that no other thread sees: trainings wait for each other, and whatever else draws
has generators of its own.

torch has one random state for all threads of a process. A training must use it: the layers of the
user's networks, dropout and the fused kernels draw from nothing else. So one training at a time has
it (:func:`alone`), and puts it back. All other draws take the same numbers from generators that are
theirs (:func:`own_draws`): they neither wait for a training, nor disturb it, nor each other.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# The functions of torch that draw, or that call one that does; a test compares them with what torch
# marks as drawing.
_DRAWING = (
    *("rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm"),
    *("bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_"),
    *("multinomial", "normal", "normal_", "poisson", "random_", "uniform_"),
    *("_sample_dirichlet", "_standard_gamma", "binomial"),
    *("dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "native_dropout"),
    *("alpha_dropout", "alpha_dropout_", "feature_dropout", "feature_dropout_"),
    *("feature_alpha_dropout", "feature_alpha_dropout_", "rrelu", "rrelu_"),
    *("rrelu_with_noise", "rrelu_with_noise_", "gumbel_softmax"),
    *("fractional_max_pool2d", "fractional_max_pool2d_with_indices"),
    *("fractional_max_pool3d", "fractional_max_pool3d_with_indices"),
    *("svd_lowrank", "pca_lowrank", "lobpcg"),
    *("trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_"),
    *("kaiming_normal_", "orthogonal_", "sparse_"),
)

_KNOWN = ("isthmus", "torch")  # whose layers draw nothing in evaluation mode

_training = threading.RLock()


def _renewed_lock() -> None:
    global _training
    _training = threading.RLock()


if hasattr(os, "register_at_fork"):  # whoever held it does not exist in the child
    os.register_at_fork(after_in_child=_renewed_lock)


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Have torch's random state, set by a seed, for one's own; it is put back afterwards.

    Trainings of other threads wait until it is free. The same thread may take it again.
    """
    with _training, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def own_draws(seed: int) -> Iterator[None]:
    """Let everything that torch draws inside come from generators of one's own.

    The numbers are those that follow ``torch.manual_seed(seed)``, on every device. torch's own
    random state is neither read nor moved, and other threads see nothing of it. It costs one or two
    microseconds for each call of a function of torch. The dropout inside of an LSTM or of an
    attention is not reached: outside of training, layers are in evaluation mode and drop nothing.
    """
    outer, _in_use.generators = _in_use.generators, _Generators(seed)
    try:
        with _OwnDraws() if outer is None else nullcontext():
            yield
    finally:
        _in_use.generators = outer


def are_own() -> bool:
    """Whether draws of this thread come from generators of their own at the moment."""
    return _in_use.generators is not None


def may_draw(module: nn.Module, *, charged: bool = False) -> bool:
    """Whether a module in evaluation mode may draw: one of somebody else's parts, of which nothing
    is known, or, where its loss is ``charged``, a part that ``draws`` for that.
    """
    return any(
        type(part).__module__.partition(".")[0] not in _KNOWN
        or (charged and getattr(part, "draws", False))
        for part in module.modules()
    )


drawing_nothing = torch._C.DisableTorchFunction
"""A stretch inside of :func:`own_draws` that draws nothing, and need not be looked at: for loops of
our own over many small operations, which take a third longer otherwise.
"""


class _Generators:
    """A generator for each device, made where it is first asked for, all from one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._known: dict[torch.device, torch.Generator] = {}

    def on(self, device: torch.device) -> torch.Generator:
        """The generator of a device; an accelerator without a number is the one in use."""
        if device.type != "cpu":
            device = torch.empty(0, device=device).device
        if device not in self._known:
            self._known[device] = torch.Generator(device).manual_seed(self._seed)
        return self._known[device]


class _InUse(threading.local):
    """The generators of the thread that asks; None where it draws from torch's random state."""

    generators: _Generators | None = None


_in_use = _InUse()


def _generator_on(device: torch.device) -> torch.Generator | None:
    return None if _in_use.generators is None else _in_use.generators.on(device)


class _OwnDraws(TorchFunctionMode):
    """Looks at every call of a function of torch; the few that may draw are looked into."""

    def __init__(self) -> None:
        super().__init__()
        self._redirected = _Redirected()
        self._drawing = _drawing_functions()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in self._drawing:
            with self._redirected:
                return func(*args, **(kwargs or {}))
        return func(*args, **kwargs) if kwargs else func(*args)


class _Redirected(TorchDispatchMode):
    """Hands a generator to every operation that draws."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or given.get("generator") is not None:
            return func(*args, **given)
        if (twin := _with_generator(func)) is not None:
            given["generator"] = _generator_on(_device_of((*args, *given.values())))
            return twin(*args, **given)
        if func is torch.ops.aten.native_dropout.default:
            return self._dropped(*args, **given)
        if func.has_kernel_for_dispatch_key(torch.DispatchKey.CompositeImplicitAutograd):
            with self:
                return func.decompose(*args, **given)
        return func(*args, **given)

    def _dropped(self, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
        """What the fused dropout gives: the values that are left, and which they are."""
        is_kept = torch.ones_like(x, dtype=torch.bool)
        if train is not False:
            is_kept.bernoulli_(1 - p, generator=_generator_on(x.device))
            x = x * is_kept / (1 - p) if p < 1 else x * is_kept
        return x, is_kept


@functools.cache
def _with_generator(func: Any) -> Any:
    """The overload of an operation that takes a generator; None where there is none."""
    names = [argument.name for argument in func._schema.arguments]
    if "generator" in names:
        return func
    packet = func.overloadpacket
    overloads = (getattr(packet, name) for name in packet.overloads())
    wanted = {*names, "generator"}
    return next(
        (
            other
            for other in overloads
            if {argument.name for argument in other._schema.arguments} == wanted
        ),
        None,
    )


@functools.cache
def _drawing_functions() -> frozenset[Callable[..., Any]]:
    """The functions of torch that may draw, as an override sees them."""
    homes = (torch, torch.Tensor, nn.functional, nn.init, torch._C._nn, torch._VF)
    found = {getattr(home, name, None) for home in homes for name in _DRAWING}
    return frozenset(function for function in found if callable(function))


def _device_of(values: Sequence[Any]) -> torch.device:
    """Where an operation draws: where its first tensor is, or the device that it is told."""
    for value in values:
        if isinstance(value, Tensor | torch.device):
            return value if isinstance(value, torch.device) else value.device
    return torch.device("cpu")
