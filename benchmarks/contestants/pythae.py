"""Pythae with the same networks in place of its own, which are larger."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, VAE, VQVAE, AEConfig, VAEConfig, VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

from benchmarks.contestants import modules, work
from benchmarks.contestants.work import Data, Round, Rounds, timed, warmed

logging.disable(logging.WARNING)


class Encoder(BaseEncoder):
    """Any encoder that gives a code, or mean and log-variance."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> ModelOutput:
        found = self.body(x)
        if isinstance(found, tuple):
            return ModelOutput(embedding=found[0], log_covariance=found[1])
        return ModelOutput(embedding=found)


class Decoder(BaseDecoder):
    """Any decoder."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.body(z))


class Heads(nn.Module):
    """Mean and log-variance of a code."""

    def __init__(self, body: nn.Module, features: int, dim: int) -> None:
        super().__init__()
        self.body, self.mu, self.log_var = body, nn.Linear(features, dim), nn.Linear(features, dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x)
        return self.mu(features), self.log_var(features)


def trained(make: Callable[[], Any], x: np.ndarray, batch: int, test: np.ndarray) -> Rounds:
    held = torch.from_numpy(test)

    def run(count: int) -> Round:
        examples = BaseDataset(torch.from_numpy(x[:count]), torch.zeros(min(count, len(x))))
        model = make()
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=1,
                learning_rate=work.LEARNING_RATE,
                per_device_train_batch_size=batch,
                keep_best_on_train=True,
                no_cuda=work.DEVICE == "cpu",
            )
            trainer = BaseTrainer(model, examples, training_config=config)
            start = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - start
        model.eval().cpu()
        with torch.no_grad():
            reconstructed = torch.cat([model.reconstruct(part).cpu() for part in held.split(500)])
        return Round(seconds, work.mean_square(reconstructed.numpy(), test))

    return warmed(run, len(x), batch)


def dense_model(sizes: tuple[int, ...], raw: np.ndarray) -> AE:
    encoder, decoder = modules.dense(sizes, raw)
    return AE(
        AEConfig(input_dim=(work.PIXELS,), latent_dim=sizes[-1]),
        encoder=Encoder(encoder),
        decoder=Decoder(decoder),
    )


def dense(sizes: tuple[int, ...], batch: int, data: Data, examples: int) -> Rounds:
    raw = data.train[:examples]
    return trained(
        lambda: dense_model(sizes, raw),
        work.unit(raw),
        batch,
        work.unit(data.test[: work.MEASURED]),
    )


def ae(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, work.AE_EXAMPLES)


def memory(data: Data) -> Rounds:
    return dense(work.AE, work.AE_BATCH, data, len(data.train))


def deep_ae(data: Data) -> Rounds:
    return dense(work.DEEP, work.DEEP_BATCH, data, work.DEEP_EXAMPLES)


def conv_vae(data: Data) -> Rounds:
    def make() -> VAE:
        config = VAEConfig(
            input_dim=(1, 28, 28), latent_dim=work.CONV_CODE, reconstruction_loss="bce"
        )
        return VAE(
            config,
            encoder=Encoder(modules.ConvEncoder()),
            decoder=Decoder(modules.ConvDecoder(), nn.Sigmoid()),
        )

    x, test = (
        work.unit(part).reshape(-1, 1, 28, 28)
        for part in (data.train[: work.CONV_EXAMPLES], data.test[: work.MEASURED])
    )
    return trained(make, x, work.CONV_BATCH, test)


def vqvae(data: Data) -> Rounds:
    def make() -> VQVAE:
        start = data.vq_start
        encoder, decoder = modules.vq_networks(start)
        config = VQVAEConfig(
            input_dim=(3, 32, 32),
            latent_dim=work.VQ_DIM,
            num_embeddings=work.VQ_CODES,
            use_ema=True,
            decay=0.99,
            commitment_loss_factor=work.VQ_COMMITMENT
            * work.VQ_DIM
            * 64,  # its mean over the grid as a sum
        )
        model = VQVAE(config, encoder=Encoder(encoder), decoder=Decoder(decoder))
        entries = torch.from_numpy(start[-1])
        with torch.no_grad():
            model.quantizer.embeddings.copy_(entries)
            model.quantizer.ema_embed.copy_(entries)
            model.quantizer.cluster_size.fill_(1.0)
        return model

    x = work.unit(data.colour)
    return trained(make, x[: work.VQ_EXAMPLES], work.VQ_BATCH, x[-work.VQ_MEASURED :])


def applied(data: Data, use: Callable[[AE, Tensor], Tensor]) -> Rounds:
    """Something that a model gives of every row, batch by batch."""
    raw = data.train
    model = dense_model(work.DEEP, raw).eval().to(work.DEVICE)
    x = torch.from_numpy(work.unit(raw))

    @torch.no_grad()
    def run() -> Tensor:
        return torch.cat([use(model, part.to(work.DEVICE)) for part in x.split(256)]).cpu()

    return timed(run)


def transform(data: Data) -> Rounds:
    return applied(data, lambda model, part: model.embed(part))


def scores(data: Data) -> Rounds:
    return applied(data, lambda model, part: (model.reconstruct(part) - part).pow(2).sum(1))


def likelihood(data: Data) -> Rounds:
    """Of ten images, scaled to all."""
    a, b, c = work.LIKELIHOOD
    body = nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c), nn.ReLU())
    decoder = Decoder(
        nn.Linear(work.LIKELIHOOD_CODE, c),
        nn.ReLU(),
        nn.Linear(c, b),
        nn.ReLU(),
        nn.Linear(b, a),
        nn.Sigmoid(),
    )
    config = VAEConfig(input_dim=(a,), latent_dim=work.LIKELIHOOD_CODE, reconstruction_loss="bce")
    model = VAE(
        config, encoder=Encoder(Heads(body, c, work.LIKELIHOOD_CODE)), decoder=decoder
    ).eval()
    x = torch.from_numpy(work.unit(data.test[:10]))

    def rounds() -> Round:
        start = time.perf_counter()
        with torch.no_grad():
            model.get_nll(x, n_samples=work.LIKELIHOOD_SAMPLES, batch_size=100)
        return Round((time.perf_counter() - start) * work.LIKELIHOOD_EXAMPLES / len(x))

    rounds()
    return rounds
