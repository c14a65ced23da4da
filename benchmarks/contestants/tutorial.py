"""The usual tutorial script in PyTorch: a DataLoader of single images, and the loop by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.contestants import modules, work
from benchmarks.contestants.work import Data, Round, Rounds, timed, warmed


class Images(Dataset):
    """Images as they come from the disk, and the usual ToTensor for every one."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, place: int) -> Tensor:
        image = Image.fromarray(self.x[place])
        array = np.array(image)
        array = array[:, :, None] if array.ndim == 2 else array
        return torch.from_numpy(array).permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def trained(
    make: Callable[[], nn.Module],
    loss: Callable[[nn.Module, Tensor], Tensor],
    images: np.ndarray,
    batch: int,
    error: Callable[[nn.Module], float],
) -> Rounds:
    """Images ``(n, height, width)`` or ``(n, height, width, 3)``."""

    def run(count: int) -> Round:
        model = make().to(work.DEVICE)
        start = time.perf_counter()
        loader: Iterable[Tensor] = DataLoader(
            Images(images[:count]), batch_size=batch, shuffle=True
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=work.LEARNING_RATE)
        model.train()
        for loaded in loader:
            x = loaded.to(work.DEVICE)
            cost = loss(model, x)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
        cost.item()  # on an accelerator the work may still be going on
        seconds = time.perf_counter() - start
        return Round(seconds, error(model.eval().cpu()))

    return warmed(run, len(images), batch)


def dense(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    x, test = data.train[:examples], torch.from_numpy(work.unit(data.test[: work.MEASURED]))

    def loss(model: nn.Module, images: Tensor) -> Tensor:
        rows = images.view(len(images), -1)
        return F.mse_loss(model(rows), rows)

    return trained(
        lambda: nn.Sequential(*modules.dense(sizes, x)),
        loss,
        x.reshape(-1, 28, 28),
        batch,
        lambda m: modules.error(m, test),
    )


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, work.AE_EXAMPLES)


def memory(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, len(data.train))


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


def conv_vae(data: Data) -> Rounds:
    test = torch.from_numpy(work.unit(data.test[: work.MEASURED])).view(-1, 1, 28, 28)
    images = data.train[: work.CONV_EXAMPLES].reshape(-1, 28, 28)
    return trained(
        modules.ConvVAE, lambda m, x: m.loss(x), images, work.CONV_BATCH, lambda m: m.error(test)
    )


def vqvae(data: Data) -> Rounds:
    x = data.colour
    test = torch.from_numpy(work.unit(x[-work.VQ_MEASURED :]))
    images = np.ascontiguousarray(x[: work.VQ_EXAMPLES].transpose(0, 2, 3, 1))
    make = lambda: modules.VQVAE(data.vq_start)  # noqa: E731
    return trained(
        make,
        lambda m, batch: m.loss(batch),
        images,
        work.VQ_BATCH,
        lambda m: modules.error(m, test),
    )


def transform(data: Data) -> Rounds:
    x = data.train
    encoder = modules.dense(work.DEEP, x)[0].to(work.DEVICE)

    @torch.no_grad()
    def run() -> np.ndarray:
        loader = DataLoader(Images(x.reshape(-1, 28, 28)), batch_size=256)
        return (
            torch.cat([encoder(images.to(work.DEVICE).view(len(images), -1)) for images in loader])
            .cpu()
            .numpy()
        )

    return timed(run)


def scores(data: Data) -> Rounds:
    x = data.train
    model = nn.Sequential(*modules.dense(work.DEEP, x)).to(work.DEVICE)

    @torch.no_grad()
    def run() -> np.ndarray:
        found = []
        for images in DataLoader(Images(x.reshape(-1, 28, 28)), batch_size=256):
            rows = images.to(work.DEVICE).view(len(images), -1)
            found.append((model(rows) - rows).pow(2).sum(1))
        return torch.cat(found).cpu().numpy()

    return timed(run)
