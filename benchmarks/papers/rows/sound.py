"""Rows about sound, and about the codes that are made for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np

import isthmus as ist
from benchmarks import sounds
from benchmarks.papers.record import ROOT
from benchmarks.papers.row import Bench, Values, Wanted, row
from isthmus.data import Sounds
from isthmus.metrics import reconstruction, sound
from isthmus.metrics._measure import Measure

HOPS, KEPT = (8, 32, 128), ROOT / "runs" / "speech"
DEPTHS = (1, 2, 4)
ZEGHIDOUR = (
    "Zeghidour, Luebs, Omran, Skoglund and Tagliasacchi, SoundStream: an end-to-end neural audio"
    " codec, IEEE/ACM TASLP 2021"
)


def _falling(values: Values) -> bool:
    return all(a > b for a, b in pairwise(values.values()))


@row(
    "residual-vq",
    what="Residual VQ of MNIST: the error falls with every codebook that is decoded",
    setting=(
        "VQ-VAE with a residual network of 16 and 32 channels, eight codebooks of 16 entries each"
        " at 7×7 places, quantizer dropout 0.5, {epochs} epochs; one model, of which the first 1 to"
        " 8 indices of every place are decoded."
    ),
    metric="squared error",
    unit="sum over the pixels of an image",
    published={},
    source=f"{ZEGHIDOUR}, which reports sound alone",
    epochs=(3, 30),
    wanted=Wanted("every codebook lowers the error", _falling),
    note=(
        "The second codebook halves the error; beyond the fourth, what is left is what the networks"
        " cannot say, and further indices hardly help."
    ),
)
def residual_vq(bench: Bench) -> Mapping[str, Measure]:
    """Whether the first indices of a vector stand for it, and each further one sharpens it."""
    quantizer = ist.quantizers.ResidualVQ(codebook_size=16, depth=8, quantizer_dropout=0.5)
    model = bench.train(
        "residual VQ",
        ist.VQVAE(
            quantizer=quantizer,
            network="residual",
            hidden=(16, 32),
            latent_dim=16,
            schedule="cosine",
            random_state=0,
        ),
    )
    x = bench.data.test.x
    indices, pixels = model.encode(x), x / 255.0
    return {
        f"{depth} of 8": reconstruction.sse(
            np.square(model.decode(indices[..., :depth]) - pixels).sum((1, 2, 3))
        )
        for depth in range(1, 9)
    }


def _finer_and_longer(values: Values) -> bool:
    rows = [[values[_name(hop, depth)] for depth in DEPTHS] for hop in HOPS]
    finest = [row[-1] for row in rows]
    return all(a > b for row in rows for a, b in pairwise(row)) and finest == sorted(finest)


def _name(hop: int, depth: int) -> str:
    return f"hop {hop}, {8000 / hop * 8 * depth / 1000:g} kbit/s"


@row(
    "speech",
    what="Speech at Jukebox's three hops: spectral convergence against hop and bits",
    setting=(
        "Spoken prompts of one voice at 8 kHz, windows of 1.02 s, files kept apart; a network of"
        " dilated residual stacks for each hop, four codebooks of 256 entries, quantizer dropout"
        " 0.5, the spectral loss; {epochs} epochs at hop 8, twice as many at 32, four times at 128,"
        " where a window has fewer places to learn from. The first 1, 2 and 4 indices of every"
        " place are decoded, which are so many bits a second."
    ),
    metric="spectral convergence",
    unit="share of the magnitudes",
    published={},
    source=(
        "Dhariwal and others, Jukebox: a generative model for music, 2020, which reports music at"
        " 44.1 kHz"
    ),
    epochs=(1, 25),
    error="standard error over windows of files that training did not see",
    data="asterisk-core-sounds-en-wav",
    wanted=Wanted("lower with more bits at every hop, and with a shorter hop", _finer_and_longer),
    note=(
        "Trained on an NVIDIA H100 by the command with --epochs 7, beside other trainings; it went"
        " on from the checkpoint on two cores for the last three of the 28 epochs of hop 128, and"
        " was measured there."
    ),
)
def speech(bench: Bench) -> Mapping[str, Measure]:
    """Three rates of Jukebox's kind, each at several sizes; the runs are kept to be heard."""
    recipe = sounds.RECIPES["voice"]
    source = Path(os.environ.get("ISTHMUS_PROMPTS", recipe.folder))
    stride = recipe.window // (4 if bench.has_accelerator else 1)
    train = sounds.sounds(recipe, source, stride=stride).train
    apart = cast("Sounds", sounds.sounds(recipe, source, stride=recipe.window).test)
    found: dict[str, Measure] = {}
    for hop, times in zip(HOPS, (1, 2, 4), strict=True):
        member = sounds.codec(replace(recipe, hop=hop))
        model = bench.train(f"hop {hop}", member, x=train, epochs=times * bench.epochs)
        model.save(KEPT / f"hop-{hop}")
        indices = model.encode(apart.x)
        for depth in DEPTHS:
            restored = model.decode(indices[..., :depth])
            measures = sound.of_reconstructions(restored, np.asarray(apart.x), apart.sample_rate)
            found[_name(hop, depth)] = measures["spectral_convergence"]
    return found
