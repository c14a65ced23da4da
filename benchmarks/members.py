"""Make the pictures of the members' pages: each shows what is particular to one member.

    python -m benchmarks.members [NAME ...]

Everything is trained anew, on 10,000 images of MNIST (the recurrent autoencoder on made sequences),
with fixed seeds, but for AE, VAE and VQVAE, of which those that come with the package are shown.
Pictures are written to docs/images/members/NAME.png; ``styles`` belongs to no single member, and is
written to docs/images/styles.png.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

import isthmus as ist
from benchmarks.sheets import coloured, lines, rings, sheet, tiled, write
from isthmus.corruptions import GaussianNoise, Masking
from isthmus.data.datasets import Data, Part
from isthmus.figures._style import (
    INK,
    PALETTE,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    head,
    new_figure,
    over,
    quiet,
)
from isthmus.posteriors.gaussian import DiagonalGaussian

HOME = Path(__file__).parents[1] / "docs" / "images" / "members"
EXAMPLES, TESTS = 10_000, 2000
PLANE = {"latent_dim": 2, "epochs": 40, "learning_rate": 2e-3, "schedule": "cosine"}
_SHORT = {"batch_size": 100, "schedule": "cosine"}
_UNKNOWN = (0.55, 0.72, 0.86)  # of a missing value, which has no grey


def mnist() -> Data:
    """Some of MNIST, as grey values from 0 to 1."""
    data = ist.data.load("mnist")
    train, test = (
        Part(part.x[:count] / np.float32(255), part.y[:count])
        for part, count in ((data.train, EXAMPLES), (data.test, TESTS))
    )
    return Data("mnist", train, test)


DATA = mnist()


def trained(member: str, x: Any = None, **values: Any) -> Any:
    """A member, trained on the digits of MNIST if on nothing else."""
    return ist.MEMBERS[member](random_state=0, verbose=0, **values).fit(
        DATA.train if x is None else x
    )


def one_each(count: int = 10) -> np.ndarray:
    """The first test example of every class, ``(count, 1, 28, 28)``."""
    return np.stack([DATA.test.x[DATA.test.y == digit][0] for digit in range(count)])


def ae() -> list[Figure]:
    """The code plane, and what the decoder says over it."""
    model = ist.load("pretrained:course-ae")
    return [ist.figures.plane(model, DATA), ist.figures.grid(model, DATA, side=12)]


def vae() -> list[Figure]:
    """The same two, with the rings of the prior."""
    model = ist.load("pretrained:course-vae")
    return [rings(ist.figures.plane(model, DATA)), ist.figures.grid(model, DATA, side=12)]


def stacked() -> list[Figure]:
    """The fine-tuning of sigmoid layers, after pretraining and without it."""
    drawn = {}
    for epochs, colour in ((0, QUIET), (4, PALETTE[0])):
        model = ist.StackedAE(
            hidden=(256, 128, 64),
            latent_dim=16,
            activation="sigmoid",
            pretrain_epochs=epochs,
            epochs=40 - 4 * epochs,
            batch_size=64,
            random_state=0,
            verbose=0,
        ).fit(DATA.train, validation_data=DATA.test)
        rows = [
            row for row in model.history_ if row.get("stage") == model.history_[-1].get("stage")
        ]
        drawn[f"pretrain_epochs={epochs}"] = (
            [row["epoch"] for row in rows],
            [row["val_distortion"] for row in rows],
            colour,
        )
    return [
        lines(
            "StackedAE on MNIST, 784-256-128-64-16, sigmoid units",
            "epoch, all stages",
            "test distortion in nats",
            drawn,
        )
    ]


def iwae() -> list[Figure]:
    """The bound that several draws give, of a VAE and of an IWAE."""
    counts, drawn = [1, 2, 5, 10, 20, 50, 200], {}
    for name, model, colour in (
        ("VAE", trained("vae", latent_dim=8, epochs=20), QUIET),
        ("IWAE, samples=20", trained("iwae", latent_dim=8, epochs=20, samples=20), PALETTE[0]),
    ):
        drawn[name] = (
            counts,
            [float(model.nll(DATA.test.x[:500], samples=count).mean()) for count in counts],
            colour,
        )
    figure = lines(
        "VAE and IWAE on MNIST, latent_dim=8",
        "draws behind the estimate",
        "estimate of −log p(x) in nats",
        drawn,
    )
    axes = figure.axes[0]
    axes.set_xscale("log")
    axes.set_xticks(counts, labels=[str(count) for count in counts])
    axes.minorticks_off()
    return [figure]


def betatc() -> list[Figure]:
    """How much dimensions depend on each other, at three weights of that."""
    drawn = {}
    for beta, colour in zip((1.0, 4.0, 10.0), (QUIET, *PALETTE), strict=False):
        model = trained(
            "betatc", latent_dim=6, beta=beta, epochs=30, batch_size=256, learning_rate=2e-3
        )
        rows = model.history_[2:]
        drawn[f"beta={beta:g}, distortion {rows[-1]['distortion']:.1f}"] = (
            [row["epoch"] for row in rows],
            [row["total_correlation"] for row in rows],
            colour,
        )
    return [lines("BetaTCVAE on MNIST, latent_dim=6", "epoch", "total correlation in nats", drawn)]


def over_epochs(
    member: str, field: str, values: tuple[Any, ...], term: str, unit: str, **settings: Any
) -> Figure:
    """What a term becomes in training under some values of a field."""
    drawn = {}
    for value, colour in zip(values, (QUIET, *PALETTE), strict=False):
        model = trained(member, **{field: value}, **settings)
        rows = model.history_[1:]
        drawn[f"{field}={value:g}, distortion {rows[-1]['distortion']:.1f}"] = (
            [row["epoch"] for row in rows],
            [row[term] for row in rows],
            colour,
        )
    dim = settings["latent_dim"]
    return lines(f"{ist.MEMBERS[member].__name__} on MNIST, latent_dim={dim}", "epoch", unit, drawn)


def factorvae() -> list[Figure]:
    """What the critic finds of the total correlation, at two weights of it."""
    settings: dict[str, Any] = {"latent_dim": 6, "epochs": 12, "batch_size": 256}
    unit = "total correlation in nats"
    values = (0.0, 10.0)
    term = "total_correlation"
    return [over_epochs("factorvae", "gamma", values, term, unit, learning_rate=2e-3, **settings)]


def dipvae() -> list[Figure]:
    """The squared covariances of codes, with a weight on them and without."""
    settings: dict[str, Any] = {"latent_dim": 6, "epochs": 12, "batch_size": 256}
    unit = "sum of squared covariances"
    term = "covariance"
    values = (0.0, 10.0)
    return [
        over_epochs(
            "dipvae", "covariance_weight", values, term, unit, learning_rate=2e-3, **settings
        )
    ]


def infovae() -> list[Figure]:
    """How much codes say of their examples, at two values of alpha."""
    settings: dict[str, Any] = {"latent_dim": 6, "epochs": 12, "batch_size": 256}
    unit = "rate in nats"
    return [
        over_epochs("infovae", "alpha", (0.0, 0.9), "rate", unit, learning_rate=2e-3, **settings)
    ]


def hvae() -> list[Figure]:
    """The bound of draws that move, beside that of draws that do not."""
    drawn = {}
    settings: dict[str, Any] = {
        "latent_dim": 6,
        "epochs": 8,
        "batch_size": 200,
        "learning_rate": 2e-3,
    }
    for name, model, colour in (
        ("VAE", trained("vae", **settings), QUIET),
        ("HamiltonianVAE, steps=3", trained("hvae", **settings), PALETTE[0]),
    ):
        rows = model.history_[1:]
        epochs = [row["epoch"] for row in rows]
        drawn[name] = (epochs, [row["objective"] for row in rows], colour)
    return [lines("The bound on MNIST, latent_dim=6", "epoch", "−ELBO in nats", drawn)]


def slicedwae() -> list[Figure]:
    """The plane without the distance to the prior, and with it."""
    return [
        rings(
            ist.figures.plane(
                trained("slicedwae", **PLANE | {"epochs": 10}, sliced_weight=w),
                DATA,
                title=f"SlicedWAE on MNIST, sliced_weight={w:g}",
            )
        )
        for w in (0.0, 50.0)
    ]


def rae() -> list[Figure]:
    """Samples of a RAE from ten Gaussians, of a VAE from its own prior."""
    values = {"latent_dim": 16, "epochs": 25, "batch_size": 64, "learning_rate": 2e-3}
    ours = trained("rae", **values).fit_prior(DATA.train.x)
    rows = {
        "VAE, N(0, I)": trained("vae", **values).sample(14, random_state=0),
        "RAE, ten Gaussians": ours.sample(14, random_state=0),
    }
    return [sheet({**rows, "test digits": DATA.test.x[:14]}, "New digits of either, and real ones")]


def sparse() -> list[Figure]:
    """What each unit stands for, and what examples are made of."""
    model = trained(
        "sparse", latent_dim=64, hidden=(), sparsity_weight=0.2, learning_rate=2e-3, epochs=40
    )
    weights = next(p for p in model.module_.decoder.parameters() if p.ndim == 2).detach().T
    return _units(model, weights.numpy(), "SparseAE on MNIST: its units, the most used first")


def dictionary() -> list[Figure]:
    """The atoms, and what examples are made of."""
    part = ist.sparsities.BatchTopK(k=6)
    model = trained("dictionary", latent_dim=128, sparsity=part, learning_rate=5e-3, epochs=20)
    atoms = model.module_.decoder.unit.detach().numpy()
    return _units(model, atoms, "DictionaryAE on MNIST: its atoms, the most used first")


def _units(model: Any, weights: np.ndarray, title: str) -> list[Figure]:
    """The weights of units, ``(units, 784)``, as stamps, and the strongest units of some digits."""
    weights = weights.reshape(-1, 1, 28, 28)
    lit = DATA.train.x.mean(axis=0) > 0.01  # weights of the other pixels mean nothing
    reach = np.quantile(np.abs(weights[:, lit]), 0.99, axis=1)[:, None, None, None]
    stamps = (0.5 + 0.5 * lit * weights / reach).clip(0, 1).astype(np.float32)
    used = (model.transform(DATA.train.x) > 0).mean(axis=0)
    x = one_each(8)
    largest = np.argsort(-model.transform(x), axis=1)[:, :6]
    rows = [x[:, None], model.reconstruct(x)[:, None], stamps[largest]]
    parts = np.concatenate(rows, axis=1)  # (8, 8, 1, 28, 28)
    return [
        tiled(stamps[np.argsort(-used)[:64]], title),
        tiled(parts.reshape(-1, 1, 28, 28), "Original, reconstruction, its 6 strongest units"),
    ]


def denoising() -> list[Figure]:
    """Two kinds of damage, and what is made of them."""
    x, settings = one_each(), {"epochs": 40, "hidden": (512,)}
    noisy, holed = (
        trained("denoising", **settings),
        trained("denoising", corruption=Masking(0.4), **settings),
    )
    torch.manual_seed(0)
    damaged = GaussianNoise(0.3)(torch.from_numpy(x)).numpy()
    missing = np.random.default_rng(0).random(x.shape) < 0.4  # (10, 1, 28, 28)
    holes = np.where(np.moveaxis(missing, 1, 3), _UNKNOWN, np.moveaxis(x, 1, 3)).astype(np.float32)
    rows = {
        "clean": x,
        "noise, 0.3": damaged,
        "cleaned": noisy.denoise(damaged),
        "40% missing": holes,
        "filled in": holed.denoise(x, missing),
    }
    return [sheet(rows, "DenoisingAE on MNIST")]


def contractive() -> list[Figure]:
    """How far codes move when examples do, with and without the charge."""
    levels, drawn = np.linspace(0, 0.3, 7), {}
    noise = np.random.default_rng(0).standard_normal(DATA.test.x.shape).astype(np.float32)
    for weight, colour in zip((0.0, 0.1, 1.0, 10.0), (QUIET, *PALETTE), strict=False):
        model = trained(
            "contractive", latent_dim=16, hidden=(), network="mlp", epochs=20, contraction=weight
        )
        still = model.transform(DATA.test.x)
        moved = (
            model.transform((DATA.test.x + np.float32(level) * noise).clip(0, 1))
            for level in levels
        )
        shifts = np.sqrt(
            [np.square(codes - still).sum(1).mean() / still.var(axis=0).sum() for codes in moved]
        )
        distortion = model.terms(DATA.test.x)["distortion"].mean()
        drawn[f"contraction={weight:g}, distortion {distortion:.1f}"] = levels, shifts, colour
    return [
        lines(
            "ContractiveAE on MNIST: codes of disturbed examples",
            "standard deviation of the noise on x",
            "shift of the codes / their spread",
            drawn,
        )
    ]


def aae() -> list[Figure]:
    """The plane with the prior's rings, and how the game went."""
    model = trained("aae", **PLANE | {"schedule": "constant"})
    epochs, colours = (
        [row["epoch"] for row in model.history_],
        {"adversary": PALETTE[0], "critic": PALETTE[2]},
    )
    drawn: dict[str, Any] = {
        term: (epochs, [row[term] for row in model.history_], c) for term, c in colours.items()
    }
    drawn["2 log 2"] = epochs[:: len(epochs) - 1], [2 * np.log(2)] * 2, QUIET
    return [
        rings(ist.figures.plane(model, DATA)),
        lines("What either side loses", "epoch", "nats per example", drawn, 4.6),
    ]


