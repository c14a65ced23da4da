"""Rows about classifiers that start from an encoder's weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import isthmus as ist
from benchmarks.papers.row import Bench, over_seeds, rising, row
from isthmus.data.parts import Part
from isthmus.metrics.measure import Measure
from isthmus.training.runtime import tuned

SEEDS = (0, 1, 2)


@row(
    "contractive", what="Classifier fine-tuned from one layer of 1000 sigmoid units: contractive, denoising, plain",
    setting="Encoder trained on the first {images} training images for {epochs} epochs (contraction 0.1; Gaussian noise of "
    "0.3; nothing), then, with a linear softmax layer, on the same images with their classes for {fine_tuning} epochs of Adam. "
    "The paper tunes on 50,000 images and ties the weights of encoder and decoder.",
    metric="test error", unit="%, mean of three seeds", published={"contractive": 1.14, "denoising": 1.18, "plain": 1.78},
    source="Rifai, Vincent, Muller, Glorot and Bengio, Contractive auto-encoders, ICML 2011, table 1",
    wanted=rising("contractive", "denoising", "plain"), epochs=(10, 100), error="standard deviation over three seeds",
    note="On the CPU the ordering cannot be seen: with a twelfth of the images and 1,000 steps of training before 1,500 of "
    "fine-tuning, the three differ by less than a deviation over seeds; with 750 smaller steps of fine-tuning all stood "
    "between 8.3 and 8.5%. The published length is for an accelerator.",
)  # fmt: skip
def contractive(bench: Bench) -> Mapping[str, Measure]:
    """What the penalty does for the codes, beside noise, and beside nothing."""
    images, epochs = bench.length("images", 5_000, 60_000), bench.length("fine_tuning", 30, 50)
    train, errors = bench.data.train.take(slice(images)), {}
    shared = {"latent_dim": 1000, "hidden": (), "network": "mlp", "batch_size": 50, "schedule": "cosine"}
    makers = {
        "contractive": lambda seed: ist.ContractiveAE(contraction=0.1, random_state=seed, **shared),
        "denoising": lambda seed: ist.DenoisingAE(level=0.3, code_activation="sigmoid", random_state=seed, **shared),
        "plain": lambda seed: ist.AE(code_activation="sigmoid", random_state=seed, **shared),
    }
    for name, make in makers.items():
        fitted = [bench.train(f"{name} {seed}", make(seed), train) for seed in SEEDS]
        with bench.clock():
            errors[name] = [fine_tuned_error(model, train, bench.data.test, epochs) for model in fitted]
    return {name: over_seeds("Test error", values, "%", "lower") for name, values in errors.items()}


def fine_tuned_error(model: ist.AE | ist.ContractiveAE, train: Part, test: Part, epochs: int) -> float:
    """The share of test images, in per cent, that the encoder with a linear softmax layer gets wrong, all weights tuned."""
    torch.manual_seed(model.random_state)
    module, device = model.module_, next(model.module_.parameters()).device
    classifier = nn.Sequential(module.encoder, module.bottleneck.project, nn.Linear(model.latent_dim, 10)).to(device)
    (x, y), (test_x, test_y) = (tensors(part, device) for part in (train, test))
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3, fused=True)
    with tuned():
        for rows in (rows for _ in range(epochs) for rows in torch.randperm(len(x)).to(device).split(100)):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(classifier(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.inference_mode():
        return 100 * float((classifier(test_x).argmax(1) != test_y).float().mean())


def tensors(part: Part, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [0, 1], ``(n, 1, 28, 28)``, and their classes, ``(n,)``."""
    return torch.from_numpy(part.x).to(device).float() / 255, torch.from_numpy(np.asarray(part.y)).long().to(device)
