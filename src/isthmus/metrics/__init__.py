"""Numbers for a fitted model, each with its unit, its standard error, and what it means."""

from __future__ import annotations

from isthmus.metrics._evaluation import Model, evaluate
from isthmus.metrics._measure import Measure
from isthmus.metrics.dictionaries import FeatureTable, features
from isthmus.metrics.recovery import cross_entropy_recovered
from isthmus.metrics.tables import TableQuality, table_quality

__all__ = [
    "FeatureTable",
    "Measure",
    "Model",
    "TableQuality",
    "cross_entropy_recovered",
    "evaluate",
    "features",
    "table_quality",
]
