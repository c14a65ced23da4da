"""What is wrong with a trained member, in words, with the measure, the limit and the remedy."""

from __future__ import annotations

from isthmus.core.findings import Finding
from isthmus.diagnosis._diagnosis import Diagnosis, diagnose

__all__ = ["Diagnosis", "Finding", "diagnose"]
