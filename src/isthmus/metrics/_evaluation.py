"""All metrics of a fitted model on a data set, under their names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.base import is_clusterer

from isthmus.data.datasets import Data, Part, known_of, named_for, require_data
from isthmus.data.few_labels import labels_of, told_rightly
from isthmus.data.frames import Values
from isthmus.data.preprocessing import Preprocessor
from isthmus.data.stores import Store
from isthmus.errors import InputError
from isthmus.metrics import (
    clustering,
    disentangling,
    images,
    likelihood,
    reconstruction,
    representation,
    sound,
)
from isthmus.metrics._measure import Measure, Measures, average
from isthmus.metrics.representation import LabelledCodes
from isthmus.training.settings import require_seed

_TRAINING_CODES, _TEST_POINTS = 10_000, 2_000
_MOST_DIMENSIONS = 64  # of a code whose dimensions are compared one by one with factors


class Model(Protocol):
    """What is measured: a fitted member, or the reference that stands beside them."""

    preprocessor_: Preprocessor

    @property
    def code_space(self) -> str:
        """Where codes live."""

    def transform(self, X: Any) -> np.ndarray:
        """The code of each example, ``(n, *code_shape)``."""

    def squared_error(self, X: Any) -> np.ndarray:
        """The squared error of each reconstruction, ``(n,)``, in the model's units."""


def evaluate(model: Model, data: Data, *, random_state: int = 0) -> Measures:
    """Measure a fitted model on the test part: reconstruction, likelihood, use of the codes.

    What does not apply is left out: PSNR for anything but images in [0, 1], spectra for anything
    but sounds, what cleaning gains for members that do not train on damaged images, the evidence
    bound for members that have none, bits per dimension where the likelihood is no probability mass
    of the values at hand, classifiers where there are no labels, disentangling where nobody knows
    what examples were made by, and of integer codes.

    Args:
        model: a fitted member.
        data: its test part is measured; classifiers of codes learn from its training part.
        random_state: picks the rows where not all are used, damages images for a denoising member,
            and starts k-means.

    Raises:
        InputError: for a member that is not fitted, and where the test part is empty.
    """
    require_seed(random_state)
    require_data(data)
    if not hasattr(model, "preprocessor_"):
        raise InputError(
            f"{type(model).__name__} is no trained member: call fit(X), or load one with ist.load."
        )
    if len(data.test) == 0:
        raise InputError(
            f"{data.name} has no test part to measure on: load it with test_fraction=0.2."
        )
    test, known = named_for(model, data.test.x, data), known_of(model, data.test)
    dimensions = math.prod(model.preprocessor_.layout.shape)
    return Measures(
        **_reconstruction(model, test, dimensions, known),
        **_sound(model, data, np.random.default_rng(random_state)),
        **_cleaning(model, data.test.x, random_state),
        **_likelihood(model, test, data.test.x, known),
        **_representation(model, data, np.random.default_rng(random_state), random_state),
        **_posterior(model, test, known),
        **_disentangling(model, data, np.random.default_rng(random_state)),
    )


def _reconstruction(
    model: Any, test: Any, dimensions: int, known: Mapping[str, Any]
) -> dict[str, Measure]:
    errors = model.squared_error(test, **known)
    found = {
        "squared_error": reconstruction.sse(errors),
        "mse": reconstruction.mse(errors, dimensions),
    }
    if _is_picture(model):
        found["psnr"] = reconstruction.mean_psnr(errors, dimensions)
    return found


def _sound(model: Any, data: Data, random: np.random.Generator) -> dict[str, Measure]:
    """What differs between sounds and their reconstructions, and how many bits the codes take."""
    rate = model.preprocessor_.spec.sample_rate
    if rate is None:
        return {}
    some = _some(data.test, _TEST_POINTS, random)
    x = named_for(model, some.x, data)
    restored = model.reconstruct(x, **known_of(model, some))
    sounds, targets = (
        np.asarray(values).reshape(len(some), *model.preprocessor_.spec.shape)
        for values in (restored, x)
    )
    return {**sound.of_reconstructions(sounds, targets, rate), **sound.size_of_codes(model)}


