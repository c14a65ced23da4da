"""What networks that stay in Python answer: numbers to numbers, for a server and for a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from isthmus.errors import InputError
from isthmus.explorer._shown import Shown


class Answers:
    """Decoders and encoders of members, asked by their place and by what they do.

    Args:
        shown: the members.
    """

    def __init__(self, shown: Sequence[Shown]) -> None:
        self.networks = [one.networks for one in shown]

    def answer(self, place: int, kind: str, body: bytes) -> bytes:
        """What the network ``kind`` of a member makes of one example.

        Numbers are float32, little-endian: the inputs one after another, and so what comes out, of
        a network with several outputs each part after its length.

        Raises:
            LookupError: where there is no such network.
            InputError: for another count of numbers.
        """
        if not 0 <= place < len(self.networks) or kind not in self.networks[place]:
            raise LookupError(f"there is no network {kind} of a model {place}")
        network = self.networks[place][kind]
        sizes = [math.prod(shape) for shape in network.shapes]
        if len(body) != 4 * sum(sizes):
            raise InputError(f"{sum(sizes)} numbers of 4 bytes each are wanted.")
        numbers = torch.from_numpy(np.frombuffer(body, dtype="<f4").astype(np.float32))
        inputs = [
            part.reshape(1, *shape)
            for part, shape in zip(numbers.split(sizes), network.shapes, strict=True)
        ]
        with torch.no_grad():
            made: Any = network.module(*inputs)
        if not isinstance(made, tuple):
            return _bytes(made)
        parts = [_bytes(part) for part in made]
        return b"".join(np.float32(len(part) // 4).tobytes() + part for part in parts)


def _bytes(values: torch.Tensor) -> bytes:
    return bytes(values.flatten().float().numpy().astype("<f4").tobytes())