def vaegan() -> list[Figure]:
    """Samples of a VAE, and of one that plays against a discriminator."""
    values = {"latent_dim": 16, "epochs": 40, "batch_size": 64, "learning_rate": 2e-3}
    rows = {
        name: trained(name.lower(), **values).sample(14, random_state=0)
        for name in ("VAE", "VAEGAN")
    }
    return [sheet({**rows, "test digits": DATA.test.x[:14]}, "New digits of either, and real ones")]


def wae() -> list[Figure]:
    """The plane without the discrepancy, and with it."""
    return [
        rings(
            ist.figures.plane(
                trained("wae", **PLANE, mmd_weight=w),
                DATA,
                title=f"WAE on MNIST, mmd_weight={w:g}",
            )
        )
        for w in (0.0, 100.0)
    ]


def clustering() -> list[Figure]:
    """The plane by cluster, and the examples nearest to each centre."""
    model = trained("clustering", n_clusters=10, latent_dim=10, pretrain_epochs=30, epochs=20)
    x, found, distances = DATA.test.x, model.predict(DATA.test.x), model.transform(DATA.test.x)
    nearest = np.argsort(distances, axis=0)[:10]  # (10, n_clusters)
    rows = {
        f"{cluster} ({np.count_nonzero(found == cluster)})": x[nearest[:, cluster]]
        for cluster in range(10)
    }
    by_cluster = Data("mnist", DATA.train, Part(x, found))
    return [
        ist.figures.plane(model, by_cluster, title="ClusteringAE on MNIST: codes by cluster"),
        sheet(rows, "Cluster (its size), nearest to its centre", 5.6),
    ]


