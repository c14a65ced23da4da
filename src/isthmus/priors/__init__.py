"""Distributions over codes, fitted after training; :data:`isthmus.registry.PRIORS` lists them.

Names are imported at their first use: the command line reads the declarations of priors without
importing torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.priors._noising import Waypoint
    from isthmus.priors.base import Prior, fitted, resolved
    from isthmus.priors.diffusion import Diffusion
    from isthmus.priors.flow import Flow
    from isthmus.priors.masked import Masked
    from isthmus.priors.mixture import Mixture
    from isthmus.priors.pixelcnn import PixelCNN
    from isthmus.priors.transformer import Transformer
    from isthmus.priors.two_stage import TwoStage

__all__ = [
    "Diffusion",
    "Flow",
    "Masked",
    "Mixture",
    "PixelCNN",
    "Prior",
    "Transformer",
    "TwoStage",
    "Waypoint",
    "fitted",
    "resolved",
]

_HOMES = {
    "Diffusion": "diffusion",
    "Flow": "flow",
    "Masked": "masked",
    "Mixture": "mixture",
    "PixelCNN": "pixelcnn",
    "Prior": "base",
    "Transformer": "transformer",
    "TwoStage": "two_stage",
    "Waypoint": "_noising",
    "fitted": "base",
    "resolved": "base",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"isthmus.priors.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'isthmus.priors' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
