"""Pictures of a trained model, one a function: ``(model, data)`` to a figure of matplotlib.

No figure touches pyplot, a backend or the settings of matplotlib: ``figure.savefig(path)`` writes
it, and a notebook shows it as the last value of a cell.
"""

from __future__ import annotations

from isthmus.figures._animation import evolution_gif
from isthmus.figures._codes import plane
from isthmus.figures._decoded import reconstructions, samples, styles, walk
from isthmus.figures._denoising import denoising_path
from isthmus.figures._evolution import evolution
from isthmus.figures._explanation import explanation
from isthmus.figures._grid import grid
from isthmus.figures._images import as_images, mosaic
from isthmus.figures._outliers import outliers
from isthmus.figures._series import series_outliers
from isthmus.figures._sounds import spectrograms, waveforms
from isthmus.figures._training import curves

__all__ = [
    "as_images",
    "curves",
    "denoising_path",
    "evolution",
    "evolution_gif",
    "explanation",
    "grid",
    "mosaic",
    "outliers",
    "plane",
    "reconstructions",
    "samples",
    "series_outliers",
    "spectrograms",
    "styles",
    "walk",
    "waveforms",
]
