"""Under which licences the well-known data sets stand, by what their authors say."""

from __future__ import annotations

from collections.abc import Mapping

LICENCES: Mapping[str, str] = {
    "digits": "CC BY 4.0",  # UCI Machine Learning Repository, data set 80
    "mnist": "CC BY-SA 3.0",
    "fashion-mnist": "MIT",
    "kmnist": "CC BY-SA 4.0",
}
"""The licence of each set by its name; CIFAR-10 has none."""