def vade() -> list[Figure]:
    """New examples, each in the row of the cluster that it is taken for."""
    model = trained("vade", n_clusters=10, latent_dim=10, pretrain_epochs=20, epochs=20)
    new = model.sample(3000, random_state=0)
    found = model.predict(new)
    rows = {
        f"{cluster} ({np.mean(found == cluster):.0%})": new[found == cluster][:14]
        for cluster in range(10)
        if np.count_nonzero(found == cluster) >= 14
    }
    return [sheet(rows, "VaDE on MNIST: samples by cluster (and its share)")]


def waves(count: int, seed: int) -> list[np.ndarray]:
    """Sequences of 20 to 40 steps: oscillations that fade, each in its own way."""
    draw, made = np.random.default_rng(seed), []
    for _ in range(count):
        t = np.arange(draw.integers(20, 41))
        wave = np.exp(-draw.uniform(0, 0.06) * t) * np.sin(
            draw.uniform(0.25, 0.7) * t + draw.uniform(0, 2 * np.pi)
        )
        made.append((wave + 0.05 * draw.standard_normal(len(t)))[:, None].astype(np.float32))
    return made


def recurrent() -> list[Figure]:
    """Sequences of unequal length, and what comes back."""
    model = trained(
        "recurrent",
        waves(600, 0),
        latent_dim=8,
        hidden=(64,),
        epochs=100,
        learning_rate=5e-3,
        schedule="cosine",
    )
    unseen = waves(8, 1)
    figure = new_figure(WIDTH, 3.4)
    panels = figure.subplots(2, 4, sharex=True, sharey=True).ravel()
    for axes, wave, back in zip(panels, unseen, model.reconstruct(unseen), strict=True):
        quiet(axes, ticks=3)
        axes.plot(wave, color=INK, linewidth=0.9, label="sequence")
        axes.plot(back, color=PALETTE[2], linewidth=1.6, alpha=0.8, label="reconstruction")
        head(axes, f"{len(wave)} steps", TEXT)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=SMALL,
    )
    over(figure, "RecurrentAE on unseen sequences, each through a code of 8 numbers")
    return [figure]


