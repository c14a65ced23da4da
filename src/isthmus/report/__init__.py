"""The comparison of several members and its page; the report on a synthetic table."""

from __future__ import annotations

from isthmus.report._compare import Comparison, compare
from isthmus.report._label_curves import LabelCurves, label_curves
from isthmus.report._quality import write_quality

__all__ = ["Comparison", "LabelCurves", "compare", "label_curves", "write_quality"]
