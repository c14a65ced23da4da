"""Who else judges a reconstruction: the features of a classifier, and an adversary that looks at
patches.

:data:`isthmus.registry.JUDGES` lists them.
"""

from isthmus.judges.losses import FeatureDistance, JudgedLoss, PatchDiscriminator, PatchGame
from isthmus.judges.parts import VQGAN, Judge, PatchAdversary, Perceptual

__all__ = [
    "VQGAN",
    "FeatureDistance",
    "Judge",
    "JudgedLoss",
    "PatchAdversary",
    "PatchDiscriminator",
    "PatchGame",
    "Perceptual",
]