def styles() -> list[Figure]:
    """The style of one digit under every class, of a VAE that is told the class."""
    model = trained(
        "vae", condition="label", latent_dim=8, epochs=40, batch_size=64, learning_rate=2e-3
    )
    return [ist.figures.styles(model, DATA)]


def vqvae() -> list[Figure]:
    """Examples, their grids of indices, and what comes back."""
    model, x = ist.load("pretrained:vqvae-mnist"), one_each()
    rows = {
        "original": x,
        "7 × 7 indices": coloured(model, model.encode(x), 0),
        "reconstruction": model.reconstruct(x),
    }
    return [sheet(rows, "VQVAE on MNIST, 128 entries")]


def vqvae2() -> list[Figure]:
    """What either level gives by itself."""
    model, x = (
        trained(
            "vqvae2",
            hidden=(16, 32),
            quantizer=ist.quantizers.VectorQuantizer(codebook_size=64),
            epochs=8,
            schedule="cosine",
        ),
        one_each(),
    )
    grids, codes = model.encode(x), model.transform(x)
    middle = model.transform(DATA.train.x).mean(axis=0)
    is_top = np.arange(codes.shape[1]) < model.latent_dim * grids.top[0].size
    rows = {
        "original": x,
        "both levels": model.reconstruct(x),
        "top alone": model.decode(np.where(is_top, codes, middle)),
        "bottom alone": model.decode(np.where(is_top, middle, codes)),
        "4 × 4 top": coloured(model, grids.top, 0),
        "7 × 7 bottom": coloured(model, grids.bottom, 1),
    }
    return [sheet(rows, "VQVAE2 on MNIST, 64 entries a level")]


