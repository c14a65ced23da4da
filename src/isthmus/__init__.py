"""isthmus: every autoencoder of the published family, under one roof.

>>> import isthmus as ist
>>> list(ist.MEMBERS)[:2]
['ae', 'stacked']

Names are imported at their first use, so that ``import isthmus`` takes milliseconds; members are
found by their class names, from :data:`isthmus.registry.MEMBERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from isthmus.errors import DataWarning, DivergenceError, InputError, LearningWarning, RunError
from isthmus.registry import MEMBERS, PRIORS
from isthmus.version import __version__

_NAMES = {
    "AutoencoderClassifier": "isthmus.estimators.classifier",
    "Estimator": "isthmus.estimators.base",
    "ManifoldClustering": "isthmus.estimators.manifold",
    "OutlierDetector": "isthmus.estimators.outliers",
    "Tiled": "isthmus.estimators.tiling",
    "StepScores": "isthmus.data.steps",
    "restore_sound": "isthmus.estimators.sounds",
    "score_steps": "isthmus.estimators.series",
    "windows_for": "isthmus.estimators.series",
    "load": "isthmus.io.runs:load_run",
    "decompress": "isthmus.compression",
    "Comparison": "isthmus.report",
    "Diagnosis": "isthmus.diagnosis",
    "compare": "isthmus.report",
    "LabelCurves": "isthmus.report",
    "label_curves": "isthmus.report",
    "diagnose": "isthmus.diagnosis",
    "evaluate": "isthmus.metrics",
    "explore": "isthmus.explorer",
}
_SUBMODULES = (
    "compression",
    "corruptions",
    "data",
    "diagnosis",
    "divergences",
    "errors",
    "explorer",
    "figures",
    "geometries",
    "judges",
    "latent_priors",
    "likelihoods",
    "metrics",
    "models",
    "networks",
    "posteriors",
    "priors",
    "quantizers",
    "registry",
    "report",
    "sparsities",
)

__all__ = [
    "MEMBERS",
    "PRIORS",
    "DataWarning",
    "DivergenceError",
    "InputError",
    "LearningWarning",
    "RunError",
    "__version__",
    *_NAMES,
    *_SUBMODULES,
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"isthmus.{name}")
    if name in _NAMES:
        module, _, attribute = _NAMES[name].partition(":")
        return getattr(import_module(module), attribute or name)
    for member in MEMBERS:
        if MEMBERS.target(member).partition(":")[2] == name:
            return MEMBERS[member]
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(MEMBERS.target(member).partition(":")[2] for member in MEMBERS)])
