"""The comparison of several members and its page; the reports on a synthetic table and on the
units of a sparse code.
"""

from __future__ import annotations

from isthmus.report._compare import Comparison, compare
from isthmus.report._features import write_features
from isthmus.report._label_curves import LabelCurves, classifier_named, label_curves
from isthmus.report._quality import write_quality

__all__ = [
    "Comparison",
    "LabelCurves",
    "classifier_named",
    "compare",
    "label_curves",
    "write_features",
    "write_quality",
]