def hyperprior() -> list[Figure]:
    """The same digits at every rate of one model."""
    weights, x = (3, 10, 30, 100), one_each()
    model = trained(
        "hyperprior",
        DATA.train.x[:4000],
        hidden=(32, 32, 48),
        latent_dim=48,
        hyper_channels=24,
        distortion_weights=weights,
        epochs=12,
        batch_size=64,
        learning_rate=3e-3,
        schedule="cosine",
    )
    rows = {"original": x}
    for quality, weight in enumerate(weights):
        model.quality = quality
        size = model.terms(x)["rate"].mean() / np.log(2) / 8
        rows[f"λ = {weight}: {size:.0f} bytes"] = model.reconstruct(x)
    return [sheet(rows, "Hyperprior on MNIST, one model")]


def ladder() -> list[Figure]:
    """The error with a hundred labels, where the layers are to take noise away, and where not."""
    drawn = {}
    for name, values, colour in (
        ("labels alone", {"denoising_weights": (0.0,)}, QUIET),
        ("with denoising", {}, PALETTE[0]),
    ):
        model = ist.LadderNetwork(
            n_labels=100,
            reconstruction_weight=0.0,
            epochs=8,
            batch_size=200,
            learning_rate=2e-3,
            random_state=0,
            verbose=0,
            **values,
        ).fit(DATA.train.take(slice(4000)), validation_data=DATA.test)
        drawn[name] = (
            [row["epoch"] for row in model.history_],
            [100 * row["val_error"] for row in model.history_],
            colour,
        )
    title = "LadderNetwork on MNIST, 4,000 images, 100 labels"
    return [lines(title, "epoch", "test error in %", drawn)]