def _cleaning(model: Any, x: Values, seed: int) -> dict[str, Measure]:
    """What a member that trains on damaged images makes of images damaged in the same way."""
    module: Any = getattr(model, "module_", None)
    if getattr(module, "corruption", None) is None or not _is_picture(model):
        return {}
    if model.preprocessor_.counts:  # whose logarithms are damaged
        return {}
    batches = model.preprocessor_.batches(
        model.preprocessor_.transform(x), next(module.parameters()).device
    )
    return images.cleaning(module, batches, seed)


def _likelihood(model: Any, test: Any, x: Values, known: Mapping[str, Any]) -> dict[str, Measure]:
    if not hasattr(model, "terms"):
        return {}
    terms, normalised = model.terms(test, **known), model.module_.likelihood.normalised
    distortion = likelihood.distortion(terms["distortion"], normalised)
    written = _written(model, terms)
    if not normalised or "rate" not in terms:
        return {"distortion": distortion, **written}
    found = {"neg_elbo": likelihood.neg_elbo(terms["distortion"], terms["rate"])}
    # the bits of a density depend on the units of the data, and are none that one could send
    inside = model.preprocessor_.transform(x)
    if _has_masses(model, inside):
        observed = _observed(model, inside)
        found["bits_per_dim"] = likelihood.bits_per_dim(
            terms["distortion"], terms["rate"], observed
        )
    rate = likelihood.rate(terms["rate"])
    return {**found, "distortion": distortion, "rate": rate, **written}


def _written(model: Any, terms: Mapping[str, np.ndarray]) -> dict[str, Measure]:
    """The bits per pixel of a member whose rate is the size of a file of an image."""
    if not model.any_size or model.preprocessor_.spec.kind != "image":
        return {}
    pixels = math.prod(model.preprocessor_.spec.shape[1:])
    return {"bits_per_pixel": likelihood.bits_per_pixel(terms["rate"], pixels)}


def _has_masses(model: Any, inside: Store) -> bool:
    """Whether the likelihood is a probability mass of every value of transformed examples.

    For grey values, a Bernoulli is none.
    """
    bins, counts = model.module_.likelihood.bins, model.module_.likelihood.counts
    if counts:  # no other values have come so far
        return True
    return bins is not None and model.preprocessor_.off_grid(inside, bins) is None


def _observed(model: Any, inside: Store) -> np.ndarray:
    """How many values of each transformed example were observed, ``(n,)``."""
    batches = model.preprocessor_.batches(inside, torch.device("cpu"))
    whole = math.prod(inside.shape)
    counts = [
        np.full(batch.size, whole) if batch.mask is None else batch.mask.flatten(1).sum(1).numpy()
        for batch in batches.chunks()
    ]
    return np.concatenate(counts)


def _representation(
    model: Any, data: Data, random: np.random.Generator, seed: int
) -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    if data.train.y is not None and data.test.y is not None and len(np.unique(data.train.y)) > 1:
        train, test = (
            _labelled(model, data, _some(data.train, _TRAINING_CODES, random)),
            _labelled(model, data, data.test),
        )
        found["linear_probe"] = representation.linear_probe(train, test)
        found["knn5"] = representation.knn5(train, test)
        found["kmeans_nmi"] = representation.kmeans_nmi(train, test, seed)
        found |= _own_classes(model, data)
        if is_clusterer(model):
            clusters = model.predict(named_for(model, data.test.x, data))
            found["cluster_accuracy"] = clustering.cluster_accuracy(data.test.y, clusters)
            found["cluster_nmi"] = clustering.cluster_nmi(data.test.y, clusters)
    points = _some(data.test, _TEST_POINTS, random)
    if len(points) > 2 * representation.NEIGHBOURS:
        codes = _flat(model.transform(named_for(model, points.x, data), **known_of(model, points)))
        found["trustworthiness"] = representation.trustworthiness(_inside(model, points.x), codes)
    return found


def _own_classes(model: Any, data: Data) -> dict[str, Measure]:
    """How often a member that tells classes itself is right."""
    if model.preprocessor_.classes is None:
        return {}
    told, labels = model.predict(named_for(model, data.test.x, data)), labels_of(data.test)
    try:
        right = told_rightly(told, labels, model.classes_, type(model).__name__).right
    except InputError:  # the member knows the classes by other names
        return {}
    help = "How many test examples the model itself gives the right class."
    return {"accuracy": average("Own classes, correct", right, "share, 0 to 1", "higher", help)}


