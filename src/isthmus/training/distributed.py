"""Several processes that train one module, each on its rows of every batch, under torchrun."""

from __future__ import annotations

import atexit
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from isthmus.core import sharding
from isthmus.core.sharding import Shard
from isthmus.errors import InputError, LostProcessError
from isthmus.training.runtimes import (
    Module,
    Runtime,
    SingleProcess,
    find_device,
    is_under_torchrun,
)

_PATIENCE = timedelta(minutes=30)  # for a process that still looks at the data, or writes
_LOOK_EVERY = 16  # steps: to read a number from a GPU, the processor must wait for it


class Distributed(SingleProcess):
    """``torch.distributed``: every process works on its rows of each batch.

    All hold the same module and the same random state, and take part in the sum of the gradients.

    gloo carries tensors between CPUs, nccl between GPUs, of which each process takes the one that
    has its local number. A batch with fewer rows than there are processes is worked on by each of
    them as a whole.

    Args:
        device: as for :class:`~isthmus.training.runtimes.SingleProcess`.
        precision: as for :class:`~isthmus.training.runtimes.SingleProcess`.

    Raises:
        InputError: for a device that processes cannot share, and for modules with batch norm.
        LostProcessError: where another process has ended.
    """

    def __init__(self, device: str = "auto", precision: str = "float32") -> None:
        super().__init__(_own_device(device), precision)
        _join(self.device)
        self.rank, self.processes = dist.get_rank(), dist.get_world_size()
        self.is_main = self.rank == 0
        self._reseeds = False
        self._wish, self._seen = False, 0
        self._wishes = torch.zeros(())

    def place(self, module: Module) -> Module:
        layers = list(module.modules())
        norms = [layer for layer in layers if isinstance(layer, _BatchNorm)]
        if any(not isinstance(norm, SyncBatchNorm) for norm in norms):
            raise InputError(
                f"batch norm would see the rows of each of the {self.processes} processes apart:"
                " take torch.nn.GroupNorm, or train in one process."
            )
        self._reseeds = any(isinstance(layer, _DropoutNd) for layer in layers)
        placed = super().place(module)
        self.adopt(placed)
        return placed

    def shard(self, size: int) -> Shard | None:
        if size < self.processes:
            return None
        start, stop = (size * rank // self.processes for rank in (self.rank, self.rank + 1))
        return Shard(start, stop, size, _sum, _greatest, self._reseeds)

    def agree(self, parameters: Sequence[nn.Parameter], values: Tensor) -> Tensor:
        gradients = [p.grad for p in parameters if p.grad is not None]
        wish = values.new_tensor([float(self._wish)])
        parts = [*(gradient.flatten() for gradient in gradients), values, wish]
        summed = _sum(torch.cat(parts))
        if sharding.current() is None:  # each has worked on the whole batch
            summed /= self.processes
        *moved, values, self._wishes = summed.split([len(part) for part in parts])
        for gradient, total in zip(gradients, moved, strict=True):
            gradient.copy_(total.view_as(gradient))
        return values

    def adopt(self, module: nn.Module) -> None:
        with _together(), torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                kept = tensor.detach().contiguous()
                dist.broadcast(kept, 0)
                tensor.copy_(kept)

    def agreed(self, values: Sequence[float]) -> list[float]:
        kept = torch.tensor([float(value) for value in values], dtype=torch.float64)
        kept = kept.to(self.device)
        with _together():
            dist.broadcast(kept, 0)
        numbers: list[float] = kept.tolist()
        return numbers

    def same(self, values: Sequence[float], what: str) -> None:
        drawn = zlib.crc32(torch.get_rng_state().numpy().tobytes())
        own = [float(value) for value in (*values, drawn)]
        differs = torch.tensor(float(self.agreed(own) != own), device=self.device)
        if float(_greatest(differs)) > 0:
            raise InputError(
                f"the processes do not have the same {what}: put checkpoint_dir where all of them"
                " read it, and let a module of your own draw its random numbers by"
                " isthmus.core.sharding.randn_like and rand_like."
            )

    def wants_to_stop(self, wish: bool) -> bool:
        self._wish, self._seen = wish, self._seen + 1
        if self.device.type != "cpu" and self._seen % _LOOK_EVERY:
            return False
        return bool(self._wishes > 0)


def _own_device(name: str) -> str:
    local = os.environ["LOCAL_RANK"]
    kind = find_device("auto").type if name == "auto" else name
    if kind == "mps":
        raise InputError(
            "device='mps' is not usable in several processes: pass device='cpu', or train in one"
            " process."
        )
    return f"cuda:{local}" if kind == "cuda" else kind


def _join(device: torch.device) -> None:
    """Meet the other processes, once."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        on_gpu = torch.cuda.is_available() and dist.is_nccl_available()
        with _together():
            dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=_PATIENCE)
        atexit.register(_leave)


def _leave() -> None:
    with suppress(RuntimeError):  # one that another process has left already
        if dist.is_initialized():
            dist.destroy_process_group()


def _sum(x: Tensor) -> Tensor:
    return _reduced(x, dist.ReduceOp.SUM)


def _greatest(x: Tensor) -> Tensor:
    return _reduced(x, dist.ReduceOp.MAX)


def _reduced(x: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
    reduced = x.detach().clone(memory_format=torch.contiguous_format)
    with _together():
        dist.all_reduce(reduced, operation)
    return reduced


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # gloo and nccl have no kinds of their own for a lost peer
        raise LostProcessError(
            "another process has ended or cannot be reached, so training cannot go on: start the"
            " same command again, and it goes on from the last checkpoint, if there is one."
        ) from error


def choose_runtime(device: str = "auto", precision: str = "float32") -> Runtime:
    """The runtime that fits: one of several processes, or a single one.

    :class:`Distributed` in a process that torchrun started beside
    others, else :class:`~isthmus.training.runtimes.SingleProcess`.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and is_under_torchrun():
        return Distributed(device, precision)
    return SingleProcess(device, precision)
