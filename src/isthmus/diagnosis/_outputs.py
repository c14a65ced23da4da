"""What is wrong with reconstructions: stuck, or beaten by the mean or by a linear map."""

from __future__ import annotations

import torch
from sklearn.decomposition import PCA

from isthmus.core.findings import Finding
from isthmus.diagnosis._codes import Findings, active_dimensions
from isthmus.diagnosis._examination import Examination
from isthmus.estimators._verdict import learnt_little

_STILL = 0.01  # of a value's own deviation: an output that moves less stands still
_CONSTANT = 0.1  # of the variance of the data
_BOUND, _INSIDE, _SATURATED = 1e-3, 0.05, 0.5
_BEATEN = 1.05  # times the error of PCA
_ERRORS = 2.0  # standard errors


def mean_of_the_data(seen: Examination) -> Findings:
    """Whether reconstructions of new examples are better than the mean of the data."""
    batches = seen.test_batches
    with seen.model._inference(batches.dtype) as module:
        return learnt_little(module, batches.spread(), seen.model._instead_of_rebuilding)


def constant_outputs(seen: Examination) -> Findings:
    """Whether outputs stand still where the data vary."""
    test = seen.test
    varies, moves = test.variance, test.variance_of(test.restored)
    total = float(varies.sum())
    share = float(varies[moves < _STILL**2 * varies].sum()) / total if total > 0 else 0.0
    if share <= _CONSTANT:
        return []
    return [
        Finding(
            "constant-outputs",
            f"{share:.0%} of the variance of the data lies in values for which the decoder always"
            " says the same",
            "lower learning_rate, change activation, or look at the scaling of these values",
            "share of the variance in values whose output is constant",
            share,
            _CONSTANT,
        )
    ]


def saturated_outputs(seen: Examination) -> Findings:
    """Whether outputs stick to 0 or 1, the ends of what they can say, where the data do not."""
    x, restored, known = seen.test.x, seen.test.restored, seen.test.known > 0
    if not known.any() or not _is_unit(restored[known]):
        return None
    between = known & (x.abs() > _INSIDE) & ((x - 1).abs() > _INSIDE)
    at_end = (restored < _BOUND) | (restored > 1 - _BOUND)
    count = int(between.sum())
    share = float((at_end & between).sum()) / count if count else 0.0
    if share <= _SATURATED:
        return []
    return [
        Finding(
            "saturated-outputs",
            f"for {share:.0%} of the values that are neither 0 nor 1, the decoder says 0 or 1",
            "lower learning_rate, pass scaling='minmax', or take a likelihood with"
            " output='linear' where the data reach beyond [0, 1]",
            "share of values between the ends whose output is at one",
            share,
            _SATURATED,
        )
    ]


def _is_unit(values: torch.Tensor) -> bool:
    return bool((values >= 0).all() and (values <= 1).all())


def linear_map(seen: Examination) -> Findings:
    """Whether PCA with as many components as the code has numbers in use rebuilds better."""
    train, test = seen.train, seen.test
    size, is_whole = round(active_dimensions(seen)), train.is_whole and test.is_whole
    # one that was trained on damaged examples has another task than PCA
    is_rebuilding = seen.model._rebuilds and seen.module.corruption is None
    if not is_rebuilding or not is_whole or seen.bottleneck.levels:
        return None
    if getattr(seen.model, "_code_holds_classes", False):  # which are no free numbers
        return None
    if not 0 < size < min(train.x.shape):
        return None
    pca = PCA(size, random_state=0).set_output(transform="default").fit(train.x.numpy())
    rebuilt = torch.from_numpy(pca.inverse_transform(pca.transform(test.x.numpy())))
    errors = (test.x - rebuilt).square().sum(1)
    least = float(errors.mean())
    if least <= 1e-6 * float(test.variance.sum()):  # of data that lie in a plane
        return None
    more = (test.errors - errors).double()
    beaten = float(test.errors.mean()) / least
    is_sure = float(more.mean()) > _ERRORS * float(more.std()) / len(more) ** 0.5
    if beaten <= _BEATEN or not is_sure:
        return []
    return [
        Finding(
            "worse-than-pca",
            f"PCA with {size} component{'s' * (size > 1)} rebuilds new examples better (squared"
            f" error {least:.3g}, the model's {float(test.errors.mean()):.3g})",
            "train for more epochs, raise learning_rate or widen hidden, or lower the weight of"
            " what is charged beside the reconstruction",
            "squared error, times that of PCA of the same size",
            beaten,
            _BEATEN,
        )
    ]
