"""Where training runs: a :class:`Runtime` is all that the loop knows of devices and processes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from isthmus.core.sharding import Shard
from isthmus.errors import InputError

Module = TypeVar("Module", bound=nn.Module)

_KEPT_BYTES = 1 << 29
_TORCHRUN = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
_prepared = threading.local()
_counting = threading.Lock()
_fewer: tuple[int, int] | None = None
"""How many threads a training takes for itself, and how many others take; torch tells new threads
the former.
"""
_SMALL_STEP = 1e8  # floating-point operations of a forward and a backward pass


class Runtime(Protocol):
    """What the loop asks of the place where it runs."""

    device: torch.device
    precision: str
    processes: int
    """How many processes train together."""
    is_main: bool
    """Whether this process writes files and shows progress."""

    def place(self, module: Module) -> Module:
        """Move a module to the device, with the weights that it has in the main process."""

    def autocast(self) -> AbstractContextManager[None]:
        """The precision in which the forward pass runs."""

    def shard(self, size: int) -> Shard | None:
        """This process's part of a batch of so many rows; None where it works on all of them."""

    def agree(self, parameters: Sequence[nn.Parameter], values: Tensor) -> Tensor:
        """Agree with the other processes on gradients, and on some means, which are given back."""

    def clip(self, parameters: Sequence[nn.Parameter], norm: float) -> None:
        """Scale the gradients down to a greatest norm."""

    def adopt(self, module: nn.Module) -> None:
        """Take over the weights of the main process."""

    def agreed(self, values: Sequence[float]) -> list[float]:
        """The numbers that the main process has."""

    def same(self, values: Sequence[float], what: str) -> None:
        """Refuse to go on where the main process has other numbers, or another random state."""

    def wants_to_stop(self, wish: bool) -> bool:
        """Whether any process was asked to stop; all learn of it at the same step."""


class SingleProcess:
    """One process and plain torch; it adds nothing to a step.

    Args:
        device: ``"auto"`` takes an accelerator where torch finds one; or ``"cpu"``, ``"cuda"``,
            ``"cuda:1"``, ``"mps"``.
        precision: ``"float32"``, ``"tf32"`` (matrix products of float32 on tensor cores) or
            ``"bfloat16"`` (autocast).
    """

    is_main = True
    processes = 1

    def __init__(self, device: str = "auto", precision: str = "float32") -> None:
        prepare_thread()
        self.device = find_device(device)
        self.precision = precision

    def place(self, module: Module) -> Module:
        return module.to(self.device)

    def autocast(self) -> AbstractContextManager[None]:
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def shard(self, size: int) -> Shard | None:
        return None

    def agree(self, parameters: Sequence[nn.Parameter], values: Tensor) -> Tensor:
        return values

    def clip(self, parameters: Sequence[nn.Parameter], norm: float) -> None:
        nn.utils.clip_grad_norm_(parameters, norm)

    def adopt(self, module: nn.Module) -> None:
        pass

    def agreed(self, values: Sequence[float]) -> list[float]:
        return list(values)

    def same(self, values: Sequence[float], what: str) -> None:
        pass

    def wants_to_stop(self, wish: bool) -> bool:
        return wish


def is_main() -> bool:
    """Whether this is the process that writes and shows: the only one, or torchrun's first."""
    return not is_under_torchrun() or os.environ["RANK"] == "0"


def is_under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return set(os.environ) >= _TORCHRUN


@contextlib.contextmanager
def tuned(precision: str = "float32", threads: int | None = None) -> Iterator[None]:
    """Settings of the process that make training faster, put back afterwards.

    Denormal numbers are flushed to zero: after a few epochs a fifth of Adam's first moments are
    denormal, and every update of them takes a slow path in the processor. Only the threads are
    told: NumPy's own view of the smallest number must not change outside.
    """
    all_threads = torch.get_num_threads()
    _take_threads(threads or all_threads, all_threads)
    torch.set_flush_denormal(True)
    try:
        with multiplying(precision):
            yield
    finally:
        torch.set_flush_denormal(False)
        _take_threads(all_threads, all_threads)


@contextlib.contextmanager
def multiplying(precision: str = "float32") -> Iterator[None]:
    """Products and convolutions of float32 in full, or on tensor cores under ``"tf32"``.

    Left alone, torch rounds the factors of convolutions on NVIDIA's devices to ten bits, so that
    codes there and on a CPU differ in the third digit.
    """
    products, convolved = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolved
        torch.set_float32_matmul_precision(products)


@contextlib.contextmanager
def same_threads() -> Iterator[None]:
    """Give torch back the threads that it had, after work of a library that sets them for itself.

    UMAP leaves torch with a thread for every core, whatever was said before.
    """
    count = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(count)


def _take_threads(count: int, of: int) -> None:
    """Take so many for this thread, of those that the others go on with."""
    global _fewer
    with _counting:
        torch.set_num_threads(count)
        _fewer = None if count == of else (count, of)


def useful_threads(module: nn.Module, batch_size: int) -> int | None:
    """One thread for a fully connected network whose step is small, else None: all there are.

    On two idle cores the second one gains 6% for a 64-256-128-2 network; beside one busy neighbour
    its threads wait for each other at every operation, and an epoch takes thirty times as long.
    """
    if any(parameter.dim() > 2 for parameter in module.parameters()):
        return None
    operations = 6 * batch_size * sum(parameter.numel() for parameter in module.parameters())
    return 1 if operations < _SMALL_STEP else None


def prepare_thread() -> None:
    """Once a thread: its number of workers, and their start; let glibc keep freed memory.

    Each thread has workers of its own. As many are taken as last said for the process, and not as
    few as a training that is under way takes for itself: results would differ in their last bits.
    They take over from the thread that they flush denormals, so it must be on at their first work.
    """
    if hasattr(_prepared, "is_done"):
        return
    with _counting:
        if _fewer is not None and torch.get_num_threads() == _fewer[0]:
            torch.set_num_threads(_fewer[1])
    torch.set_flush_denormal(True)
    torch.zeros(1 << 20).add_(1)
    torch.set_flush_denormal(False)
    keep_freed_memory()
    _prepared.is_done = True


@functools.cache
def keep_freed_memory() -> None:
    """Let glibc keep what is freed.

    It hands large blocks back after every step and asks for them again, fault by fault.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library: nothing to tune
            libc = ctypes.CDLL("libc.so.6")
            # mmap threshold, trim, top pad
            for option, value in ((-3, 1 << 25), (-1, _KEPT_BYTES), (-2, 1 << 26)):
                libc.mallopt(option, value)


def find_device(name: str) -> torch.device:
    """The device of a name; ``"auto"`` is an accelerator where torch finds one."""
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if accelerator is None else accelerator
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device={name!r} cannot be used here ({str(error).splitlines()[0]}): pass"
            " device='cpu'."
        ) from error
    return torch.device(name)
