"""A voice and instruments: members of real sound, trained, measured, and kept to be heard.

    python -m benchmarks.sounds voice --out runs/voice            # about an hour on one core
    python -m benchmarks.sounds instruments --out runs/instruments
    python -m benchmarks.sounds hops --out runs/hops              # Jukebox's three rates

``voice`` is a quantised autoencoder of spoken prompts (the Debian package
asterisk-core-sounds-en-wav: one speaker, 8 kHz) with a transformer over its indices, by the folder
of a prompt; ``instruments`` the same of sonic-pi-samples at 16 kHz, by the first word of a file's
name; ``hops`` are three autoencoders of the prompts. What is measured on files that training did
not see goes to benchmarks/results/sounds.jsonl. ``--seconds`` says how long the networks are
trained, ``--prior-seconds`` how long the priors; a trial of two epochs finds out how many epochs
that is.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

import isthmus as ist
from benchmarks.kept import KeptRows
from isthmus.data import Sounds
from isthmus.metrics import sound

PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
SAMPLES = Path("/usr/share/sonic-pi/samples")
RESULTS = Path(__file__).parent / "results" / "sounds.jsonl"
WIDTHS = (16, 32, 32, 64, 64, 64, 64)  # of a hop of 128; a shorter one has the last of them
_SILENT = 2e-3  # root mean square of a window that is left out


@dataclass(frozen=True)
class Recipe:
    """How a member is made.

    Attributes:
        folder: the sounds.
        sample_rate: steps a second.
        window: steps of an example.
        hops: how many steps an index stands for, one member each.
        depth: codebooks, of 256 entries each.
        dropout: of the quantizer; 0 for a member with a prior, which needs one rate alone.
        has_prior: whether a prior over the indices is fitted.
    """

    folder: Path
    sample_rate: int
    window: int
    hops: tuple[int, ...]
    depth: int
    dropout: float
    has_prior: bool


RECIPES = {
    "voice": Recipe(PROMPTS, 8000, 16384, (128,), 4, 0.0, True),
    "instruments": Recipe(SAMPLES, 16000, 16384, (128,), 4, 0.0, True),
    "hops": Recipe(PROMPTS, 8000, 8192, (8, 32, 128), 8, 0.5, False),
}


def sounds(recipe: Recipe, folder: Path, *, stride: int) -> ist.data.Data:
    """Sounds with silence behind the end of short ones, and without silent windows; labels are
    folders, or the first word of a name where all lie in one.
    """
    data = ist.data.load(
        folder,
        window=recipe.window,
        stride=stride,
        sample_rate=recipe.sample_rate,
        mono=True,
        test_fraction=0.1,
    )
    return replace(data, train=_heard(data.train), test=_heard(data.test), classes=None)


def _heard(part: Any) -> Sounds:
    x = np.nan_to_num(part.x)
    loud = np.sqrt(np.square(x).mean((1, 2))) > _SILENT
    names = [Path(part.files[place]) for place in part.places]
    is_flat = all(name.parent == Path() for name in names)
    y = [name.stem.split("_")[0] if is_flat else name.parent.name or "prompts" for name in names]
    whole: Sounds = replace(part, x=x, y=np.array(y), classes=None)
    return whole.take(np.flatnonzero(loud))


def codec(hop: int, recipe: Recipe) -> ist.VQVAE:
    """A quantised autoencoder with an index of every codebook for ``hop`` steps."""
    halvings = hop.bit_length() - 1
    return ist.VQVAE(
        network=ist.networks.Dilated(widths=WIDTHS[-halvings:], blocks=2),
        likelihood="spectral",
        quantizer=ist.quantizers.ResidualVQ(
            codebook_size=256, depth=recipe.depth, quantizer_dropout=recipe.dropout
        ),
        latent_dim=64,
        batch_size=32,
        learning_rate=2e-3,
        schedule="cosine",
        random_state=0,
        verbose=1,
    )


def lasting(model: Any, fit: Any, seconds: float) -> Any:
    """A copy that is trained for about so many seconds: a trial of two epochs says how many epochs
    that is.
    """
    trial = fit(clone(model).set_params(epochs=2))
    epochs = max(2, round(seconds / max(trial.history_[-1]["seconds"], 1e-3)))
    return fit(clone(model).set_params(epochs=epochs))


def measured(model: ist.VQVAE, part: Sounds, depth: int | None = None) -> dict[str, float]:
    """How close reconstructions from the first ``depth`` indices come, and how large these are."""
    rate, indices = part.sample_rate, model.encode(part.x)
    kept = indices[..., :depth]
    found = sound.of_reconstructions(model.decode(kept), np.asarray(part.x), rate)
    size = model.module_.bottleneck.levels[0].size
    bits = kept[0].size * np.log2(size) * rate / part.x.shape[-1]
    return {"kbit_s": float(bits) / 1000, **{name: m.value for name, m in found.items()}}


def made(name: str, recipe: Recipe, options: Any, kept: KeptRows) -> None:
    """Train the members of a recipe, measure them, and save them."""
    data = sounds(recipe, options.sounds or recipe.folder, stride=recipe.window // 4)
    apart = sounds(recipe, options.sounds or recipe.folder, stride=recipe.window).test
    for hop in recipe.hops:
        budget = options.seconds / len(recipe.hops)
        model = lasting(codec(hop, recipe), lambda each: each.fit(data.train), budget)
        path = options.out / f"hop-{hop}" if len(recipe.hops) > 1 else options.out
        model.save(path)  # before what may still fail
        for depth in range(1, recipe.depth + 1):
            found = measured(model, apart, depth)
            kept.put((name, hop, depth), {**found, **trained(model)})
            print(name, f"hop {hop}, {depth} of {recipe.depth}:", _shown(found), flush=True)
        if recipe.has_prior:
            _fit_prior(model, data, options.prior_seconds)
            model.save(path)
            score = model.score_prior(apart, apart.labels) / np.log(2)
            kept.put(
                (name, hop, 0),
                {
                    "bits_by_prior": float(score) * -recipe.sample_rate / recipe.window / 1000,
                    "epochs": len(model.prior_.history_),
                },
            )


def _fit_prior(model: ist.VQVAE, data: ist.data.Data, seconds: float) -> None:
    """A transformer over the indices, by label."""
    prior = ist.priors.Transformer(
        channels=96, layers=4, heads=4, dropout=0.2, batch_size=64, random_state=0, verbose=1
    )

    def fit(each: ist.priors.Transformer) -> Any:
        return model.fit_prior(data.train, data.train.labels, prior=each).prior_

    lasting(prior, fit, seconds)


def trained(model: ist.VQVAE) -> dict[str, Any]:
    """How a model was trained."""
    rows = model.history_
    weights = sum(each.numel() for each in model.module_.parameters())
    seconds = sum(row["seconds"] for row in rows)
    device = str(next(model.module_.parameters()).device)
    return {"epochs": len(rows), "seconds": seconds, "weights": weights, "device": device}


def _shown(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in found.items())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sounds")
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the run or runs")
    parser.add_argument("--sounds", type=Path, help="where the sounds lie, if not in the package")
    parser.add_argument("--seconds", type=float, default=1800, help="of training the networks")
    parser.add_argument("--prior-seconds", type=float, default=1200, help="of training the prior")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where lines are written")
    options = parser.parse_args()
    kept = KeptRows(options.results, ("recipe", "hop", "depth"))
    made(options.recipe, RECIPES[options.recipe], options, kept)


if __name__ == "__main__":
    main()
