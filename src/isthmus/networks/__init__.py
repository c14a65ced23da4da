"""Encoders and decoders, by the shape of the data.

A network is a pair of builders: ``encoder(shape)`` maps x to features,
``decoder(code_shape, shape)`` maps a code to the parameters of a likelihood.
:data:`isthmus.registry.NETWORKS` lists them.
"""

from isthmus.networks.base import ACTIVATIONS, Features, Network, activation, choose, initialise

__all__ = ["ACTIVATIONS", "Features", "Network", "activation", "choose", "initialise"]
