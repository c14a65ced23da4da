"""What a dictionary is made of: atoms, units that use few of them, and what both are charged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus.core import sharding
from isthmus.core.autoencoder import Autoencoder, Bottleneck, encoded
from isthmus.core.batch import Batch
from isthmus.core.example import Shape
from isthmus.core.forward import Code, Pass, Point
from isthmus.core.objectives import Loss
from isthmus.core.reductions import full
from isthmus.sparsities.base import SparseUnits, Sparsity, keep_largest

_LEAST = 1e-24  # the square of a length by which is divided


class Atoms(nn.Module):
    """A linear decoder whose rows, the atoms, have length 1: z ``(n, units)`` to ``(n, *shape)``.

    Atoms are normalised where they are used, so a gradient has no part along them; with
    :meth:`renormalise` before every step this is the projected gradient of the weights themselves.

    Args:
        units: how many atoms there are.
        shape: of what they add up to.
        inputs: how many of the first values they say nothing of, which are those of the bias.
    """

    def __init__(self, units: int, shape: Shape, inputs: int = 0) -> None:
        super().__init__()
        self.shape, self.inputs = shape, inputs
        width = math.prod(shape)
        self.weight = nn.Parameter(torch.randn(units, width - inputs))
        self.bias = nn.Parameter(torch.zeros(width))
        self.renormalise()

    @property
    def unit(self) -> Tensor:
        """The atoms, of length 1, ``(units, outputs)``."""
        squared = self.weight.square().sum(1, keepdim=True)
        return self.weight * squared.clamp(min=_LEAST).rsqrt()

    @torch.no_grad()
    def renormalise(self) -> None:
        """Give the weights the length 1 that the atoms have."""
        self.weight.copy_(self.unit)

    def forward(self, z: Tensor) -> Tensor:
        return self.laid_out(z @ self.unit)

    def laid_out(self, added: Tensor) -> Tensor:
        """What atoms add up to, ``(n, outputs)``, with the bias, ``(n, *shape)``."""
        return (F.pad(added, (self.inputs, 0)) + self.bias).unflatten(1, self.shape)

    def nested(self, z: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """What the first atoms alone say, for each of some numbers of them."""
        atoms, total, found = self.unit, z.new_zeros(()), []
        for start, end in pairwise((0, *sizes)):
            total = total + z[:, start:end] @ atoms[start:end]
            found.append(self.laid_out(total))
        return found

    def still(self, z: Tensor) -> Tensor:
        """The same as :meth:`forward`, by atoms that learn nothing from it."""
        added = F.pad(z @ self.unit.detach(), (self.inputs, 0))
        return (added + self.bias.detach()).unflatten(1, self.shape)


class Centred(nn.Module):
    """An encoder that sees x without the bias of the atoms, ``(n, *shape)`` to features."""

    reads_mask = True

    def __init__(self, encoder: nn.Module, atoms: Atoms) -> None:
        super().__init__()
        self.encoder = encoder
        self._atoms = (atoms,)  # in a tuple: the bias is saved and moved once, where it belongs

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        centred = x - self._atoms[0].bias.unflatten(0, x.shape[1:])
        if mask is not None:  # what was not observed is 0, the middle
            centred = centred * mask
        return encoded(self.encoder, Batch(centred, mask=mask))


class First(nn.Module):
    """An encoder that reads the first values of x alone, ``(n, columns)`` to features."""

    def __init__(self, encoder: nn.Module, inputs: int) -> None:
        super().__init__()
        self.encoder, self.inputs = encoder, inputs

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.encoder(x[:, : self.inputs]))


class Found(NamedTuple):
    """Units that examples use, and their pre-activations, ``(n, units)``."""

    units: SparseUnits
    pre: Tensor


class Units(Bottleneck):
    """A linear map to many units, of which a sparsity lets few be active.

    Args:
        features: the shape of what it maps.
        sparsity: which units are used.
        units: how many there are.
        dead_after: examples without any activity after which a unit counts as dead.
    """

    is_sparse = True

    def __init__(self, features: Shape, sparsity: Sparsity, units: int, dead_after: int) -> None:
        super().__init__()
        self.code_shape, self.dead_after = (units,), dead_after
        self.flatten, self.linear = nn.Flatten(), nn.Linear(math.prod(features), units)
        self.sparsity = sparsity
        self.register_buffer("fired", torch.zeros(units))  # in this epoch, so many times
        self.register_buffer("silent", torch.zeros(units))  # examples since
        self.fired: Tensor
        self.silent: Tensor

    def posterior(self, features: Tensor) -> Point:
        return Point(self.sparsity.codes(self.linear(self.flatten(features)), self.linear.bias))

    def found(self, features: Tensor) -> Found:
        """The units that examples use in training, which is counted."""
        pre = self.linear(self.flatten(features))  # (n, units)
        units: SparseUnits = self.sparsity(pre, self.linear.bias)
        if self.training:
            fired = sharding.all_sum((units.z > 0).sum(0))
            self.fired += fired
            self.silent.copy_(
                torch.where(fired > 0, 0.0, self.silent + sharding.total(len(features)))
            )
        return Found(units, pre)

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Code:
        return self.code(self.found(features))

    def code(self, found: Found) -> Code:
        """The code of units that were found, with its charge and the share that is active."""
        z, charge, _ = found.units
        terms = {"active": (z > 0).to(torch.float32).mean(1).detach()}
        if charge is None:
            return Code(z, None, terms)
        return Code(z, self.sparsity.weight * charge, {"sparsity": charge, **terms})

    def spare(self, pre: Tensor, count: int) -> Tensor:
        """The largest activations of dead units, so many an example; all others are 0."""
        is_dead = (self.silent >= self.dead_after).to(pre.dtype)
        return keep_largest(pre.relu() * is_dead, min(count, pre.shape[1]))

    @torch.no_grad()
    def close_epoch(self) -> dict[str, float]:
        share = float((self.fired == 0).float().mean())
        self.fired.zero_()
        return {"dead": share}


@dataclass(frozen=True)
class DictionaryLoss:
    """The distortion of each prefix of the dictionary, the charge, and what spare units take off.

    Attributes:
        sizes: how many of the first units reconstruct x by themselves; the last are all.
        auxiliary_weight: the weight of what dead units learn.
        auxiliary_units: how many of them an example may use for that.
        inputs: how many of the first values are read and not judged.
    """

    sizes: tuple[int, ...]
    auxiliary_weight: float
    auxiliary_units: int
    inputs: int = 0

    def __call__(
        self, module: Autoencoder, features: Tensor, batch: Batch, noise: Tensor | None = None
    ) -> Loss:
        code, atoms = cast(Units, module.bottleneck), cast(Atoms, module.decoder)
        found = code.found(features)
        made = code.code(found)
        said = [full(each) for each in atoms.nested(made.z, self.sizes)]
        costs = [self._distortion(module, each, batch) for each in said]
        objective, terms = torch.stack(costs).sum(0), {"distortion": costs[-1], **made.terms}
        if made.penalty is not None:
            objective = objective + made.penalty
        if found.units.gate is not None:
            gated = self._distortion(module, full(atoms.still(found.units.gate)), batch)
            objective, terms = objective + gated, {**terms, "gated": gated}
        if module.training and self.auxiliary_weight > 0:
            spare = code.spare(found.pre, self.auxiliary_units) @ atoms.unit
            added = full(F.pad(spare, (self.inputs, 0)).unflatten(1, atoms.shape))
            left = self._distortion(module, said[-1].detach() + added, batch)
            change = left - costs[-1].detach()
            objective = objective + self.auxiliary_weight * change
            terms = {**terms, "auxiliary": change}
        return Loss(objective, terms, Pass(batch, features, made, said[-1]))

    def _distortion(self, module: Autoencoder, said: Tensor, batch: Batch) -> Tensor:
        parameters = module.likelihood.sized(said, batch)
        if self.inputs == 0:
            return module.likelihood.nll(parameters, batch.x, batch.mask)
        mask = None if batch.mask is None else batch.mask[:, self.inputs :]
        return module.likelihood.nll(parameters[:, self.inputs :], batch.x[:, self.inputs :], mask)


class DictionaryModule(Autoencoder):
    """The line of a dictionary: its atoms keep their length, and inputs are not reconstructed."""

    def anneal(self, epoch: float) -> None:
        """Called before every step: give the weights of the atoms their length back."""
        super().anneal(epoch)
        if self.training:
            cast(Atoms, self.decoder).renormalise()

    def forward(self, batch: Batch, condition: Tensor | None = None) -> Tensor:
        restored = super().forward(batch, condition)
        inputs = cast(Atoms, self.decoder).inputs
        if inputs == 0:
            return restored
        return torch.cat([batch.x[:, :inputs], restored[:, inputs:]], dim=1)
