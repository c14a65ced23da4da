"""All figures of real members, and what drawing them leaves alone."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import isthmus as ist
from isthmus.registry import FIGURES

QUICK = {"epochs": 2, "snapshots": 3, "random_state": 0, "verbose": 0, "validation": 0.1}


@pytest.fixture(scope="module")
def vae(digits: ist.data.Data) -> ist.Estimator:
    return ist.VAE(latent_dim=3, **QUICK).fit(digits.train, probes=digits.test.x)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_of_a_vae_can_be_drawn(
    name: str, vae: ist.Estimator, digits: ist.data.Data
) -> None:
    if name == "styles":  # classes can be told apart from style where the model knows them
        vae = ist.VAE(condition="label", **QUICK).fit(digits.train)
    if name == "denoising_path":
        vae = ist.VAE(**QUICK).fit(digits.train)
        vae.fit_prior(digits.train, prior=ist.priors.Diffusion(epochs=1, width=8, verbose=0))
    if name == "series_outliers":
        cut = ist.data.windows(np.sin(np.arange(90)), 20, 5)
        vae, digits = ist.VAE(**QUICK).fit(cut), ist.data.Data("waves", cut, cut)
    if name in ("waveforms", "spectrograms"):
        steps = np.sin(np.arange(4000) / 5).astype(np.float32).reshape(-1, 1, 200)
        known = {"starts": np.arange(20) * 200, "places": np.zeros(20, int), "sample_rate": 8000}
        files = {"files": ("a.wav",), "steps": np.array([4000]), "stride": 200, "kind": "signal"}
        cut = ist.data.Sounds(x=steps, **known, **files)
        vae, digits = ist.VAE(**QUICK).fit(cut), ist.data.Data("sounds", cut, cut)
    figure = FIGURES[name](vae, digits)
    assert isinstance(figure, Figure)
    target = io.BytesIO()
    figure.savefig(target, format="png")
    assert len(target.getvalue()) > 3000


def test_the_animation_of_a_vae_is_small(
    vae: ist.Estimator, digits: ist.data.Data, tmp_path: Path
) -> None:
    path = ist.figures.evolution_gif(vae, digits, tmp_path / "vae.gif", frames=10)
    assert path.stat().st_size < 400_000


def test_flat_rows_are_images_if_the_model_was_told_so_and_no_prior_means_no_samples(
    digits: ist.data.Data,
) -> None:
    rows = ist.data.Part(digits.train.x.reshape(-1, 64)[:200])
    data = ist.data.Data("rows", rows, rows)
    ae = ist.AE(image_shape=(1, 8, 8), **QUICK).fit(rows)
    assert ist.figures.grid(ae, data).axes[0].images[0].get_array().shape == (120, 120)
    with pytest.raises(ist.InputError, match="AE has no prior over its codes"):
        ist.figures.samples(ae, data)


def test_drawing_changes_no_setting_and_no_random_state(
    vae: ist.Estimator, digits: ist.data.Data
) -> None:
    settings = dict(matplotlib.rcParams)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    ist.figures.plane(vae, digits)
    ist.figures.walk(vae, digits)
    assert dict(matplotlib.rcParams) == settings
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("plane", "points"), ("grid", "side"), ("reconstructions", "columns")),
        *(("samples", "rows"), ("samples", "columns"), ("walk", "steps"), ("styles", "rows")),
        *(("outliers", "columns"), ("explanation", "columns"), ("evolution", "panels")),
    ],
)
@pytest.mark.parametrize("value", [0, 2.5, "3", True])
def test_what_is_counted_is_a_whole_number(
    kind: str, name: str, value: object, vae: ist.VAE, digits: ist.data.Data
) -> None:
    with pytest.raises(ist.InputError, match=f"{name}={value!r} is not usable: give a whole"):
        FIGURES[kind](vae, digits, **{name: value})


def test_importing_figures_loads_neither_torch_nor_pyplot() -> None:
    code = (
        "import sys, isthmus.figures; print([name for name in ('torch', 'matplotlib.pyplot') if"
        " name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