def _posterior(model: Any, test: Any, known: Mapping[str, Any]) -> dict[str, Measure]:
    """What can be said of codes that have a prior, and of posteriors that are distributions."""
    found: dict[str, Measure] = {}
    posterior: Any = model.encode(test, **known) if hasattr(model, "encode") else None
    is_gaussian = hasattr(posterior, "log_var")
    mu = _flat(posterior.mu if is_gaussian else model.transform(test, **known))
    spans_volume = is_gaussian or len(mu) > mu.shape[1]  # fewer points than dimensions do not
    code = getattr(getattr(model, "module_", None), "bottleneck", None)
    is_spread = getattr(code, "is_random", False) and not is_gaussian
    # where one lies says too little of a posterior that a flow spreads around it
    if model.code_space == "normal" and spans_volume and not is_spread:
        placed = model._normal_part(mu)
        var = np.exp(_flat(posterior.log_var)) if is_gaussian else np.zeros_like(placed)
        gap = representation.prior_gap(placed, var)
        if math.isfinite(gap.value):  # codes of which a direction is empty have no density
            found["prior_gap"] = gap
    if is_gaussian:
        found["active_units"] = representation.active_units(mu)
    return found


def _disentangling(model: Any, data: Data, random: np.random.Generator) -> dict[str, Measure]:
    """How codes follow the factors that examples were made by, over both parts of the data."""
    parts = [_some(data.train, _TRAINING_CODES, random), data.test]
    known = [part.factors for part in parts if part.factors is not None]
    bottleneck: Any = getattr(getattr(model, "module_", None), "bottleneck", None)
    if len(known) < len(parts) or (bottleneck is not None and bottleneck.levels):
        return {}
    found = [_distribution(model, named_for(model, part.x, data), part) for part in parts]
    mu, var = (np.concatenate(each) for each in zip(*found, strict=True))
    if mu.shape[1] > _MOST_DIMENSIONS:
        return {}
    factors = np.stack([np.concatenate([part[name] for part in known]) for name in known[0]], 1)
    if (factors == factors[:1]).all():
        return {}
    score = disentangling.factor_score(mu, var, factors, int(random.integers(2**31)))
    return {"mig": disentangling.mutual_information_gap(mu, var, factors), "factor_score": score}


def _distribution(model: Any, x: Any, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the code of each example, ``(n, numbers)``; 0 of one not drawn."""
    told = known_of(model, part)
    posterior: Any = model.encode(x, **told) if hasattr(model, "encode") else None
    if hasattr(posterior, "log_var"):
        return _flat(posterior.mu), np.exp(_flat(posterior.log_var))
    mu = _flat(model.transform(x, **told))
    return mu, np.zeros_like(mu)


def _labelled(model: Any, data: Data, part: Part) -> LabelledCodes:
    assert part.y is not None
    return LabelledCodes(
        _flat(model.transform(named_for(model, part.x, data), **known_of(model, part))), part.y
    )


def _some(part: Part, limit: int, random: np.random.Generator) -> Part:
    """At most ``limit`` examples, drawn without replacement and kept in their order."""
    if len(part) <= limit:
        return part
    return part.take(np.sort(random.choice(len(part), limit, replace=False)))


def _inside(model: Model, x: Values) -> np.ndarray:
    """Examples in the model's units, ``(n, dimensions)``."""
    batches = model.preprocessor_.batches(model.preprocessor_.transform(x), torch.device("cpu"))
    return torch.cat([chunk.x.flatten(1) for chunk in batches.chunks()]).numpy()


def _flat(values: Any) -> np.ndarray:
    """Codes as rows; a frame, where scikit-learn is set to give frames out, as an array."""
    values = np.asarray(values)
    return values.reshape(len(values), -1).astype(np.float64)


def _is_picture(model: Model) -> bool:
    """Whether examples are images whose pixels lie in [0, 1], on one scale for all images."""
    spec = model.preprocessor_.spec
    return len(spec.shape) == 3 and spec.unit_range
