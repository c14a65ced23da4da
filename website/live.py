"""The pages of the site that answer: an explorer and a comparison, of models that are prepared.

``mnist.npz`` holds the first 1,000 training and the first 1,000 test digits of MNIST, by Y. LeCun,
C. Cortes and C. Burges (CC BY-SA 3.0), so that the site is built without a download.
"""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import isthmus as ist

SHOWN = {"AE": "pretrained:course-ae", "VAE": "pretrained:course-vae"}
_DIGITS = Path(__file__).with_name("mnist.npz")


def digits() -> ist.data.Data:
    """A thousand digits of either part of MNIST."""
    return dataclasses.replace(ist.data.load(_DIGITS), name="mnist, 1,000 test digits")


def write(target: Path) -> None:
    """Write both into a folder. Nothing is trained: the models come with the package."""
    target.mkdir(parents=True)
    data = digits()
    models = {name: ist.load(source) for name, source in SHOWN.items()}
    ist.explore(models, data).save(target / "explorer.html")
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.LearningWarning)  # the page says it too
        page = ist.compare(list(SHOWN.values()), data, Path(folder) / "compare").page
        shutil.copy(page, target / "compare.html")
