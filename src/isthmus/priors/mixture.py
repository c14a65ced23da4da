"""The Gaussian mixture: fitted in moments, and good enough for most codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from isthmus.core.fields import field
from isthmus.core.records import unusable
from isthmus.core.weights import not_finite
from isthmus.errors import RunError
from isthmus.priors.base import Prior

_ITERATIONS = 1000
_LEAST_VARIANCE = 1e-12  # codes that are all the same still have a density
_LEAST_SHARE = 1e-12  # of the mean variance of codes that differ


@dataclass(repr=False, eq=False, kw_only=True)
class Mixture(Prior):
    r"""Gaussian mixture over codes, fitted by expectation maximisation.

    .. math:: p(z) = \sum_k w_k \, \mathcal N(z; \mu_k, \Sigma_k)

    With labels there is one mixture for each class. ``sample(temperature=t)`` scales the deviations
    from μ_k by t. :meth:`log_prob` is exact. scikit-learn fits; drawing and densities need its
    tensors alone, in float64.

    Reference:
        A. Dempster, N. Laird and D. Rubin, Maximum likelihood from incomplete data via the EM
        algorithm, 1977; G. Schwarz, Estimating the dimension of a model, 1978 (the criterion that
        ``fewer`` follows).
    """

    components: int = field(10, "Gaussians in the mixture, or in that of each class", low=1)
    fewer: bool = field(
        True,
        "take a half, a quarter, … of the components where the Bayesian information criterion"
        " says so",
    )
    covariance: Literal["full", "tied", "diag", "spherical"] = field(
        "full", "what the Gaussians look like"
    )
    regularisation: float = field(
        1e-6, "what is added to every variance, in units of the mean variance of the codes", low=0
    )

    def _learn(self, codes: Tensor, classes: Tensor | None, seed: int) -> None:
        z = codes.detach().flatten(1).cpu().double().numpy()
        variance = float(z.var(0).mean())
        floor = max(self.regularisation, _LEAST_SHARE) * variance or _LEAST_VARIANCE
        groups = (
            [z]
            if classes is None
            else [z[classes.numpy() == kind] for kind in range(int(classes.max()) + 1)]
        )
        found = [self._mixture(group, floor, seed) for group in groups]
        self.owners_ = torch.cat(
            [torch.full((mixture.n_components,), kind) for kind, mixture in enumerate(found)]
        )
        self.weights_ = torch.from_numpy(np.concatenate([mixture.weights_ for mixture in found]))
        self.means_ = torch.from_numpy(np.concatenate([mixture.means_ for mixture in found]))
        self.factors_ = torch.cat([_factors(mixture) for mixture in found])

    def _mixture(self, z: np.ndarray, floor: float, seed: int) -> GaussianMixture:
        """The mixture of codes ``(n, d)`` with as many components as the criterion prefers."""
        # scikit-learn wants two rows; a copy changes no maximum
        rows = np.repeat(z, 2, axis=0) if len(z) == 1 else z
        most = min(self.components, len(np.unique(z, axis=0)))
        numbers = (
            [most]
            if not self.fewer
            else sorted({max(1, most >> halvings) for halvings in range(most.bit_length())})
        )
        fits = [
            GaussianMixture(
                number,
                covariance_type=self.covariance,
                reg_covar=floor,
                max_iter=_ITERATIONS,
                random_state=seed,
            ).fit(rows)
            for number in numbers
        ]
        return min(fits, key=lambda mixture: mixture.bic(rows)) if self.fewer else fits[0]

    def _draw(self, n: int, classes: Tensor | None, temperature: float) -> Tensor:
        own = self._own(torch.zeros(n, dtype=torch.int64) if classes is None else classes)  # (n, K)
        chosen = torch.multinomial(own * self.weights_, 1)[:, 0]  # (n,)
        noise = temperature * torch.randn(n, self.means_.shape[1], dtype=torch.float64)
        factors = self.factors_[chosen]  # (n, d) or (n, d, d)
        deviations = (
            factors * noise if factors.ndim == 2 else (factors @ noise[:, :, None])[:, :, 0]
        )
        return (self.means_[chosen] + deviations).float()

    def _log_prob(self, codes: Tensor, classes: Tensor | None) -> Tensor:
        z = codes.detach().flatten(1).cpu().double()
        own = self._own(torch.zeros(len(z), dtype=torch.int64) if classes is None else classes)
        each = torch.stack(
            [
                _log_normal(z, mu, factor)
                for mu, factor in zip(self.means_, self.factors_, strict=True)
            ],
            1,
        )
        return (each + (own * self.weights_).log()).logsumexp(1)

    def _own(self, classes: Tensor) -> Tensor:
        """Which components belong to the class of each example, ``(n, K)``."""
        return self.owners_ == classes[:, None]

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        learnt = {
            "owners": self.owners_,
            "weights": self.weights_,
            "means": self.means_,
            "factors": self.factors_,
        }
        return learnt, {}

    def _restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        if (bad := not_finite(tensors)) is not None:
            raise RunError(f"the mixture of the run is not finite ({bad!r}): call fit_prior again.")
        _require_components(
            tensors, math.prod(self.code_shape_), len(self.classes_.names) if self.classes_ else 1
        )
        self.owners_, self.weights_ = tensors["owners"], tensors["weights"]
        self.means_, self.factors_ = tensors["means"], tensors["factors"]


def _require_components(tensors: Mapping[str, Tensor], d: int, classes: int) -> None:
    """Refuse tensors of a file that are no mixture over codes of d numbers for every class."""
    k = tensors["weights"].numel()
    one, several = ((k,),), ((k, d), (k, d, d))
    wanted: dict[str, tuple[tuple[int, ...], ...]]
    wanted = {"owners": one, "weights": one, "means": several[:1], "factors": several}
    for name, shapes in wanted.items():
        found = tensors[name]
        kind = torch.int64 if name == "owners" else torch.float64
        if tuple(found.shape) not in shapes or found.dtype != kind:
            given = f"{str(found.dtype).removeprefix('torch.')} of shape {tuple(found.shape)}"
            raise unusable(f"prior.{name}", given, f"{k} components of {d} numbers")
    owners, weights = tensors["owners"], tensors["weights"]
    is_owned = int(owners.min()) >= 0 and int(owners.max()) < classes
    if not is_owned or bool((weights < 0).any()):
        raise unusable("prior.weights", weights.tolist(), f"weights of {classes} classes, from 0")
    if bool((torch.zeros(classes).double().index_add(0, owners, weights) <= 0).any()):
        raise unusable("prior.weights", weights.tolist(), "a component of every class")
    factors = tensors["factors"]
    spread = factors if factors.ndim == 2 else factors.diagonal(dim1=1, dim2=2)
    if bool((spread <= 0).any()):
        raise unusable("prior.factors", float(spread.min()), "deviations above 0")


def _factors(mixture: GaussianMixture) -> Tensor:
    """Roots of covariances: lower triangles ``(K, d, d)``, or standard deviations ``(K, d)``."""
    shape = mixture.means_.shape
    covariances = torch.from_numpy(np.asarray(mixture.covariances_))
    match mixture.covariance_type:
        case "spherical":
            return covariances.sqrt()[:, None].expand(shape).contiguous()
        case "diag":
            return covariances.sqrt()
        case "tied":
            return (
                torch.linalg.cholesky(covariances).expand(len(mixture.means_), -1, -1).contiguous()
            )
        case _:
            return torch.linalg.cholesky(covariances)


def _log_normal(z: Tensor, mu: Tensor, factor: Tensor) -> Tensor:
    """log N(z; μ, FFᵀ) of codes ``(n, d)``, with F a lower triangle or a diagonal; ``(n,)``."""
    if factor.ndim == 1:
        noise, scales = (z - mu) / factor, factor
    else:
        noise, scales = (
            torch.linalg.solve_triangular(factor, (z - mu).mT, upper=False).mT,
            factor.diagonal(),
        )
    return -0.5 * (noise.square().sum(1) + z.shape[1] * math.log(2 * math.pi)) - scales.log().sum()