def semivae() -> list[Figure]:
    """The styles of some test digits under every class."""
    return [_restyled("semivae", latent_dim=2, label_weight=100.0)]


def semiaae() -> list[Figure]:
    """The same of the adversarial one."""
    return [_restyled("semiaae", adversary_weight=10.0)]


def _restyled(member: str, **values: Any) -> Figure:
    """Test digits in front, and their style under every class, of a member with 100 labels."""
    settings = {"epochs": 10, "batch_size": 200, "learning_rate": 2e-3, **values}
    model = trained(member, n_labels=100, schedule="cosine", **settings)
    x = DATA.test.x[:6]
    styles = model.transform(x)[:, :-10]
    rows = {}
    for place, style in enumerate(styles):
        codes = np.concatenate([np.tile(style, (10, 1)), np.eye(10)], 1).astype(np.float32)
        rows[f"test digit {place + 1}"] = np.concatenate(
            [x[place : place + 1], model.decode(codes)]
        )
    title = f"{type(model).__name__} on MNIST, 100 labels: a digit, and its style as 0 to 9"
    return sheet(rows, title)


def nvae() -> list[Figure]:
    """Samples at three temperatures."""
    model = trained(
        "nvae", epochs=15, kl_warmup=5, schedule="cosine", learning_rate=3e-3, batch_size=64
    )
    rows = {
        f"temperature {t:g}": model.sample(14, temperature=t, random_state=0)
        for t in (0.6, 0.8, 1.0)
    }
    return [sheet(rows, "NVAE on MNIST: samples")]


def laddervae() -> list[Figure]:
    """Test digits whose lower layers are drawn anew from the prior, given the upper ones."""
    settings = {"latent_dim": 4, "layers": 5, "hidden": (), "epochs": 40, "learning_rate": 2e-3}
    model = trained("laddervae", **settings, **_SHORT)
    return [_anew(model, "LadderVAE on MNIST: lower layers drawn anew, given those above")]


def biva() -> list[Figure]:
    """Test digits whose finer groups are drawn anew from the prior, given the coarser ones."""
    settings = {"kl_warmup": 5.0, "learning_rate": 3e-3, "batch_size": 64, "schedule": "cosine"}
    model = trained("biva", epochs=15, **settings)
    return [_anew(model, "BIVA on MNIST: finer groups drawn anew, given the coarser ones")]


def _anew(model: Any, title: str) -> Figure:
    """Test digits, reconstructed, and with more and more groups of their codes drawn anew."""
    x = one_each()
    rows = {"test digits": x, "reconstructed": model.reconstruct(x)}
    groups = len(model.module_.bottleneck.shapes)
    for kept in range(groups - 1, -1, -1):
        drawn = "all anew" if kept == 0 else f"{groups - kept} of {groups} anew"
        rows[drawn] = model.decode(_redrawn(model, x, kept))
    return sheet(rows, title)


