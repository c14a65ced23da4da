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

# What draws from a generator that it is given.
_DRAWING = (
    *("rand", "randint", "randn", "randperm", "bernoulli", "multinomial", "normal", "poisson"),
    *("bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_"),
    *("uniform_", "_sample_dirichlet", "_standard_gamma", "binomial", "kaiming_uniform_"),
    *("rrelu_with_noise", "rrelu_with_noise_"),
)
# What takes none, but is the same as to fill an empty tensor.
_FILLING = ("rand_like", "randn_like", "randint_like")
# What draws somewhere inside, and takes none.
_COMPOSED = (
    *("dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "native_dropout"),
    *("alpha_dropout", "alpha_dropout_", "feature_dropout", "feature_dropout_"),
    *("feature_alpha_dropout", "feature_alpha_dropout_", "rrelu", "rrelu_", "gumbel_softmax"),
    *("fractional_max_pool2d", "fractional_max_pool2d_with_indices"),
    *("fractional_max_pool3d", "fractional_max_pool3d_with_indices"),
    *("svd_lowrank", "pca_lowrank", "lobpcg"),
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
        _seed(seed)
        yield


def _seed(seed: int) -> None:
    """``torch.manual_seed``, which for devices that are not there keeps a stack of calls each time:
    a tenth of the time of a small fit.
    """
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextmanager
def own_draws(seed: int) -> Iterator[None]:
    """Let everything that torch draws inside come from generators of one's own.

    The numbers are those that follow ``torch.manual_seed(seed)``, on every device. torch's own
    random state is neither read nor moved, and other threads see nothing of it. It costs one or two
    microseconds for each call of a function of torch.

    What takes no generator, such as ``dropout``, is lent torch's random state for a moment, and
    waits for a training; outside of training, layers are in evaluation mode and drop nothing. The
    dropout inside of an LSTM or of an attention is not reached.
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


class _OwnDraws(TorchFunctionMode):
    """Looks at every call of a function of torch, and hands a generator to those that draw."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing = _functions(_DRAWING + _FILLING + _COMPOSED)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in self._drawing:
            return _drawn(func, args, dict(kwargs or {}))
        return func(*args, **kwargs) if kwargs else func(*args)


def _drawn(func: Callable[..., Any], args: tuple[Any, ...], given: dict[str, Any]) -> Any:
    """What a function that draws gives, from the generator in use."""
    generators, values = _in_use.generators, (*args, *given.values())
    is_told = any(isinstance(value, torch.Generator) for value in values)
    if generators is None or is_told or (func in _functions(_COMPOSED) and _is_off(args, given)):
        return func(*args, **given)
    generator = generators.on(_device_of(values, given.get("device")))
    if func in _functions(_COMPOSED):
        with _lent(generator):
            return func(*args, **given)
    given.pop("generator", None)
    if func in _functions(_FILLING):
        return _filled(func, args, given, generator)
    return func(*args, **given, generator=generator)


def _is_off(args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
    """Whether a dropout is in evaluation mode, where it drops nothing."""
    return given.get("training", given.get("train", args[2] if len(args) == 3 else True)) is False


def _filled(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    given: dict[str, Any],
    generator: torch.Generator,
) -> Tensor:
    """A tensor like another, drawn as ``rand_like``, ``randn_like`` and ``randint_like`` do."""
    like, *bounds = args or (given.pop("input"),)
    bounds += [given.pop(name) for name in ("low", "high") if name in given]
    empty = torch.empty_like(like, **given)
    if func is torch.rand_like:
        return empty.uniform_(generator=generator)
    if func is torch.randn_like:
        return empty.normal_(generator=generator)
    return empty.random_(*([0, *bounds] if len(bounds) == 1 else bounds), generator=generator)


@contextmanager
def _lent(generator: torch.Generator) -> Iterator[None]:
    """Let torch's random state be that of a generator for a moment, in which no training runs."""
    where = generator.device
    shared = (
        torch.default_generator
        if where.type == "cpu"
        else torch.get_device_module(where).default_generators[where.index]
    )
    with _training:
        own = shared.get_state()
        shared.set_state(generator.get_state())
        try:
            yield
        finally:
            generator.set_state(shared.get_state())
            shared.set_state(own)


@functools.cache
def _functions(names: tuple[str, ...]) -> frozenset[Callable[..., Any]]:
    """The functions of some names, wherever torch has them."""
    homes = (torch, torch.Tensor, nn.functional, nn.init, torch._C._nn, torch._VF)
    found = {getattr(home, name, None) for home in homes for name in names}
    return frozenset(function for function in found if callable(function))


def _device_of(values: Sequence[Any], told: Any) -> torch.device:
    """Where something is drawn: on the device that it is told, or where its first tensor is."""
    if told is not None:
        return torch.device(told)
    return next((value for value in values if isinstance(value, Tensor)), torch.empty(0)).device
