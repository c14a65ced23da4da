"""The pages of the site that answer: an explorer and a comparison, of models that are prepared."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import isthmus as ist

SHOWN = {"VAE": "pretrained:vae-digits-2d"}


def write(target: Path) -> None:
    """Write both into a folder. Nothing is trained: the models come with the package."""
    target.mkdir(parents=True)
    data = ist.data.load("digits")
    models = {name: ist.load(source) for name, source in SHOWN.items()}
    ist.explore(models, data).save(target / "explorer.html")
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.LearningWarning)  # the page says it too
        page = ist.compare(list(SHOWN.values()), data, Path(folder) / "compare").page
        shutil.copy(page, target / "compare.html")
