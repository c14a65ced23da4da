"""How well clusters fit known classes."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from isthmus.metrics._measure import Measure, average


def cluster_accuracy(labels: np.ndarray, clusters: np.ndarray) -> Measure:
    """The share of examples in the cluster of their class, under the best one-to-one matching."""
    table = contingency_matrix(labels, clusters)
    rows, columns = linear_sum_assignment(-table)
    named = dict(zip(np.unique(clusters)[columns], np.unique(labels)[rows], strict=True))
    right = np.array(
        [named.get(cluster) == label for cluster, label in zip(clusters, labels, strict=True)]
    )
    return average(
        "Cluster accuracy",
        right,
        "share of examples",
        "higher",
        "How many examples lie in the cluster that stands for their class, when each cluster is"
        " named after one class.",
    )


def cluster_nmi(labels: np.ndarray, clusters: np.ndarray) -> Measure:
    """The mutual information of clusters and classes, normalised by the mean of their entropies."""
    return Measure(
        "Cluster NMI",
        float(normalized_mutual_info_score(labels, clusters)),
        "0 to 1",
        None,
        "higher",
        "How much the model's own clusters tell about the classes: 0 nothing, 1 everything.",
    )
