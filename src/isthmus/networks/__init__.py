"""Encoders and decoders, by the kind and the shape of the data.

A network is a pair of builders: ``encoder(spec)`` maps x to features,
``decoder(code_shape, spec)`` maps a code to the parameters of a likelihood.
:data:`isthmus.registry.NETWORKS` lists them.
"""

from isthmus.networks.base import ACTIVATIONS, Features, Network, activation, choose
from isthmus.networks.conv import Conv
from isthmus.networks.dilated import Dilated
from isthmus.networks.initialization import Glorot, Initialization, TorchDefault
from isthmus.networks.mlp import MLP
from isthmus.networks.recurrent import Recurrent
from isthmus.networks.residual import Residual
from isthmus.networks.vit import ViT

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Conv",
    "Dilated",
    "Features",
    "Glorot",
    "Initialization",
    "Network",
    "Recurrent",
    "Residual",
    "TorchDefault",
    "ViT",
    "activation",
    "choose",
]
