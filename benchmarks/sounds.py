"""A voice and instruments: members of real sound, trained, measured, and kept to be heard.

    python -m benchmarks.sounds voice --out runs/voice            # about an hour on one core
    python -m benchmarks.sounds instruments --out runs/instruments

``voice`` is a quantised autoencoder of spoken prompts (the Debian package
asterisk-core-sounds-en-wav: one speaker, 8 kHz) with a transformer over its indices, by the folder
of a prompt; ``instruments`` the same of sonic-pi-samples at 16 kHz, by the first word of a file's
name. What is measured on files that training did not see goes to benchmarks/results/sounds.jsonl.
``--seconds`` says how long the networks are trained, ``--prior-seconds`` how long the priors; a
trial on an eighth of the sounds finds out how many epochs that is. Where soundfile is missing,
``--sounds`` takes what ``python -m benchmarks.sounds voice --pack prompts.npz`` wrote elsewhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.base import clone

import isthmus as ist
from benchmarks.kept import KeptRows
from isthmus.data import Sounds
from isthmus.data.series import window_starts
from isthmus.metrics import sound

PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
SAMPLES = Path("/usr/share/sonic-pi/samples")
RESULTS = Path(__file__).parent / "results" / "sounds.jsonl"
WIDTHS = (16, 32, 32, 64, 64, 64, 64)  # of a hop of 128; a shorter one has the first of them
_FULL = 2**15 - 1  # the loudest of 16 bits
_TRIAL = 8  # the share of the examples by which a training is timed
_SILENT = 2e-3  # root mean square of a window that is left out


@dataclass(frozen=True)
class Recipe:
    """How a member is made.

    Attributes:
        folder: the sounds.
        sample_rate: steps a second.
        window: steps of an example.
        hop: how many steps an index stands for.
        depth: codebooks, of 256 entries each.
        dropout: of the quantizer, for several rates; a member with a prior needs one alone.
    """

    folder: Path
    sample_rate: int
    window: int
    hop: int = 128
    depth: int = 4
    dropout: float = 0.0


RECIPES = {
    "voice": Recipe(PROMPTS, 8000, 8192, dropout=0.5),
    "instruments": Recipe(SAMPLES, 16000, 16384),
}


def sounds(recipe: Recipe, source: Path, *, stride: int) -> ist.data.Data:
    """Sounds with silence behind the end of short ones, and without silent windows; labels are
    folders, or the first word of a name where all lie in one.
    """
    train, test = (_windows(part, recipe, stride) for part in files_of(recipe, source))
    return ist.data.Data(source.stem, train, test)


def files_of(recipe: Recipe, source: Path) -> list[Sounds]:
    """The files of training and test, in windows that do not overlap."""
    return _unpacked(source) if source.suffix == ".npz" else _read(recipe, source)


def _read(recipe: Recipe, folder: Path) -> list[Sounds]:
    """Training and test files in windows that do not overlap."""
    data = ist.data.load(
        folder,
        window=recipe.window,
        sample_rate=recipe.sample_rate,
        mono=True,
        test_fraction=0.1,
    )
    return [cast("Sounds", part) for part in (data.train, data.test)]


def _windows(part: Sounds, recipe: Recipe, stride: int) -> Sounds:
    """Windows of the same files, every ``stride`` steps."""
    length = recipe.window
    waves = [np.pad(wave_of(part, file), (0, length)) for file in range(len(part.files))]
    begins = [window_starts(int(time), length, stride) for time in part.steps]
    places = np.repeat(np.arange(len(waves)), [len(some) for some in begins])
    starts = np.concatenate(begins)
    cut = [
        waves[place][None, start : start + length]
        for place, start in zip(places, starts, strict=True)
    ]
    names = [Path(name) for name in part.files]
    is_flat = all(name.parent == Path() for name in names)
    y = [name.stem.split("_")[0] if is_flat else name.parent.name or "prompts" for name in names]
    whole = replace(
        part,
        x=np.stack(cut),
        y=np.array(y)[places],
        classes=None,
        stride=stride,
        starts=starts,
        places=places,
    )
    loud = np.sqrt(np.square(whole.x).mean((1, 2))) > _SILENT
    return whole.take(np.flatnonzero(loud))


def wave_of(part: Sounds, file: int) -> np.ndarray:
    """A file from windows that do not overlap, but for the last."""
    wave = np.zeros(max(int(part.steps[file]), part.length), dtype=np.float32)
    for row in np.flatnonzero(part.places == file):
        wave[part.starts[row] : part.starts[row] + part.length] = np.nan_to_num(part.x[row, 0])
    return wave[: int(part.steps[file])]


def _packed(parts: Sequence[Sounds], path: Path) -> None:
    """Write both parts as an archive of whole numbers, which needs no soundfile to be read."""
    arrays: dict[str, Any] = {}
    for name, part in zip(("train", "test"), parts, strict=True):
        waves = np.concatenate([wave_of(part, file) for file in range(len(part.files))])
        arrays[f"{name}_wave"] = np.round(waves.clip(-1, 1) * _FULL).astype(np.int16)
        arrays[f"{name}_steps"], arrays[f"{name}_files"] = part.steps, np.array(part.files)
        arrays[f"{name}_rate"] = part.sample_rate
    np.savez_compressed(path, **arrays)


def _unpacked(path: Path) -> list[Sounds]:
    """What :func:`_packed` wrote, each file as one window."""
    found = np.load(path)
    parts = []
    for name in ("train", "test"):
        steps, files = found[f"{name}_steps"], found[f"{name}_files"]
        x = np.zeros((len(steps), 1, int(steps.max())), dtype=np.float32)
        ends = np.cumsum(steps)[:-1]
        for row, wave in zip(x, np.split(found[f"{name}_wave"], ends), strict=True):
            row[0, : len(wave)] = wave / _FULL
        parts.append(
            Sounds(
                x=x,
                kind="signal",
                stride=x.shape[2],
                starts=np.zeros(len(steps), dtype=np.int64),
                places=np.arange(len(steps)),
                files=tuple(map(str, files)),
                steps=steps,
                sample_rate=int(found[f"{name}_rate"]),
            )
        )
    return parts


def codec(recipe: Recipe) -> ist.VQVAE:
    """A quantised autoencoder with an index of every codebook for each hop."""
    halvings = recipe.hop.bit_length() - 1
    return ist.VQVAE(
        network=ist.networks.Dilated(widths=WIDTHS[:halvings], blocks=2),
        likelihood="spectral",
        quantizer=ist.quantizers.ResidualVQ(
            codebook_size=256, depth=recipe.depth, quantizer_dropout=recipe.dropout
        ),
        latent_dim=64,
        batch_size=16,
        learning_rate=2e-3,
        schedule="cosine",
        random_state=0,
        verbose=1,
    )


def lasting(model: Any, fit: Callable[[Any, Sounds], Any], part: Sounds, seconds: float) -> Any:
    """A copy that is trained on ``part`` for about so many seconds: a trial with an eighth of it
    says how many epochs that is.
    """
    few = part.take(slice(0, None, _TRIAL))
    trial = fit(clone(model).set_params(epochs=2), few)
    epochs = round(seconds / max(_TRIAL * trial.history_[-1]["seconds"], 1e-3))
    return fit(clone(model).set_params(epochs=max(2, epochs)), part)


def measured(model: ist.VQVAE, part: Sounds, depth: int | None = None) -> dict[str, float]:
    """How close reconstructions from the first ``depth`` indices come, and how large these are."""
    rate, indices = part.sample_rate, model.encode(part.x)
    kept = indices[..., :depth]
    found = sound.of_reconstructions(model.decode(kept), np.asarray(part.x), rate)
    size = model.module_.bottleneck.levels[0].size
    bits = kept[0].size * np.log2(size) * rate / part.x.shape[-1]
    return {"kbit_s": float(bits) / 1000, **{name: m.value for name, m in found.items()}}


def made(name: str, recipe: Recipe, options: Any, kept: KeptRows) -> None:
    """Train the member of a recipe and its prior, measure them, and save them."""
    source = options.sounds or recipe.folder
    train = cast("Sounds", sounds(recipe, source, stride=recipe.window // 2).train)
    apart = cast("Sounds", sounds(recipe, source, stride=recipe.window).test)
    if options.codec is None:
        model = lasting(codec(recipe), ist.VQVAE.fit, train, options.seconds)
    else:
        model = ist.load(options.codec)
    model.save(options.out)  # before what may still fail
    for depth in range(1, recipe.depth + 1):
        found = measured(model, apart, depth)
        kept.put((name, depth), {**found, **trained(model)})
        print(f"{name}, {depth} of {recipe.depth}:", _shown(found), flush=True)
    _fit_prior(model, train, options.prior_seconds)
    model.save(options.out)
    nats = -model.score_prior(apart, apart.labels)
    bits = nats / np.log(2) * recipe.sample_rate / recipe.window / 1000
    kept.put((name, 0), {"kbit_s_by_prior": float(bits), "epochs": len(model.prior_.history_)})


def _fit_prior(model: ist.VQVAE, part: Sounds, seconds: float) -> None:
    """A transformer over the indices, by label."""
    prior = ist.priors.Transformer(
        channels=64, layers=4, heads=4, dropout=0.1, batch_size=32, random_state=0, verbose=1
    )

    def fit(each: ist.priors.Prior, some: Sounds) -> Any:
        return model.fit_prior(some, some.labels, prior=each).prior_

    lasting(prior, fit, part, seconds)


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
    parser.add_argument("--out", type=Path, help="the folder of the run")
    parser.add_argument(
        "--codec", type=Path, help="a trained run, to which a prior is fitted alone"
    )
    parser.add_argument("--pack", type=Path, help="write the sounds as this .npz, and no more")
    parser.add_argument("--sounds", type=Path, help="where the sounds lie, if not in the package")
    parser.add_argument("--seconds", type=float, default=1800, help="of training the networks")
    parser.add_argument("--prior-seconds", type=float, default=1200, help="of training the prior")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where lines are written")
    options = parser.parse_args()
    recipe = RECIPES[options.recipe]
    if options.pack is not None:
        _packed(_read(recipe, options.sounds or recipe.folder), options.pack)
        return
    if options.out is None:
        parser.error("give --out, the folder of the run")
    kept = KeptRows(options.results, ("recipe", "depth"))
    made(options.recipe, recipe, options, kept)


if __name__ == "__main__":
    main()