def _redrawn(model: Any, x: np.ndarray, kept: int) -> np.ndarray:
    """Codes of examples, of which all but some of the uppermost groups come from the prior."""
    bottleneck, found = model.module_.bottleneck, []
    torch.manual_seed(0)

    def pick(number: int, prior: DiagonalGaussian, state: torch.Tensor) -> torch.Tensor:
        noise = torch.randn_like(prior.mu)
        new = prior.mu + (0.5 * prior.log_var).exp() * noise
        found.append(given[number] if number < kept else new)
        return found[-1]

    sizes = [math.prod(shape) for shape in bottleneck.shapes]
    with torch.no_grad():
        given = [
            part.reshape(-1, *shape)
            for part, shape in zip(
                torch.from_numpy(model.transform(x)).split(sizes, 1), bottleneck.shapes, strict=True
            )
        ]
        bottleneck.descend(len(x), pick)
    return torch.cat([part.flatten(1) for part in found], 1).numpy()


def made() -> list[Figure]:
    """Examples, what is expected of each pixel given those before it, and new ones."""
    binary = (DATA.train.x > 0.5).astype(np.float32)
    model = trained(
        "made", binary, hidden=(), latent_dim=500, epochs=15, learning_rate=2e-3, **_SHORT
    )
    x = (one_each() > 0.5).astype(np.float32)
    new = model.sample(20, random_state=0)
    rows = {"examples": x, "expected": model.reconstruct(x), "drawn": new[:10], "": new[10:]}
    return [sheet(rows, "MADE on MNIST, black and white")]


def masked() -> list[Figure]:
    """What is seen of an example, what is expected of the rest, and what its code knows."""
    model = trained(
        "masked", hidden=(64,) * 4, epochs=10, batch_size=32, learning_rate=1e-3, schedule="cosine"
    )
    x = one_each()
    hidden = np.moveaxis(model.masked(x, random_state=0), 1, 3)  # (10, 28, 28, 1)
    seen = np.where(np.isnan(hidden), _UNKNOWN, hidden).astype(np.float32)
    rows = {
        "75% hidden": seen,
        "filled in": model.impute(np.moveaxis(hidden, 3, 1)),
        "examples": x,
        "from the code": model.reconstruct(x),
    }
    return [sheet(rows, "MaskedAE on MNIST, patches of 4 × 4 pixels")]


def deepsvdd() -> list[Figure]:
    """The test images that lie closest to the centre of the threes, and those furthest from it."""
    threes = DATA.train.x[DATA.train.y == 3]
    model = trained("deepsvdd", threes, pretrain_epochs=5, epochs=60)
    order = model.terms(DATA.test.x)["distance"].argsort()
    middle = len(order) // 2
    rows = {
        "closest": DATA.test.x[order[:14]],
        "in between": DATA.test.x[order[middle : middle + 14]],
        "furthest": DATA.test.x[order[-14:]],
    }
    return [sheet(rows, "DeepSVDD that learnt from threes: test digits by their distance")]


PICTURES: dict[str, Callable[[], list[Figure]]] = {
    draw.__name__: draw
    for draw in (
        ae,
        stacked,
        vae,
        betatc,
        factorvae,
        dipvae,
        infovae,
        hvae,
        iwae,
        sparse,
        dictionary,
        denoising,
        contractive,
        aae,
        vaegan,
        wae,
        slicedwae,
        rae,
        clustering,
        made,
        masked,
        vade,
        deepsvdd,
        recurrent,
        vqvae,
        vqvae2,
        hyperprior,
        ladder,
        semivae,
        semiaae,
        laddervae,
        nvae,
        biva,
    )
}


BESIDE: dict[str, Callable[[], list[Figure]]] = {"styles": styles}
"""Pictures of pages that belong to no single member, in docs/images."""


if __name__ == "__main__":
    for name in sys.argv[1:] or [*PICTURES, *BESIDE]:
        path = (HOME if name in PICTURES else HOME.parent) / f"{name}.png"
        write((PICTURES | BESIDE)[name](), path)
        print(f"{name}: {path.stat().st_size / 1000:.0f} kB", flush=True)
