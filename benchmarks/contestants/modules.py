"""The networks of the tasks in plain PyTorch, for the peers that are built on it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.contestants import work


def dense(sizes: tuple[int, ...], x: np.ndarray) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder of a fully connected autoencoder, the sigmoid of the output included."""
    layers: list[list[nn.Module]] = []
    given = work.start(sizes, x)
    for place, (weight, bias) in enumerate(given):
        linear = nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))
        layers.append([linear, nn.ReLU()] if work.is_active(place, len(given)) else [linear])
    half = len(layers) // 2
    encoder, decoder = (
        [layer for group in part for layer in group] for part in (layers[:half], layers[half:])
    )
    return nn.Sequential(*encoder), nn.Sequential(*decoder, nn.Sigmoid())


def error(model: nn.Module, test: Tensor) -> float:
    """The mean squared error of a model's output, its first where there are several."""
    with torch.no_grad():
        given = model(test)
    return work.mean_square((given[0] if isinstance(given, tuple) else given).numpy(), test.numpy())


class ConvEncoder(nn.Module):
    """Strided convolutions, then mean and log-variance of the code."""

    def __init__(self) -> None:
        super().__init__()
        channels = (1, *work.CONV_CHANNELS)
        self.body = nn.Sequential(
            *(
                layer
                for a, b in pairwise(channels)
                for layer in (nn.Conv2d(a, b, 4, 2, 1), nn.ReLU())
            ),
            nn.Flatten(),
        )
        self.mu, self.log_var = (nn.Linear(channels[-1] * 49, work.CONV_CODE) for _ in range(2))
        glorot(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x)
        return self.mu(features), self.log_var(features)


class ConvDecoder(nn.Module):
    """Transposed convolutions, up to logits."""

    def __init__(self) -> None:
        super().__init__()
        first, second = reversed(work.CONV_CHANNELS)
        self.body = nn.Sequential(
            nn.Linear(work.CONV_CODE, first * 49),
            nn.Unflatten(1, (first, 7, 7)),
            nn.ReLU(),
            nn.ConvTranspose2d(first, second, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(second, 1, 4, 2, 1),
        )
        glorot(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z)


class ConvVAE(nn.Module):
    """The convolutional VAE and its loss, as tutorials write them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = ConvEncoder(), ConvDecoder()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, log_var = self.encoder(x)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        return self.decoder(z), mu, log_var

    def loss(self, x: Tensor) -> Tensor:
        logits, mu, log_var = self(x)
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return (distortion - 0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())) / len(x)

    def error(self, x: Tensor) -> float:
        with torch.no_grad():
            return work.mean_square(self.decoder(self.encoder(x)[0]).sigmoid().numpy(), x.numpy())


class Residual(nn.Module):
    """A residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, half, 3, 1, 1), nn.ReLU(), nn.Conv2d(half, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def vq_networks(start: list[np.ndarray]) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder up to the vectors, and decoder up to the sigmoid, with the common start."""
    c = work.VQ_CHANNELS
    encoder = nn.Sequential(
        nn.Conv2d(3, c, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(c, c, 4, 2, 1),
        Residual(c),
        Residual(c),
        nn.ReLU(),
        nn.Conv2d(c, work.VQ_DIM, 1),
    )
    decoder = nn.Sequential(
        nn.Conv2d(work.VQ_DIM, c, 1),
        Residual(c),
        Residual(c),
        nn.ReLU(),
        nn.ConvTranspose2d(c, c, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(c, 3, 4, 2, 1),
        nn.Sigmoid(),
    )
    parameters = [*encoder.parameters(), *decoder.parameters()]
    with torch.no_grad():
        for parameter, value in zip(parameters, start[:-1], strict=True):
            parameter.copy_(torch.from_numpy(value))
    return encoder, decoder


class VQVAE(nn.Module):
    """The VQ-VAE with moving averages, as tutorials write it: all distances, one-hot choices."""

    def __init__(self, start: list[np.ndarray], decay: float = 0.99) -> None:
        super().__init__()
        self.encoder, self.decoder = vq_networks(start)
        self.decay = decay
        self.register_buffer("entries", torch.from_numpy(start[-1]).clone())
        self.register_buffer("counts", torch.ones(work.VQ_CODES))
        self.register_buffer("sums", self.entries.clone())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.encoder(x).permute(0, 2, 3, 1).contiguous()
        flat = vectors.view(-1, work.VQ_DIM)
        distances = (
            flat.pow(2).sum(1, keepdim=True)
            + self.entries.pow(2).sum(1)
            - 2 * flat @ self.entries.t()
        )
        choices = F.one_hot(distances.argmin(1), work.VQ_CODES).float()
        chosen = (choices @ self.entries).view_as(vectors)
        if self.training:
            with torch.no_grad():
                self.counts.mul_(self.decay).add_(choices.sum(0), alpha=1 - self.decay)
                self.sums.mul_(self.decay).add_(choices.t() @ flat, alpha=1 - self.decay)
                self.entries.copy_(self.sums / self.counts[:, None])
        commitment = (vectors - chosen.detach()).pow(2).flatten(1).sum(1)
        passed = vectors + (chosen - vectors).detach()
        return self.decoder(passed.permute(0, 3, 1, 2).contiguous()), commitment

    def loss(self, x: Tensor) -> Tensor:
        reconstructed, commitment = self(x)
        return (
            (reconstructed - x).pow(2).flatten(1).sum(1) + work.VQ_COMMITMENT * commitment
        ).mean()


def glorot(module: nn.Module) -> nn.Module:
    """Glorot's uniform start."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return module
