"""Lightning's Trainer, with its usual loaders, and without logger, checkpoints, bar and summary."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contestants import modules, work
from benchmarks.contestants.work import Data, Round, Rounds, warmed

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.simplefilter("ignore")


class Lit(L.LightningModule):
    """A network and its loss."""

    def __init__(self, network: nn.Module, loss: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.cost = network, loss

    def training_step(self, batch: list[Tensor], place: int) -> Tensor:
        return self.cost(self.network, batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=work.LEARNING_RATE)


def trained(
    make: Callable[[], nn.Module],
    loss: Callable[[nn.Module, Tensor], Tensor],
    x: np.ndarray,
    batch: int,
    error: Callable[[nn.Module], float],
) -> Rounds:
    def run(count: int) -> Round:
        loader = DataLoader(
            TensorDataset(torch.from_numpy(x[:count])), batch_size=batch, shuffle=True
        )
        lit = Lit(make(), loss)
        trainer = L.Trainer(
            max_epochs=1,
            accelerator="cpu" if work.DEVICE == "cpu" else "gpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        start = time.perf_counter()
        trainer.fit(lit, loader)
        seconds = time.perf_counter() - start
        return Round(seconds, error(lit.network.eval().cpu()))

    return warmed(run, len(x), batch)


def dense(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    raw = data.train[:examples]
    test = torch.from_numpy(work.unit(data.test[: work.MEASURED]))

    make = lambda: nn.Sequential(*modules.dense(sizes, raw))  # noqa: E731
    return trained(
        make,
        lambda m, x: F.mse_loss(m(x), x),
        work.unit(raw),
        batch,
        lambda m: modules.error(m, test),
    )


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, work.AE_EXAMPLES)


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


def conv_vae(data: Data) -> Rounds:
    test = torch.from_numpy(work.unit(data.test[: work.MEASURED])).view(-1, 1, 28, 28)
    x = work.unit(data.train[: work.CONV_EXAMPLES]).reshape(-1, 1, 28, 28)
    return trained(
        modules.ConvVAE, lambda m, batch: m.loss(batch), x, work.CONV_BATCH, lambda m: m.error(test)
    )


def vqvae(data: Data) -> Rounds:
    x = work.unit(data.colour)
    test = torch.from_numpy(x[-work.VQ_MEASURED :])
    make = lambda: modules.VQVAE(data.vq_start)  # noqa: E731
    error = lambda m: modules.error(m, test)  # noqa: E731
    return trained(
        make, lambda m, batch: m.loss(batch), x[: work.VQ_EXAMPLES], work.VQ_BATCH, error
    )
